"""SysTick: the 24-bit timer of the Cortex-M, in the first registers of the system control space."""

from __future__ import annotations

from typing import Any, ClassVar

from asm.bits import Layout
from emu.cpu.arm.nvic import Nvic, Vector
from emu.device import Board, Device
from emu.registers import Access, Bits, Register


class SystickControl(Layout):
    """SysTick control and status."""

    ENABLE = Bits(0, 1, "1: the counter runs.")
    TICKINT = Bits(1, 1, "1: reaching 0 makes SysTick pending.")
    CLKSOURCE = Bits(2, 1, "1: the processor's clock; 0: the reference clock. Without one it is always 1.")
    COUNTFLAG = Bits(16, 1, "The counter has reached 0 since the last read.", access=Access.RO)


class SystickReload(Layout):
    """SysTick reload value."""

    RELOAD = Bits(0, 24, "The counter starts again from here after 0: the period is RELOAD + 1 cycles.")


class SystickValue(Layout):
    """SysTick current value."""

    CURRENT = Bits(0, 24, "The counter. Any write sets it to 0 and clears COUNTFLAG.")


class SystickCalibration(Layout):
    """SysTick calibration value."""

    TENMS = Bits(0, 24, "Reload value for 10 ms of the reference clock; 0: there is none.")
    SKEW = Bits(30, 1, "TENMS is not exact.")
    NOREF = Bits(31, 1, "There is no reference clock.")


class SysTick(Device):
    """The SysTick registers; `emu.cpu.arm.system_control.SystemControl` inherits them.

    Args:
        reference_hz: frequency of the reference clock in Hz, None: there is none.

    Inaccuracies: the reference clock ticks every so many whole cycles of the processor's. A counter that is stopped, or
    gets another clock, loses what it has counted of its present tick.
    """

    saved: ClassVar[tuple[str, ...]] = ("_stopped_at", "_cycles_per_count", "nvic")

    CSR = Register(0x010, SystickControl)
    RVR = Register(0x014, SystickReload)
    CVR = Register(0x018, SystickValue)
    CALIB = Register(0x01C, SystickCalibration, access=Access.RO)

    def __init__(self, name: str, board: Board, nvic: Nvic, *, reference_hz: int | None = None, **options: Any) -> None:
        super().__init__(name, board, **options)
        self.nvic, self._reference_hz = nvic, reference_hz
        self._tick = self.event("systick", self._reached_zero)
        self._stopped_at, self._cycles_per_count = 0, 1
        self._choose_clock()

    def reset(self) -> None:
        """Stopped, counter 0."""
        super().reset()
        self._tick.cancel()
        self._stopped_at = 0
        self._choose_clock()

    def _choose_clock(self) -> None:
        """What CLKSOURCE says, and what CALIB says of the reference clock."""
        reference = self._reference_hz
        if reference is None:
            self.CSR |= SystickControl.CLKSOURCE.mask
            self.CALIB = SystickCalibration.pack(SKEW=1, NOREF=1)
        else:
            self.CALIB = SystickCalibration.pack(TENMS=reference // 100 - 1, SKEW=reference % 100 != 0)
        fast = reference is None or SystickControl.CLKSOURCE.extract(self.CSR)
        self._cycles_per_count = 1 if fast else self.clock.hertz // (reference or self.clock.hertz)

    def changed(self) -> None:
        """Something may have become pending; `SystemControl` tells the core."""

    def _reached_zero(self) -> None:
        self.CSR |= SystickControl.COUNTFLAG.mask
        if SystickControl.TICKINT.extract(self.CSR):
            self.nvic.pend(Vector.SYS_TICK)
            self.changed()
        if self.RVR:
            self._tick.at(self._tick.due + (self.RVR + 1) * self._cycles_per_count)

    def _value(self) -> int:
        """The counter now."""
        if not self._tick.scheduled:
            return self._stopped_at
        left = self._tick.due - self.clock.now
        if left < 0:  # the event runs at the end of a block: until then the counter has started again
            left %= (self.RVR + 1) * self._cycles_per_count
        return -(-left // self._cycles_per_count)

    def _start(self) -> None:
        """Count down from where the counter stands; from 0 the next cycle loads RELOAD."""
        if self._stopped_at:
            self._tick.after(self._stopped_at * self._cycles_per_count)
        elif self.RVR:
            self._tick.after((self.RVR + 1) * self._cycles_per_count)

    @CSR.on_read
    def _read_control(self) -> int:
        value = self.CSR
        self.CSR = value & ~SystickControl.COUNTFLAG.mask
        return value

    @CSR.on_write
    def _write_control(self, value: int) -> None:
        before = self._cycles_per_count
        value_now = self._value()
        self._choose_clock()
        if not SystickControl.ENABLE.extract(value) or self._cycles_per_count != before:
            self._stopped_at = value_now
            self._tick.cancel()
        if SystickControl.ENABLE.extract(value) and not self._tick.scheduled:
            self._start()

    @RVR.on_write
    def _write_reload(self, value: int) -> None:
        if SystickControl.ENABLE.extract(self.CSR) and not self._tick.scheduled:
            self._start()

    @CVR.on_read
    def _read_value(self) -> int:
        return self._value()

    @CVR.on_write
    def _write_value(self, value: int) -> None:
        self.CSR &= ~SystickControl.COUNTFLAG.mask
        self._stopped_at = 0
        if self._tick.scheduled:
            self._tick.cancel()
            self._start()

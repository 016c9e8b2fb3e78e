"""SysTick: the 24-bit timer of the Cortex-M, in the first registers of the system control space."""

from __future__ import annotations

from typing import Any

from asm.bits import Layout
from emu.cpu.nvic import Nvic, Vector
from emu.device import Board, Device
from emu.registers import Access, Bits, Register


class SystickControl(Layout):
    """SysTick control and status."""

    ENABLE = Bits(0, 1, "1: the counter runs.")
    TICKINT = Bits(1, 1, "1: reaching 0 makes SysTick pending.")
    CLKSOURCE = Bits(2, 1, "Always 1: the processor's clock; there is no reference clock.", access=Access.RO, reset=1)
    COUNTFLAG = Bits(16, 1, "The counter has reached 0 since the last read.", access=Access.RO)


class SystickReload(Layout):
    """SysTick reload value."""

    RELOAD = Bits(0, 24, "The counter starts again from here after 0: the period is RELOAD + 1 cycles.")


class SystickValue(Layout):
    """SysTick current value."""

    CURRENT = Bits(0, 24, "The counter. Any write sets it to 0 and clears COUNTFLAG.")


class SystickCalibration(Layout):
    """SysTick calibration value."""

    TENMS = Bits(0, 24, "Reload value for 10 ms; 0: not known.")
    SKEW = Bits(30, 1, "TENMS is not exact.", reset=1)
    NOREF = Bits(31, 1, "There is no reference clock.", reset=1)


class SysTick(Device):
    """The SysTick registers; `emu.cpu.system_control.SystemControl` inherits them.

    Inaccuracies: there is no external reference clock, as CALIB says.
    """

    saved = ("_stopped_at", "nvic")

    CSR = Register(0x010, SystickControl)
    RVR = Register(0x014, SystickReload)
    CVR = Register(0x018, SystickValue)
    CALIB = Register(0x01C, SystickCalibration, access=Access.RO)

    def __init__(self, name: str, board: Board, nvic: Nvic, **options: Any) -> None:
        super().__init__(name, board, **options)
        self.nvic = nvic
        self._tick = self.event("systick", self._reached_zero)
        self._stopped_at = 0

    def reset(self) -> None:
        """Stopped, counter 0."""
        super().reset()
        self._tick.cancel()
        self._stopped_at = 0

    def changed(self) -> None:
        """Something may have become pending; `SystemControl` tells the core."""

    def _reached_zero(self) -> None:
        self.CSR |= SystickControl.COUNTFLAG.mask
        if SystickControl.TICKINT.extract(self.CSR):
            self.nvic.pend(Vector.SYS_TICK)
            self.changed()
        if self.RVR:
            self._tick.at(self._tick.due + self.RVR + 1)

    def _value(self) -> int:
        """The counter now."""
        if not self._tick.scheduled:
            return self._stopped_at
        left = self._tick.due - self.clock.now
        # The event runs at the end of a block: until then the counter has started again.
        return left if left >= 0 else left % (self.RVR + 1)

    def _start(self) -> None:
        """Count down from where the counter stands; from 0 the next cycle loads RELOAD."""
        if self._stopped_at:
            self._tick.after(self._stopped_at)
        elif self.RVR:
            self._tick.after(self.RVR + 1)

    @CSR.on_read
    def _read_control(self) -> int:
        value = self.CSR
        self.CSR = value & ~SystickControl.COUNTFLAG.mask
        return value

    @CSR.on_write
    def _write_control(self, value: int) -> None:
        if not SystickControl.ENABLE.extract(value):
            self._stopped_at = self._value()
            self._tick.cancel()
        elif not self._tick.scheduled:
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

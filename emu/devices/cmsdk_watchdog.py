"""The APB watchdog of Arm's Cortex-M System Design Kit."""

from __future__ import annotations

from typing import ClassVar

from asm.bits import Layout
from emu.device import Board
from emu.devices.cmsdk import DesignKitDevice
from emu.devices.down_counter import DownCounter
from emu.registers import Access, Bits, Register, Word

WORD_MAX = 0xFFFF_FFFF
UNLOCK = 0x1ACC_E551
LOCK_OFFSET = 0xC00


class Control(Layout):
    """What the watchdog does."""

    INTEN = Bits(0, 1, "1: counts down and interrupts; becoming 1 starts the count at WDOGLOAD.")
    RESEN = Bits(1, 1, "1: resets the machine when the count reaches 0 while the interrupt waits.")


class Interrupt(Layout):
    """The interrupt."""

    INT = Bits(0, 1, "The count has reached 0.")


class Lock(Layout):
    """Write protection."""

    LOCKED = Bits(0, 1, "1: writes to all other registers are ignored.", access=Access.RO)
    KEY = Bits(1, 31, "The whole word 0x1ACCE551 unlocks; anything else locks.", access=Access.WO)


class TestControl(Layout):
    """Integration test."""

    ENABLE = Bits(0, 1, "1: WDOGITOP drives the outputs.")


class TestOutput(Layout):
    """The outputs in integration test."""

    WDOGRES = Bits(0, 1, "1: reset.", access=Access.WO)
    WDOGINT = Bits(1, 1, "1: interrupt.", access=Access.WO)


class DesignKitWatchdog(DesignKitDevice):
    """Interrupts when firmware has not come by in time, and resets the machine when that does not help either.

    *Inaccuracies*: counts machine cycles; WDOGCLKEN and the power-down behaviour do not exist. The reset leaves
    memories as they are.
    """

    saved = ("_counter", "_reset_due", "_test_output")

    part: ClassVar[int] = 0x24

    WDOGLOAD = Register(0x000, Word, "Where the count starts; a write starts it there at once.")
    WDOGVALUE = Register(0x004, Word, "The count.", access=Access.RO)
    WDOGCONTROL = Register(0x008, Control)
    WDOGINTCLR = Register(0x00C, Word, "Any write clears the interrupt and starts again.", access=Access.WO)
    WDOGRIS = Register(0x010, Interrupt, "The interrupt before the mask.", access=Access.RO)
    WDOGMIS = Register(0x014, Interrupt, "The interrupt behind the mask INTEN.", access=Access.RO)
    WDOGLOCK = Register(LOCK_OFFSET, Lock)
    WDOGITCR = Register(0xF00, TestControl)
    WDOGITOP = Register(0xF04, TestOutput)

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self._counter = DownCounter(self, "zero", self._expire)
        self._reset_due = False
        self._test_output = 0
        self.WDOGLOAD = WORD_MAX
        self._counter.set_limit(WORD_MAX, reload=True)

    def reset(self) -> None:
        """Off, unlocked, the longest time."""
        super().reset()
        self._reset_due, self._test_output = False, 0
        self.WDOGLOAD = WORD_MAX
        self._counter.stop()
        self._counter.set_limit(WORD_MAX, reload=True)

    def write(self, offset: int, size: int, value: int) -> None:
        """As `Device.write`; a locked watchdog takes nothing but the key."""
        if Lock.LOCKED.extract(self.WDOGLOCK) and offset & ~3 != LOCK_OFFSET:
            self.warn(f"write to 0x{offset:03x} is ignored: write 0x{UNLOCK:08x} to WDOGLOCK first")
        else:
            super().write(offset, size, value)

    def _expire(self) -> None:
        if self.WDOGRIS:
            self._reset_due = True
            self._counter.stop()
        self.WDOGRIS = Interrupt.INT.mask
        self._update()

    def _update(self) -> None:
        if self.WDOGITCR:
            interrupt = bool(TestOutput.WDOGINT.extract(self._test_output))
            wants_reset = bool(TestOutput.WDOGRES.extract(self._test_output))
        else:
            interrupt = bool(self._masked())
            wants_reset = self._reset_due and bool(Control.RESEN.extract(self.WDOGCONTROL))
        self.irq.set(interrupt)
        if wants_reset:
            self.board.requests.request_reset()

    @WDOGMIS.on_read
    def _masked(self) -> int:
        return self.WDOGRIS & Control.INTEN.extract(self.WDOGCONTROL)

    @WDOGLOAD.on_write
    def _write_load(self, value: int) -> None:
        self._counter.set_limit(value, reload=True)

    @WDOGVALUE.on_read
    def _read_value(self) -> int:
        return self._counter.count

    @WDOGCONTROL.on_write
    def _write_control(self, value: int) -> None:
        enabled = bool(Control.INTEN.extract(value))
        if enabled and not self._counter.running and not self._reset_due:
            self._counter.set_count(self._counter.limit)
            self._counter.run()
        elif not enabled:
            self._counter.stop()
        self._update()

    @WDOGINTCLR.on_write
    def _clear(self, value: int) -> None:
        self.WDOGRIS = 0
        self._counter.set_count(self._counter.limit)
        self._update()

    @WDOGLOCK.on_write
    def _write_lock(self, value: int) -> None:
        self.WDOGLOCK = int(value != UNLOCK)

    @WDOGITCR.on_write
    def _write_test_control(self, value: int) -> None:
        self._update()

    @WDOGITOP.on_write
    def _write_test_output(self, value: int) -> None:
        self._test_output = value
        self._update()

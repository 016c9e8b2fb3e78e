"""The APB timer of Arm's Cortex-M System Design Kit."""

from __future__ import annotations

from typing import ClassVar

from asm.bits import Layout
from emu.device import Board
from emu.devices.cmsdk import DesignKitDevice
from emu.devices.down_counter import DownCounter
from emu.registers import Access, Bits, Register, Word


class Control(Layout):
    """What the timer does."""

    EN = Bits(0, 1, "1: counts down.")
    SELEXTEN = Bits(1, 1, "1: the external input enables the timer.", modelled=False)
    SELEXTCLK = Bits(2, 1, "1: the external input is the clock.", modelled=False)
    IRQEN = Bits(3, 1, "1: reaching 0 sets INTSTATUS.")


class Interrupt(Layout):
    """The interrupt."""

    IRQ = Bits(0, 1, "The count has gone from 1 to 0. Write 1 to clear.")


class DesignKitTimer(DesignKitDevice):
    """Counts machine cycles down from RELOAD, again and again.

    *Inaccuracies*: no external input. As the manual leaves it open: the count stays at 0 for one cycle, so that a
    period is RELOAD + 1 cycles, and with RELOAD = 0 it stops there.
    """

    saved = ("_counter",)

    part: ClassVar[int] = 0x22

    CTRL = Register(0x00, Control)
    VALUE = Register(0x04, Word, "The count.")
    RELOAD = Register(0x08, Word, "Where the count starts again; a write starts it there at once.")
    INTSTATUS = Register(0x0C, Interrupt, access=Access.W1C)

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self._counter = DownCounter(self, "zero", self._expire)

    def reset(self) -> None:
        """Off, count and reload value 0."""
        super().reset()
        self._counter.stop()
        self._counter.set_limit(0, reload=True)

    def _expire(self) -> None:
        if Control.IRQEN.extract(self.CTRL):
            self.INTSTATUS = Interrupt.IRQ.mask
            self.irq.set(True)

    def _go_on(self) -> None:
        if Control.EN.extract(self.CTRL):
            self._counter.run()
        else:
            self._counter.stop()

    @CTRL.on_write
    def _write_control(self, value: int) -> None:
        self._go_on()

    @VALUE.on_read
    def _read_value(self) -> int:
        return self._counter.count

    @VALUE.on_write
    def _write_value(self, value: int) -> None:
        self._counter.set_count(value)
        self._go_on()

    @RELOAD.on_write
    def _write_reload(self, value: int) -> None:
        self._counter.set_limit(value, reload=True)
        self._go_on()

    @INTSTATUS.on_write
    def _write_interrupt(self, value: int) -> None:
        self.irq.set(bool(self.INTSTATUS))

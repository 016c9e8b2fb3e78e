"""A timer that counts cycles down, once or again and again."""

from __future__ import annotations

from asm.bits import Field, Layout
from emu.device import Board, Device
from emu.registers import Access, Register, Word


class Control(Layout):
    """What the timer does."""

    ENABLE = Field(0, 1, "1 starts at LOAD and counts down. Clears itself when a single count has expired.")
    PERIODIC = Field(1, 1, "1: starts again at LOAD when it expires.")
    INTERRUPT = Field(2, 1, "1: the interrupt line is high while EXPIRED is set.")


class Status(Layout):
    """What has happened."""

    EXPIRED = Field(0, 1, "The count has reached 0. Write 1 to clear.")


class Timer(Device):
    """Counts machine cycles.

    The period is exact over time: an expiry that is seen late (the CPU stops at the end of a basic block)
    does not delay the next one.

    *Inaccuracies*: no prescaler and no capture or compare; a write to LOAD while counting takes effect at
    the next start.
    """

    CONTROL = Register(0x00, Control)
    LOAD = Register(0x04, Word, "Cycles from start to expiry; must not be 0.")
    VALUE = Register(0x08, Word, "Cycles left, 0 while the timer is off.", access=Access.RO)
    STATUS = Register(0x0C, Status, access=Access.W1C)

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self._expiry = self.event("expiry", self._expire)

    def reset(self) -> None:
        """Off, nothing expired."""
        super().reset()
        self._expiry.cancel()

    def _update(self) -> None:
        interrupt = Control.INTERRUPT.extract(self.CONTROL)
        self.irq.set(interrupt == 1 and Status.EXPIRED.extract(self.STATUS) == 1)

    def _expire(self) -> None:
        self.STATUS = Status.pack(EXPIRED=1)
        if Control.PERIODIC.extract(self.CONTROL) and self.LOAD:
            self._expiry.at(self._expiry.due + self.LOAD)
        else:
            self.CONTROL = Control.ENABLE.insert(self.CONTROL, 0)
        self._update()

    @CONTROL.on_write
    def _control(self, value: int) -> None:
        if not Control.ENABLE.extract(value):
            self._expiry.cancel()
        elif not self._expiry.scheduled:
            if self.LOAD == 0:
                self.warn("ENABLE with LOAD = 0 does nothing: write the number of cycles to LOAD first")
                self.CONTROL = Control.ENABLE.insert(self.CONTROL, 0)
            else:
                self._expiry.after(self.LOAD)
        self._update()

    @VALUE.on_read
    def _value(self) -> int:
        return max(0, self._expiry.due - self.clock.now) if self._expiry.scheduled else 0

    @STATUS.on_write
    def _status(self, value: int) -> None:
        self._update()

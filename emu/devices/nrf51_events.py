"""What the peripherals of the nRF51 share: tasks that firmware triggers, and events, each with an interrupt."""

from __future__ import annotations

from asm.bits import Layout
from emu.device import Board, Device
from emu.registers import Access, Bits, Register, Word

EVENTS = range(0x100, 0x180, 4)
"""Offsets of events, by their numbers."""


class Task(Layout):
    """A task: something to be done."""

    TRIGGER = Bits(0, 1, "1: do it.", access=Access.WO)


class Event(Layout):
    """An event: something has happened."""

    HAPPENED = Bits(0, 1, "It has happened; write 0 to forget it.")


class EventDevice(Device):
    """A device that interrupts while an event has happened that INTEN lets interrupt.

    A subclass declares its events, at `EVENTS`, and calls `update` when it has set one.
    """

    INTEN = Register(0x300, Word, "Which events interrupt: bit n is for the event at offset 0x100 + 4 n.")
    INTENSET = Register(0x304, Word, "Adds events to INTEN.")
    INTENCLR = Register(0x308, Word, "Takes events from INTEN.")

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self._events = tuple(number for number, offset in enumerate(EVENTS) if offset in self._by_offset)
        self._interrupting = sum(1 << number for number in self._events)

    def update(self) -> None:
        """Drive the interrupt line."""
        happened = sum((self.words[EVENTS[number]] & 1) << number for number in self._events)
        self.irq.set(bool(happened & self.INTEN))

    def write(self, offset: int, size: int, value: int) -> None:
        """What `Device.write` does; firmware may forget events."""
        super().write(offset, size, value)
        if offset in EVENTS:
            self.update()

    @INTEN.on_write
    def _write_interrupts(self, value: int) -> None:
        self.INTEN = value & self._interrupting
        self.update()

    @INTENSET.on_read
    @INTENCLR.on_read
    def _read_interrupts(self) -> int:
        return self.INTEN

    @INTENSET.on_write
    def _add_interrupts(self, value: int) -> None:
        self.INTEN |= value & self._interrupting
        self.update()

    @INTENCLR.on_write
    def _take_interrupts(self, value: int) -> None:
        self.INTEN &= ~value
        self.update()

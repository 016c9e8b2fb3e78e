"""The random number generator of the nRF51."""

from __future__ import annotations

from asm.bits import Layout
from emu.device import Board
from emu.devices.nrf51_events import Event, EventDevice, Task
from emu.registers import Access, Bits, Register

CYCLES_PER_BYTE = 16_000_000 * 677 // 1_000_000
"""Machine cycles that a byte takes: 677 microseconds."""
SEED = 0x1234_5678


class Shortcuts(Layout):
    """What a value does by itself."""

    VALRDY_STOP = Bits(0, 1, "1: the generator stops.")


class Correction(Layout):
    """Makes 0 and 1 equally likely; only remembered."""

    DERCEN = Bits(0, 1, "1: on.")


class Value(Layout):
    """The newest number."""

    VALUE = Bits(0, 8, "The number.")


class Nrf51Random(EventDevice):
    """Gives a byte after the other while it runs.

    *Inaccuracies*: the numbers only look random: they are the same in every run, so that runs can be repeated. Each
    takes the same time, whatever CONFIG says.
    """

    saved = ("_state",)

    START = Register(0x000, Task, "Starts the generator.")
    STOP = Register(0x004, Task, "Stops it.")
    VALRDY = Register(0x100, Event, "There is a new number.")
    SHORTS = Register(0x200, Shortcuts)
    CONFIG = Register(0x504, Correction)
    VALUE = Register(0x508, Value, access=Access.RO)

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self._next = self.event("value", self._draw)
        self._state = SEED

    def reset(self) -> None:
        """Off; the numbers start again."""
        super().reset()
        self._state = SEED
        self._next.cancel()

    def _draw(self) -> None:
        """One step of Marsaglia's xorshift with 32 bits, whose upper byte is the number."""
        state = self._state
        state ^= state << 13 & 0xFFFF_FFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFF_FFFF
        self._state, self.VALUE, self.VALRDY = state, state >> 24, 1
        if not Shortcuts.VALRDY_STOP.extract(self.SHORTS):
            self._next.at(self._next.due + CYCLES_PER_BYTE)
        self.update()

    @START.on_write
    def _start(self, value: int) -> None:
        if value and not self._next.scheduled:
            self._next.after(CYCLES_PER_BYTE)

    @STOP.on_write
    def _stop(self, value: int) -> None:
        if value:
            self._next.cancel()

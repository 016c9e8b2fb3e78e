"""The timer of the nRF51: counts up and compares."""

from __future__ import annotations

from enum import IntEnum

from asm.bits import Layout
from emu.device import Board
from emu.devices.nrf51_events import Event, EventDevice, Task
from emu.registers import Bits, Register, RegisterArray, Word

COMPARISONS = 4
WIDTHS = (16, 8, 24, 32)
"""Bits of the counter by BITMODE."""


class Kind(IntEnum):
    """What is counted."""

    TIMER = 0
    COUNTER = 1


class Mode(Layout):
    """What is counted."""

    MODE = Bits(0, 1, "0: time, 1: triggers of COUNT.", values=Kind)


class BitMode(Layout):
    """How wide the counter is."""

    BITMODE = Bits(0, 2, "0: 16 bits, 1: 8, 2: 24, 3: 32.")


class Prescaler(Layout):
    """How fast it counts."""

    PRESCALER = Bits(0, 4, "2^n machine cycles per tick, n up to 9.", reset=4)


class Shortcuts(Layout):
    """What a comparison does by itself."""

    CLEAR = Bits(0, COMPARISONS, "Bit n: COMPARE[n] clears the counter.")
    STOP = Bits(8, COMPARISONS, "Bit n: COMPARE[n] stops the timer.")


class Nrf51Timer(EventDevice):
    """Counts ticks or triggers; an event happens when the count gets to the value of a CC register.

    *Inaccuracies*: all timers have 32 bits. Bits of CC beyond the counter's are not compared. PRESCALER counts from the
    next START of a stopped timer on.
    """

    saved = ("_count", "_since", "_running", "_divisor")

    START = Register(0x000, Task, "Starts the timer, or goes on.")
    STOP = Register(0x004, Task, "Stops it.")
    COUNT = Register(0x008, Task, "Counts one, in mode COUNTER.")
    CLEAR = Register(0x00C, Task, "Sets the count to 0.")
    SHUTDOWN = Register(0x010, Task, "Stops it and saves power.")
    CAPTURE = RegisterArray(0x040, Task, "Copies the count to CC.", count=COMPARISONS)
    COMPARE = RegisterArray(0x140, Event, "The count has got to CC.", count=COMPARISONS)
    SHORTS = Register(0x200, Shortcuts)
    MODE = Register(0x504, Mode)
    BITMODE = Register(0x508, BitMode)
    PRESCALER = Register(0x510, Prescaler)
    CC = RegisterArray(0x540, Word, "What the count is compared with.", count=COMPARISONS)

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self._match = self.event("match", self._reach)
        self._stop_and_clear()

    def _stop_and_clear(self) -> None:
        self._count = self._since = 0
        self._running, self._divisor = False, 1

    def reset(self) -> None:
        """Off, at 0."""
        super().reset()
        self._stop_and_clear()
        self._match.cancel()

    @property
    def _limit(self) -> int:
        """Where the count wraps to 0."""
        return 1 << WIDTHS[self.BITMODE]

    @property
    def _values(self) -> list[int]:
        """What the count is compared with."""
        return [self.CC[index] % self._limit for index in range(COMPARISONS)]

    def _settle(self) -> None:
        """Bring the count up to now, and keep the part of a tick that has passed."""
        if self._running:
            ticks = (self.clock.now - self._since) // self._divisor
            self._since += ticks * self._divisor
            self._count += ticks
        self._count %= self._limit

    def _schedule(self) -> None:
        """Look for the next comparison that will be true."""
        if not self._running:
            self._match.cancel()
            return
        ticks = min((value - self._count - 1) % self._limit + 1 for value in self._values)
        self._match.at(self._since + ticks * self._divisor)

    def _reach(self) -> None:
        self._count = (self._count + (self._match.due - self._since) // self._divisor) % self._limit
        self._since = self._match.due
        self._compare()
        self._schedule()

    def _compare(self) -> None:
        """Let the events of the present count happen."""
        matching = [index for index, value in enumerate(self._values) if value == self._count]
        for index in matching:
            self.COMPARE[index] = 1
            if Shortcuts.CLEAR.extract(self.SHORTS) >> index & 1:
                self._count = 0
            if Shortcuts.STOP.extract(self.SHORTS) >> index & 1:
                self._running = False
        self.update()

    @START.on_write
    def _start(self, value: int) -> None:
        if value and not self._running and self.MODE == Kind.TIMER:
            self._running, self._since, self._divisor = True, self.clock.now, 1 << self.PRESCALER
            self._schedule()

    @STOP.on_write
    @SHUTDOWN.on_write
    def _stop(self, value: int) -> None:
        if value:
            self._settle()
            self._running = False
            self._schedule()

    @COUNT.on_write
    def _count_trigger(self, value: int) -> None:
        if value and self.MODE == Kind.COUNTER:
            self._count = (self._count + 1) % self._limit
            self._compare()

    @CLEAR.on_write
    def _clear(self, value: int) -> None:
        if value:
            self._count, self._since = 0, self.clock.now
            self._schedule()

    @CAPTURE.on_write
    def _capture(self, index: int, value: int) -> None:
        if value:
            self._settle()
            self.CC[index] = self._count
            self._schedule()

    @CC.on_write
    def _write_comparison(self, index: int, value: int) -> None:
        self._settle()
        self._schedule()

    @BITMODE.on_write
    def _write_width(self, value: int) -> None:
        self._settle()
        self._schedule()

"""The FPGA I/O block of an MPS2 board: LEDs, buttons and free-running counters."""

from __future__ import annotations

from asm.bits import Layout
from emu.device import Board, Device
from emu.registers import Access, Bits, Register, Word

WORD_MASK = 0xFFFF_FFFF


class Leds(Layout):
    """The user LEDs."""

    LEDS = Bits(0, 2, "Bit n: LED n is on.")


class Buttons(Layout):
    """The user buttons."""

    BUTTONS = Bits(0, 2, "Bit n: button n is pressed.", access=Access.RO)


class Misc(Layout):
    """Control bits of other devices of the board."""

    BITS = Bits(0, 10, "Chip selects and display control; only remembered.")


class FpgaIo(Device):
    """LEDs and counters of the board.

    *Inaccuracies*: nobody presses the buttons; MISC controls nothing. The prescaler counts machine cycles.
    """

    saved = ("_settled", "_second", "_hundredth")

    LED0 = Register(0x00, Leds)
    BUTTON = Register(0x08, Buttons)
    CLK1HZ = Register(0x10, Word, "Counts up once a second.")
    CLK100HZ = Register(0x14, Word, "Counts up 100 times a second.")
    COUNTER = Register(0x18, Word, "Counts up whenever PSCNTR starts again.")
    PRESCALE = Register(0x1C, Word, "Where PSCNTR starts again.")
    PSCNTR = Register(0x20, Word, "Counts down every cycle.")
    MISC = Register(0x4C, Misc)

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self._start()

    def _start(self) -> None:
        self._settled = self._second = self._hundredth = self.clock.now

    def reset(self) -> None:
        """LEDs off, counters 0."""
        super().reset()
        self._start()

    def _settle(self) -> None:
        """Bring COUNTER and PSCNTR up to now."""
        ticks, self._settled = self.clock.now - self._settled, self.clock.now
        if ticks <= self.PSCNTR:
            self.PSCNTR -= ticks
            return
        beyond, period = ticks - self.PSCNTR, self.PRESCALE + 1
        starts = -(-beyond // period)
        self.PSCNTR = starts * period - beyond
        self.COUNTER += starts

    @CLK1HZ.on_read
    def _read_seconds(self) -> int:
        return (self.clock.now - self._second) // self.clock.hertz & WORD_MASK

    @CLK1HZ.on_write
    def _write_seconds(self, value: int) -> None:
        self._second = self.clock.now - value * self.clock.hertz

    @CLK100HZ.on_read
    def _read_hundredths(self) -> int:
        return (self.clock.now - self._hundredth) * 100 // self.clock.hertz & WORD_MASK

    @CLK100HZ.on_write
    def _write_hundredths(self, value: int) -> None:
        self._hundredth = self.clock.now - value * self.clock.hertz // 100

    @COUNTER.on_read
    def _read_counter(self) -> int:
        self._settle()
        return self.COUNTER

    @PSCNTR.on_read
    def _read_prescaler(self) -> int:
        self._settle()
        return self.PSCNTR

    def write(self, offset: int, size: int, value: int) -> None:
        """As `Device.write`, with the counters brought up to now before the write."""
        self._settle()
        super().write(offset, size, value)

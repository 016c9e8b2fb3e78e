"""Core-local interruptor: the machine timer and the software interrupt of an RV32 host (SiFive register layout)."""

from __future__ import annotations

from asm.bits import Layout
from emu.clock import FOREVER
from emu.device import Board, Device, Line
from emu.registers import Bits, Register, Word

TIMEBASE_HZ = 10_000_000
"""Default rate of `Clint.mtime`."""
WORD_MASK = 0xFFFF_FFFF
MTIME_MASK = (1 << 64) - 1


class SoftwarePending(Layout):
    """Machine software interrupt of hart 0."""

    MSIP = Bits(0, 1, "1 requests the interrupt, 0 withdraws it.")


class Clint(Device):
    """Timer and software interrupt of hart 0.

    Args:
        timebase_hz: ticks of mtime a second; must not exceed the machine's clock.

    Attributes:
        software: line to mip.MSIP, the level of `MSIP`.
        timer: line to mip.MTIP, high while mtime >= mtimecmp.

    *Inaccuracies*: one hart. mtime is derived from the machine's clock, which counts whole basic blocks: a read
    may be early by the rest of the reading block. mtimecmp is all ones after reset (silicon leaves it undefined).
    Reads of the two halves of mtime are separate accesses, as on a 32-bit bus.
    """

    saved = ("_offset",)

    size = 0x1_0000

    MSIP = Register(0x0000, SoftwarePending)
    MTIMECMP_LOW = Register(
        0x4000, Word, "Bits 31..0 of mtimecmp: the timer interrupt is high while mtime >= mtimecmp."
    )
    MTIMECMP_HIGH = Register(0x4004, Word, "Bits 63..32 of mtimecmp.")
    MTIME_LOW = Register(0xBFF8, Word, "Bits 31..0 of mtime, which counts ticks of the time base since reset.")
    MTIME_HIGH = Register(0xBFFC, Word, "Bits 63..32 of mtime.")

    def __init__(self, name: str, board: Board, timebase_hz: int = TIMEBASE_HZ) -> None:
        super().__init__(name, board)
        fastest = board.clock.hertz
        if not 0 < timebase_hz <= fastest:
            raise ValueError(f"{name}: timebase_hz must be 1..{fastest}, the machine's clock, not {timebase_hz}")
        self.timebase_hz = timebase_hz
        self.software = Line(f"{name}.software")
        self.timer = Line(f"{name}.timer")
        self._compare = self.event("compare", self._update)
        self._offset = 0
        self._start()

    def _start(self) -> None:
        """mtime is 0 now, and no compare value is set."""
        self._offset = -self._ticks()
        self.MTIMECMP_LOW = self.MTIMECMP_HIGH = WORD_MASK

    def reset(self) -> None:
        """mtime starts at 0, both lines are low."""
        super().reset()
        self._start()
        self.software.set(False)
        self._update()

    @property
    def mtime(self) -> int:
        """Ticks since reset, 64 bits."""
        return (self._ticks() + self._offset) & MTIME_MASK

    @property
    def mtimecmp(self) -> int:
        """The time from which the timer line is high, 64 bits."""
        return self.MTIMECMP_HIGH << 32 | self.MTIMECMP_LOW

    def _ticks(self) -> int:
        return self.clock.now * self.timebase_hz // self.clock.hertz

    def _update(self) -> None:
        """Set the timer line; if it is low, look again when it is due."""
        ticks_left = self.mtimecmp - self.mtime
        self.timer.set(ticks_left <= 0)
        due = -(-(self._ticks() + ticks_left) * self.clock.hertz // self.timebase_hz)
        if ticks_left > 0 and due < FOREVER:
            self._compare.at(due)
        else:
            self._compare.cancel()

    @MSIP.on_write
    def _write_msip(self, value: int) -> None:
        self.software.set(bool(SoftwarePending.MSIP.extract(value)))

    @MTIMECMP_LOW.on_write
    def _write_compare_low(self, value: int) -> None:
        self._update()

    @MTIMECMP_HIGH.on_write
    def _write_compare_high(self, value: int) -> None:
        self._update()

    @MTIME_LOW.on_read
    def _read_time_low(self) -> int:
        return self.mtime & WORD_MASK

    @MTIME_HIGH.on_read
    def _read_time_high(self) -> int:
        return self.mtime >> 32

    @MTIME_LOW.on_write
    def _write_time_low(self, value: int) -> None:
        self._set_mtime(self.mtime & ~WORD_MASK | value)

    @MTIME_HIGH.on_write
    def _write_time_high(self, value: int) -> None:
        self._set_mtime(value << 32 | self.mtime & WORD_MASK)

    def _set_mtime(self, value: int) -> None:
        self._offset += value - self.mtime
        self._update()

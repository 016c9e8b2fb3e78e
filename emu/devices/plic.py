"""Platform-level interrupt controller of an RV32 host (SiFive register layout)."""

from __future__ import annotations

from asm.bits import Layout
from emu.device import Board, Device
from emu.registers import Access, Bits, Register, RegisterArray, Word

SOURCES = 32
"""Interrupt identifiers. 0 means "none", so peripherals use 1..31."""
PRIORITY_BITS = 3


class Priority(Layout):
    """Priority of one source."""

    PRIORITY = Bits(0, PRIORITY_BITS, "0 never interrupts, 7 is the most urgent. Of equals the lowest source wins.")


class Threshold(Layout):
    """What is let through to the hart."""

    THRESHOLD = Bits(0, PRIORITY_BITS, "Only sources with a higher priority interrupt.")


class Plic(Device):
    """Collects the peripherals' lines into mip.MEIP of hart 0 in M-mode; `irq` is that line.

    Every source is level-sensitive and has a gateway: a high line makes the source pending once; claiming it
    clears the pending bit, and the line is looked at again only when the handler has completed it. A source
    whose line falls before it is claimed stays pending.

    *Inaccuracies*: one context (M-mode of hart 0); a change of a line is visible at once, without the few
    cycles that silicon takes.
    """

    saved = ("levels", "claimed")

    size = 0x40_0000

    PRIORITY = RegisterArray(0x00_0000, Priority, "Priority of source [index]; element 0 does nothing.", count=SOURCES)
    PENDING = Register(0x00_1000, Word, "Bit n: source n is pending.", access=Access.RO)
    ENABLE = Register(0x00_2000, Word, "Bit n: source n may interrupt the hart; bit 0 is always 0.")
    THRESHOLD = Register(0x20_0000, Threshold)
    CLAIM = Register(
        0x20_0004,
        Word,
        "Read: claims the most urgent pending and enabled source and gives its number, 0 if there is none. "
        "Write: completes the source of that number.",
    )

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self.levels = 0
        self.claimed = 0

    def reset(self) -> None:
        """All priorities and enables 0. The lines stay as the peripherals drive them."""
        super().reset()
        self.claimed = 0
        self._sample()

    def set_source(self, source: int, level: bool) -> None:
        """Drive the line of ``source``, 1..31. Raises ValueError for another number."""
        if not 1 <= source < SOURCES:
            raise ValueError(f"{self.name} has sources 1..{SOURCES - 1}, not {source}")
        self.levels = self.levels & ~(1 << source) | level << source
        self._sample()

    def _sample(self) -> None:
        """The gateways: a high line becomes pending unless its last request is still being served."""
        self.PENDING |= self.levels & ~self.claimed
        self._drive()

    def _candidate(self, above: int) -> int:
        """The most urgent pending and enabled source with a priority above ``above``, 0 if there is none."""
        best, best_priority = 0, above
        waiting = self.PENDING & self.ENABLE
        for source in range(1, SOURCES):
            if waiting >> source & 1 and self.PRIORITY[source] > best_priority:
                best, best_priority = source, self.PRIORITY[source]
        return best

    def _drive(self) -> None:
        self.irq.set(self._candidate(self.THRESHOLD) != 0)

    @PRIORITY.on_write
    def _write_priority(self, source: int, value: int) -> None:
        self._drive()

    @ENABLE.on_write
    def _write_enable(self, value: int) -> None:
        self.ENABLE &= ~1
        self._drive()

    @THRESHOLD.on_write
    def _write_threshold(self, value: int) -> None:
        self._drive()

    @CLAIM.on_read
    def _claim(self) -> int:
        source = self._candidate(0)
        self.PENDING &= ~(1 << source)
        self.claimed |= (1 << source) & ~1
        self._drive()
        return source

    @CLAIM.on_write
    def _complete(self, value: int) -> None:
        if 1 <= value < SOURCES and self.ENABLE >> value & 1:
            self.claimed &= ~(1 << value)
            self._sample()

"""Physical memory protection of the RV32 hart: entries, their registers, and what they allow on a privilege level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from asm.bits import Field, Layout
from emu.cpu.hook_state import Right
from emu.cpu.protection import ADDRESS_SPACE, ALL_RIGHTS, Protection, Span
from emu.cpu.riscv.state import HartSlot, level_of
from emu.cpu.riscv.traps import Privilege
from emu.state import Saved, State

ENTRY_COUNTS = (0, 16)
SMALLEST_GRAIN = 4
KEPT = 256
"""Values of all entries whose protection is kept: an operating system switches between few sets of regions."""
MACHINE_LEVEL = 1 << level_of(Privilege.MACHINE, Privilege.MACHINE)
"""Bit in `HartSlot.READY`."""


class Matching(IntEnum):
    """Field A of an entry: how its address register is read."""

    OFF = 0
    TOP_OF_RANGE = 1
    FOUR_BYTES = 2
    POWER_OF_TWO = 3


class Configuration(Layout):
    """A byte of pmpcfg."""

    R = Field(0, 1, "Loads are allowed.")
    W = Field(1, 1, "Stores are allowed.")
    X = Field(2, 1, "Instruction fetches are allowed.")
    A = Field(3, 2, "Address matching.", values=Matching)
    L = Field(7, 1, "The entry is locked until reset, and holds in M-mode too.")


@dataclass
class Entry:
    """An entry's registers, as they were written."""

    configuration: int = 0
    address: int = 0

    @property
    def matching(self) -> Matching:
        """How the address is read."""
        return Matching(Configuration.A.extract(self.configuration))

    @property
    def locked(self) -> bool:
        """Whether it keeps its value."""
        return bool(Configuration.L.extract(self.configuration))

    @property
    def rights(self) -> Right:
        """What it allows."""
        return Right(self.configuration & 7)

    @property
    def name(self) -> str:
        """Its rights as text: "r-x"."""
        return "".join(letter if self.configuration >> bit & 1 else "-" for bit, letter in enumerate("rwx"))


class Pmp(Saved):
    """The entries.

    Args:
        regions: (base, size) of everything on the bus.
        entries: 0 or 16; without entries U-mode may access all there is.
        granularity: bytes of the smallest region, a power of two from 4 on.
        words: the hart's array, see `riscv.state`.

    Raises:
        ValueError: entries or granularity are none of these.

    Attributes:
        entries: the entries, the most urgent first.

    *Inaccuracies*: the choices that the specification leaves: a misaligned access is checked in aligned parts, an
    instruction fetch in half-words; a write of the reserved rights "w without r" clears w; a write of NA4 where the
    granularity does not allow it selects NAPOT. No ePMP.
    """

    saved = ("entries",)
    saved_types: ClassVar = {"entries": list[Entry]}

    def __init__(self, regions: Iterable[tuple[int, int]], entries: int, granularity: int, words: memoryview) -> None:
        if entries not in ENTRY_COUNTS:
            raise ValueError(f"a hart has {' or '.join(map(str, ENTRY_COUNTS))} PMP entries, not {entries}")
        if granularity < SMALLEST_GRAIN or granularity & granularity - 1:
            raise ValueError(f"PMP granularity must be a power of two from {SMALLEST_GRAIN} on, not {granularity}")
        self.entries = [Entry() for _ in range(entries)]
        self._regions = sorted(regions)
        self._grain_bits = granularity.bit_length() - 1
        self._words = words
        self._protections: dict[Privilege, Protection | None] = {}
        self._kept: dict[tuple[int, ...], Protection] = {}
        self._by_rules: dict[tuple[Privilege, tuple[tuple[Span, str], ...]], Protection] = {}

    def reset(self) -> None:
        """All entries off and unlocked."""
        self.entries = [Entry() for _ in self.entries]
        self._protections.clear()
        self._words[HartSlot.READY] = 0

    def set_state(self, state: Mapping[str, State]) -> None:
        """Take back what `get_state` gave."""
        super().set_state(state)
        self._protections.clear()
        self._words[HartSlot.READY] = 0

    def _changed(self) -> None:
        """An entry that was not locked has changed: what native code knows is wrong, but for a free machine mode."""
        self._protections.clear()
        self._words[HartSlot.READY] &= 0 if self._any_locked else MACHINE_LEVEL

    # Registers

    def read_configuration(self, number: int) -> int:
        """pmpcfg ``number``: four entries."""
        parts = self.entries[4 * number : 4 * number + 4]
        return sum(entry.configuration << 8 * index for index, entry in enumerate(parts))

    def write_configuration(self, number: int, value: int) -> None:
        """Set the entries of pmpcfg ``number`` that are not locked."""
        for index, entry in enumerate(self.entries[4 * number : 4 * number + 4]):
            if not entry.locked:
                entry.configuration = self._legal(value >> 8 * index & 0xFF)
        self._changed()

    def _legal(self, configuration: int) -> int:
        configuration &= Configuration.mask()
        if not Configuration.R.extract(configuration):
            configuration = Configuration.W.insert(configuration, 0)
        if Configuration.A.extract(configuration) == Matching.FOUR_BYTES and self._grain_bits > 2:
            configuration = Configuration.A.insert(configuration, Matching.POWER_OF_TWO)
        return configuration

    def read_address(self, number: int) -> int:
        """pmpaddr ``number``: bits below the granularity show what the entry uses of them."""
        if number >= len(self.entries):
            return 0
        entry = self.entries[number]
        if entry.matching is Matching.POWER_OF_TWO:
            return entry.address | (1 << max(self._grain_bits - 3, 0)) - 1
        if entry.matching is Matching.FOUR_BYTES:
            return entry.address
        return entry.address & -1 << self._grain_bits - 2

    def write_address(self, number: int, value: int) -> None:
        """Set pmpaddr ``number``, unless it is locked, or the bottom of a locked range."""
        if number >= len(self.entries):
            return
        following = self.entries[number + 1] if number + 1 < len(self.entries) else Entry()
        if self.entries[number].locked or (following.locked and following.matching is Matching.TOP_OF_RANGE):
            return
        self.entries[number].address = value
        self._changed()

    # Rules

    def region(self, number: int) -> tuple[int, int] | None:
        """First address of an entry's region and the one behind it, within 4 GiB; None if there is none."""
        entry = self.entries[number]
        value = self.read_address(number)
        grain = 1 << self._grain_bits
        if entry.matching is Matching.OFF:
            return None
        if entry.matching is Matching.TOP_OF_RANGE:
            low = self.entries[number - 1].address << 2 & -grain if number else 0
            high = value << 2
        elif entry.matching is Matching.FOUR_BYTES:
            low, high = value << 2, (value << 2) + 4
        else:
            ones = (value ^ value + 1) >> 1
            low = (value & ~(ones << 1 | 1)) << 2
            high = low + (ones + 1 << 3)
        high = min(high, ADDRESS_SPACE)
        return (low, high) if low < high else None

    @property
    def _any_locked(self) -> bool:
        return any(entry.locked for entry in self.entries)

    def protection(self, privilege: Privilege) -> Protection | None:
        """What the entries allow; None: everything."""
        if privilege not in self._protections:
            free = not self.entries or (privilege is Privilege.MACHINE and not self._any_locked)
            self._protections[privilege] = None if free else self._keep_protection(privilege)
        return self._protections[privilege]

    def _keep_protection(self, privilege: Privilege) -> Protection:
        key = privilege, *(value for entry in self.entries for value in (entry.configuration, entry.address))
        if key not in self._kept:
            if len(self._kept) >= KEPT:
                self._kept.clear()
                self._by_rules.clear()
            self._kept[key] = self._make_protection(privilege)
        return self._kept[key]

    def _make_protection(self, privilege: Privilege) -> Protection:
        machine = privilege is Privilege.MACHINE
        default = Span(0, ADDRESS_SPACE, ALL_RIGHTS) if machine else Span(0, ADDRESS_SPACE, Right(0), "no PMP entry")
        spans = [default]
        for number in reversed(range(len(self.entries))):
            bounds = self.region(number)
            if bounds is not None:
                entry = self.entries[number]
                rights = entry.rights if entry.locked or not machine else ALL_RIGHTS
                spans = _overlay(spans, Span(*bounds, rights, f"PMP entry {number} ({entry.name})"))
        # Most steps from one set of regions to another change nothing on a level.
        rules = privilege, tuple((span, span.rule) for span in spans)
        if rules not in self._by_rules:
            self._by_rules[rules] = Protection(spans, self._regions)
        return self._by_rules[rules]


def _overlay(spans: list[Span], top: Span) -> list[Span]:
    """The spans with another one that comes before them."""
    below = [Span(s.low, min(s.high, top.low), s.rights, s.rule) for s in spans if s.low < top.low]
    above = [Span(max(s.low, top.high), s.high, s.rights, s.rule) for s in spans if s.high > top.high]
    return [*below, top, *above]

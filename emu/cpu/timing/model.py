"""Cycle models: what is written in the tables of `thumb` and `riscv`, and the integers that `lookup` works on.

A line of such a table is a row: ``pattern | instruction | kinds | cycles of each core``. The pattern has a character
for each bit, the highest first: 0 and 1 must be so; letters of one kind are a field; any other character is any bit.
For Thumb, the first half-word of a 32-bit instruction stands before the second. Fields:

    t     register that is written
    n m   registers that are read (of Thumb's loads and stores only those of the address)
    T N M the same, three bits for the registers 8..15
    b B   register that is read and written
    r     list of registers, a bit for each
    c     number of registers

Cycles are ``2``, ``1+N`` or ``1+2N`` with the number N of registers in the list; ``1/3`` for jumps and branches: not
taken / taken. ``-``: the core has no such instruction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from emu.cpu.timing.lookup import HEAD_SIZE, MOST_WAIT_STATES, ROW_SIZE, Head, Kind

KIND_WORDS = {
    "load": Kind.LOAD,
    "follows": Kind.FOLLOWS,
    "jump": Kind.JUMP,
    "literal": Kind.LOAD | Kind.FOLLOWS | Kind.LITERAL,
}
CYCLES = re.compile(r"(\d+)?\+?(?:(\d*)N)?")
NO_REGISTER = -1


class TableError(ValueError):
    """A line of a table is wrong."""


@dataclass(frozen=True)
class FlashTiming:
    """How fast the CPU fetches from the memory that it starts from.

    Attributes:
        wait_states: cycles that it waits for a line.
        line_bytes: bytes that come at a time, a power of two.
        prefetch: whether the next line is fetched while one is executed.

    *Inaccuracies*: no cache: code that jumps waits at the target, also where it has just been. With `prefetch` a
    line counts as executed in a cycle for each 4 bytes: silicon may need more and then waits less. Of data in flash,
    only what is loaded relative to the program counter waits, and with the model of a Cortex-M; loads by other
    registers do not.
    """

    wait_states: int = 0
    line_bytes: int = 16
    prefetch: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.wait_states <= MOST_WAIT_STATES:
            raise ValueError(f"flash memory can have 0..{MOST_WAIT_STATES} wait states, not {self.wait_states}")
        if self.line_bytes < 4 or self.line_bytes & (self.line_bytes - 1):
            raise ValueError(f"a line of flash memory must have 4, 8, 16, ... bytes, not {self.line_bytes}")

    @property
    def sequential_cycles(self) -> int:
        """Cycles that the CPU waits for the next line."""
        hidden = self.line_bytes // 4 - 1 if self.prefetch else 0
        return max(0, self.wait_states - hidden)


@dataclass(frozen=True)
class Row:
    """A row of a table, for one core; ``pattern`` without spaces."""

    pattern: str
    kinds: Kind
    cycles: str

    def integers(self) -> list[int]:
        """As `lookup.Column` says."""
        pattern = self.pattern
        fixed = int("".join("1" if bit in "01" else "0" for bit in pattern), 2)
        wide = len(pattern) == 32
        untaken, _, taken = self.cycles.partition("/")
        base, each = _parse_cycles(untaken)
        total, total_each = _parse_cycles(taken) if taken else (base, each)
        kinds = self.kinds | (Kind.COUNT if "c" in pattern else 0)
        return [
            fixed if wide else fixed | 0xFFFF_0000,
            int("".join("1" if bit == "1" else "0" for bit in pattern), 2),
            *(base, each, total - base, total_each - each),
            self._bits("rc"),
            kinds,
            *self._register("tTbB"),
            *self._register("nNbB"),
            *self._register("mM"),
        ]

    def _bits(self, letters: str) -> int:
        return int("".join("1" if bit in letters else "0" for bit in self.pattern), 2)

    def _register(self, letters: str) -> tuple[int, int, int]:
        """Shift, mask and lowest number of the field with one of the letters."""
        bits = self._bits(letters)
        if bits == 0:
            return 0, 0, 0
        shift = (bits & -bits).bit_length() - 1
        upper = any(letter in self.pattern for letter in letters if letter.isupper())
        return shift, bits >> shift, 8 if upper else 0


def _parse_cycles(text: str) -> tuple[int, int]:
    found = CYCLES.fullmatch(text)
    if found is None or not text:
        raise TableError(f"cycles must be like 2, 1+N or 1/1+N, not {text!r}")
    base, each = found.groups()
    return int(base or 0), 0 if each is None else int(each or 1)


@dataclass(frozen=True)
class CycleModel:
    """What the instructions of a core cost.

    Attributes:
        name: for `--cpu-timing`.
        doc: the core, where the figures are from, and what is chosen.
        rows: what takes other than one cycle, or matters to its neighbours.
        pipelined, load_use, jump_use: see `lookup.Head`.
        ignored_register: a register that is always 0, or `NO_REGISTER`.
    """

    name: str
    doc: str
    rows: tuple[Row, ...] = field(repr=False)
    pipelined: int = 0
    load_use: int = 0
    jump_use: int = 0
    ignored_register: int = NO_REGISTER

    def table(self, flash: FlashTiming, base: int, end: int) -> npt.NDArray[np.int64]:
        """The integers for `lookup`; the flash memory reaches from ``base`` to ``end``."""
        head = np.zeros(HEAD_SIZE, np.int64)
        head[Head.ROWS], head[Head.IGNORED_REGISTER] = len(self.rows), self.ignored_register
        head[Head.PIPELINED], head[Head.LOAD_USE], head[Head.JUMP_USE] = self.pipelined, self.load_use, self.jump_use
        head[Head.FLASH_BASE], head[Head.FLASH_END] = base, end
        head[Head.LINE], head[Head.RANDOM] = flash.line_bytes, flash.wait_states
        head[Head.SEQUENTIAL] = flash.sequential_cycles
        rows = np.array([row.integers() for row in self.rows], np.int64).reshape(len(self.rows), ROW_SIZE)
        return np.concatenate([head, rows.ravel()])


def parse_rows(table: str, core: int) -> tuple[Row, ...]:
    """The rows of a table for its core number ``core``.

    Raises:
        TableError: a line does not say what a row needs.
    """
    rows = []
    for line in table.strip().splitlines():
        pattern, _, kinds, *cores = (cell.strip() for cell in line.split("|"))
        pattern = pattern.replace(" ", "")
        if len(pattern) not in (16, 32) or core >= len(cores):
            raise TableError(f"a row needs 16 or 32 bits and cycles for each core: {line!r}")
        if cores[core] != "-":
            kind = Kind(0)
            for word in kinds.split():
                kind |= KIND_WORDS[word]
            rows.append(Row(pattern, kind, cores[core]))
    return tuple(rows)

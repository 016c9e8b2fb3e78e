"""What an instruction costs by a table of integers; native code and plain functions.

The table has a header, see `Head`, and rows of `ROW_SIZE` integers, see `Column`: the first row whose pattern fits
an instruction is its row; one without a row takes one cycle. A result is *packed*: ``cycles | taken << TAKEN_SHIFT``,
where ``taken`` comes on top when the next instruction is not the following one: only jumps and branches have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, IntFlag


class Head(IntEnum):
    """The table's header."""

    ROWS = 0
    """Number of rows."""
    PIPELINED = 1
    """Cycles that a load saves before an access of memory whose address does not depend on it."""
    LOAD_USE = 2
    """Cycles that a load takes longer before an instruction that uses what it loads."""
    JUMP_USE = 3
    """Cycles that any instruction takes longer before a jump to the address that it computes."""
    IGNORED_REGISTER = 4
    """Register whose use does not count, -1 for none."""
    FLASH_BASE = 5
    """The flash memory: first address,"""
    FLASH_END = 6
    """first address behind it,"""
    LINE = 7
    """bytes that it delivers at a time,"""
    RANDOM = 8
    """cycles that the CPU waits for a line,"""
    SEQUENTIAL = 9
    """and for one that follows the line before."""


class Column(IntEnum):
    """A row of the table."""

    MASK = 0
    """The row is for instructions of which these bits"""
    MATCH = 1
    """have these values."""
    CYCLES = 2
    """Cycles,"""
    CYCLES_EACH = 3
    """and for each register of the list."""
    TAKEN = 4
    """Further cycles of a jump that is taken,"""
    TAKEN_EACH = 5
    """and for each register of the list."""
    LIST = 6
    """Mask of the list of registers: a bit for each, or, with `Kind.COUNT`, their number."""
    KINDS = 7
    """`Kind` bits."""
    TARGET = 8
    """Shift, mask (0: none) and lowest number of the register that is written,"""
    FIRST = 11
    """of a register that is read,"""
    SECOND = 14
    """and of another one."""


class Kind(IntFlag):
    """What matters about an instruction besides its cycles."""

    LOAD = 1
    """Loads the target register from memory."""
    FOLLOWS = 2
    """Can be pipelined behind a load that does not give it its address; FIRST and SECOND are the address."""
    JUMP = 4
    """Jumps to the address in FIRST."""
    LITERAL = 8
    """Loads from beside the code."""
    COUNT = 16
    """The list is a number."""


ROW_SIZE = 17
HEAD_SIZE = 10
TAKEN_SHIFT, CYCLES_MASK = 20, (1 << 20) - 1
MOST_WAIT_STATES = 255
LOAD, FOLLOWS, JUMP, LITERAL, COUNT = map(int, (Kind.LOAD, Kind.FOLLOWS, Kind.JUMP, Kind.LITERAL, Kind.COUNT))
ROWS, PIPELINED, LOAD_USE, JUMP_USE, IGNORED_REGISTER, FLASH_BASE, FLASH_END, LINE, RANDOM, SEQUENTIAL = map(int, Head)
MASK, MATCH, CYCLES, CYCLES_EACH, TAKEN, TAKEN_EACH, LIST, KINDS, TARGET, FIRST, SECOND = map(int, Column)


def instruction_costs(table: Sequence[int], address: int, width: int, word: int, following: int) -> int:
    """Packed cost of the instruction ``word`` at ``address``; ``following`` is the one behind it, 0 if not known."""
    row = follower = 0
    for index in range(HEAD_SIZE, HEAD_SIZE + table[ROWS] * ROW_SIZE, ROW_SIZE):
        if row == 0 and word & table[index + MASK] == table[index + MATCH]:
            row = index
        if follower == 0 and following & table[index + MASK] == table[index + MATCH]:
            follower = index
    cycles, taken, kinds = 1, 0, 0
    if row != 0:
        kinds = table[row + KINDS]
        registers = word & table[row + LIST]
        if kinds & COUNT == 0:
            bits, registers = registers, 0
            while bits != 0:
                bits &= bits - 1
                registers += 1
        cycles = table[row + CYCLES] + table[row + CYCLES_EACH] * registers
        taken = table[row + TAKEN] + table[row + TAKEN_EACH] * registers
    if row != 0 and follower != 0 and table[row + TARGET + 1] != 0:
        target = (word >> table[row + TARGET] & table[row + TARGET + 1]) + table[row + TARGET + 2]
        used = False
        for source in range(follower + FIRST, follower + SECOND + 3, 3):
            if table[source + 1] != 0 and target != table[IGNORED_REGISTER]:
                used |= (following >> table[source] & table[source + 1]) + table[source + 2] == target
        if kinds & LOAD != 0 and used:
            cycles += table[LOAD_USE]
        elif kinds & LOAD != 0 and table[follower + KINDS] & FOLLOWS != 0:
            cycles -= table[PIPELINED]
        elif table[follower + KINDS] & JUMP != 0 and used:
            cycles += table[JUMP_USE]
    if table[FLASH_BASE] <= address < table[FLASH_END]:
        lines = (address + width - 1) // table[LINE] - (address - 1) // table[LINE]
        cycles += lines * table[SEQUENTIAL]
        if kinds & LITERAL != 0:
            cycles += table[RANDOM]
    return cycles | taken << TAKEN_SHIFT


def arrival_cycles(table: Sequence[int], address: int) -> int:
    """What is added when the CPU gets to ``address`` otherwise than from the instruction before it."""
    if not table[FLASH_BASE] <= address < table[FLASH_END]:
        return 0
    begins_line = address % table[LINE] == 0
    return table[RANDOM] - table[SEQUENTIAL] if begins_line else table[RANDOM]

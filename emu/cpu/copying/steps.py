"""The steps of a round: what instructions that such loops have come to, the same for all instruction sets.

A step is a number, see `add_step`. Its *sum* is ``first + (second << shift) + constant``, of two registers.
"""

from __future__ import annotations

from enum import IntEnum

from emu.cpu.copying.slots import MOST_STEPS, REGISTERS, WalkSlot
from emu.cpu.native_calls import Bytes, Words


class Step(IntEnum):
    """What a step does."""

    SUM = 0
    """The target becomes the sum."""
    SUM_AND_FLAGS = 1
    """Flags are set by the sum, too, of which the carry is not known."""
    DIFFERENCE = 2
    """The target becomes the first register less the second one and the constant."""
    DIFFERENCE_AND_FLAGS = 3
    """Flags are set by this difference, too."""
    COMPARE = 4
    """Only flags are set by this difference."""
    SHIFT_RIGHT = 5
    """The target becomes the first register, shifted to the right by the constant, without sign."""
    SHIFT_RIGHT_AND_FLAGS = 6
    REPLACE_HIGH = 7
    """The upper half of the target becomes the constant."""
    LOAD = 8
    """Load so many bytes from the address that is the sum into the target."""
    LOAD_HALF = 9
    LOAD_WORD = 10
    STORE = 11
    """Store so many bytes of the target, which is read, to the address that is the sum."""
    STORE_HALF = 12
    STORE_WORD = 13
    JUMP = 14
    """Jump back to the beginning if the first and the second register are in the `Order` that the constant is."""
    JUMP_ON_FLAGS = 15
    """Jump back if flags say that what was compared is in that order."""


class Order(IntEnum):
    """How two numbers are compared."""

    EQUAL = 0
    UNEQUAL = 1
    LESS = 2
    NOT_GREATER = 3
    GREATER = 4
    NOT_LESS = 5
    LESS_SIGNED = 6
    NOT_GREATER_SIGNED = 7
    GREATER_SIGNED = 8
    NOT_LESS_SIGNED = 9
    NEGATIVE = 10
    """Their difference is, in two's complement,"""
    NOT_NEGATIVE = 11
    """or is not."""


STEPS, STEP_TABLE = int(WalkSlot.STEPS), int(WalkSlot.STEP_TABLE)
TARGET_SHIFT, FIRST_SHIFT, SECOND_SHIFT, AMOUNT_SHIFT, CONSTANT_SHIFT = 4, 10, 16, 22, 28
SCRATCH, ZERO = REGISTERS, REGISTERS + 1
"""Places beside the registers: one for a number on the way, and the number 0."""


def half_at(code: Bytes, offset: int) -> int:
    """A half-word of code."""
    return code[offset] | code[offset + 1] << 8


def add_step(walk: Words, step: int, target: int, first: int, second: int, shift: int, constant: int) -> bool:
    """Write a step behind the others; False if there is no room."""
    count = walk[STEPS]
    if count == MOST_STEPS:
        return False
    registers = target << TARGET_SHIFT | first << FIRST_SHIFT | second << SECOND_SHIFT
    walk[STEP_TABLE + count] = step | registers | shift << AMOUNT_SHIFT | constant << CONSTANT_SHIFT
    walk[STEPS] = count + 1
    return True

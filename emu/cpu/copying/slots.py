"""Layout of the array in which a round of a loop is walked through, see `emu.cpu.copying.walk`."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from unicorn.unicorn_py3.unicorn import uclib

REGISTERS = 32
MOST_STEPS = 256
"""Steps of a round."""
MOST_MOVES = 128
"""Stores of a round."""
MOVE_WORDS = 4
"""A move: first address and bytes of the target; whether it copies; address, or what is stored."""


class WalkSlot(IntEnum):
    """What is where in the array."""

    CODE = 0
    """Host address of the block's instructions."""
    STEPS = 1
    """How many `steps` they are."""
    LIVE = 2
    """Mask of the registers that the round reads before it writes them,"""
    WRITTEN = 3
    """and of those that it has written."""
    LIMIT = 4
    """So many rounds nothing that is shifted to the right overflows."""
    ROUNDS = 5
    """So many rounds at least jump back, the first one among them."""
    COMPARED = 6
    """Where the instruction set has flags, what they say: 0 nothing, or a `Flags`,"""
    LEFT = 7
    """of this number"""
    LEFT_STRIDE = 8
    RIGHT = 9
    """and that one."""
    RIGHT_STRIDE = 10
    LOADS = 11
    """Loads in the round,"""
    MOVES = 12
    """and stores, all of which advance by"""
    SPAN = 13
    """so many bytes a round."""
    READ_BATCH = 14
    """Address of uc_reg_read_batch, and for it: addresses of the registers' numbers"""
    NUMBERS = 15
    PLACES = 16
    """and of pointers to their values in `ENTRY`,"""
    COUNT = 17
    """and how many there are."""
    STEPS_FUNCTION = 18
    """Address of what writes down the steps of a block of the instruction set."""
    ENTRY = 19
    """Each register at the beginning of the round,"""
    ADVANCE = ENTRY + REGISTERS
    """what is added to it in a round, `UNKNOWN_ADVANCE` if that is not known,"""
    KIND = ADVANCE + REGISTERS
    """what it holds now,"""
    VALUE = KIND + REGISTERS + 2
    """in the first round: the number, or the address of what was loaded,"""
    STRIDE = VALUE + REGISTERS + 2
    """and what is added to that from round to round."""
    STEP_TABLE = STRIDE + REGISTERS + 2
    """The steps."""
    MOVE_TABLE = STEP_TABLE + MOST_STEPS
    """The moves, in the order of their targets' addresses."""


WALK_SLOTS = WalkSlot.MOVE_TABLE + MOVE_WORDS * MOST_MOVES


class WalkArray:
    """The array, for the registers of a core.

    Args:
        numbers: Unicorn's numbers of the registers 0, 1, ...
        steps_function: address of what writes down the steps of a block.

    Attributes:
        address: of the array on the host.
    """

    def __init__(self, numbers: Sequence[int], steps_function: int) -> None:
        self._array = array = np.zeros(WALK_SLOTS, np.int64)
        self.address: int = array.ctypes.data
        self._numbers = np.zeros(REGISTERS, np.int32)
        self._numbers[: len(numbers)] = numbers
        self._places = self.address + 8 * (WalkSlot.ENTRY + np.arange(len(numbers), dtype=np.int64))
        array[WalkSlot.READ_BATCH] = ctypes.cast(uclib.uc_reg_read_batch, ctypes.c_void_p).value or 0
        array[WalkSlot.NUMBERS], array[WalkSlot.PLACES] = self._numbers.ctypes.data, self._places.ctypes.data
        array[WalkSlot.COUNT], array[WalkSlot.STEPS_FUNCTION] = len(numbers), steps_function

"""The steps of RISC-V instructions in a loop that copies or fills memory; see `emu.cpu.copying.steps`."""

from __future__ import annotations

from emu.cpu.copying.steps import SCRATCH, ZERO, Order, Step, add_step, half_at
from emu.cpu.native_calls import Bytes, Words
from emu.cpu.riscv.interpreter import operations
from emu.cpu.riscv.interpreter.decoding import decode_compressed, decode_wide

TARGET_SHIFT, FIRST_SHIFT = operations.TARGET_SHIFT, operations.FIRST_SHIFT
SECOND_SHIFT, IMMEDIATE_SHIFT = operations.SECOND_SHIFT, operations.IMMEDIATE_SHIFT
STORE_BYTE, LOAD_BYTE, LOAD_HALF_UNSIGNED = operations.STORE_BYTE, operations.LOAD_BYTE, operations.LOAD_HALF_UNSIGNED
ADD, SUBTRACT = operations.ADD, operations.SUBTRACT
SHIFT_LEFT, SHIFT_RIGHT_BY = operations.SHIFT_LEFT, operations.SHIFT_RIGHT
EQUAL, LAST_BRANCH = operations.EQUAL, operations.BRANCH_NOT_LESS_UNSIGNED
SUM, DIFFERENCE, SHIFT_RIGHT, LOAD, STORE, JUMP = map(
    int, (Step.SUM, Step.DIFFERENCE, Step.SHIFT_RIGHT, Step.LOAD, Step.STORE, Step.JUMP)
)
ORDERS = tuple(
    map(
        int,
        (
            Order.EQUAL,
            Order.UNEQUAL,
            Order.LESS_SIGNED,
            Order.NOT_LESS_SIGNED,
            Order.LESS,
            Order.NOT_LESS,
        ),
    )
)
"""Of the branches, in the order of their operations."""


def riscv_steps(walk: Words, code: Bytes, size: int) -> bool:
    """Write down the steps of a block that jumps back to its beginning; False if it is none, or has other ones."""
    offset = 0
    while offset < size:
        word, width = half_at(code, offset), 2
        if word & 3 == 3:
            width = 4
            entry = decode_wide(word | half_at(code, offset + 2) << 16)
        else:
            entry = decode_compressed(word)
        if offset + width == size:
            return riscv_end(walk, entry, offset)
        if not riscv_step(walk, entry):
            return False
        offset += width
    return False


def riscv_step(walk: Words, entry: int) -> bool:
    """An instruction other than the last one, as the interpreter's entry."""
    operation, target = entry & 63, entry >> TARGET_SHIFT & 31
    first, second = entry >> FIRST_SHIFT & 31, entry >> SECOND_SHIFT & 31
    constant, shift = entry >> IMMEDIATE_SHIFT, 0
    if STORE_BYTE <= operation <= LOAD_HALF_UNSIGNED:
        if operation < LOAD_BYTE:
            step, target = STORE + (operation & 3), second
        else:
            step = LOAD + (operation & 3)
        second = ZERO
    elif operation in (ADD, SUBTRACT):
        step = SUM if operation == ADD else DIFFERENCE
        if first == 0 and operation == ADD:
            first, second = second, 0
        if second == 0:
            second = ZERO
    elif operation == SHIFT_LEFT and second == 0:
        step, first, second, shift, constant = SUM, ZERO, first, constant, 0
    elif operation == SHIFT_RIGHT_BY and second == 0:
        step, second = SHIFT_RIGHT, ZERO
    else:
        return False
    if target == 0 and step < STORE:
        if step >= LOAD:
            return False
        target = SCRATCH
    return add_step(walk, step, target, first, second, shift, constant)


def riscv_end(walk: Words, entry: int, offset: int) -> bool:
    """The last instruction: whether it is a conditional branch to the beginning."""
    operation, distance = entry & 63, entry >> IMMEDIATE_SHIFT
    if not EQUAL <= operation <= LAST_BRANCH or offset + distance != 0:
        return False
    order = ORDERS[operation - EQUAL]
    return add_step(walk, JUMP, SCRATCH, entry >> FIRST_SHIFT & 31, entry >> SECOND_SHIFT & 31, 0, order)

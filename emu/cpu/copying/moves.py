"""Rounds of loops that copy or fill memory, carried out at once in Unicorn's memory; native code.

The block hook calls them by their addresses, see `emu.cpu.block_hook`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emu.cpu.copying import slots
from emu.cpu.copying.riscv import riscv_steps
from emu.cpu.copying.slots import REGISTERS, WalkSlot
from emu.cpu.copying.steps import STEPS
from emu.cpu.copying.stream import (
    COPIES,
    SOURCE,
    TARGET,
    copy_rounds,
    fill_rounds,
    is_aligned,
    is_stream,
    rounds_ahead,
    rounds_apart,
)
from emu.cpu.copying.thumb import thumb_steps
from emu.cpu.copying.walk import (
    ADVANCE,
    ENTRY,
    LIVE,
    SPAN,
    UNKNOWN_ADVANCE,
    WORD,
    forget_strides,
    learn_strides,
    strides_hold,
    walk_round,
)
from emu.cpu.hook_state import PAGE_BITS, Right, Slot
from emu.cpu.native_calls import (
    Bytes,
    Int32,
    UInt32,
    Words,
    bytes_at,
    call_2,
    call_3,
    call_batch,
    unsigned_at,
    words_at,
)

WALK, PAGES, DATA_MASK, WRITE_FUNCTION = map(int, (Slot.WALK, Slot.PAGES, Slot.DATA_MASK, Slot.WRITE_FUNCTION))
REGIONS, REGION_COUNT = int(Slot.REGIONS), int(Slot.REGION_COUNT)
READ, WRITE, EXECUTE, PART = int(Right.READ), int(Right.WRITE), int(Right.EXECUTE), int(Right.PART)
READ_BATCH, NUMBERS, PLACES, COUNT, CODE = map(
    int, (WalkSlot.READ_BATCH, WalkSlot.NUMBERS, WalkSlot.PLACES, WalkSlot.COUNT, WalkSlot.CODE)
)
WALK_SLOTS = int(slots.WALK_SLOTS)
STEPS_FUNCTION = int(WalkSlot.STEPS_FUNCTION)
LOOK_ONLY, IS_NONE = -1, -1


def read_registers(walk: Words, uc: int) -> None:
    """Put the registers' values into the walk."""
    call_batch(walk[READ_BATCH], uc, walk[NUMBERS], walk[PLACES], walk[COUNT])


def advance_registers(state: Words, walk: Words, uc: int, rounds: int) -> None:
    """Let so many rounds pass for the registers that the next one needs."""
    numbers = unsigned_at(walk[NUMBERS])
    for register in range(REGISTERS):
        advance = walk[ADVANCE + register]
        if walk[LIVE] >> register & 1 != 0 and advance != 0 and advance != UNKNOWN_ADVANCE:
            walk[ENTRY + register] = (walk[ENTRY + register] + rounds * advance) & WORD
            call_3(state[WRITE_FUNCTION], uc, numbers[register], state[WALK] + 8 * (ENTRY + register))


def host_address(state: Words, address: int) -> int:
    """Where a byte of plain memory is on the host, 0 if none is there."""
    regions = words_at(state[REGIONS])
    for index in range(state[REGION_COUNT]):
        base = regions[3 * index]
        if base <= address < base + regions[3 * index + 1]:
            return int(regions[3 * index + 2] + (address - base))
    return 0


def may_access(state: Words, page: int, right: int) -> bool:
    """Whether loads, or stores, to all of a page go to plain memory at once, and no code was executed that is there."""
    rights = bytes_at(state[PAGES])[page]
    if right == WRITE and rights & EXECUTE != 0:
        return False
    if state[DATA_MASK] != 0:
        mask = bytes_at(state[DATA_MASK])[page]
        if mask & PART != 0:
            return False
        rights &= mask
    return bool(rights & right != 0)


def rounds_inside(state: Words, first: int, span: int, right: int, rounds: int) -> int:
    """How many rounds stay inside a memory and pages that may be accessed.

    Args:
        first: lowest address of the first round.
        span: bytes from a round to the next one.
        rounds: not more than these.
    """
    width = abs(span)
    regions = words_at(state[REGIONS])
    inside = 0
    for index in range(state[REGION_COUNT]):
        base, end = regions[3 * index], regions[3 * index] + regions[3 * index + 1]
        if base <= first and first + width <= end:
            inside = (end - first) // width if span > 0 else (first - base) // width + 1
    rounds = min(rounds, inside)
    if rounds <= 0:
        return 0
    if span > 0:
        for page in range(first >> PAGE_BITS, ((first + rounds * width - 1) >> PAGE_BITS) + 1):
            if not may_access(state, page, right):
                return int(max(0, (page << PAGE_BITS) - first) // width)
    else:
        bottom = (first - (rounds - 1) * width) >> PAGE_BITS
        for page in range((first + width - 1) >> PAGE_BITS, bottom - 1, -1):
            if not may_access(state, page, right):
                return int(max(0, first + width - ((page + 1) << PAGE_BITS)) // width)
    return int(rounds)


def carry_out(state: Words, walk: Words, uc: int, most: int) -> int:
    """Carry out rounds of the walk at once, not more than ``most``; how many that were."""
    span, target, source = walk[SPAN], walk[TARGET], walk[SOURCE]
    if not is_aligned(walk):
        return 0
    rounds = rounds_inside(state, target, span, WRITE, min(most, rounds_ahead(walk)))
    if rounds > 0 and walk[COPIES] != 0:
        rounds = rounds_inside(state, source, span, READ, rounds)
    if rounds == 0:
        return 0
    target_host = host_address(state, target)
    if walk[COPIES] != 0:
        source_host = host_address(state, source)
        rounds = rounds_apart(walk, target_host, source_host, rounds)
        if rounds > 0:
            copy_rounds(walk, target_host, source_host, rounds)
    else:
        fill_rounds(walk, target_host, rounds)
    advance_registers(state, walk, uc, rounds)
    return rounds


def make_steps(rule: Callable[[Words, Bytes, int], bool]) -> Callable[[int, int], int]:
    """Writes down the steps of a block, by its bytes; 0 if it is none that copies or fills. For one instruction set."""

    def steps(place: int, size: int) -> Int32:
        walk = words_at(place)
        walk[STEPS] = 0
        return rule(walk, bytes_at(walk[CODE]), size)

    return steps


def moves(uc: int, most: int, length: UInt32, user: int) -> Int32:
    """Carry out rounds of a block.

    Args:
        uc: Unicorn.
        most: rounds that there is time for; `LOOK_ONLY`: carry out none, but look if it can be such a block.
        length: bytes of the block.
        user: the hooks' state.

    Returns:
        How many rounds were carried out; `IS_NONE` if the block is no such loop.
    """
    state = words_at(user)
    walk = words_at(state[WALK])
    rounds = most
    if call_2(walk[STEPS_FUNCTION], state[WALK], length) == 0:
        return IS_NONE
    if rounds != LOOK_ONLY:
        read_registers(walk, uc)
    forget_strides(walk)
    if not walk_round(walk):
        return IS_NONE
    if rounds == LOOK_ONLY:
        return 0
    learn_strides(walk)
    if not (walk_round(walk) and strides_hold(walk) and is_stream(walk)):
        return IS_NONE
    return carry_out(state, walk, uc, rounds)


HOOKS: dict[str, Callable[..., Any]] = {
    "moves": moves,
    "thumb_steps": make_steps(thumb_steps),
    "riscv_steps": make_steps(riscv_steps),
}
"""The functions by the names that `emu.cpu.native` gives them."""

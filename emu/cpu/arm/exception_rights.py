"""Which memory native exception entry and return may access, and the rights that count after them.

With the MPU, an entry and a return to unprivileged code choose another `emu.cpu.protection.Protection`. Unicorn's TLB
has entries of their own for unprivileged code, which stay right; code of negative priority shares those of privileged
code, but not its rights, so that such transitions are Python's.

numba compiles this file; see `emu.cpu.block_hook` for what that asks of it.
"""

from __future__ import annotations

from typing import Any

from numba import carray, njit, types

from emu.cpu.arm.exception_state import LEVEL_SLOTS, ExceptionSlot, Level
from emu.cpu.hook_state import PAGE_BITS, TABLE_ENTRIES, WINDOW_PAGES, Right, Slot
from emu.cpu.native_calls import bytes_at, unsigned_at, words_at

REGIONS, REGION_COUNT, PAGES, TABLE = map(int, (Slot.REGIONS, Slot.REGION_COUNT, Slot.PAGES, Slot.TABLE))
CODE_MASK, PARTS, PART_COUNT, PROMOTIONS = map(int, (Slot.CODE_MASK, Slot.PARTS, Slot.PART_COUNT, Slot.PROMOTIONS))
GUARDED, GUARDED_ALWAYS, RIGHTS, VECTOR_TABLE = map(
    int, (ExceptionSlot.GUARDED, ExceptionSlot.GUARDED_ALWAYS, ExceptionSlot.RIGHTS, ExceptionSlot.VECTOR_TABLE)
)
SPANS, SPAN_COUNT, LOOKED_AT = int(Level.SPANS), int(Level.SPAN_COUNT), int(Level.LOOKED_AT)
READ, EXECUTE = int(Right.READ), int(Right.EXECUTE)
MOST_SPANS = 128
PAGE = 1 << PAGE_BITS
WORD = 0xFFFF_FFFF


@njit
def host_address(state: Any, address: int, size: int, right: int) -> int:
    """Where these bytes of plain memory are on the host; 0 if they are none or may not be accessed like this."""
    last = address + size - 1
    if address & 3 != 0 or last > WORD:
        return 0
    pages = carray(bytes_at(state[PAGES]), (1 << 22,))
    if pages[address >> PAGE_BITS] & right == 0 or pages[last >> PAGE_BITS] & right == 0:
        return 0
    regions = carray(words_at(state[REGIONS]), (3 * 64,))
    for index in range(state[REGION_COUNT]):
        base = regions[3 * index]
        if base <= address and last < base + regions[3 * index + 1]:
            return regions[3 * index + 2] + (address - base)
    return 0


@njit
def vector_of(state: Any, exceptions: Any, number: int) -> int:
    """Address of a handler with its Thumb bit; 0 if it cannot be read or has none."""
    host = host_address(state, exceptions[VECTOR_TABLE] + 4 * number, 4, READ)
    if host == 0:
        return 0
    vector = types.int64(carray(unsigned_at(host), (1,))[0])
    return vector if vector & 1 else 0


@njit
def unguarded(exceptions: Any, priority: int) -> bool:
    """Whether the MPU works, but not for software of a priority."""
    return exceptions[GUARDED] != 0 and priority < 0 and exceptions[GUARDED_ALWAYS] == 0


@njit
def allowed(exceptions: Any, level: int, address: int, size: int, right: int) -> bool:
    """Whether the MPU lets software of a level access all of these bytes."""
    if exceptions[GUARDED] == 0:
        return True
    first = RIGHTS + LEVEL_SLOTS * level
    spans = carray(words_at(exceptions[first + SPANS]), (3 * MOST_SPANS,))
    for index in range(exceptions[first + SPAN_COUNT]):
        outside = spans[3 * index] >= address + size or spans[3 * index + 1] <= address
        if not outside and spans[3 * index + 2] & right == 0:
            return False
    return True


@njit
def can_guard(state: Any, exceptions: Any, level: int) -> bool:
    """Whether `guard` can be called: no code was found since the level's rights counted last."""
    first = RIGHTS + LEVEL_SLOTS * level
    if exceptions[GUARDED] == 0 or state[CODE_MASK] == exceptions[first]:
        return True
    return bool(carray(words_at(exceptions[first + LOOKED_AT]), (1,))[0] == state[PROMOTIONS])


@njit
def guard(state: Any, exceptions: Any, level: int) -> None:
    """Let the rights of a level count; see `Engine.protect`."""
    first = RIGHTS + LEVEL_SLOTS * level
    if exceptions[GUARDED] == 0 or state[CODE_MASK] == exceptions[first]:
        return
    for index in range(SPANS):
        state[CODE_MASK + index] = exceptions[first + index]
    pages = carray(bytes_at(state[PAGES]), (1 << 22,))
    parts = carray(words_at(state[PARTS]), (WINDOW_PAGES,))
    table = carray(words_at(state[TABLE]), (TABLE_ENTRIES,))
    for index in range(state[PART_COUNT]):
        page = parts[index]
        if pages[page >> PAGE_BITS] & EXECUTE != 0:
            # Blocks of a part page, or that reach into one, are checked one by one.
            for half_word in range((page - PAGE) >> 1, (page + PAGE) >> 1):
                table[half_word & (TABLE_ENTRIES - 1)] = 0

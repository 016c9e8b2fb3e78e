"""Which memory native exception entry and return may access, and the rights that count after them.

With the MPU, an entry and a return to unprivileged code choose another `emu.cpu.protection.Protection`. Unicorn's TLB
has entries of their own for unprivileged code, which stay right; code of negative priority shares those of privileged
code, but not its rights, so that such transitions are Python's.

This file becomes native code, see `emu.cpu.translation.module`.
"""

from __future__ import annotations

from emu.cpu.arm.exception_state import LEVEL_SLOTS, ExceptionSlot, Level
from emu.cpu.hook_state import PAGE_BITS, Right, Slot
from emu.cpu.native_calls import Words, bytes_at, unsigned_at, words_at
from emu.cpu.native_rights import let_count

REGIONS, REGION_COUNT, PAGES = map(int, (Slot.REGIONS, Slot.REGION_COUNT, Slot.PAGES))
CODE_MASK, PROMOTIONS = int(Slot.CODE_MASK), int(Slot.PROMOTIONS)
GUARDED, GUARDED_ALWAYS, RIGHTS, VECTOR_TABLE = map(
    int, (ExceptionSlot.GUARDED, ExceptionSlot.GUARDED_ALWAYS, ExceptionSlot.RIGHTS, ExceptionSlot.VECTOR_TABLE)
)
SPANS, SPAN_COUNT, LOOKED_AT = int(Level.SPANS), int(Level.SPAN_COUNT), int(Level.LOOKED_AT)
READ = int(Right.READ)
MOST_SPANS = 128
WORD = 0xFFFF_FFFF


def host_address(state: Words, address: int, size: int, right: int) -> int:
    """Where these bytes of plain memory are on the host; 0 if they are none or may not be accessed like this."""
    last = address + size - 1
    if address & 3 != 0 or last > WORD:
        return 0
    pages = bytes_at(state[PAGES])
    if pages[address >> PAGE_BITS] & right == 0 or pages[last >> PAGE_BITS] & right == 0:
        return 0
    regions = words_at(state[REGIONS])
    for index in range(state[REGION_COUNT]):
        base = regions[3 * index]
        if base <= address and last < base + regions[3 * index + 1]:
            return regions[3 * index + 2] + (address - base)
    return 0


def vector_of(state: Words, exceptions: Words, number: int) -> int:
    """Address of a handler with its Thumb bit; 0 if it cannot be read or has none."""
    host = host_address(state, exceptions[VECTOR_TABLE] + 4 * number, 4, READ)
    if host == 0:
        return 0
    vector = unsigned_at(host)[0]
    return vector if vector & 1 else 0


def unguarded(exceptions: Words, priority: int) -> bool:
    """Whether the MPU works, but not for software of a priority."""
    return exceptions[GUARDED] != 0 and priority < 0 and exceptions[GUARDED_ALWAYS] == 0


def allowed(exceptions: Words, level: int, address: int, size: int, right: int) -> bool:
    """Whether the MPU lets software of a level access all of these bytes."""
    if exceptions[GUARDED] == 0:
        return True
    first = RIGHTS + LEVEL_SLOTS * level
    spans = words_at(exceptions[first + SPANS])
    for index in range(exceptions[first + SPAN_COUNT]):
        outside = spans[3 * index] >= address + size or spans[3 * index + 1] <= address
        if not outside and spans[3 * index + 2] & right == 0:
            return False
    return True


def can_guard(state: Words, exceptions: Words, level: int) -> bool:
    """Whether `guard` can be called: no code was found since the level's rights counted last."""
    first = RIGHTS + LEVEL_SLOTS * level
    if exceptions[GUARDED] == 0 or state[CODE_MASK] == exceptions[first]:
        return True
    return bool(words_at(exceptions[first + LOOKED_AT])[0] == state[PROMOTIONS])


def guard(state: Words, exceptions: Words, level: int) -> None:
    """Let the rights of a level count."""
    first = RIGHTS + LEVEL_SLOTS * level
    if exceptions[GUARDED] == 0 or state[CODE_MASK] == exceptions[first]:
        return
    let_count(state, exceptions, first)

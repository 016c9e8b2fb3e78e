"""Native code that lets other rights count: another privilege level of software has begun.

Unicorn's TLB has entries of their own for each of the levels, which stay right.

This file becomes native code, see `emu.cpu.translation.module`.
"""

from __future__ import annotations

from emu.cpu.hook_state import PAGE_BITS, TABLE_ENTRIES, Right, Slot
from emu.cpu.native_calls import Words, bytes_at, words_at

PAGES, TABLE, CODE_MASK, PARTS, PART_COUNT, PART_BYTES = map(
    int, (Slot.PAGES, Slot.TABLE, Slot.CODE_MASK, Slot.PARTS, Slot.PART_COUNT, Slot.WINDOW_PAGE)
)
EXECUTE = int(Right.EXECUTE)
MASK_SLOTS = 6
"""From `CODE_MASK` on: `Protection.code_slots` and `Protection.data_slots`."""


def let_count(state: Words, rights: Words, first: int) -> None:
    """Let the rights count that stand in the array ``rights`` from ``first`` on; see `Engine.protect`.

    They must be the same protection for code and data, or none for code, and none of its pages have been found to be
    code since they counted last.
    """
    for index in range(MASK_SLOTS):
        state[CODE_MASK + index] = rights[first + index]
    if state[CODE_MASK] == 0:
        return
    pages = bytes_at(state[PAGES])
    parts = words_at(state[PARTS])
    table = words_at(state[TABLE])
    size = state[PART_BYTES]
    for index in range(state[PART_COUNT]):
        page = parts[index]
        if pages[page >> PAGE_BITS] & EXECUTE != 0:
            # Blocks of a part page, or that reach into one, are checked one by one.
            for half_word in range((page - size) >> 1, (page + size) >> 1):
                table[half_word & (TABLE_ENTRIES - 1)] = 0

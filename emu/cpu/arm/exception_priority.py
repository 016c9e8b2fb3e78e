"""Priorities of ARMv7-M in native code: which exception preempts what, and which are active.

`emu.cpu.arm.nvic` says the same in Python, and is the definition. The functions work on its array, which
`emu.cpu.arm.nvic_state` describes.

This file becomes native code, see `emu.cpu.translation.module`.
"""

from __future__ import annotations

from emu.cpu.arm.nvic_state import WORD_BITS, WORDS, NvicSlot
from emu.cpu.native_calls import Words, trailing_zeros

PRIORITY_MASK, GROUP_SHIFT, DEPTH, ACTIVE = map(
    int, (NvicSlot.PRIORITY_MASK, NvicSlot.GROUP_SHIFT, NvicSlot.DEPTH, NvicSlot.ACTIVE)
)
ENABLED, PENDING, LEVELS, PRIORITIES = map(
    int, (NvicSlot.ENABLED, NvicSlot.PENDING, NvicSlot.LEVELS, NvicSlot.PRIORITIES)
)
IDLE = 256


def group(nvic: Words, priority: int) -> int:
    """The part of a priority that decides about preemption."""
    return priority if priority < 0 else priority & (-2 << nvic[GROUP_SHIFT]) & 0xFF


def most_urgent(nvic: Words) -> int:
    """The pending and enabled exception of highest priority, the lowest number among equals; 0 if there is none."""
    urgent, best = 0, IDLE
    for index in range(WORDS):
        ready = nvic[PENDING + index] & nvic[ENABLED + index]
        while ready != 0:
            number = WORD_BITS * index + trailing_zeros(ready)
            ready &= ready - 1
            if nvic[PRIORITIES + number] < best:
                urgent, best = number, nvic[PRIORITIES + number]
    return urgent


def active_priority(nvic: Words, leaving: int) -> int:
    """Priority of the active exceptions, but for the one in place ``leaving`` of their list (-1: all)."""
    priority = IDLE
    for index in range(nvic[DEPTH]):
        if index != leaving:
            priority = min(priority, group(nvic, nvic[PRIORITIES + nvic[ACTIVE + index]]))
    return priority


def masked_priority(nvic: Words, priority: int, primask: int, basepri: int, faultmask: int) -> int:
    """Priority of what executes, by that of the active exceptions and the masks."""
    if faultmask & 1:
        priority = min(priority, -1)
    if primask & 1:
        priority = min(priority, 0)
    if basepri & nvic[PRIORITY_MASK]:
        priority = min(priority, group(nvic, basepri & nvic[PRIORITY_MASK]))
    return priority


def following(nvic: Words, place: int, primask: int, basepri: int, faultmask: int) -> int:
    """The exception to chain to when the one in ``place`` of the list of active ones ends; 0 if there is none."""
    number = nvic[ACTIVE + place]
    word, bit = number // WORD_BITS, 1 << (number % WORD_BITS)
    pending = nvic[PENDING + word]
    nvic[PENDING + word] |= nvic[LEVELS + word] & bit
    urgent = most_urgent(nvic)
    nvic[PENDING + word] = pending
    priority = masked_priority(nvic, active_priority(nvic, place), primask, basepri, faultmask)
    if urgent != 0 and group(nvic, nvic[PRIORITIES + urgent]) < priority:
        return urgent
    return 0


def place_of(nvic: Words, number: int) -> int:
    """Place of an exception in the list of the active ones, -1 if it is none."""
    for index in range(nvic[DEPTH]):
        if nvic[ACTIVE + index] == number:
            return index
    return -1


def activate(nvic: Words, number: int) -> None:
    """The handler begins."""
    nvic[PENDING + number // WORD_BITS] &= ~(1 << (number % WORD_BITS))
    nvic[ACTIVE + nvic[DEPTH]] = number
    nvic[DEPTH] += 1


def deactivate(nvic: Words, place: int) -> None:
    """The handler in this place of the list ends; an input that is still high becomes pending again."""
    number = nvic[ACTIVE + place]
    nvic[DEPTH] -= 1
    for index in range(place, nvic[DEPTH]):
        nvic[ACTIVE + index] = nvic[ACTIVE + index + 1]
    nvic[PENDING + number // WORD_BITS] |= nvic[LEVELS + number // WORD_BITS] & 1 << (number % WORD_BITS)

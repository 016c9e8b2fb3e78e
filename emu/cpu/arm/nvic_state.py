"""Layout of the NVIC's array, which Python (`emu.cpu.arm.nvic`) and the native exception entry and return share.

One array of 64-bit integers a controller. Sets of exceptions are bit masks of their numbers in consecutive words.
"""

from __future__ import annotations

from enum import IntEnum

MOST_EXCEPTIONS = 512
"""Exceptions that the array has room for, 16 of which are no external inputs."""
WORD_BITS = 64
WORDS = MOST_EXCEPTIONS // WORD_BITS
"""Words of a set of exceptions."""


class NvicSlot(IntEnum):
    """What is where in the array."""

    PRIORITY_MASK = 0
    """The implemented bits of a priority byte."""
    GROUP_SHIFT = 1
    """PRIGROUP of AIRCR."""
    DEPTH = 2
    """How many exceptions are active."""
    ENABLED = 8
    """Set of exceptions: enabled,"""
    PENDING = ENABLED + WORDS
    """pending,"""
    LEVELS = PENDING + WORDS
    """of which the external input is high."""
    PRIORITIES = LEVELS + WORDS
    """Priorities by exception number."""
    ACTIVE = PRIORITIES + MOST_EXCEPTIONS
    """Active exceptions in the order in which their handlers began."""


NVIC_SLOTS = NvicSlot.ACTIVE + MOST_EXCEPTIONS

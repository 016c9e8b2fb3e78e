"""Layout of the array with the privileged state of an RV32 hart, which Python and native code share.

One array of 64-bit integers a hart. `emu.cpu.riscv.traps`, `emu.cpu.riscv.csr` and `emu.cpu.riscv.atomics` are the
definition of what happens to it; `emu.cpu.riscv.native` does the usual part of that in native code.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Protocol


class HartSlot(IntEnum):
    """What is where in the array."""

    PRIVILEGE = 0
    """A `riscv.traps.Privilege`."""
    MSTATUS = 1
    MIE = 2
    MIP = 3
    """The level of the interrupt lines."""
    MTVEC = 4
    MSCRATCH = 5
    MEPC = 6
    MCAUSE = 7
    MTVAL = 8
    MCOUNTEREN = 9
    CYCLE_OFFSET = 10
    """mcycle is the clock plus this, modulo 2^64,"""
    CYCLE_STOPPED = 11
    """unless mcountinhibit stops it: 1."""
    INSTRET_OFFSET = 12
    """minstret is the number of instructions retired plus this, modulo 2^64,"""
    INSTRET_STOPPED = 13
    """unless mcountinhibit stops it: 1."""
    REPEATED_PC = 14
    """The newest exception: address of its instruction, -1 for none,"""
    REPEATED_CAUSE = 15
    """its cause,"""
    REPETITIONS = 16
    """and how often it was raised without another one, or mret, in between."""
    RESERVATION = 17
    """Address of the word that the newest lr.w has read, -1 if sc.w would fail."""
    NATIVE = 18
    """1: native code does what it can, 0: Python does everything."""
    HAS_ATOMICS = 19
    """1: the A extension is there."""
    PROTECTS = 20
    """1: memory protection depends on the privilege."""
    UNIT_COSTS = 21
    """1: every instruction takes one cycle."""
    LEVEL = 22
    """The `level_of` whose rights the engine lets count now."""
    READY = 23
    """Bit n: native code may let those of level n count, see `RIGHTS`."""
    PROMOTIONS = 24
    """`hook_state.Slot.PROMOTIONS` when these bits were right."""
    RIGHTS = 25
    """`RIGHTS_WORDS` words for each level: what the engine needs to know of them."""


LEVELS, RIGHTS_WORDS = 4, 6
HART_SLOTS = HartSlot.RIGHTS + LEVELS * RIGHTS_WORDS
NOTHING = -1
"""In `HartSlot.REPEATED_PC` and `HartSlot.RESERVATION`."""


def level_of(privilege: int, data_privilege: int) -> int:
    """Number of what memory protection allows: bit 1 is set for instruction fetches of M-mode, bit 0 for its data."""
    return privilege & 2 | data_privilege & 1


class HasWords(Protocol):
    """What has `words`: the array."""

    words: memoryview


class HartWord:
    """An attribute that is a slot of its owner's array."""

    def __init__(self, slot: HartSlot) -> None:
        self._slot = int(slot)

    def __get__(self, owner: HasWords, kind: Any = None) -> int:
        word: int = owner.words[self._slot]
        return word

    def __set__(self, owner: HasWords, value: int) -> None:
        owner.words[self._slot] = value

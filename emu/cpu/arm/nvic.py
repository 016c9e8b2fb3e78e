"""Priorities of the Cortex-M: which exceptions are enabled, pending and active, and which is taken next.

Inaccuracies: an input takes level-sensitive and pulsed lines alike, as the architecture says: a rising level makes its
exception pending, a level that is still high when the handler ends does so again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np

from emu.cpu.arm.nvic_state import NVIC_SLOTS, WORD_BITS, WORDS, NvicSlot
from emu.state import Saved

FIRST_INPUT = 16
"""Exception number of external input 0."""
IDLE = 256
"""Execution priority of thread mode without any mask: below every exception."""


class Vector(IntEnum):
    """Exception numbers of ARMv7-M."""

    RESET = 1
    NMI = 2
    HARD_FAULT = 3
    MEM_MANAGE = 4
    BUS_FAULT = 5
    USAGE_FAULT = 6
    SV_CALL = 11
    DEBUG_MONITOR = 12
    PEND_SV = 14
    SYS_TICK = 15


ALWAYS_ENABLED = (
    Vector.RESET,
    Vector.NMI,
    Vector.HARD_FAULT,
    Vector.SV_CALL,
    Vector.PEND_SV,
    Vector.SYS_TICK,
)
FIXED_PRIORITIES = (-3, -2, -1)
"""Of reset, NMI and HardFault."""


WORD_BYTES = WORD_BITS // 8


class Nvic(Saved):
    """State of the nested vectored interrupt controller. Sets of exceptions are bit masks of their numbers.

    Args:
        inputs: external interrupt inputs.
        priority_bits: implemented bits of a priority byte, the upper ones.

    Attributes:
        state: int64[`NVIC_SLOTS`], all that the properties below give; native code reads and writes it too.
        priority_mask: the implemented bits.
        on_pend: called when an exception becomes pending that was not.
    """

    saved = ("enabled", "pending", "active", "levels", "priorities", "group_shift")

    def __init__(self, inputs: int, priority_bits: int) -> None:
        self.inputs, self.priority_mask = inputs, 0xFF00 >> priority_bits & 0xFF
        self.on_pend: Callable[[], None] | None = None
        self.state = np.zeros(NVIC_SLOTS, np.int64)
        self._words = self.state.data
        self._bytes = self._words.cast("B")
        self._words[NvicSlot.PRIORITY_MASK] = self.priority_mask
        self._exceptions = FIRST_INPUT + inputs
        self.reset()

    def reset(self) -> None:
        """Nothing pending or active; the inputs keep their levels."""
        self.enabled = sum(1 << number for number in ALWAYS_ENABLED)
        self.pending = 0
        self.active = []
        self.priorities = [0, *FIXED_PRIORITIES] + [0] * (self._exceptions - 4)
        self.group_shift = 0

    def _set(self, slot: NvicSlot) -> int:
        start = WORD_BYTES * slot
        return int.from_bytes(self._bytes[start : start + WORD_BYTES * WORDS], "little")

    def _store_set(self, slot: NvicSlot, exceptions: int) -> None:
        start = WORD_BYTES * slot
        self._bytes[start : start + WORD_BYTES * WORDS] = exceptions.to_bytes(WORD_BYTES * WORDS, "little")

    @property
    def enabled(self) -> int:
        """Set of the exceptions that are enabled."""
        return self._set(NvicSlot.ENABLED)

    @enabled.setter
    def enabled(self, exceptions: int) -> None:
        self._store_set(NvicSlot.ENABLED, exceptions)

    @property
    def pending(self) -> int:
        """Set of the exceptions that are pending."""
        return self._set(NvicSlot.PENDING)

    @pending.setter
    def pending(self, exceptions: int) -> None:
        self._store_set(NvicSlot.PENDING, exceptions)

    @property
    def levels(self) -> int:
        """Bit mask of the external inputs that are driven high."""
        return self._set(NvicSlot.LEVELS) >> FIRST_INPUT

    @levels.setter
    def levels(self, inputs: int) -> None:
        self._store_set(NvicSlot.LEVELS, inputs << FIRST_INPUT)

    @property
    def active(self) -> list[int]:
        """Exceptions whose handlers have begun and not ended, in the order in which they began; a copy."""
        return self._words[NvicSlot.ACTIVE : NvicSlot.ACTIVE + self._words[NvicSlot.DEPTH]].tolist()

    @active.setter
    def active(self, exceptions: Sequence[int]) -> None:
        self._words[NvicSlot.DEPTH] = len(exceptions)
        for index, number in enumerate(exceptions):
            self._words[NvicSlot.ACTIVE + index] = number

    @property
    def priorities(self) -> list[int]:
        """Priorities by exception number; a copy."""
        return self._words[NvicSlot.PRIORITIES : NvicSlot.PRIORITIES + self._exceptions].tolist()

    @priorities.setter
    def priorities(self, priorities: Sequence[int]) -> None:
        for number, priority in enumerate(priorities):
            self._words[NvicSlot.PRIORITIES + number] = priority

    @property
    def group_shift(self) -> int:
        """PRIGROUP of AIRCR: priority bits up to this one do not preempt."""
        return self._words[NvicSlot.GROUP_SHIFT]

    @group_shift.setter
    def group_shift(self, shift: int) -> None:
        self._words[NvicSlot.GROUP_SHIFT] = shift

    def priority(self, number: int) -> int:
        """Priority of one exception."""
        return self._words[NvicSlot.PRIORITIES + number]

    def set_priority(self, number: int, priority: int) -> None:
        """Set a priority byte; NMI and HardFault keep theirs."""
        if number > Vector.HARD_FAULT:
            self._words[NvicSlot.PRIORITIES + number] = priority & self.priority_mask

    def group(self, priority: int) -> int:
        """The part of a priority that decides about preemption."""
        return priority if priority < 0 else priority & (-2 << self.group_shift) & 0xFF

    def execution_priority(self, primask: int, basepri: int, faultmask: int) -> int:
        """Priority of what executes now: lower numbers are more urgent."""
        priority = min((self.group(self.priority(number)) for number in self.active), default=IDLE)
        if faultmask & 1:
            priority = min(priority, -1)
        if primask & 1:
            priority = min(priority, 0)
        if basepri & self.priority_mask:
            priority = min(priority, self.group(basepri & self.priority_mask))
        return priority

    def may_preempt(self, number: int, execution_priority: int) -> bool:
        """Whether an exception is enabled and more urgent than what executes."""
        return bool(self.enabled >> number & 1) and self.group(self.priority(number)) < execution_priority

    def most_urgent(self) -> int | None:
        """The pending and enabled exception of highest priority, the lowest number among equals."""
        ready = self.pending & self.enabled
        urgent = None
        while ready:
            number = (ready & -ready).bit_length() - 1
            ready &= ready - 1
            if urgent is None or self.priority(number) < self.priority(urgent):
                urgent = number
        return urgent

    def preempting(self, execution_priority: int) -> int | None:
        """The exception to be taken now, if any."""
        number = self.most_urgent()
        if number is None or self.group(self.priority(number)) >= execution_priority:
            return None
        return number

    def pend(self, number: int) -> None:
        """Make an exception pending."""
        index, bit = WORD_BYTES * NvicSlot.PENDING + number // 8, 1 << number % 8
        if not self._bytes[index] & bit:
            self._bytes[index] |= bit
            if self.on_pend is not None:
                self.on_pend()

    def pend_all(self, exceptions: int) -> None:
        """Make a set of exceptions pending."""
        new = exceptions & ~self.pending
        self.pending |= exceptions
        if new and self.on_pend is not None:
            self.on_pend()

    def unpend(self, number: int) -> None:
        """Clear a pending exception; an input that is high and whose handler does not run stays pending."""
        if number >= FIRST_INPUT and self.levels >> (number - FIRST_INPUT) & 1 and number not in self.active:
            return
        self.pending &= ~(1 << number)

    def set_level(self, source: int, level: bool) -> None:
        """Drive external input ``source``; a rising level makes its exception pending."""
        bit = 1 << source
        if level and not self.levels & bit:
            self.pend(FIRST_INPUT + source)
        self.levels = self.levels | bit if level else self.levels & ~bit

    def activate(self, number: int) -> None:
        """The handler begins."""
        self.pending &= ~(1 << number)
        self.active = [*self.active, number]

    def deactivate(self, number: int) -> None:
        """The handler ends; an input that is still high becomes pending again."""
        self._remove(number)
        if number >= FIRST_INPUT and self.levels >> (number - FIRST_INPUT) & 1:
            self.pend(number)

    def set_active(self, number: int, active: bool) -> None:
        """Firmware changes the active state by hand."""
        if active and number not in self.active:
            self.active = [*self.active, number]
        elif not active and number in self.active:
            self._remove(number)

    def _remove(self, number: int) -> None:
        active = self.active
        active.remove(number)
        self.active = active

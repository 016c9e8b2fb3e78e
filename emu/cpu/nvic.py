"""Priorities of the Cortex-M: which exceptions are enabled, pending and active, and which is taken next.

Inaccuracies: an input takes level-sensitive and pulsed lines alike, as the architecture says: a rising level makes its
exception pending, a level that is still high when the handler ends does so again.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

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


class Nvic(Saved):
    """State of the nested vectored interrupt controller. Sets of exceptions are bit masks of their numbers.

    Args:
        inputs: external interrupt inputs.
        priority_bits: implemented bits of a priority byte, the upper ones.

    Attributes:
        priority_mask: the implemented bits.
        enabled, pending: exceptions.
        active: exceptions whose handlers have begun and not ended, in the order in which they began.
        levels: external inputs that are driven high.
        priorities: by exception number.
        group_shift: PRIGROUP of AIRCR: priority bits up to this one do not preempt.
        on_pend: called when an exception becomes pending that was not.
    """

    saved = ("enabled", "pending", "active", "levels", "priorities", "group_shift")

    def __init__(self, inputs: int, priority_bits: int) -> None:
        self.inputs, self.priority_mask = inputs, 0xFF00 >> priority_bits & 0xFF
        self.on_pend: Callable[[], None] | None = None
        self.reset()
        self.levels = 0

    def reset(self) -> None:
        """Nothing pending or active; the inputs keep their levels."""
        self.enabled = sum(1 << number for number in ALWAYS_ENABLED)
        self.pending = 0
        self.active: list[int] = []
        self.priorities = [0, *FIXED_PRIORITIES] + [0] * (FIRST_INPUT - 4 + self.inputs)
        self.group_shift = 0

    def set_priority(self, number: int, priority: int) -> None:
        """Set a priority byte; NMI and HardFault keep theirs."""
        if number > Vector.HARD_FAULT:
            self.priorities[number] = priority & self.priority_mask

    def group(self, priority: int) -> int:
        """The part of a priority that decides about preemption."""
        return priority if priority < 0 else priority & (-2 << self.group_shift) & 0xFF

    def execution_priority(self, primask: int, basepri: int, faultmask: int) -> int:
        """Priority of what executes now: lower numbers are more urgent."""
        priority = min((self.group(self.priorities[number]) for number in self.active), default=IDLE)
        if faultmask & 1:
            priority = min(priority, -1)
        if primask & 1:
            priority = min(priority, 0)
        if basepri & self.priority_mask:
            priority = min(priority, self.group(basepri & self.priority_mask))
        return priority

    def most_urgent(self) -> int | None:
        """The pending and enabled exception of highest priority, the lowest number among equals."""
        ready = self.pending & self.enabled
        urgent = None
        while ready:
            number = (ready & -ready).bit_length() - 1
            ready &= ready - 1
            if urgent is None or self.priorities[number] < self.priorities[urgent]:
                urgent = number
        return urgent

    def preempting(self, execution_priority: int) -> int | None:
        """The exception to be taken now, if any."""
        number = self.most_urgent()
        if number is None or self.group(self.priorities[number]) >= execution_priority:
            return None
        return number

    def pend(self, number: int) -> None:
        """Make an exception pending."""
        self.pend_all(1 << number)

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
        self.active.append(number)

    def deactivate(self, number: int) -> None:
        """The handler ends; an input that is still high becomes pending again."""
        self.active.remove(number)
        if number >= FIRST_INPUT and self.levels >> (number - FIRST_INPUT) & 1:
            self.pend(number)

    def set_active(self, number: int, active: bool) -> None:
        """Firmware changes the active state by hand."""
        if active and number not in self.active:
            self.active.append(number)
        elif not active and number in self.active:
            self.active.remove(number)

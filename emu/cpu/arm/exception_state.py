"""Layout of the array that tells native exception entry and return what they need to know.

One array of 64-bit integers a core, whose address is in `emu.cpu.hook_state.Slot.EXCEPTIONS`. All of it but the event
register and what lazy stacking has left is derived from elsewhere: `NativeExceptions.configure` fills it in.
"""

from __future__ import annotations

from enum import IntEnum


class Batch(IntEnum):
    """Lists of registers that are read or written together; `emu.cpu.arm.exception_frame` says what is in them."""

    CONTEXT = 0
    FLOATS = 1
    FROM_THREAD = 2
    FROM_HANDLER = 3
    NEXT_HANDLER = 4
    STACKS = 5
    TO_THREAD = 6
    TO_HANDLER = 7
    RESTORE = 8
    MASKS = 9
    IPSR = 10
    FAULTMASK = 11
    UNPRIVILEGED = 12


class ExceptionSlot(IntEnum):
    """What is where in the array."""

    NATIVE = 0
    """1: entry and return are native where they can be, 0: Python carries out all of them."""
    NVIC = 1
    """Address of the NVIC's array, see `emu.cpu.arm.nvic_state`."""
    EVENT = 2
    """The event register of WFE."""
    VECTOR_TABLE = 3
    """VTOR."""
    ALIGN = 4
    """CCR.STKALIGN."""
    NON_BASE_THREAD = 5
    """CCR.NONBASETHRDENA."""
    HAS_FPU = 6
    """1: the core has a floating-point unit."""
    ENTRY_CYCLES = 7
    """Time of an exception's entry,"""
    RETURN_CYCLES = 8
    """of a return,"""
    CHAIN_CYCLES = 9
    """of a return to another handler,"""
    FLOAT_CYCLES = 10
    """and in addition for a frame with floating-point registers."""
    READ_FUNCTION = 11
    """Address of uc_reg_read_batch."""
    WRITE_FUNCTION = 12
    """Address of uc_reg_write_batch."""
    SLEEP_ON_EXIT = 13
    """SCR.SLEEPONEXIT."""
    EXC_RETURN = 14
    """The constant bits of EXC_RETURN."""
    UNSTACKS_FLOATS = 15
    """1: frames with floating-point registers may be stacked and unstacked, whosever they are."""
    MASK_BY_PRIORITY = 16
    """ARMv8-M: FAULTMASK stays at the end of any handler of negative priority, else only at that of NMI."""
    LAZY = 17
    """1: FPCCR.LSPEN: a frame keeps room for floating-point registers, which are stored when they are used."""
    LAZY_ACTIVE = 18
    """FPCCR.LSPACT: there is such a frame, and they have not been stored yet;"""
    LAZY_ADDRESS = 19
    """FPCAR: where they belong."""
    FLOAT_SITES = 20
    """`Site.FLOATING_POINT` if Python looks at floating-point instructions for another reason than lazy stacking."""
    GUARDED = 21
    """1: the MPU works,"""
    GUARDED_ALWAYS = 22
    """1: at negative priority, too."""
    LIMITS = 23
    """MSPLIM, PSPLIM, 0 on cores that have none."""
    RIGHTS = 25
    """What it allows to unprivileged, then to privileged software: `LEVEL_SLOTS` words each, see `Level`."""
    LAZY_CONTEXT = RIGHTS + 2 * 9
    """`lazy_context.LAZY_CONTEXT`: whose those registers are, and what could have interrupted that code."""
    BATCHES = LAZY_CONTEXT + 1
    """For each `Batch`: addresses of register numbers, of pointers to values, of the values; their count."""


class Level(IntEnum):
    """What is where of `ExceptionSlot.RIGHTS`."""

    MASKS = 0
    """`Protection.code_slots` and `Protection.data_slots`, in the order of `hook_state.Slot`."""
    SPANS = 6
    """`Protection.span_slots`."""
    SPAN_COUNT = 7
    LOOKED_AT = 8
    """Address of `Protection.looked_at`."""


LEVEL_SLOTS = 9
BATCH_SLOTS = 4
EXCEPTION_SLOTS = ExceptionSlot.BATCHES + BATCH_SLOTS * len(Batch)


class Taken(IntEnum):
    """What became of pending exceptions."""

    NONE = -1
    """None preempts what runs."""
    ENTERED = 0
    """The handler of one begins."""
    LEFT_OVER = 1
    """One preempts, and Python has to take it."""

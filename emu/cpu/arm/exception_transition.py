"""Exception entry and return of ARMv7-M in native code.

`emu.cpu.arm.exceptions` and `emu.cpu.arm.exception_frame` say the same in Python, and are the definition. These
functions decide first whether they can do all of it; where they cannot (a stack or vector table outside of plain
memory, a stack that the MPU or a limit forbids, an illegal return, a vector without Thumb bit, ...), they change
nothing, the run stops, and Python does it.

This file becomes native code, see `emu.cpu.translation.module`.
"""

from __future__ import annotations

from emu.clock import NOW
from emu.cpu.arm.exception_priority import (
    DEPTH,
    ENABLED,
    PRIORITIES,
    activate,
    active_priority,
    deactivate,
    following,
    group,
    masked_priority,
    most_urgent,
    place_of,
)
from emu.cpu.arm.exception_rights import allowed, can_guard, guard, host_address, unguarded, vector_of
from emu.cpu.arm.exception_state import BATCH_SLOTS, Batch, ExceptionSlot
from emu.cpu.arm.lazy_context import LAZY_READY, LazyContext
from emu.cpu.arm.nvic_state import WORD_BITS
from emu.cpu.hook_state import EXCLUSIVE, Request, Right, Site, Slot
from emu.cpu.native_calls import Words, call_batch, unsigned_at, words_at

CLOCK, BLOCK_SIZE, REQUEST, SITES = map(int, (Slot.CLOCK, Slot.BLOCK_SIZE, Slot.REQUEST, Slot.SITES))
CHECK, READ, WRITE = int(Request.CHECK), int(Right.READ), int(Right.WRITE)
EXCLUSIVE_SITES, FLOATING_POINT = int(EXCLUSIVE), int(Site.FLOATING_POINT)
READ_FUNCTION, WRITE_FUNCTION = int(ExceptionSlot.READ_FUNCTION), int(ExceptionSlot.WRITE_FUNCTION)
EVENT, LIMITS = int(ExceptionSlot.EVENT), int(ExceptionSlot.LIMITS)
ALIGN, NON_BASE_THREAD, HAS_FPU, SLEEP_ON_EXIT = map(
    int, (ExceptionSlot.ALIGN, ExceptionSlot.NON_BASE_THREAD, ExceptionSlot.HAS_FPU, ExceptionSlot.SLEEP_ON_EXIT)
)
ENTRY_CYCLES, RETURN_CYCLES, CHAIN_CYCLES, FLOAT_CYCLES = map(
    int,
    (
        ExceptionSlot.ENTRY_CYCLES,
        ExceptionSlot.RETURN_CYCLES,
        ExceptionSlot.CHAIN_CYCLES,
        ExceptionSlot.FLOAT_CYCLES,
    ),
)
EXC_RETURN, UNSTACKS_FLOATS, MASK_BY_PRIORITY = map(
    int, (ExceptionSlot.EXC_RETURN, ExceptionSlot.UNSTACKS_FLOATS, ExceptionSlot.MASK_BY_PRIORITY)
)
LAZY, LAZY_ACTIVE, LAZY_ADDRESS, LAZY_CONTEXT, FLOAT_SITES = map(
    int,
    (
        ExceptionSlot.LAZY,
        ExceptionSlot.LAZY_ACTIVE,
        ExceptionSlot.LAZY_ADDRESS,
        ExceptionSlot.LAZY_CONTEXT,
        ExceptionSlot.FLOAT_SITES,
    ),
)
UNPRIVILEGED, PRIVILEGED = 0, 1
"""Levels of software."""
CONTEXT, FLOATS, FROM_THREAD, FROM_HANDLER, NEXT_HANDLER, STACKS = (
    int(ExceptionSlot.BATCHES + BATCH_SLOTS * batch)
    for batch in (
        Batch.CONTEXT,
        Batch.FLOATS,
        Batch.FROM_THREAD,
        Batch.FROM_HANDLER,
        Batch.NEXT_HANDLER,
        Batch.STACKS,
    )
)
TO_THREAD, TO_HANDLER, RESTORE, MASKS, IPSR, FAULTMASK, DEMOTE = (
    int(ExceptionSlot.BATCHES + BATCH_SLOTS * batch)
    for batch in (
        Batch.TO_THREAD,
        Batch.TO_HANDLER,
        Batch.RESTORE,
        Batch.MASKS,
        Batch.IPSR,
        Batch.FAULTMASK,
        Batch.UNPRIVILEGED,
    )
)
NMI, SV_CALL = 2, 11
FPCCR_USER, FPCCR_THREAD = int(LazyContext.USER.mask), int(LazyContext.THREAD.mask)
READY = tuple((int(vector), int(field.mask)) for vector, field in LAZY_READY.items())
BASIC_WORDS, EXTENDED_WORDS, FLOAT_WORDS = 8, 26, 17
ALIGNED = 1 << 9
THREAD, PROCESS_STACK, NO_FLOATS = 8, 4, 16
NPRIV, SPSEL, FPCA = 1, 2, 4
IPSR_MASK, EPSR_BITS, THUMB = 0x1FF, 0x0700_FC00, 1 << 24
WORD = 0xFFFF_FFFF
PLACES = 32
"""At least as many values as the longest batch has."""


def values_of(exceptions: Words, batch: int) -> Words:
    """The values of a batch, 64 bits each."""
    return words_at(exceptions[batch + 2])


def read(exceptions: Words, uc: int, batch: int) -> Words:
    """Read the registers of a batch; their values."""
    count = exceptions[batch + 3]
    call_batch(exceptions[READ_FUNCTION], uc, exceptions[batch], exceptions[batch + 1], count)
    return values_of(exceptions, batch)


def write(exceptions: Words, uc: int, batch: int) -> None:
    """Write what is in `values_of` into the registers of a batch."""
    count = exceptions[batch + 3]
    call_batch(exceptions[WRITE_FUNCTION], uc, exceptions[batch], exceptions[batch + 1], count)


def execution_priority(exceptions: Words, nvic: Words, uc: int, context: Words) -> int:
    """Priority of what executes now."""
    unprivileged = context[7] & IPSR_MASK == 0 and context[9] & NPRIV != 0
    if unprivileged:
        # Unicorn shows unprivileged code no masks.
        values_of(exceptions, IPSR)[0] = 1
        write(exceptions, uc, IPSR)
    masks = read(exceptions, uc, MASKS)
    if unprivileged:
        values_of(exceptions, IPSR)[0] = 0
        write(exceptions, uc, IPSR)
    return masked_priority(nvic, active_priority(nvic, -1), masks[0], masks[1], masks[2])


def note_transition(state: Words, exceptions: Words, cycles: int) -> None:
    """What every entry and return does to the rest of the core."""
    clock = words_at(state[CLOCK])
    clock[NOW] += cycles
    exceptions[EVENT] = 1
    state[SITES] |= EXCLUSIVE_SITES
    state[BLOCK_SIZE] = 0


def fill_handler(values: Words, first: int, exc_return: int, vector: int, flags: int) -> None:
    """The end of all batches that begin a handler: LR, EPSR, PC, flags."""
    values[first], values[first + 1], values[first + 2], values[first + 3] = exc_return, THUMB, vector, flags


def lazy_context(nvic: Words, priority: int, flags: int, control: int) -> int:
    """What FPCCR says about code of this priority and state whose floating-point registers are stacked lazily."""
    context = 0
    if flags & IPSR_MASK == 0:
        context |= FPCCR_THREAD
        if control & NPRIV:
            context |= FPCCR_USER
    for number, ready in READY:
        enabled = nvic[ENABLED + number // WORD_BITS] >> (number % WORD_BITS) & 1
        if enabled and group(nvic, nvic[PRIORITIES + number]) < priority:
            context |= ready
    return context


def enter(state: Words, exceptions: Words, nvic: Words, uc: int, context: Words, number: int, priority: int) -> bool:
    """Stack what runs, whose registers are ``context``, and begin a handler; False if Python has to.

    ``priority`` is that of what runs.
    """
    flags, pointer, control = context[7], context[8], context[9]
    floats = control & FPCA != 0
    words = EXTENDED_WORDS if floats else BASIC_WORDS
    target = (pointer - 4 * words) & WORD
    moved = (exceptions[ALIGN] != 0 or floats) and target & 4 != 0
    if moved:
        target = (target - 4) & WORD
    thread = flags & IPSR_MASK == 0
    level = UNPRIVILEGED if thread and control & NPRIV != 0 else PRIVILEGED
    limit = exceptions[LIMITS + (1 if thread and control & SPSEL != 0 else 0)]
    if target < limit or not allowed(exceptions, level, target, 4 * words, WRITE):
        return False
    if unguarded(exceptions, nvic[PRIORITIES + number]) or not can_guard(state, exceptions, PRIVILEGED):
        return False
    host = host_address(state, target, 4 * words, WRITE)
    vector = vector_of(state, exceptions, number)
    # Only ARMv8-M lets handlers choose the stack of thread mode.
    chosen_by_handler = flags & IPSR_MASK != 0 and control & SPSEL != 0
    lazy = floats and exceptions[LAZY] != 0
    refused = floats and not lazy and exceptions[UNSTACKS_FLOATS] == 0
    if host == 0 or vector == 0 or chosen_by_handler or refused:
        return False
    frame = unsigned_at(host)
    for index in range(6):
        frame[index] = context[index]
    frame[6] = context[6] & ~1
    frame[7] = flags | ALIGNED if moved else flags & ~ALIGNED
    cycles = exceptions[ENTRY_CYCLES]
    exc_return = exceptions[EXC_RETURN] | NO_FLOATS
    if floats:
        exc_return = exceptions[EXC_RETURN]
    if floats and not lazy:
        stacked = read(exceptions, uc, FLOATS)
        for index in range(FLOAT_WORDS):
            frame[BASIC_WORDS + index] = stacked[index]
            stacked[index] = 0
        write(exceptions, uc, FLOATS)
        frame[EXTENDED_WORDS - 1] = 0
        cycles += exceptions[FLOAT_CYCLES]
    activate(nvic, number)
    note_transition(state, exceptions, cycles)
    if lazy:
        exceptions[LAZY_ACTIVE], exceptions[LAZY_ADDRESS] = 1, target + 4 * BASIC_WORDS
        exceptions[LAZY_CONTEXT] = lazy_context(nvic, priority, flags, control)
        state[SITES] |= FLOATING_POINT
    guard(state, exceptions, PRIVILEGED)
    if thread:
        exc_return |= THREAD
        if control & SPSEL:
            exc_return |= PROCESS_STACK
        values = values_of(exceptions, FROM_THREAD)
        values[0], values[1], values[2], values[3] = target, number, control & SPSEL, 0
        values[4], values[5], values[6] = 0, number, control & NPRIV
        fill_handler(values, 7, exc_return, vector, flags)
        write(exceptions, uc, FROM_THREAD)
    else:
        values = values_of(exceptions, FROM_HANDLER)
        values[0], values[1], values[2] = target, number, control & NPRIV
        fill_handler(values, 3, exc_return, vector, flags)
        write(exceptions, uc, FROM_HANDLER)
    return True


def call_supervisor(state: Words, exceptions: Words, nvic: Words, uc: int) -> bool:
    """SVC; False if Python has to do it."""
    context = read(exceptions, uc, CONTEXT)
    priority = execution_priority(exceptions, nvic, uc, context)
    if group(nvic, nvic[PRIORITIES + SV_CALL]) >= priority:
        return False
    return enter(state, exceptions, nvic, uc, context, SV_CALL, priority)


def legal(exceptions: Words, nvic: Words, exc_return: int) -> bool:
    """Whether an exception return is one of those that native code knows to be legal."""
    if exc_return & ~(THREAD | PROCESS_STACK | NO_FLOATS) & WORD != exceptions[EXC_RETURN]:
        return False
    if exc_return & NO_FLOATS == 0 and exceptions[UNSTACKS_FLOATS] == 0:
        return False
    nested = nvic[DEPTH] > 1
    if exc_return & THREAD:
        return not nested or exceptions[NON_BASE_THREAD] != 0
    return nested and exc_return & PROCESS_STACK == 0


def leave(state: Words, exceptions: Words, nvic: Words, uc: int) -> bool:
    """Firmware has branched to an EXC_RETURN value in handler mode; False if Python has to do it."""
    context = read(exceptions, uc, CONTEXT)
    # Unicorn keeps bit 0 in the flags.
    exc_return, control = context[6] & ~1 | (1 if context[7] & THUMB else 0), context[9]
    if exceptions[HAS_FPU] == 0:
        exc_return |= NO_FLOATS
    number = context[7] & IPSR_MASK
    place = place_of(nvic, number)
    sleeps = exceptions[SLEEP_ON_EXIT] != 0 and nvic[DEPTH] == 1
    if place < 0 or sleeps or not legal(exceptions, nvic, exc_return):
        return False
    if unguarded(exceptions, active_priority(nvic, -1)):
        return False
    masks = read(exceptions, uc, MASKS)
    faultmask = masks[2] & 1
    if faultmask != 0 and unguarded(exceptions, -1):
        return False
    keeps = active_priority(nvic, -1) < 0 if exceptions[MASK_BY_PRIORITY] else number == NMI
    kept_faultmask = faultmask if keeps else 0
    chained = following(nvic, place, masks[0], masks[1], kept_faultmask)
    if chained != 0:
        vector = vector_of(state, exceptions, chained)
        if vector == 0 or unguarded(exceptions, nvic[PRIORITIES + chained]):
            return False
        deactivate(nvic, place)
        activate(nvic, chained)
        note_transition(state, exceptions, exceptions[CHAIN_CYCLES])
        values = values_of(exceptions, NEXT_HANDLER)
        values[0], values[1] = chained, control & NPRIV
        fill_handler(values, 2, exc_return, vector, context[7])
        if faultmask != kept_faultmask:
            clear_faultmask(exceptions, uc)
        write(exceptions, uc, NEXT_HANDLER)
        return True
    return resume(state, exceptions, nvic, uc, exc_return, place, faultmask != kept_faultmask)


def clear_faultmask(exceptions: Words, uc: int) -> None:
    """FAULTMASK ends with the exception that has set it."""
    values_of(exceptions, FAULTMASK)[0] = 0
    write(exceptions, uc, FAULTMASK)


def resume(state: Words, exceptions: Words, nvic: Words, uc: int, exc_return: int, place: int, unmask: bool) -> bool:
    """Go back to what the exception in ``place`` of the list interrupted; False if Python has to."""
    stacks = read(exceptions, uc, STACKS)
    pointer = stacks[1] if exc_return & PROCESS_STACK else stacks[0]
    control = stacks[2]
    floats = exc_return & NO_FLOATS == 0
    words = EXTENDED_WORDS if floats else BASIC_WORDS
    demoted = exc_return & THREAD != 0 and control & NPRIV != 0
    level = UNPRIVILEGED if demoted else PRIVILEGED
    if not allowed(exceptions, level, pointer, 4 * words, READ) or not can_guard(state, exceptions, level):
        return False
    host = host_address(state, pointer, 4 * words, READ)
    if host == 0:
        return False
    frame = unsigned_at(host)
    flags = frame[7]
    other_mode = (flags & IPSR_MASK == 0) != (exc_return & THREAD != 0)
    if flags & THUMB == 0 or other_mode:
        return False
    deactivate(nvic, place)
    stacked = floats and exceptions[LAZY_ACTIVE] == 0
    cycles = exceptions[RETURN_CYCLES] + (exceptions[FLOAT_CYCLES] if stacked else 0)
    note_transition(state, exceptions, cycles)
    if floats and not stacked:
        exceptions[LAZY_ACTIVE] = 0
        state[SITES] = state[SITES] & ~FLOATING_POINT | exceptions[FLOAT_SITES]
    if unmask:
        clear_faultmask(exceptions, uc)
    mode = (FPCA if floats else 0) | (SPSEL if exc_return & PROCESS_STACK else 0)
    if exc_return & THREAD:
        values = values_of(exceptions, TO_THREAD)
        values[0], values[1], values[2] = 0, 0, mode
        write(exceptions, uc, TO_THREAD)
    else:
        values = values_of(exceptions, TO_HANDLER)
        values[0], values[1] = flags & IPSR_MASK, control & NPRIV | mode
        write(exceptions, uc, TO_HANDLER)
    if stacked:
        values = values_of(exceptions, FLOATS)
        for index in range(FLOAT_WORDS):
            values[index] = frame[BASIC_WORDS + index]
        write(exceptions, uc, FLOATS)
    values = values_of(exceptions, RESTORE)
    for index in range(6):
        values[index] = frame[index]
    values[6] = ((pointer + 4 * words) | (4 if flags & ALIGNED else 0)) & WORD
    values[7], values[8], values[9], values[10] = flags & ~ALIGNED, flags & EPSR_BITS, frame[6] | 1, flags
    write(exceptions, uc, RESTORE)
    if demoted:
        values = values_of(exceptions, DEMOTE)
        values[0], values[1] = NPRIV | mode, flags
        write(exceptions, uc, DEMOTE)
    guard(state, exceptions, level)
    if most_urgent(nvic) != 0:
        state[REQUEST] |= CHECK
    return True

"""Exception entry and return of ARMv7-M in native code, without leaving Unicorn's run.

`emu.cpu.exceptions` and `emu.cpu.exception_frame` say the same in Python, and are the definition. These functions
decide first whether they can do all of it; where they cannot (a stack or vector table outside of plain memory, a stack
that the MPU or a limit forbids, an illegal return, a vector without Thumb bit, ...), they change nothing, the run
stops, and Python does it.

With the MPU, an entry and a return to unprivileged code choose another `emu.cpu.protection.Protection`. Unicorn's TLB
has entries of their own for unprivileged code, which stay right; code of negative priority shares those of privileged
code, but not its rights, so that such transitions are Python's.

numba compiles this file; see `emu.cpu.block_hook` for what that asks of it.
"""

from __future__ import annotations

from typing import Any

from numba import carray, cfunc, njit, types
from unicorn.arm_const import UC_ARM_REG_PC

from emu.clock import DEADLINE, NOW
from emu.cpu.exception_state import BATCH_SLOTS, EXCEPTION_SLOTS, LEVEL_SLOTS, Batch, ExceptionSlot, Level, Taken
from emu.cpu.hook_state import (
    EXCLUSIVE,
    MAIN_EXTENSION,
    PAGE_BITS,
    SLOTS,
    TABLE_ENTRIES,
    WINDOW_PAGES,
    Request,
    Right,
    Site,
    Slot,
    Stopped,
)
from emu.cpu.lazy_context import LAZY_READY, LazyContext
from emu.cpu.native_calls import bytes_at, call_1, call_3, call_batch, trailing_zeros, unsigned_at, words_at
from emu.cpu.nvic_state import NVIC_SLOTS, WORD_BITS, WORDS, NvicSlot

CLOCK, BLOCK_SIZE, REQUEST, STOPPED = map(int, (Slot.CLOCK, Slot.BLOCK_SIZE, Slot.REQUEST, Slot.STOPPED))
TRAP, SITES, PAGES, STOP_FUNCTION = map(int, (Slot.TRAP, Slot.SITES, Slot.PAGES, Slot.STOP_FUNCTION))
REGIONS, REGION_COUNT, EXCEPTIONS = map(int, (Slot.REGIONS, Slot.REGION_COUNT, Slot.EXCEPTIONS))
TAKEN, FEATURES = int(Slot.TAKEN), int(Slot.FEATURES)
WRITE_REGISTER, SCRATCH, PC = int(Slot.WRITE_FUNCTION), int(Slot.SCRATCH), int(UC_ARM_REG_PC)
CODE_MASK, PARTS, PART_COUNT = int(Slot.CODE_MASK), int(Slot.PARTS), int(Slot.PART_COUNT)
TABLE, PROMOTIONS = int(Slot.TABLE), int(Slot.PROMOTIONS)
CHECK, AT_DEADLINE, AT_EXCEPTION = int(Request.CHECK), int(Stopped.DEADLINE), int(Stopped.EXCEPTION)
READ, WRITE, EXECUTE, EXCLUSIVE_SITES = int(Right.READ), int(Right.WRITE), int(Right.EXECUTE), int(EXCLUSIVE)
NATIVE, NVIC, EVENT, VECTOR_TABLE = map(
    int, (ExceptionSlot.NATIVE, ExceptionSlot.NVIC, ExceptionSlot.EVENT, ExceptionSlot.VECTOR_TABLE)
)
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
GUARDED, GUARDED_ALWAYS, LIMITS, RIGHTS = map(
    int, (ExceptionSlot.GUARDED, ExceptionSlot.GUARDED_ALWAYS, ExceptionSlot.LIMITS, ExceptionSlot.RIGHTS)
)
SPANS, SPAN_COUNT, LOOKED_AT = int(Level.SPANS), int(Level.SPAN_COUNT), int(Level.LOOKED_AT)
UNPRIVILEGED, PRIVILEGED = 0, 1
"""Levels of software."""
MOST_SPANS = 128
PAGE = 1 << PAGE_BITS
FLOATING_POINT = int(Site.FLOATING_POINT)
READ_FUNCTION, WRITE_FUNCTION = int(ExceptionSlot.READ_FUNCTION), int(ExceptionSlot.WRITE_FUNCTION)
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
PRIORITY_MASK, GROUP_SHIFT, DEPTH, ACTIVE = map(
    int, (NvicSlot.PRIORITY_MASK, NvicSlot.GROUP_SHIFT, NvicSlot.DEPTH, NvicSlot.ACTIVE)
)
ENABLED, PENDING, LEVELS, PRIORITIES = map(
    int, (NvicSlot.ENABLED, NvicSlot.PENDING, NvicSlot.LEVELS, NvicSlot.PRIORITIES)
)
NOTHING, ENTERED, LEFT_OVER = int(Taken.NONE), int(Taken.ENTERED), int(Taken.LEFT_OVER)
TRAP_SVC, TRAP_EXC_RETURN = 2, 8
NMI, SV_CALL = 2, 11
FPCCR_USER, FPCCR_THREAD = int(LazyContext.USER.mask), int(LazyContext.THREAD.mask)
READY = tuple((int(vector), int(field.mask)) for vector, field in LAZY_READY.items())
IDLE = 256
BASIC_WORDS, EXTENDED_WORDS, FLOAT_WORDS = 8, 26, 17
ALIGNED = 1 << 9
THREAD, PROCESS_STACK, NO_FLOATS = 8, 4, 16
NPRIV, SPSEL, FPCA = 1, 2, 4
IPSR_MASK, EPSR_BITS, THUMB = 0x1FF, 0x0700_FC00, 1 << 24
WORD = 0xFFFF_FFFF
PLACES = 32
"""At least as many values as the longest batch has."""


@njit
def values_of(exceptions: Any, batch: int) -> Any:
    """The values of a batch, 64 bits each."""
    return carray(words_at(exceptions[batch + 2]), (PLACES,))


@njit
def read(exceptions: Any, uc: int, batch: int) -> Any:
    """Read the registers of a batch; their values."""
    count = types.int32(exceptions[batch + 3])
    call_batch(exceptions[READ_FUNCTION], uc, exceptions[batch], exceptions[batch + 1], count)
    return values_of(exceptions, batch)


@njit
def write(exceptions: Any, uc: int, batch: int) -> None:
    """Write what is in `values_of` into the registers of a batch."""
    count = types.int32(exceptions[batch + 3])
    call_batch(exceptions[WRITE_FUNCTION], uc, exceptions[batch], exceptions[batch + 1], count)


@njit
def whole_core(state: Any, whole: bool) -> None:
    """Let the writes of registers have their effect, or unaligned accesses trap again; see `emu.cpu.alignment`."""
    if state[FEATURES] != 0:
        features = carray(words_at(state[FEATURES]), (1,))
        features[0] = features[0] | MAIN_EXTENSION if whole else features[0] & ~MAIN_EXTENSION


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


@njit
def vector_of(state: Any, exceptions: Any, number: int) -> int:
    """Address of a handler with its Thumb bit; 0 if it cannot be read or has none."""
    host = host_address(state, exceptions[VECTOR_TABLE] + 4 * number, 4, READ)
    if host == 0:
        return 0
    vector = types.int64(carray(unsigned_at(host), (1,))[0])
    return vector if vector & 1 else 0


@njit
def group(nvic: Any, priority: int) -> int:
    """The part of a priority that decides about preemption."""
    return priority if priority < 0 else priority & (-2 << nvic[GROUP_SHIFT]) & 0xFF


@njit
def most_urgent(nvic: Any) -> int:
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


@njit
def active_priority(nvic: Any, leaving: int) -> int:
    """Priority of the active exceptions, but for the one in place ``leaving`` of their list (-1: all)."""
    priority = IDLE
    for index in range(nvic[DEPTH]):
        if index != leaving:
            priority = min(priority, group(nvic, nvic[PRIORITIES + nvic[ACTIVE + index]]))
    return priority


@njit
def masked_priority(nvic: Any, priority: int, primask: int, basepri: int, faultmask: int) -> int:
    """Priority of what executes, by that of the active exceptions and the masks."""
    if faultmask & 1:
        priority = min(priority, -1)
    if primask & 1:
        priority = min(priority, 0)
    if basepri & nvic[PRIORITY_MASK]:
        priority = min(priority, group(nvic, basepri & nvic[PRIORITY_MASK]))
    return priority


@njit
def execution_priority(exceptions: Any, nvic: Any, uc: int, context: Any) -> int:
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


@njit
def note_transition(state: Any, exceptions: Any, cycles: int) -> None:
    """What every entry and return does to the rest of the core."""
    clock = carray(words_at(state[CLOCK]), (3,))
    clock[NOW] += cycles
    exceptions[EVENT] = 1
    state[SITES] |= EXCLUSIVE_SITES
    state[BLOCK_SIZE] = 0


@njit
def activate(nvic: Any, number: int) -> None:
    """The handler begins."""
    nvic[PENDING + number // WORD_BITS] &= ~(types.int64(1) << (number % WORD_BITS))
    nvic[ACTIVE + nvic[DEPTH]] = number
    nvic[DEPTH] += 1


@njit
def deactivate(nvic: Any, place: int) -> None:
    """The handler in this place of the list ends; an input that is still high becomes pending again."""
    number = nvic[ACTIVE + place]
    nvic[DEPTH] -= 1
    for index in range(place, nvic[DEPTH]):
        nvic[ACTIVE + index] = nvic[ACTIVE + index + 1]
    nvic[PENDING + number // WORD_BITS] |= nvic[LEVELS + number // WORD_BITS] & types.int64(1) << (number % WORD_BITS)


@njit
def fill_handler(values: Any, first: int, exc_return: int, vector: int, flags: int) -> None:
    """The end of all batches that begin a handler: LR, EPSR, PC, flags."""
    values[first], values[first + 1], values[first + 2], values[first + 3] = exc_return, THUMB, vector, flags


@njit
def lazy_context(nvic: Any, priority: int, flags: int, control: int) -> int:
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


@njit
def enter(state: Any, exceptions: Any, nvic: Any, uc: int, context: Any, number: int, priority: int) -> bool:
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
    frame = carray(unsigned_at(host), (EXTENDED_WORDS,))
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


@njit
def call_supervisor(state: Any, exceptions: Any, nvic: Any, uc: int) -> bool:
    """SVC; False if Python has to do it."""
    context = read(exceptions, uc, CONTEXT)
    priority = execution_priority(exceptions, nvic, uc, context)
    if group(nvic, nvic[PRIORITIES + SV_CALL]) >= priority:
        return False
    return enter(state, exceptions, nvic, uc, context, SV_CALL, priority)


@njit
def place_of(nvic: Any, number: int) -> int:
    """Place of an exception in the list of the active ones, -1 if it is none."""
    for index in range(nvic[DEPTH]):
        if nvic[ACTIVE + index] == number:
            return index
    return -1


@njit
def legal(exceptions: Any, nvic: Any, exc_return: int) -> bool:
    """Whether an exception return is one of those that native code knows to be legal."""
    if exc_return & ~(THREAD | PROCESS_STACK | NO_FLOATS) & WORD != exceptions[EXC_RETURN]:
        return False
    if exc_return & NO_FLOATS == 0 and exceptions[UNSTACKS_FLOATS] == 0:
        return False
    nested = nvic[DEPTH] > 1
    if exc_return & THREAD:
        return not nested or exceptions[NON_BASE_THREAD] != 0
    return nested and exc_return & PROCESS_STACK == 0


@njit
def following(nvic: Any, place: int, primask: int, basepri: int, faultmask: int) -> int:
    """The exception to chain to when the one in ``place`` of the list of active ones ends; 0 if there is none."""
    number = nvic[ACTIVE + place]
    word, bit = number // WORD_BITS, types.int64(1) << (number % WORD_BITS)
    pending = nvic[PENDING + word]
    nvic[PENDING + word] |= nvic[LEVELS + word] & bit
    urgent = most_urgent(nvic)
    nvic[PENDING + word] = pending
    priority = masked_priority(nvic, active_priority(nvic, place), primask, basepri, faultmask)
    if urgent != 0 and group(nvic, nvic[PRIORITIES + urgent]) < priority:
        return urgent
    return 0


@njit
def leave(state: Any, exceptions: Any, nvic: Any, uc: int) -> bool:
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


@njit
def clear_faultmask(exceptions: Any, uc: int) -> None:
    """FAULTMASK ends with the exception that has set it."""
    values_of(exceptions, FAULTMASK)[0] = 0
    write(exceptions, uc, FAULTMASK)


@njit
def resume(state: Any, exceptions: Any, nvic: Any, uc: int, exc_return: int, place: int, unmask: bool) -> bool:
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
    frame = carray(unsigned_at(host), (EXTENDED_WORDS,))
    flags = types.int64(frame[7])
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
            values[index] = types.int64(frame[BASIC_WORDS + index])
        write(exceptions, uc, FLOATS)
    values = values_of(exceptions, RESTORE)
    for index in range(6):
        values[index] = types.int64(frame[index])
    values[6] = ((pointer + 4 * words) | (4 if flags & ALIGNED else 0)) & WORD
    values[7], values[8], values[9], values[10] = flags & ~ALIGNED, flags & EPSR_BITS, types.int64(frame[6]) | 1, flags
    write(exceptions, uc, RESTORE)
    if demoted:
        values = values_of(exceptions, DEMOTE)
        values[0], values[1] = NPRIV | mode, flags
        write(exceptions, uc, DEMOTE)
    guard(state, exceptions, level)
    if most_urgent(nvic) != 0:
        state[REQUEST] |= CHECK
    return True


@njit
def take(state: Any, exceptions: Any, nvic: Any, uc: int) -> int:
    """Take the pending exception that preempts what runs, if there is one; a `Taken`."""
    number = most_urgent(nvic)
    if number == 0 or group(nvic, nvic[PRIORITIES + number]) >= active_priority(nvic, -1):
        # Nothing that code can do without another exception, or a register access, unmasks it.
        state[REQUEST] &= ~CHECK
        return NOTHING
    context = read(exceptions, uc, CONTEXT)
    priority = execution_priority(exceptions, nvic, uc, context)
    if group(nvic, nvic[PRIORITIES + number]) >= priority:
        return NOTHING
    return ENTERED if enter(state, exceptions, nvic, uc, context, number, priority) else LEFT_OVER


@cfunc(types.int32(types.intp, types.int64))
def take_pending(uc: int, user: int) -> int:
    """Before a block, while `Request.CHECK` is set: `take`."""
    state = carray(words_at(user), (SLOTS,))
    exceptions = carray(words_at(state[EXCEPTIONS]), (EXCEPTION_SLOTS,))
    nvic = carray(words_at(exceptions[NVIC]), (NVIC_SLOTS,))
    whole_core(state, True)
    taken = take(state, exceptions, nvic, uc)
    whole_core(state, False)
    if taken == ENTERED:
        # Only this function makes Unicorn leave the block without restoring the PC of its beginning.
        state[SCRATCH] = vector_of(state, exceptions, nvic[ACTIVE + nvic[DEPTH] - 1])
        call_3(state[WRITE_REGISTER], uc, types.int32(PC), user + 8 * SCRATCH)
    return types.int32(taken)


@cfunc(types.void(types.intp, types.uint32, types.int64))
def trap(uc: int, number: int, user: int) -> None:
    """UC_HOOK_INTR: SVC and exception return, or note the number and stop."""
    state = carray(words_at(user), (SLOTS,))
    exceptions = carray(words_at(state[EXCEPTIONS]), (EXCEPTION_SLOTS,))
    nvic = carray(words_at(exceptions[NVIC]), (NVIC_SLOTS,))
    done, taken = False, NOTHING
    if number == TRAP_EXC_RETURN:
        carray(words_at(state[CLOCK]), (3,))[NOW] += state[TAKEN]
        state[TAKEN] = 0
    whole_core(state, True)
    if exceptions[NATIVE] != 0 and state[REQUEST] & ~CHECK == 0:
        if number == TRAP_SVC:
            done = call_supervisor(state, exceptions, nvic, uc)
        elif number == TRAP_EXC_RETURN:
            done = leave(state, exceptions, nvic, uc)
    if done and state[REQUEST] & CHECK:
        taken = take(state, exceptions, nvic, uc)
    whole_core(state, False)
    if not done:
        state[TRAP] = number
        call_1(state[STOP_FUNCTION], uc)
        return
    if taken == LEFT_OVER:
        state[STOPPED] = AT_EXCEPTION
        call_1(state[STOP_FUNCTION], uc)
        return
    # Events come before the handler's first instruction, even if that cannot be fetched.
    clock = carray(words_at(state[CLOCK]), (3,))
    if clock[NOW] >= clock[DEADLINE]:
        state[STOPPED] = AT_DEADLINE
        call_1(state[STOP_FUNCTION], uc)


HOOKS = {"trap": trap, "take_pending": take_pending}
"""The callbacks by the names that `emu.cpu.native` gives them."""

"""The interpreter's loop: integer arithmetic, plain memory, counting, usual traps; the rest is left to Python.

The functions become native code, see `emu.cpu.translation.module`, and are the readable definition that it is tested
against.

All state is in memory that is referred to by address. The *state* is an array of 64-bit words, see the slots below.
The tables have a word for each of the 2^20 pages of the address space. For each half-word of executable memory there
is an entry, see `operations`. Behind the 2,048 entries of a page stand as many words with the cycles of the blocks that
begin there, see `COSTS`.

Inaccuracies: a block's cycles are added when it starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emu.cpu.native_calls import read_16, read_64, write_64
from emu.cpu.riscv.decode import ATOMIC, ECALL, MRET, SYSTEM
from emu.cpu.riscv.interpreter.arithmetic import branches, compute, load, multiply_divide, store
from emu.cpu.riscv.interpreter.decoding import decode_compressed, decode_wide
from emu.cpu.riscv.interpreter.operations import (
    ADD,
    ADD_PC,
    BRANCH_NOT_LESS_UNSIGNED,
    BREAKPOINT,
    CALL,
    COUNT_MASK,
    COUNT_SHIFT,
    EQUAL,
    FENCE,
    FETCH_FAULT,
    FIRST_SHIFT,
    IMMEDIATE_SHIFT,
    INSTRUCTION_FENCE,
    JUMP,
    JUMP_REGISTER,
    LOAD_BYTE,
    LOAD_HALF_UNSIGNED,
    LONE_TRAP,
    MULTIPLY,
    PART,
    REMAINDER_UNSIGNED,
    SECOND_SHIFT,
    SHIFT_RIGHT_SIGNED,
    STORE_BYTE,
    TARGET_SHIFT,
    TRAP,
    WFI,
    WIDE,
)
from emu.cpu.riscv.native import (
    LEFT,
    NONE,
    access_csr,
    call,
    execute_atomic,
    get,
    leave,
    loads_only,
    native,
    new_level,
    pending,
    put,
    take_interrupt,
)
from emu.cpu.riscv.state import RIGHTS_WORDS, HartSlot

PAGE_BITS, PAGE, PAGE_MASK = 12, 4096, 4095
PAGES = 1 << 20
WORD = 0xFFFF_FFFF
LONGEST_BLOCK = 512

# Slots of the state; x0..x31 are 0..31.
(
    PC, FOLLOWING, REMAINING,       # next instruction; the one behind it; instructions of the block still to execute
    ENTRY,                          # the instruction that `run` left to Python
    REQUEST, CLOCK, INSTRUCTIONS,   # a request, see below; address of {now, horizon, deadline}; instructions retired
    BLOCK_PC, BLOCK_ENTRIES,        # of the newest block; address of the entries of its page
    LOADS, STORES, FREE, CODE,      # addresses of the tables, see below
    SPANS, SPAN_COUNT,              # address and number of the (low, high) bounds of what can be executed
    DIRTY_LOW, DIRTY_HIGH,          # code that was overwritten, forgotten before the next block; high is 0 for none
    EXITS, EXIT_COUNT,              # address and number of the addresses to halt before
    ALL_LOADS, ALL_CODE,            # addresses of LOADS and CODE without memory protection
    STORE_TABLES, STORE_TABLE_COUNT,# address of the addresses of all tables STORES, and their number
    REST,                           # cycles of the block that was not begun: an exact clock's deadline is inside
    TIMED, NEXT, TAKEN,             # 0: one cycle an instruction; behind the newest block; see COSTS
    CUT_PC, CUT_COUNT, CUT_COSTS,   # cycles of a block of other length than its entry says: of a step, of a part page
    POLL_PC, POLL_PASSES,           # the newest block; how often it has begun without another one in between
    POLL_TIME, UNSTEADY,            # when it began last; since then a device was read that may give something else
    HART,                           # address of the array of `emu.cpu.riscv.state`
) = range(32, 67)  # fmt: skip
SLOTS = 67
LEVEL, RIGHTS = int(HartSlot.LEVEL), int(HartSlot.RIGHTS)
NEVER = -(1 << 62)
FOREVER = 1 << 62
"""`emu.clock.FOREVER`."""
# LOADS, FREE: add to an address to get the host's address, to load or store; 0: Python must do it. STORES is FREE
# without the pages that code was decoded on.
# CODE: address of the entries of the page; 0: it cannot be executed; bit 0 set: not all of it and of the next page can.
# The cycles of a block: cycles | taken << 20 | arrival << 32 | bytes << 44; 0: not known. `taken` is added when the
# next block is not the one behind it, `arrival` when the one before was not the one in front of it.
COSTS = 8 * 2048
TAKEN_SHIFT, ARRIVAL_SHIFT, SIZE_SHIFT, CYCLES_MASK, SHORT_MASK = 20, 32, 44, (1 << 20) - 1, (1 << 12) - 1

# Requests: stop before the next block; execute one instruction; it was executed; take the pending interrupt.
NOTHING, STOP, STEP_ONE, STEPPED, CHECK = range(5)

# Why `run` returns, besides the operations from WFI on that it does not execute; `AT_HANDLER`: it goes on at `PC`.
(
    GO_ON, AT_DEADLINE, AT_REQUEST, AT_EXIT, AT_FORGET, AT_STEP, AT_FETCH, AT_LOAD, AT_STORE, AT_COSTS, AT_HANDLER,
) = range(-1, -12, -1)  # fmt: skip


def decode_at(state: int, pc: int) -> int:
    """The entry of the instruction at ``pc``, whose page can be executed. Stores to its pages take the slow way."""
    memory = read_64(state + 8 * ALL_LOADS)
    page = pc >> PAGE_BITS
    watch_stores(state, page)
    half = read_16(read_64(memory + 8 * page) + pc)
    if half & 3 != 3:
        return decode_compressed(half)
    other = (pc + 2 & WORD) >> PAGE_BITS
    if read_64(read_64(state + 8 * ALL_CODE) + 8 * other) == 0:
        return FETCH_FAULT | WIDE
    watch_stores(state, other)
    return decode_wide(half | read_16(read_64(memory + 8 * other) + (pc + 2 & WORD)) << 16) | WIDE


def watch_stores(state: int, page: int) -> None:
    """There is decoded code on the page."""
    tables = read_64(state + 8 * STORE_TABLES)
    for index in range(read_64(state + 8 * STORE_TABLE_COUNT)):
        write_64(read_64(tables + 8 * index) + 8 * page, 0)


def executable_end(state: int, pc: int) -> int:
    """The first address from ``pc`` on that cannot be executed."""
    spans = read_64(state + 8 * SPANS)
    for index in range(read_64(state + 8 * SPAN_COUNT)):
        if read_64(spans + 16 * index) <= pc < read_64(spans + 16 * index + 8):
            return read_64(spans + 16 * index + 8)
    return pc


def instructions_before(pc: int, end: int, entries: int, most: int) -> int:
    """How many instructions of the block at ``pc`` end at or before ``end``."""
    count, address = 0, pc
    while count < most:
        address += 2 + (read_64(entries + 4 * (address & PAGE_MASK)) >> 20 & 2)
        if address > end:
            break
        count += 1
    return count


def is_exit(state: int, pc: int) -> bool:
    """Whether to halt before ``pc``."""
    exits = read_64(state + 8 * EXITS)
    for index in range(read_64(state + 8 * EXIT_COUNT)):  # noqa: SIM110 - native code has no any()
        if read_64(exits + 8 * index) == pc:
            return True
    return False


def decode_block(state: int, pc: int, entries: int) -> int:
    """Decode the block at ``pc``, in the page with ``entries``; returns the first entry, with the count."""
    count, address, end = 0, pc, (pc | PAGE_MASK) + 1
    while address < end and count < LONGEST_BLOCK:
        place = entries + 4 * (address & PAGE_MASK)
        entry = read_64(place)
        if entry == 0:
            entry = decode_at(state, address)
            write_64(place, entry)
        operation = entry & 63
        if count > 0 and (operation == LONE_TRAP or is_exit(state, address)):
            break
        count += 1
        address += 2 + (entry >> 20 & 2)
        if operation >= JUMP:
            break
    if is_exit(state, pc):
        count = BREAKPOINT
    place = entries + 4 * (pc & PAGE_MASK)
    entry = read_64(place) | count << COUNT_SHIFT
    write_64(place, entry)
    return entry


# Memory
def store_to_code(state: int, address: int, size: int, value: int) -> bool:
    """A store to pages that code was decoded from; False if it is not one that can be done here."""
    host, code = read_64(read_64(state + 8 * FREE) + 8 * (address >> PAGE_BITS)), read_64(state + 8 * ALL_CODE)
    if (address & PAGE_MASK) + size > PAGE or host == 0:
        return False
    store(STORE_BYTE + size // 2, host + address, value)
    half = address - 2 & ~1
    while half < address + size:
        entries = read_64(code + 8 * ((half & WORD) >> PAGE_BITS))
        if entries != 0 and read_64(entries + 4 * (half & PAGE_MASK)) != 0:
            forget(state, address, address + size)
        half += 2
    return True


def forget(state: int, low: int, high: int) -> None:
    """The code in ``low .. high - 1`` has changed."""
    if read_64(state + 8 * DIRTY_HIGH) == 0:
        write_64(state + 8 * DIRTY_LOW, low)
    write_64(state + 8 * DIRTY_LOW, min(low, read_64(state + 8 * DIRTY_LOW)))
    write_64(state + 8 * DIRTY_HIGH, max(high, read_64(state + 8 * DIRTY_HIGH)))


# Time
def settle(state: int, pc: int) -> None:
    """The hart goes on at ``pc``: add what the newest block costs on top if that is a jump."""
    if pc != read_64(state + 8 * NEXT):
        clock = read_64(state + 8 * CLOCK)
        write_64(clock, read_64(clock) + read_64(state + 8 * TAKEN))
    write_64(state + 8 * TAKEN, 0)


def block_costs(state: int, pc: int, entries: int, count: int) -> int:
    """Packed cost of ``count`` instructions from ``pc`` on, 0: Python has to find it, see `CUT_PC`."""
    place = entries + 4 * (pc & PAGE_MASK)
    if read_64(place) >> COUNT_SHIFT & COUNT_MASK == count and read_64(place + COSTS) != 0:
        return read_64(place + COSTS)
    if read_64(state + 8 * CUT_PC) == pc and read_64(state + 8 * CUT_COUNT) == count:
        return read_64(state + 8 * CUT_COSTS)
    write_64(state + 8 * CUT_PC, pc)
    write_64(state + 8 * CUT_COUNT, count)
    return 0


def polls(entries: int, pc: int, count: int) -> bool:
    """Whether a block that jumps to itself only waits; see `emu.cpu.polling`."""
    live, written, operation = 0, 0, 0
    for _ in range(count):
        entry = read_64(entries + 4 * (pc & PAGE_MASK))
        operation, target = entry & 63, entry >> TARGET_SHIFT & 31
        computes = operation == ADD_PC or ADD <= operation <= REMAINDER_UNSIGNED
        branches_only = (operation == JUMP and target == 0) or EQUAL <= operation <= BRANCH_NOT_LESS_UNSIGNED
        if not (computes or branches_only or LOAD_BYTE <= operation <= LOAD_HALF_UNSIGNED):
            return False
        live |= (1 << (entry >> FIRST_SHIFT & 31) | 1 << (entry >> SECOND_SHIFT & 31)) & ~written
        written |= 1 << target & ~1
        pc += 2 + (entry >> 20 & 2)
    return operation >= JUMP and live & written == 0


def skip_rounds(state: int, pc: int, entries: int, count: int) -> None:
    """A block begins: if it polls and nothing can have changed since it began last, count rounds to the deadline."""
    if read_64(state + 8 * POLL_PC) != pc:
        write_64(state + 8 * POLL_PC, pc)
        write_64(state + 8 * POLL_PASSES, 0)
        return
    passes = read_64(state + 8 * POLL_PASSES) + 1
    if passes == 2 and not polls(entries, pc, count):
        passes = NEVER
    write_64(state + 8 * POLL_PASSES, passes)
    clock = read_64(state + 8 * CLOCK)
    now, deadline = read_64(clock), read_64(clock + 16)
    skips = read_64(clock + 24) != 0 and deadline < FOREVER
    if passes >= 2 and skips and read_64(state + 8 * UNSTEADY) == 0:
        round_time = now - read_64(state + 8 * POLL_TIME)
        exact = read_64(clock + 8) != deadline
        rounds = (deadline - now + (0 if exact else round_time - 1)) // round_time
        now += rounds * round_time
        write_64(clock, now)
        write_64(state + 8 * INSTRUCTIONS, read_64(state + 8 * INSTRUCTIONS) + rounds * count)
    write_64(state + 8 * UNSTEADY, 0)
    write_64(state + 8 * POLL_TIME, now)


# Traps
def word_at(state: int, pc: int) -> int:
    """The instruction at ``pc``, which was decoded."""
    memory, other = read_64(state + 8 * ALL_LOADS), pc + 2 & WORD
    half = read_16(read_64(memory + 8 * (pc >> PAGE_BITS)) + pc)
    return half | read_16(read_64(memory + 8 * (other >> PAGE_BITS)) + other) << 16 if half & 3 == 3 else half


def follow(state: int, hart: int) -> None:
    """Privilege or mstatus may have changed: let the rights count that memory protection gives them."""
    level = new_level(hart)
    if level != NONE:
        put(hart, LEVEL, level)
        for index in range(RIGHTS_WORDS):
            write_64(state + 8 * (LOADS + index), get(hart, RIGHTS + RIGHTS_WORDS * level + index))


def jump(state: int, hart: int, pc: int, word: int) -> int:
    """Where the hart goes on behind ecall or mret, `LEFT` if Python has to carry it out."""
    if word == MRET:
        return leave(hart)
    handler = call(hart, pc)
    if handler != LEFT:
        # It is not retired, and takes no time.
        clock = read_64(state + 8 * CLOCK)
        write_64(clock, read_64(clock) - 1)
        write_64(state + 8 * INSTRUCTIONS, read_64(state + 8 * INSTRUCTIONS) - 1)
    return handler


def compute_result(state: int, hart: int, word: int) -> int:
    """What a CSR or atomic instruction puts into its destination register, `LEFT` if Python has to carry it out."""
    first, second = read_64(state + 8 * (word >> 15 & 31)), read_64(state + 8 * (word >> 20 & 31))
    if word & 0x7F == SYSTEM:
        cycles = read_64(read_64(state + 8 * CLOCK)) - 1
        return access_csr(hart, word, first, cycles, read_64(state + 8 * INSTRUCTIONS) - 1)
    if word & 0x7F != ATOMIC:
        return LEFT
    table = read_64(state + 8 * LOADS) if loads_only(word) else read_64(state + 8 * STORES)
    host = read_64(table + 8 * (first >> PAGE_BITS))
    return execute_atomic(hart, word, first, second, host + first if host != 0 else 0)


def carry_out(state: int, pc: int) -> int:
    """Carry out the instruction at ``pc``, the last of its block: where the hart goes on, `LEFT` if Python has to."""
    hart = read_64(state + 8 * HART)
    if not native(hart):
        return LEFT
    word, following = word_at(state, pc), pc + 4 & WORD
    if word in (MRET, ECALL):
        following = jump(state, hart, pc, word)
        if following == LEFT:
            return LEFT
    else:
        result = compute_result(state, hart, word)
        if result == LEFT:
            return LEFT
        if word >> 7 & 31 != 0:
            write_64(state + 8 * (word >> 7 & 31), result)
    follow(state, hart)
    write_64(state + 8 * NEXT, pc + 4 & WORD)
    write_64(state + 8 * TAKEN, 0)
    if read_64(state + 8 * REQUEST) == NOTHING and pending(hart) != NONE:
        write_64(state + 8 * REQUEST, CHECK)
    return following


def interrupt(state: int, pc: int) -> int:
    """`CHECK`: take the pending interrupt before the block at ``pc``, if there is one."""
    handler = take_interrupt(read_64(state + 8 * HART), pc)
    if handler == LEFT:
        return AT_REQUEST
    write_64(state + 8 * REQUEST, NOTHING)
    if handler == NONE:
        return GO_ON
    follow(state, read_64(state + 8 * HART))
    write_64(state + 8 * PC, handler)
    return AT_HANDLER


def begin_block(state: int, pc: int) -> int:
    """Between two blocks: count the next one and return `GO_ON`, or return why it is not executed now."""
    timed = read_64(state + 8 * TIMED) != 0
    if timed:
        settle(state, pc)
    request = read_64(state + 8 * REQUEST)
    if request == STEPPED:
        return AT_STEP
    if read_64(state + 8 * DIRTY_HIGH) != 0:
        return AT_FORGET
    entries = read_64(read_64(state + 8 * CODE) + 8 * (pc >> PAGE_BITS))
    part, end = entries & PART, 0
    entries ^= part
    if part:
        end = executable_end(state, pc)
    if entries == 0 or (part and end == pc):
        return AT_FETCH
    entry = read_64(entries + 4 * (pc & PAGE_MASK))
    if entry >> COUNT_SHIFT & COUNT_MASK == 0:
        entry = decode_block(state, pc, entries)
    count = entry >> COUNT_SHIFT & COUNT_MASK
    clock = read_64(state + 8 * CLOCK)
    now, deadline = read_64(clock), read_64(clock + 16)
    if request == STEP_ONE:
        count = 1
    elif count == BREAKPOINT:
        return AT_EXIT
    elif request == STOP:
        return AT_REQUEST
    elif request == CHECK:
        reason = interrupt(state, pc)
        if reason != GO_ON:
            return reason
    if request != STEP_ONE and now >= deadline:
        return AT_DEADLINE
    if part:
        count = instructions_before(pc, end, entries, count)
        if count == 0:
            return AT_FETCH
    cycles, costs = count, 0
    if timed:
        costs = block_costs(state, pc, entries, count)
        if costs == 0:
            return AT_COSTS
        cycles = costs & CYCLES_MASK
    if request != STEP_ONE:
        skip_rounds(state, pc, entries, count)
        now = read_64(clock)
        if now >= deadline:
            return AT_DEADLINE
    if timed and pc != read_64(state + 8 * NEXT):
        now += costs >> ARRIVAL_SHIFT & SHORT_MASK
    if now + cycles > deadline and read_64(clock + 8) != deadline and request != STEP_ONE:
        write_64(state + 8 * REST, cycles)
        return AT_DEADLINE
    write_64(clock, now + cycles)
    if timed:
        write_64(state + 8 * NEXT, pc + (costs >> SIZE_SHIFT))
        write_64(state + 8 * TAKEN, costs >> TAKEN_SHIFT & SHORT_MASK)
    if request == STEP_ONE:
        write_64(state + 8 * REQUEST, STEPPED)
    write_64(state + 8 * INSTRUCTIONS, read_64(state + 8 * INSTRUCTIONS) + count)
    write_64(state + 8 * BLOCK_PC, pc)
    write_64(state + 8 * BLOCK_ENTRIES, entries)
    write_64(state + 8 * REMAINING, count)
    return GO_ON


def run(state: int) -> int:
    """Execute until something needs attention; returns why. `PC` and `REMAINING` say where, in which block."""
    loads, stores = read_64(state + 8 * LOADS), read_64(state + 8 * STORES)
    pc, remaining = read_64(state + 8 * PC), read_64(state + 8 * REMAINING)
    entries, following, entry = read_64(state + 8 * BLOCK_ENTRIES), pc, 0
    while True:
        if remaining == 0:
            reason = begin_block(state, pc)
            if reason == AT_HANDLER:
                pc, loads, stores = read_64(state + 8 * PC), read_64(state + 8 * LOADS), read_64(state + 8 * STORES)
                continue
            if reason != GO_ON:
                break
            remaining, entries = read_64(state + 8 * REMAINING), read_64(state + 8 * BLOCK_ENTRIES)
        entry = read_64(entries + 4 * (pc & PAGE_MASK))
        operation, immediate = entry & 63, entry >> IMMEDIATE_SHIFT
        first = read_64(state + 8 * (entry >> FIRST_SHIFT & 31))
        second = read_64(state + 8 * (entry >> SECOND_SHIFT & 31))
        following = pc + 2 + (entry >> 20 & 2) & WORD
        result = 0
        if STORE_BYTE <= operation <= LOAD_HALF_UNSIGNED:
            address = first + immediate & WORD
            size = 1 << (operation & 3)
            reason = AT_LOAD if operation >= LOAD_BYTE else AT_STORE
            host = read_64((loads if reason == AT_LOAD else stores) + 8 * (address >> PAGE_BITS))
            if host == 0 or (address & PAGE_MASK) + size > PAGE:
                if reason == AT_LOAD or not store_to_code(state, address, size, second):
                    break
            elif reason == AT_LOAD:
                result = load(operation, host + address)
            else:
                store(operation, host + address, second)
        elif ADD <= operation <= SHIFT_RIGHT_SIGNED:
            result = compute(operation, first, second + immediate)
        elif MULTIPLY <= operation <= REMAINDER_UNSIGNED:
            result = multiply_divide(operation, first, second)
        elif operation == ADD_PC:
            result = pc + immediate & WORD
        elif operation == JUMP:
            result, following = following, pc + immediate & WORD
        elif operation == JUMP_REGISTER:
            result, following = following, first + immediate & WORD & ~1
        elif EQUAL <= operation <= BRANCH_NOT_LESS_UNSIGNED:
            if branches(operation, first, second):
                following = pc + immediate & WORD
        elif operation == WFI:
            pc, remaining, reason = following, remaining - 1, WFI
            break
        elif operation != FENCE and operation != INSTRUCTION_FENCE:
            following = carry_out(state, pc) if TRAP <= operation <= CALL else LEFT
            if following == LEFT:
                reason = operation
                break
            pc, remaining, loads, stores = following, 0, read_64(state + 8 * LOADS), read_64(state + 8 * STORES)
            continue
        target = entry >> TARGET_SHIFT & 31
        if target != 0:
            write_64(state + 8 * target, result)
        pc, remaining = following, remaining - 1
    write_64(state + 8 * PC, pc)
    write_64(state + 8 * FOLLOWING, following)
    write_64(state + 8 * ENTRY, entry)
    write_64(state + 8 * REMAINING, remaining)
    return reason


HOOKS: dict[str, Callable[..., Any]] = {"run": run}
"""By the name that `emu.cpu.native` gives it."""

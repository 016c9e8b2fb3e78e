"""The native hooks of the engine: block counting, TLB fill, memory faults.

`emu.cpu.native` makes machine code of this file once and keeps it; with a warm cache it is not imported.
`emu.cpu.translation.module` says in which part of Python it is written.

The block table is a direct-mapped cache from a block, tagged by address and size, to what it counts. It has two words
a block, in two halves: ``pc | size << 31 | flags << 43 | instructions << 54``, where ``flags`` are the `Site` kinds in
the block, and ``cycles | taken << 20 | arrival << 40 | moves << 60``. ``taken`` is added when another block follows
than the one behind it, ``arrival`` when another one came before it than the one in front of it. Of a core whose
instructions all take one cycle, only the first half is read, except of blocks with the flag `REPEATS`; ``moves`` is 1
if such a block may copy or fill memory, and 0 if it may poll.

A block's entry is forgotten when Unicorn translates the block, which it does anew when firmware has overwritten it.

Inaccuracies: a block's cycles are added when it starts: devices see the time of the block's end, without the cycles of
a jump that ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from unicorn import arm_const

from emu.clock import DEADLINE, HORIZON, NOW
from emu.cpu.arm.exception_state import Taken
from emu.cpu.copying import slots
from emu.cpu.copying.moves import IS_NONE, LOOK_ONLY, host_address
from emu.cpu.encoding import (
    LOAD_EXCLUSIVE,
    MASKS,
    STORE_EXCLUSIVE,
    riscv_site,
    riscv_width,
    riscv_word,
    thumb_site,
    thumb_width,
    thumb_word,
)
from emu.cpu.hook_state import (
    FLAG_SHIFT,
    IT_BITS,
    MAIN_EXTENSION,
    PAGE_BITS,
    PAGES_OF_MEMORY,
    REPEATS,
    TABLE_ENTRIES,
    TAG_MASK,
    THUMB_BIT,
    WATCHED,
    Request,
    Right,
    Slot,
    Stopped,
)
from emu.cpu.native_calls import Bytes, Int32, UInt8, UInt32, Words, bytes_at, call_1, call_2, call_3, call_4, words_at
from emu.cpu.polling import REGISTERS, polls, riscv_effects, riscv_jump, thumb_effects, thumb_jump, written_by
from emu.cpu.skipping import (
    count_pass,
    may_copy,
    rounds_in_time,
    skip_rounds,
    waits,
)
from emu.cpu.timing import lookup

CLOCK, INSTRUCTIONS, REQUEST, STOPPED = map(int, (Slot.CLOCK, Slot.INSTRUCTIONS, Slot.REQUEST, Slot.STOPPED))
BLOCK_PC, BLOCK_SIZE, BLOCK_COUNT = map(int, (Slot.BLOCK_PC, Slot.BLOCK_SIZE, Slot.BLOCK_COUNT))
FAULT_ACCESS, FAULT_ADDRESS = int(Slot.FAULT_ACCESS), int(Slot.FAULT_ADDRESS)
TABLE, REGIONS, REGION_COUNT, PAGES = map(int, (Slot.TABLE, Slot.REGIONS, Slot.REGION_COUNT, Slot.PAGES))
STOP_FUNCTION, READ_FUNCTION = int(Slot.STOP_FUNCTION), int(Slot.READ_FUNCTION)
WRITE_FUNCTION, IT_REGISTER, SCRATCH, SITES = map(
    int, (Slot.WRITE_FUNCTION, Slot.IT_REGISTER, Slot.SCRATCH, Slot.SITES)
)
RARE_FUNCTION = int(Slot.RARE_FUNCTION)
WALK, MOVES_FUNCTION = int(Slot.WALK), int(Slot.MOVES_FUNCTION)
WATCH_COUNT, WATCH, REST = int(Slot.WATCH_COUNT), int(Slot.WATCH), int(Slot.REST)
COSTS, NEXT, TAKEN = int(Slot.COSTS), int(Slot.NEXT), int(Slot.TAKEN)
HOLE, HOLE_SIZE, ILLEGAL_PAGE = int(Slot.HOLE), int(Slot.HOLE_SIZE), int(Slot.ILLEGAL_PAGE)
CODE_MASK, CODE_SPANS, CODE_SPAN_COUNT = int(Slot.CODE_MASK), int(Slot.CODE_SPANS), int(Slot.CODE_SPAN_COUNT)
DATA_MASK, PARTS, PART_COUNT = int(Slot.DATA_MASK), int(Slot.PARTS), int(Slot.PART_COUNT)
WINDOW, WINDOW_PAGE, PROMOTIONS = int(Slot.WINDOW), int(Slot.WINDOW_PAGE), int(Slot.PROMOTIONS)
REQUEST_NONE, REQUEST_STOP, REQUEST_STEP, REQUEST_WATCH, REQUEST_CHECK = map(
    int, (Request.NONE, Request.STOP, Request.STEP, Request.WATCH, Request.CHECK)
)
AT_DEADLINE, AT_REQUEST, AT_SITE, AT_WATCH, AT_FETCH = map(
    int, (Stopped.DEADLINE, Stopped.REQUEST, Stopped.SITE, Stopped.WATCH, Stopped.FETCH)
)
AT_EXCEPTION, TAKE_FUNCTION = int(Stopped.EXCEPTION), int(Slot.TAKE_FUNCTION)
FEATURES, UNCHECKED, REQUEST_ALIGN = int(Slot.FEATURES), int(Slot.UNCHECKED), int(Request.ALIGN)
NOTHING_TAKEN, LEFT_OVER = int(Taken.NONE), int(Taken.LEFT_OVER)
EXECUTE, MAY_EXECUTE, RIGHTS, DATA_RIGHTS, PART = int(Right.EXECUTE), int(Right.MAY_EXECUTE), 7, 3, int(Right.PART)
UC_MEM_READ = 16
COUNT_SHIFT, COUNT_MASK = 54, 0x3FF
TAKEN_SHIFT, ARRIVAL_SHIFT, CYCLES_MASK = lookup.TAKEN_SHIFT, 40, lookup.CYCLES_MASK
MOVES, WALK_SLOTS, CODE = 1 << 60, int(slots.WALK_SLOTS), int(slots.WalkSlot.CODE)
EXCLUSIVE = LOAD_EXCLUSIVE | STORE_EXCLUSIVE
CODE_PAGE = 4096
"""An instruction is looked at together with the next one only where both are on the same page of this size."""
IPSR, CONTROL = arm_const.UC_ARM_REG_IPSR, arm_const.UC_ARM_REG_CONTROL
EXCEPTION, UNPRIVILEGED = 0x1FF, 1
"""What is not 0 in IPSR in handler mode, and in CONTROL in unprivileged thread mode."""
PRIVATE_BUS = 0xE00
"""Upper 12 bits of the addresses of Arm's private peripheral bus, which is for privileged code."""

BlockHook: TypeAlias = Callable[[int, int, int, int], None]


def make_block(timed: bool) -> BlockHook:
    """UC_HOOK_BLOCK: count a known block while nothing else is to be done; ``timed`` if `COSTS` is not 0.

    Everything else is a function of its own, called by its address: inlined, it would cost this one saved registers.
    """

    def block(uc: int, address: int, length: UInt32, user: int) -> None:
        state = words_at(user)
        clock = words_at(state[CLOCK])
        pc, size = address, length
        table = words_at(state[TABLE])
        index = (pc >> 1) & (TABLE_ENTRIES - 1)
        entry = table[index]
        known = entry & TAG_MASK == pc | size << 31
        harmless = (entry >> FLAG_SHIFT) & state[SITES] == 0
        now = clock[NOW]
        if timed and pc != state[NEXT]:
            now += state[TAKEN]
        if known and harmless and state[REQUEST] == REQUEST_NONE and now < clock[HORIZON]:
            count = entry >> COUNT_SHIFT & COUNT_MASK
            state[BLOCK_PC], state[BLOCK_SIZE], state[BLOCK_COUNT] = pc, size, count
            state[INSTRUCTIONS] += count
            if timed:
                costs = table[index + TABLE_ENTRIES]
                if pc != state[NEXT]:
                    now += costs >> ARRIVAL_SHIFT
                clock[NOW] = now + (costs & CYCLES_MASK)
                state[NEXT], state[TAKEN] = pc + size, costs >> TAKEN_SHIFT & CYCLES_MASK
            else:
                clock[NOW] += count
            return
        call_4(state[RARE_FUNCTION], uc, address, length, user)

    return block


def move_rounds(state: Words, uc: int, user: int, pc: int, size: int, most: int) -> int:
    """Carry out rounds of a block, see `emu.cpu.copying.moves`."""
    walk = words_at(state[WALK])
    walk[CODE] = host_address(state, pc)
    return int(call_4(state[MOVES_FUNCTION], uc, most, size, user))


def moves_on(state: Words, clock: Words, uc: int, user: int, pc: int, size: int, costs: int) -> bool:
    """Carry out rounds of a block that begins and may copy or fill memory; False if it does neither."""
    start_time = (costs >> ARRIVAL_SHIFT & CYCLES_MASK) + (costs & CYCLES_MASK)
    round_time = start_time + (costs >> TAKEN_SHIFT & CYCLES_MASK)
    rounds = move_rounds(state, uc, user, pc, size, rounds_in_time(clock, round_time, start_time))
    if rounds == IS_NONE:
        return False
    clock[NOW] += rounds * round_time
    state[INSTRUCTIONS] += rounds * state[BLOCK_COUNT]
    return True


def make_rare_block(
    width: Callable[[int, int], int],
    site: Callable[[int, int, int, int], int],
    word: Callable[[int, int, int, int], int],
    effects: Callable[[int, int, int, int], int],
    jump: Callable[[int, int, int, int], int],
) -> BlockHook:
    """What `block` leaves over: requests, the deadline, unknown blocks, sites; for one instruction set."""

    def word_at(code: Bytes, offset: int) -> int:
        first, second = code[offset], code[offset + 1]
        if width(first, second) == 2:
            return word(first, second, 0, 0)
        return word(first, second, code[offset + 2], code[offset + 3])

    def costs_at(state: Words, code: Bytes, pc: int, offset: int) -> int:
        """Packed cost of the instruction at ``pc + offset``."""
        if state[COSTS] == 0:
            return 1
        bytes_ = width(code[offset], code[offset + 1])
        end = offset + bytes_
        room = CODE_PAGE - (pc + end) % CODE_PAGE
        following = 0
        if room < CODE_PAGE and room >= width(code[end], code[end + 1]):
            following = word_at(code, end)
        table = words_at(state[COSTS])
        return lookup.instruction_costs(table, pc + offset, bytes_, word_at(code, offset), following)

    def classify(state: Words, table: Words, index: int, uc: int, user: int, pc: int, size: int) -> None:
        """Write the block's entry."""
        costs_index = index + TABLE_ENTRIES
        table[index], table[costs_index] = pc | size << 31, 0
        host = host_address(state, pc)
        if host == 0:
            return
        code = bytes_at(host)
        offset = count = flags = cycles = taken = arrival = live = written = last = target = moves = 0
        while offset < size:
            costs = costs_at(state, code, pc, offset)
            cycles += costs & CYCLES_MASK
            taken = costs >> TAKEN_SHIFT
            if last >= 0:
                first, second = code[offset], code[offset + 1]
                third, fourth = code[offset + 2], code[offset + 3]
                last = effects(first, second, third, fourth)
                target = offset + jump(first, second, third, fourth)
                live |= last & REGISTERS & ~written
                written |= written_by(last)
            kind = site(code[offset], code[offset + 1], code[offset + 2], code[offset + 3])
            if kind != STORE_EXCLUSIVE or flags & LOAD_EXCLUSIVE == 0:
                flags |= kind
            offset += width(code[offset], code[offset + 1])
            count += 1
        if polls(live, written, last, target):
            flags |= REPEATS
        elif move_rounds(state, uc, user, pc, size, LOOK_ONLY) != IS_NONE:
            flags, moves = flags | REPEATS, MOVES
        if state[COSTS] != 0:
            arrival = lookup.arrival_cycles(words_at(state[COSTS]), pc)
        table[index] |= flags << FLAG_SHIFT | count << COUNT_SHIFT
        table[costs_index] = cycles | taken << TAKEN_SHIFT | arrival << ARRIVAL_SHIFT | moves

    def watched_changed(state: Words, uc: int, user: int) -> bool:
        for index in range(min(state[WATCH_COUNT], WATCHED)):
            state[SCRATCH] = 0
            number = state[WATCH + 2 * index]
            call_3(state[READ_FUNCTION], uc, number, user + 8 * SCRATCH)
            if state[SCRATCH] & 0xFFFF_FFFF != state[WATCH + 2 * index + 1]:
                return True
        return False

    def in_part(state: Words, pc: int, size: int) -> bool:
        if state[CODE_MASK] == 0:
            return False
        mask = bytes_at(state[CODE_MASK])
        return bool((mask[pc >> PAGE_BITS] | mask[(pc + size - 1) >> PAGE_BITS & 0x3F_FFFF]) & PART != 0)

    def executable_end(state: Words, pc: int) -> int:
        spans = words_at(state[CODE_SPANS])
        for index in range(state[CODE_SPAN_COUNT]):
            if spans[2 * index] <= pc < spans[2 * index + 1]:
                return spans[2 * index + 1]
        return pc

    def rare_block(uc: int, address: int, length: UInt32, user: int) -> None:
        state = words_at(user)
        clock = words_at(state[CLOCK])
        pc, size = address, length
        index = (pc >> 1) & (TABLE_ENTRIES - 1)
        if state[REQUEST] & REQUEST_ALIGN:
            words_at(state[FEATURES])[0] &= ~MAIN_EXTENSION
            state[REQUEST] &= ~REQUEST_ALIGN
            if words_at(state[TABLE])[index] & TAG_MASK != pc | size << 31:
                # It is new: Unicorn has translated it without the checks.
                state[UNCHECKED] = pc
                state[REQUEST] |= REQUEST_STOP
        request = state[REQUEST]
        jumped = pc != state[NEXT]
        if jumped:
            clock[NOW] += state[TAKEN]
        state[TAKEN] = 0
        part, end = False, pc + size
        if request & REQUEST_STEP == 0 and in_part(state, pc, size):
            part, end = True, executable_end(state, pc)
        if part and end < pc + 2:
            # Like a fetch from a page without any right, whatever else is to be done now.
            state[STOPPED], state[BLOCK_SIZE] = AT_FETCH, 0
            call_1(state[STOP_FUNCTION], uc)
            return
        if request & REQUEST_STOP:
            state[STOPPED], state[BLOCK_SIZE] = AT_REQUEST, 0
            call_1(state[STOP_FUNCTION], uc)
            return
        if request & REQUEST_STEP:
            state[REQUEST] = REQUEST_STOP
        if request & REQUEST_WATCH and watched_changed(state, uc, user):
            state[STOPPED], state[BLOCK_SIZE] = AT_WATCH, 0
            call_1(state[STOP_FUNCTION], uc)
            return
        if request & REQUEST_CHECK:
            taken = call_2(state[TAKE_FUNCTION], uc, user)
            if taken == LEFT_OVER:
                state[STOPPED], state[BLOCK_SIZE] = AT_EXCEPTION, 0
                call_1(state[STOP_FUNCTION], uc)
            if taken != NOTHING_TAKEN:
                return
        if clock[NOW] >= clock[DEADLINE] and request & REQUEST_STEP == 0:
            state[STOPPED], state[BLOCK_SIZE] = AT_DEADLINE, 0
            call_1(state[STOP_FUNCTION], uc)
            return
        if end < pc + size:
            state[STOPPED], state[BLOCK_SIZE] = AT_FETCH, 0
            call_1(state[STOP_FUNCTION], uc)
            return
        table = words_at(state[TABLE])
        if table[index] & TAG_MASK != pc | size << 31:
            classify(state, table, index, uc, user, pc, size)
        costs_index = index + TABLE_ENTRIES
        entry, costs = table[index], table[costs_index]
        if part:
            table[index] = 0
        count = entry >> COUNT_SHIFT & COUNT_MASK
        repeats = (entry >> FLAG_SHIFT) & REPEATS != 0 and not part and request & REQUEST_STEP == 0
        if repeats:
            count_pass(state, pc, size)
        if repeats and costs & MOVES != 0:
            if may_copy(state, clock, count) and not moves_on(state, clock, uc, user, pc, size, costs):
                table[index] = entry & ~(REPEATS << FLAG_SHIFT)
                table[costs_index] = costs ^ MOVES
        elif repeats and waits(state, clock):
            skip_rounds(state, clock, count)
            if clock[NOW] >= clock[DEADLINE]:
                state[STOPPED], state[BLOCK_SIZE] = AT_DEADLINE, 0
                call_1(state[STOP_FUNCTION], uc)
                return
        cycles, arrival = costs & CYCLES_MASK, 0
        if jumped:
            arrival = costs >> ARRIVAL_SHIFT & CYCLES_MASK
        late = clock[NOW] + arrival + cycles > clock[DEADLINE]
        if late and clock[HORIZON] != clock[DEADLINE] and request & REQUEST_STEP == 0:
            state[STOPPED], state[BLOCK_SIZE], state[REST] = AT_DEADLINE, 0, cycles
            call_1(state[STOP_FUNCTION], uc)
            return
        flags = (entry >> FLAG_SHIFT) & state[SITES] & ~(REPEATS | MASKS)
        if flags & EXCLUSIVE == LOAD_EXCLUSIVE:
            state[SITES] &= ~EXCLUSIVE
            flags &= ~EXCLUSIVE
        if flags != 0:
            state[STOPPED], state[BLOCK_PC], state[BLOCK_SIZE] = AT_SITE, pc, 0
            call_1(state[STOP_FUNCTION], uc)
            return
        count = entry >> COUNT_SHIFT & COUNT_MASK
        state[BLOCK_PC], state[BLOCK_SIZE], state[BLOCK_COUNT] = pc, size, count
        state[NEXT], state[TAKEN] = pc + size, costs >> TAKEN_SHIFT & CYCLES_MASK
        state[INSTRUCTIONS] += count
        clock[NOW] += arrival + cycles
        if (entry >> FLAG_SHIFT) & MASKS != 0 and state[FEATURES] != 0:
            # Its last instruction asks Unicorn for the feature.
            words_at(state[FEATURES])[0] |= MAIN_EXTENSION
            state[REQUEST] |= REQUEST_ALIGN

    return rare_block


def translated(uc: int, block: Words, before: Words, user: int) -> None:
    """UC_HOOK_EDGE_GENERATED: forget what the table says of code that was where Unicorn has translated a block.

    ``block`` and ``before`` begin with the address of that block, and of the one that was executed before.
    """
    table = words_at(words_at(user)[TABLE])
    table[(block[0] >> 1) & (TABLE_ENTRIES - 1)] = 0


def in_window(state: Words, address: int) -> int:
    """Where the part page with the address is mapped to."""
    size = state[WINDOW_PAGE]
    parts = words_at(state[PARTS])
    for index in range(state[PART_COUNT]):
        if parts[index] == address & ~(size - 1):
            return state[WINDOW] + index * size + (address & (size - 1))
    return state[HOLE]


def register(state: Words, uc: int, user: int, number: int) -> int:
    """A register's value."""
    state[SCRATCH] = 0
    call_3(state[READ_FUNCTION], uc, number, user + 8 * SCRATCH)
    return state[SCRATCH] & 0xFFFF_FFFF


def unprivileged(state: Words, uc: int, user: int) -> bool:
    """Whether an Arm core executes unprivileged code."""
    if register(state, uc, user, IPSR) & EXCEPTION != 0:
        return False
    return bool(register(state, uc, user, CONTROL) & UNPRIVILEGED != 0)


def fill(uc: int, address: int, access: Int32, result: Words, user: int) -> UInt8:
    """UC_HOOK_TLB_FILL: a page's rights; illegal accesses go to the hole, where Unicorn reports them exactly.

    Loads and stores to a page of which parts are protected go to the window. An entry of Unicorn's TLB is for code
    and data; both are allowed in it, if possible. ``result`` is {uint64 physical address, int32 rights}.
    """
    state = words_at(user)
    pages = bytes_at(state[PAGES])
    page = address >> PAGE_BITS
    need = 1 << (access - UC_MEM_READ)
    rights = pages[page]
    if state[IT_REGISTER] != 0 and page >> (20 - PAGE_BITS) == PRIVATE_BUS and unprivileged(state, uc, user):
        # Unicorn's TLB has entries of their own for unprivileged code.
        rights = 0
    code, data = RIGHTS, RIGHTS
    if state[CODE_MASK] != 0:
        code = bytes_at(state[CODE_MASK])[page]
    if state[DATA_MASK] != 0:
        data = bytes_at(state[DATA_MASK])[page]
    if need != EXECUTE and state[IT_REGISTER] != 0 and register(state, uc, user, state[IT_REGISTER]) & IT_BITS != 0:
        # A TLB miss inside an IT block leaves its bits in the register, where a later block trips over them.
        state[SCRATCH] = THUMB_BIT
        call_3(state[WRITE_FUNCTION], uc, state[IT_REGISTER], user + 8 * SCRATCH)
    entry = result
    if rights & need == 0 and need == EXECUTE and rights & MAY_EXECUTE != 0 and code & EXECUTE != 0:
        rights |= EXECUTE
        first = page & ~(PAGES_OF_MEMORY - 1)
        for index in range(PAGES_OF_MEMORY):
            pages[first + index] = rights
        state[PROMOTIONS] += 1
    allowed = rights & (code & EXECUTE | data & DATA_RIGHTS)
    if allowed & need == 0:
        offset = address & (state[HOLE_SIZE] - 1)
        state[ILLEGAL_PAGE] = address - offset
        entry[0] = state[HOLE] + offset
        entry[1] = need
    elif data & PART == 0:
        entry[0] = address
        entry[1] = allowed
    elif need == EXECUTE:
        entry[0] = address
        entry[1] = EXECUTE
    else:
        entry[0] = in_window(state, address)
        entry[1] = rights & DATA_RIGHTS
    return 1


def fault(uc: int, access: Int32, address: int, size: Int32, value: int, user: Words) -> UInt8:
    """UC_HOOK_MEM_UNMAPPED: note the first address; 0 ends the run before the instruction."""
    state = user
    if state[FAULT_ACCESS] == 0:
        state[FAULT_ACCESS] = access
        state[FAULT_ADDRESS] = state[ILLEGAL_PAGE] + (address & (state[HOLE_SIZE] - 1))
    return 0


HOOKS: dict[str, Callable[..., Any]] = {
    "block": make_block(timed=False),
    "timed_block": make_block(timed=True),
    "thumb_rare_block": make_rare_block(thumb_width, thumb_site, thumb_word, thumb_effects, thumb_jump),
    "riscv_rare_block": make_rare_block(riscv_width, riscv_site, riscv_word, riscv_effects, riscv_jump),
    "translated": translated,
    "fill": fill,
    "fault": fault,
}
"""The callbacks by the names that `emu.cpu.native` gives them."""

"""The interpreter's loop: decoding, integer arithmetic, plain memory, and counting; everything else is left to Python.

The functions are plain Python on integers; numba compiles them, and `emu.cpu.interpreter.plain` loads the same source
without numba, as the readable definition that the compiled one is tested against. All that the compiled code depends
on is in this file and `pointers`; numba's cache follows this one only. Importing it imports numba.

All state is in memory that is referred to by address. The *state* is an array of 64-bit words, see the slots below.
Three tables have a word for each of the 2^20 pages of the address space. An instruction that was decoded is an
*entry*, one for each half-word of executable memory:

    bits   5..0    operation, 0: not decoded
    bits  10..6    destination register, 0: writes none
    bits  15..11   first source register
    bits  20..16   second source register
    bit   21       the instruction has 4 bytes, else 2
    bits  31..22   instructions of the block that begins here, 0: not known, `BREAKPOINT`: none
    bits  63..32   immediate, signed

Inaccuracies: one cycle per instruction. A block's cycles are added when it starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

from emu.cpu.interpreter.pointers import reader, writer

Function = TypeVar("Function", bound=Callable[..., Any])

PAGE_BITS, PAGE, PAGE_MASK = 12, 4096, 4095
PAGES = 1 << 20
WORD = 0xFFFF_FFFF
SIGN = 0x8000_0000
LONGEST_BLOCK = 512

# Slots of the state; x0..x31 are 0..31.
(
    PC, FOLLOWING, REMAINING,       # next instruction; the one behind it; instructions of the block still to execute
    ENTRY,                          # the instruction that `run` left to Python
    REQUEST, CLOCK, INSTRUCTIONS,   # a request, see below; address of {now, deadline}; instructions retired
    BLOCK_PC, BLOCK_ENTRIES,        # of the newest block; address of the entries of its page
    LOADS, STORES, CODE,            # addresses of the tables
    DIRTY_LOW, DIRTY_HIGH,          # code that was overwritten, forgotten before the next block; high is 0 for none
    EXITS, EXIT_COUNT,              # address and number of the addresses to halt before
) = range(32, 48)  # fmt: skip
SLOTS = 48
# LOADS, STORES: add to an address to get the host's address; 0: Python must do it.
# CODE: address of the entries of the page; 0: it cannot be executed; bit 0 set: firmware may write to it.
WRITABLE = 1

# Requests: stop before the next block; execute one instruction; it was executed.
NOTHING, STOP, STEP_ONE, STEPPED = range(4)

# Why `run` returns, besides the operations from WFI on that it does not execute.
GO_ON, AT_DEADLINE, AT_REQUEST, AT_EXIT, AT_FORGET, AT_STEP, AT_FETCH, AT_LOAD, AT_STORE = range(-1, -10, -1)

# Operations. Bits 1..0 of a load or store are log2 of its bytes.
# An arithmetic one adds the immediate to its second operand: ADD is also addi and, with x0, lui.
UNKNOWN, ADD_PC, FENCE = range(3)
STORE_BYTE, STORE_HALF, STORE_WORD = range(4, 7)
LOAD_BYTE, LOAD_HALF, LOAD_WORD = range(8, 11)
LOAD_BYTE_UNSIGNED, LOAD_HALF_UNSIGNED = range(12, 14)
(
    ADD, SHIFT_LEFT, LESS, LESS_UNSIGNED, XOR, SHIFT_RIGHT, OR, AND, SUBTRACT, SHIFT_RIGHT_SIGNED,
    MULTIPLY, MULTIPLY_HIGH, MULTIPLY_HIGH_MIXED, MULTIPLY_HIGH_UNSIGNED,
    DIVIDE, DIVIDE_UNSIGNED, REMAINDER, REMAINDER_UNSIGNED,
    WFI, TRANSLATION_FENCE,
    # The following end a block; LONE_TRAP also begins one.
    JUMP, JUMP_REGISTER, EQUAL, NOT_EQUAL, BRANCH_LESS, BRANCH_NOT_LESS, BRANCH_LESS_UNSIGNED, BRANCH_NOT_LESS_UNSIGNED,
    INSTRUCTION_FENCE, TRAP, LONE_TRAP, CALL, EBREAK, FETCH_FAULT,
) = range(16, 50)  # fmt: skip
TARGET_SHIFT, FIRST_SHIFT, SECOND_SHIFT, WIDE, COUNT_SHIFT, IMMEDIATE_SHIFT = 6, 11, 16, 1 << 21, 22, 32
COUNT_MASK = 1023
BREAKPOINT = COUNT_MASK


def compiled(function: Function) -> Function:
    """Decorator: numba compiles the function."""
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))


read_8, read_16, read_32, read_64 = reader(8), reader(16), reader(32), reader(64)
write_8, write_16, write_32, write_64 = writer(8), writer(16), writer(32), writer(64)


@compiled
def signed(value: int, bits: int) -> int:
    """The lowest bits of ``value`` as a two's-complement number."""
    sign = 1 << (bits - 1)
    return ((value & ((sign << 1) - 1)) ^ sign) - sign


# Decoding


@compiled
def pack(operation: int, target: int, first: int, second: int, immediate: int) -> int:
    """An entry of a compressed instruction, without a count."""
    return (
        operation | target << TARGET_SHIFT | first << FIRST_SHIFT | second << SECOND_SHIFT
        | immediate << IMMEDIATE_SHIFT
    )  # fmt: skip


@compiled
def decode_wide(word: int) -> int:
    """The entry of a 32-bit instruction."""
    function, high = word >> 12 & 7, word >> 25
    target, first, second = word >> 7 & 31, word >> 15 & 31, word >> 20 & 31
    immediate = signed(word >> 20, 12)
    major = word & 0x7F
    if major == 0x37:
        return pack(ADD, target, 0, 0, signed(word & 0xFFFF_F000, 32))
    if major == 0x17:
        return pack(ADD_PC, target, 0, 0, signed(word & 0xFFFF_F000, 32))
    if major == 0x6F:
        offset = word >> 31 << 20 | (word >> 12 & 0xFF) << 12 | (word >> 20 & 1) << 11 | (word >> 21 & 0x3FF) << 1
        return pack(JUMP, target, 0, 0, signed(offset, 21))
    if major == 0x67 and function == 0:
        return pack(JUMP_REGISTER, target, first, 0, immediate)
    if major == 0x63 and function not in (2, 3):
        offset = word >> 31 << 12 | (word >> 7 & 1) << 11 | (word >> 25 & 63) << 5 | (word >> 8 & 15) << 1
        operation = EQUAL + function if function < 2 else BRANCH_LESS + function - 4
        return pack(operation, 0, first, second, signed(offset, 13))
    if major == 0x03 and function in (0, 1, 2, 4, 5):
        return pack(LOAD_BYTE + function, target, first, 0, immediate)
    if major == 0x23 and function < 3:
        return pack(STORE_BYTE + function, 0, first, second, signed(high << 5 | target, 12))
    if major == 0x13:
        if function == 5 and high == 0x20:
            return pack(SHIFT_RIGHT_SIGNED, target, first, 0, second)
        if function in (1, 5):
            return pack(ADD + function, target, first, 0, second) if high == 0 else TRAP
        return pack(ADD + function, target, first, 0, immediate)
    if major == 0x33:
        if high == 0:
            return pack(ADD + function, target, first, second, 0)
        if high == 1:
            return pack(MULTIPLY + function, target, first, second, 0)
        if high == 0x20 and function in (0, 5):
            return pack(SUBTRACT if function == 0 else SHIFT_RIGHT_SIGNED, target, first, second, 0)
    if major == 0x0F and function < 2:
        return FENCE if function == 0 else INSTRUCTION_FENCE
    if word & 0xFE00_707F == 0x2200_0053:
        return LONE_TRAP
    return decode_system(word) if major == 0x73 else TRAP


@compiled
def decode_system(word: int) -> int:
    """The entry of an instruction with the major opcode SYSTEM."""
    if word == 0x0000_0073:
        return CALL
    if word == 0x0010_0073:
        return EBREAK
    if word == 0x1050_0073:
        return WFI
    if word & 0xFE00_7FFF == 0x1200_0073:
        return TRANSLATION_FENCE
    return LONE_TRAP if word >> 12 & 3 != 0 and 0xC00 <= word >> 20 < 0xCA0 else TRAP


@compiled
def decode_compressed(word: int) -> int:
    """The entry of a 16-bit instruction."""
    function, target, second = word >> 13, word >> 7 & 31, word >> 2 & 31
    low, high = 8 + (word >> 2 & 7), 8 + (word >> 7 & 7)
    six = signed((word >> 12 & 1) << 5 | second, 6)
    shift_is_short = word >> 12 & 1 == 0
    quadrant = word & 3
    if quadrant == 0:
        if function == 0:
            offset = (word >> 7 & 15) << 6 | (word >> 11 & 3) << 4 | (word >> 5 & 1) << 3 | (word >> 6 & 1) << 2
            return pack(ADD, low, 2, 0, offset) if offset != 0 else TRAP
        offset = (word >> 5 & 1) << 6 | (word >> 10 & 7) << 3 | (word >> 6 & 1) << 2
        if function == 2:
            return pack(LOAD_WORD, low, high, 0, offset)
        if function == 6:
            return pack(STORE_WORD, 0, high, low, offset)
        return TRAP if function in (3, 7) else LONE_TRAP
    if quadrant == 1:
        if function == 0:
            return pack(ADD, target, target, 0, six)
        if function in (1, 5):
            offset = (
                (word >> 12 & 1) << 11 | (word >> 8 & 1) << 10 | (word >> 9 & 3) << 8 | (word >> 6 & 1) << 7
                | (word >> 7 & 1) << 6 | (word >> 2 & 1) << 5 | (word >> 11 & 1) << 4 | (word >> 3 & 7) << 1
            )  # fmt: skip
            return pack(JUMP, 1 if function == 1 else 0, 0, 0, signed(offset, 12))
        if function == 2:
            return pack(ADD, target, 0, 0, six)
        if function == 3 and target == 2:
            offset = (word >> 12 & 1) << 9 | (word >> 3 & 3) << 7 | (word >> 5 & 1) << 6
            offset |= (word >> 2 & 1) << 5 | (word >> 6 & 1) << 4
            return pack(ADD, 2, 2, 0, signed(offset, 10)) if offset != 0 else TRAP
        if function == 3:
            return pack(ADD, target, 0, 0, six << 12) if six != 0 else TRAP
        if function == 4:
            kind = word >> 10 & 3
            if kind == 0:
                return pack(SHIFT_RIGHT, high, high, 0, second) if shift_is_short else LONE_TRAP
            if kind == 1:
                return pack(SHIFT_RIGHT_SIGNED, high, high, 0, second) if shift_is_short else LONE_TRAP
            if kind == 2:
                return pack(AND, high, high, 0, six)
            operation = (SUBTRACT, XOR, OR, AND)[word >> 5 & 3]
            return pack(operation, high, high, low, 0) if word >> 12 & 1 == 0 else LONE_TRAP
        offset = (word >> 12 & 1) << 8 | (word >> 5 & 3) << 6 | (word >> 2 & 1) << 5
        offset |= (word >> 10 & 3) << 3 | (word >> 3 & 3) << 1
        return pack(EQUAL if function == 6 else NOT_EQUAL, 0, high, 0, signed(offset, 9))
    if function == 0:
        return pack(SHIFT_LEFT, target, target, 0, second) if shift_is_short else LONE_TRAP
    if function == 2:
        offset = (word >> 2 & 3) << 6 | (word >> 12 & 1) << 5 | (word >> 4 & 7) << 2
        return pack(LOAD_WORD, target, 2, 0, offset) if target != 0 else TRAP
    if function == 4:
        links = word >> 12 & 1
        if second != 0:
            return pack(ADD, target, target if links else 0, second, 0)
        if target != 0:
            return pack(JUMP_REGISTER, links, target, 0, 0)
        return EBREAK if links else TRAP
    if function == 6:
        return pack(STORE_WORD, 0, 2, second, (word >> 7 & 3) << 6 | (word >> 9 & 15) << 2)
    return LONE_TRAP


@compiled
def decode_at(state: int, pc: int) -> int:
    """The entry of the instruction at ``pc``, whose page can be executed. Stores to its pages take the slow way."""
    loads, stores = read_64(state + 8 * LOADS), read_64(state + 8 * STORES)
    page = pc >> PAGE_BITS
    write_64(stores + 8 * page, 0)
    half = read_16(read_64(loads + 8 * page) + pc)
    if half & 3 != 3:
        return decode_compressed(half)
    other = (pc + 2 & WORD) >> PAGE_BITS
    if read_64(read_64(state + 8 * CODE) + 8 * other) == 0:
        return FETCH_FAULT | WIDE
    write_64(stores + 8 * other, 0)
    return decode_wide(half | read_16(read_64(loads + 8 * other) + (pc + 2 & WORD)) << 16) | WIDE


@compiled
def is_exit(state: int, pc: int) -> bool:
    """Whether to halt before ``pc``."""
    exits = read_64(state + 8 * EXITS)
    for index in range(read_64(state + 8 * EXIT_COUNT)):  # noqa: SIM110 - numba has no any()
        if read_64(exits + 8 * index) == pc:
            return True
    return False


@compiled
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


@compiled
def store_to_code(state: int, address: int, size: int, value: int) -> bool:
    """A store to pages that code was decoded from; False if it is not one that can be done here."""
    loads, code = read_64(state + 8 * LOADS), read_64(state + 8 * CODE)
    page = address >> PAGE_BITS
    if (address & PAGE_MASK) + size > PAGE or read_64(code + 8 * page) & WRITABLE == 0:
        return False
    store(STORE_BYTE + size // 2, read_64(loads + 8 * page) + address, value)
    half = address - 2 & ~1
    while half < address + size:
        entries = read_64(code + 8 * ((half & WORD) >> PAGE_BITS)) & ~WRITABLE
        if entries != 0 and read_64(entries + 4 * (half & PAGE_MASK)) != 0:
            forget(state, address, address + size)
        half += 2
    return True


@compiled
def forget(state: int, low: int, high: int) -> None:
    """The code in ``low .. high - 1`` has changed."""
    if read_64(state + 8 * DIRTY_HIGH) == 0:
        write_64(state + 8 * DIRTY_LOW, low)
    write_64(state + 8 * DIRTY_LOW, min(low, read_64(state + 8 * DIRTY_LOW)))
    write_64(state + 8 * DIRTY_HIGH, max(high, read_64(state + 8 * DIRTY_HIGH)))


# Arithmetic


@compiled
def multiply_high_unsigned(first: int, second: int) -> int:
    """Upper half of the product; every intermediate result fits 64 bits with sign."""
    return (first * (second >> 16) + (first * (second & 0xFFFF) >> 16)) >> 16


@compiled
def divide(first: int, second: int, remainder: bool) -> int:
    """Signed quotient, rounded towards 0, or remainder; by 0 it is -1 or the dividend."""
    dividend, divisor = signed(first, 32), signed(second, 32)
    if divisor == 0:
        return first if remainder else WORD
    quotient = abs(dividend) // abs(divisor)
    if (dividend < 0) != (divisor < 0):
        quotient = -quotient
    return (dividend - quotient * divisor if remainder else quotient) & WORD


@compiled
def multiply_divide(operation: int, first: int, second: int) -> int:
    """Result of an instruction of the M extension."""
    if operation == MULTIPLY:
        return first * second & WORD
    if operation == MULTIPLY_HIGH:
        return signed(first, 32) * signed(second, 32) >> 32 & WORD
    if operation == MULTIPLY_HIGH_MIXED:
        return signed(first, 32) * second >> 32 & WORD
    if operation == MULTIPLY_HIGH_UNSIGNED:
        return multiply_high_unsigned(first, second)
    if operation == DIVIDE_UNSIGNED:
        return first // second if second != 0 else WORD
    if operation == REMAINDER_UNSIGNED:
        return first % second if second != 0 else first
    return divide(first, second, operation == REMAINDER)


@compiled
def compute(operation: int, first: int, second: int) -> int:
    """Result of an arithmetic instruction of the base set; ``second`` may be an immediate, signed."""
    if operation == ADD:
        return first + second & WORD
    if operation == SUBTRACT:
        return first - second & WORD
    if operation == SHIFT_LEFT:
        return first << (second & 31) & WORD
    if operation == SHIFT_RIGHT:
        return first >> (second & 31)
    if operation == SHIFT_RIGHT_SIGNED:
        return signed(first, 32) >> (second & 31) & WORD
    if operation == LESS:
        return 1 if signed(first, 32) < signed(second, 32) else 0
    if operation == LESS_UNSIGNED:
        return 1 if first < second & WORD else 0
    if operation == XOR:
        return first ^ second & WORD
    return first | second & WORD if operation == OR else first & second & WORD


@compiled
def branches(operation: int, first: int, second: int) -> bool:
    """Whether a branch is taken."""
    if operation == EQUAL:
        return first == second
    if operation == NOT_EQUAL:
        return first != second
    if operation == BRANCH_LESS:
        return signed(first, 32) < signed(second, 32)
    if operation == BRANCH_NOT_LESS:
        return signed(first, 32) >= signed(second, 32)
    return first < second if operation == BRANCH_LESS_UNSIGNED else first >= second


@compiled
def load(operation: int, host: int) -> int:
    """What a load gives."""
    if operation == LOAD_WORD:
        return read_32(host)
    if operation == LOAD_BYTE:
        return signed(read_8(host), 8) & WORD
    if operation == LOAD_HALF:
        return signed(read_16(host), 16) & WORD
    return read_8(host) if operation == LOAD_BYTE_UNSIGNED else read_16(host)


@compiled
def store(operation: int, host: int, value: int) -> None:
    """Carry out a store."""
    if operation == STORE_WORD:
        write_32(host, value)
    elif operation == STORE_HALF:
        write_16(host, value)
    else:
        write_8(host, value)


@compiled
def begin_block(state: int, pc: int) -> int:
    """Between two blocks: count the next one and return `GO_ON`, or return why it is not executed now."""
    request = read_64(state + 8 * REQUEST)
    if request == STEPPED:
        return AT_STEP
    if read_64(state + 8 * DIRTY_HIGH) != 0:
        return AT_FORGET
    entries = read_64(read_64(state + 8 * CODE) + 8 * (pc >> PAGE_BITS)) & ~WRITABLE
    if entries == 0:
        return AT_FETCH
    entry = read_64(entries + 4 * (pc & PAGE_MASK))
    if entry >> COUNT_SHIFT & COUNT_MASK == 0:
        entry = decode_block(state, pc, entries)
    count = entry >> COUNT_SHIFT & COUNT_MASK
    clock = read_64(state + 8 * CLOCK)
    now = read_64(clock)
    if request == STEP_ONE:
        write_64(state + 8 * REQUEST, STEPPED)
        count = 1
    elif count == BREAKPOINT:
        return AT_EXIT
    elif request == STOP:
        return AT_REQUEST
    elif now >= read_64(clock + 8):
        return AT_DEADLINE
    write_64(clock, now + count)
    write_64(state + 8 * INSTRUCTIONS, read_64(state + 8 * INSTRUCTIONS) + count)
    write_64(state + 8 * BLOCK_PC, pc)
    write_64(state + 8 * BLOCK_ENTRIES, entries)
    write_64(state + 8 * REMAINING, count)
    return GO_ON


@compiled
def run(state: int) -> int:
    """Execute until something needs attention; returns why. `PC` and `REMAINING` say where, in which block."""
    loads, stores = read_64(state + 8 * LOADS), read_64(state + 8 * STORES)
    pc, remaining = read_64(state + 8 * PC), read_64(state + 8 * REMAINING)
    entries, following, entry = read_64(state + 8 * BLOCK_ENTRIES), pc, 0
    while True:
        if remaining == 0:
            reason = begin_block(state, pc)
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
            reason = operation
            break
        target = entry >> TARGET_SHIFT & 31
        if target != 0:
            write_64(state + 8 * target, result)
        pc, remaining = following, remaining - 1
    write_64(state + 8 * PC, pc)
    write_64(state + 8 * FOLLOWING, following)
    write_64(state + 8 * ENTRY, entry)
    write_64(state + 8 * REMAINING, remaining)
    return reason

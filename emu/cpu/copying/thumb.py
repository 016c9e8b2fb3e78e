"""The steps of Thumb instructions in a loop that copies or fills memory; see `emu.cpu.copying.steps`."""

from __future__ import annotations

from emu.cpu.copying.steps import SCRATCH, ZERO, Order, Step, add_step, half_at
from emu.cpu.native_calls import Bytes, Words
from emu.cpu.polling import signed, thumb_jump

WORD = 0xFFFF_FFFF
SP, PC = 13, 15
ADD, SUBTRACT, MOVE, INVERT = 8, 13, 2, 3
"""Data-processing operations of 32-bit instructions; the last two have PC as their first register."""
SUM, SUM_AND_FLAGS, DIFFERENCE, DIFFERENCE_AND_FLAGS, COMPARE = range(Step.SUM, Step.COMPARE + 1)
SHIFT_RIGHT, SHIFT_RIGHT_AND_FLAGS, REPLACE_HIGH, LOAD = range(Step.SHIFT_RIGHT, Step.LOAD + 1)
LOAD_WORD, STORE, STORE_WORD = int(Step.LOAD_WORD), int(Step.STORE), int(Step.STORE_WORD)
JUMP_ON_FLAGS = int(Step.JUMP_ON_FLAGS)
ORDERS = tuple(
    -1 if order is None else int(order)
    for order in (
        *(Order.EQUAL, Order.UNEQUAL, Order.NOT_LESS, Order.LESS, Order.NEGATIVE, Order.NOT_NEGATIVE, None, None),
        *(Order.GREATER, Order.NOT_GREATER, Order.NOT_LESS_SIGNED, Order.LESS_SIGNED),
        *(Order.GREATER_SIGNED, Order.NOT_GREATER_SIGNED, None, None),
    )
)
"""Of the conditions; -1: none."""
HALF_SIZES = (2, 1, 0, 0, 2, 1, 0, 1)
"""Logarithms of the bytes of loads and stores by the sum of two low registers, by their operations."""


def thumb_steps(walk: Words, code: Bytes, size: int) -> bool:
    """Write down the steps of a block that jumps back to its beginning; False if it is none, or has other ones."""
    offset = 0
    while offset < size:
        first, second = half_at(code, offset), half_at(code, offset + 2)
        width = 4 if first >= 0xE800 else 2
        if offset + width == size:
            return thumb_end(walk, first, second, offset)
        if not (wide_step(walk, first, second) if width == 4 else narrow_step(walk, first)):
            return False
        offset += width
    return False


def thumb_end(walk: Words, first: int, second: int, offset: int) -> bool:
    """The last instruction: whether it is a conditional branch to the beginning."""
    if first >> 12 == 13:
        condition = first >> 8 & 15
        distance = thumb_jump(first & 0xFF, first >> 8, 0, 0)
    elif first & 0xF800 == 0xF000 and second & 0xD000 == 0x8000:
        condition = first >> 6 & 15
        high = (first >> 10 & 1) << 20 | (second >> 11 & 1) << 19 | (second >> 13 & 1) << 18
        distance = 4 + signed(high | (first & 0x3F) << 12 | (second & 0x7FF) << 1, 21)
    else:
        return False
    order = ORDERS[condition]
    return order >= 0 and offset + distance == 0 and add_step(walk, JUMP_ON_FLAGS, SCRATCH, ZERO, ZERO, 0, order)


def narrow_step(walk: Words, half: int) -> bool:
    """An instruction of one half-word."""
    low, middle, high = half & 7, half >> 3 & 7, half >> 8 & 7
    number, byte, group = half >> 6 & 31, half & 0xFF, half >> 11
    step, target, first, second, shift, constant = SUM_AND_FLAGS, low, middle, ZERO, 0, 0
    if group == 0:  # LSLS and, by 0, MOVS
        if number != 0:
            first, second, shift = ZERO, middle, number
    elif group == 1:  # LSRS
        step, constant = SHIFT_RIGHT_AND_FLAGS, number if number != 0 else 32
    elif group == 3:  # ADDS, SUBS of a register or a number of 3 bits
        if half & 0x200 != 0:
            step = DIFFERENCE_AND_FLAGS
        if half & 0x400 != 0:
            constant = number & 7
        else:
            second = number & 7
    elif group == 4:  # MOVS
        target, first, constant = high, ZERO, byte
    elif group == 5:  # CMP
        step, first, constant = COMPARE, high, byte
    elif group == 6:  # ADDS
        target, first, constant = high, high, byte
    elif group == 7:  # SUBS
        step, target, first, constant = DIFFERENCE_AND_FLAGS, high, high, byte
    elif half >> 6 == 0x10A:  # CMP
        step, first, second = COMPARE, low, middle
    elif half >> 10 == 0x11:  # ADD, CMP, MOV of any registers
        target, other, operation = half >> 4 & 8 | low, half >> 3 & 15, half >> 8 & 3
        if other == PC or operation == 3 or target == PC or (target == SP and operation != 1):
            return False
        step, first, second = COMPARE if operation == 1 else SUM, target, other
        if operation == 2:
            first, second = other, ZERO
    elif group == 10 or group == 11:  # loads and stores with a sum of registers as address
        operation = half >> 9 & 7
        step, second = (STORE if operation < 3 else LOAD) + HALF_SIZES[operation], number & 7
    elif 12 <= group < 18:  # words, bytes, half-words
        size = 2 if group < 14 else 0 if group < 16 else 1
        step, constant = (LOAD if group & 1 != 0 else STORE) + size, number << size
    elif group == 18 or group == 19:  # words on the stack
        step, target, first, constant = STORE_WORD if group == 18 else LOAD_WORD, high, SP, 4 * byte
    elif group == 21:  # ADD of the stack pointer
        step, target, first, constant = SUM, high, SP, 4 * byte
    elif group == 24 or group == 25:
        return many_steps(walk, high, byte, group == 25, False, group == 24 or byte >> high & 1 == 0)
    else:
        return half == 0xBF00
    return add_step(walk, step, target, first, second, shift, constant)


def many_steps(walk: Words, base: int, registers: int, loads: bool, descends: bool, writes_back: bool) -> bool:
    """Load or store several registers."""
    if registers & (1 << SP | 1 << PC) != 0 or base == PC or (writes_back and registers >> base & 1 != 0):
        return False
    count = 0
    for register in range(16):
        count += registers >> register & 1
    added = add_step(walk, SUM, SCRATCH, base, ZERO, 0, -4 * count if descends else 0)
    if writes_back:
        added &= add_step(walk, SUM, base, base, ZERO, 0, -4 * count if descends else 4 * count)
    offset = 0
    for register in range(16):
        if registers >> register & 1 != 0:
            added &= add_step(walk, LOAD_WORD if loads else STORE_WORD, register, SCRATCH, ZERO, 0, offset)
            offset += 4
    return added


# Instructions of two half-words
def is_special(register: int) -> bool:
    """Whether a register is the stack pointer or the program counter."""
    return register in (SP, PC)


def wide_step(walk: Words, first: int, second: int) -> bool:
    """An instruction of two half-words."""
    base = first & 15
    if first & 0xFE40 == 0xE800:  # STM, LDM
        mode, writes_back = first >> 7 & 3, first & 0x20 != 0
        return (mode == 1 or mode == 2) and many_steps(walk, base, second, first & 0x10 != 0, mode == 2, writes_back)
    if first & 0xFE40 == 0xE840:
        return pair_steps(walk, first, second)
    if first >> 9 == 0x7C:
        return single_steps(walk, first, second)
    target, operation, sets_flags = second >> 8 & 15, first >> 5 & 15, first & 0x10 != 0
    if target == SP or second & 0x8000 != 0:
        return False
    if first & 0xFE00 == 0xEA00:  # a shifted register as second operand
        bits, kind = second >> 10 & 28 | second >> 6 & 3, second >> 4 & 3
        return shifted_step(walk, operation, sets_flags, target, base, second & 15, kind, bits)
    if first & 0xF800 != 0xF000:
        return False
    number = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    if first & 0x200 == 0:
        number = expand(number)
        if base == PC and target != PC and not sets_flags and (operation in (MOVE, INVERT)):
            return add_step(walk, SUM, target, ZERO, ZERO, 0, number if operation == MOVE else ~number & WORD)
        return sum_step(walk, operation, sets_flags, target, base, ZERO, number)
    kind = first & 0xFBF0
    if target == PC:
        return False
    if kind == 0xF240:  # MOVW
        return add_step(walk, SUM, target, ZERO, ZERO, 0, base << 12 | number)
    if kind == 0xF2C0:  # MOVT
        return add_step(walk, REPLACE_HIGH, target, target, ZERO, 0, base << 12 | number)
    if kind == 0xF200 or kind == 0xF2A0:  # ADDW, SUBW
        return sum_step(walk, ADD if kind == 0xF200 else SUBTRACT, False, target, base, ZERO, number)
    return False


def expand(number: int) -> int:
    """The number that 12 bits of an instruction stand for."""
    byte, kind = number & 0xFF, number >> 8
    if kind >= 4:
        rotation, byte = number >> 7, byte | 0x80
        return (byte << 32 - rotation | byte >> rotation) & WORD
    if kind == 1:
        return byte << 16 | byte
    if kind == 2:
        return byte << 24 | byte << 8
    return byte * 0x0101_0101 if kind == 3 else byte


def sum_step(walk: Words, operation: int, sets_flags: bool, target: int, base: int, source: int, number: int) -> bool:
    """ADD, SUB and CMP of a register with another one and a number, one of which is 0."""
    if base == PC or (operation != ADD and operation != SUBTRACT):
        return False
    step = SUM_AND_FLAGS if sets_flags else SUM
    if operation == SUBTRACT:
        step = DIFFERENCE_AND_FLAGS if sets_flags else DIFFERENCE
    if target == PC:
        if step != DIFFERENCE_AND_FLAGS:
            return False
        step, target = COMPARE, SCRATCH
    return add_step(walk, step, target, base, source, 0, number)


def shifted_step(
    walk: Words, operation: int, sets_flags: bool, target: int, base: int, source: int, kind: int, bits: int
) -> bool:
    """Data processing of a register and another one that is shifted: to the left (kind 0) or to the right (1)."""
    if is_special(source):
        return False
    if bits == 0 and kind == 0:
        if operation == MOVE and base == PC and target != PC and not sets_flags:
            return add_step(walk, SUM, target, source, ZERO, 0, 0)
        return sum_step(walk, operation, sets_flags, target, base, source, 0)
    if sets_flags or target == PC:
        return False
    if operation == MOVE and base == PC and kind == 1:
        return add_step(walk, SHIFT_RIGHT, target, source, ZERO, 0, bits if bits != 0 else 32)
    if kind != 0 or (base == PC) != (operation == MOVE) or (operation != MOVE and operation != ADD):
        return False
    return add_step(walk, SUM, target, ZERO if base == PC else base, source, bits, 0)


def pair_steps(walk: Words, first: int, second: int) -> bool:
    """LDRD and STRD."""
    base, low, high = first & 15, second >> 12, second >> 8 & 15
    before, writes_back, loads = first & 0x100 != 0, first & 0x20 != 0, first & 0x10 != 0
    if not (before or writes_back) or base == PC or is_special(low) or is_special(high):
        return False
    if writes_back and (base in (SP, low, high)):
        return False
    distance = 4 * (second & 0xFF) * (1 if first & 0x80 != 0 else -1)
    added = add_step(walk, SUM, SCRATCH, base, ZERO, 0, distance if before else 0)
    if writes_back:
        added &= add_step(walk, SUM, base, base, ZERO, 0, distance)
    step = LOAD_WORD if loads else STORE_WORD
    added &= add_step(walk, step, low, SCRATCH, ZERO, 0, 0)
    return added and add_step(walk, step, high, SCRATCH, ZERO, 0, 4)


def single_steps(walk: Words, first: int, second: int) -> bool:
    """Loads and stores of one register."""
    base, register, size = first & 15, second >> 12, first >> 5 & 3
    loads, has_sign, has_number = first & 0x10 != 0, first & 0x100 != 0, first & 0x80 != 0
    if base == PC or is_special(register) or size == 3 or (has_sign and (not loads or size == 2)):
        return False
    step = (LOAD if loads else STORE) + size
    if has_number:
        return add_step(walk, step, register, base, ZERO, 0, second & 0xFFF)
    if second & 0xFC0 == 0:
        source = second & 15
        return not is_special(source) and add_step(walk, step, register, base, source, second >> 4 & 3, 0)
    before, writes_back = second & 0x400 != 0, second & 0x100 != 0
    if second & 0x800 == 0 or second & 0xF00 == 0xE00 or not (before or writes_back):
        return False
    if writes_back and (base in (SP, register)):
        return False
    distance = (second & 0xFF) * (1 if second & 0x200 != 0 else -1)
    added = add_step(walk, step, register, base, ZERO, 0, distance if before else 0)
    if writes_back:
        added &= add_step(walk, SUM, base, base, ZERO, 0, distance)
    return added

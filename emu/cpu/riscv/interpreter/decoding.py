"""RV32IMC instructions become entries, see `operations`; native code."""

from __future__ import annotations

from emu.cpu.polling import signed
from emu.cpu.riscv.interpreter.operations import (
    ADD,
    ADD_PC,
    AND,
    BRANCH_LESS,
    CALL,
    EBREAK,
    EQUAL,
    FENCE,
    FIRST_SHIFT,
    IMMEDIATE_SHIFT,
    INSTRUCTION_FENCE,
    JUMP,
    JUMP_REGISTER,
    LOAD_BYTE,
    LOAD_WORD,
    LONE_TRAP,
    MULTIPLY,
    NOT_EQUAL,
    OR,
    SECOND_SHIFT,
    SHIFT_LEFT,
    SHIFT_RIGHT,
    SHIFT_RIGHT_SIGNED,
    STORE_BYTE,
    STORE_WORD,
    SUBTRACT,
    TARGET_SHIFT,
    TRANSLATION_FENCE,
    TRAP,
    WFI,
    XOR,
)


def pack(operation: int, target: int, first: int, second: int, immediate: int) -> int:
    """An entry of a compressed instruction, without a count."""
    return (
        operation | target << TARGET_SHIFT | first << FIRST_SHIFT | second << SECOND_SHIFT
        | immediate << IMMEDIATE_SHIFT
    )  # fmt: skip


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

"""What single instructions of the interpreter compute, load and store; native code."""

from __future__ import annotations

from emu.cpu.native_calls import read_8, read_16, read_32, write_8, write_16, write_32
from emu.cpu.polling import signed
from emu.cpu.riscv.interpreter.operations import (
    ADD,
    BRANCH_LESS,
    BRANCH_LESS_UNSIGNED,
    BRANCH_NOT_LESS,
    DIVIDE_UNSIGNED,
    EQUAL,
    LESS,
    LESS_UNSIGNED,
    LOAD_BYTE,
    LOAD_BYTE_UNSIGNED,
    LOAD_HALF,
    LOAD_WORD,
    MULTIPLY,
    MULTIPLY_HIGH,
    MULTIPLY_HIGH_MIXED,
    MULTIPLY_HIGH_UNSIGNED,
    NOT_EQUAL,
    OR,
    REMAINDER,
    REMAINDER_UNSIGNED,
    SHIFT_LEFT,
    SHIFT_RIGHT,
    SHIFT_RIGHT_SIGNED,
    STORE_HALF,
    STORE_WORD,
    SUBTRACT,
    XOR,
)

WORD = 0xFFFF_FFFF


def multiply_high_unsigned(first: int, second: int) -> int:
    """Upper half of the product; every intermediate result fits 64 bits with sign."""
    return (first * (second >> 16) + (first * (second & 0xFFFF) >> 16)) >> 16


def divide(first: int, second: int, remainder: bool) -> int:
    """Signed quotient, rounded towards 0, or remainder; by 0 it is -1 or the dividend."""
    dividend, divisor = signed(first, 32), signed(second, 32)
    if divisor == 0:
        return first if remainder else WORD
    quotient = abs(dividend) // abs(divisor)
    if (dividend < 0) != (divisor < 0):
        quotient = -quotient
    return (dividend - quotient * divisor if remainder else quotient) & WORD


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


def load(operation: int, host: int) -> int:
    """What a load gives."""
    if operation == LOAD_WORD:
        return read_32(host)
    if operation == LOAD_BYTE:
        return signed(read_8(host), 8) & WORD
    if operation == LOAD_HALF:
        return signed(read_16(host), 16) & WORD
    return read_8(host) if operation == LOAD_BYTE_UNSIGNED else read_16(host)


def store(operation: int, host: int, value: int) -> None:
    """Carry out a store."""
    if operation == STORE_WORD:
        write_32(host, value)
    elif operation == STORE_HALF:
        write_16(host, value)
    else:
        write_8(host, value)

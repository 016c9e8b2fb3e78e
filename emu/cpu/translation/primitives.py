"""What the functions of `emu.cpu.native_calls` and Python's own ones are in machine code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from emu.cpu import native_calls
from emu.cpu.translation.code import NOTHING, Code, Value


def _integer(code: Code, operands: list[Value]) -> Value:
    return Value(code.integer(operands[0]))


def _truth(code: Code, operands: list[Value]) -> Value:
    return Value(code.truth(operands[0]), "bool")


def _choose(comparison: str, code: Code, operands: list[Value]) -> Value:
    first, second = (code.integer(operand) for operand in operands)
    condition = code.value(f"icmp {comparison} i64 {first}, {second}")
    return Value(code.value(f"select i1 {condition}, i64 {first}, i64 {second}"))


def _absolute(code: Code, operands: list[Value]) -> Value:
    value = code.integer(operands[0])
    negative = code.value(f"sub i64 0, {value}")
    return _choose("sgt", code, [Value(value), Value(negative)])


def _pointer(kind: str, code: Code, operands: list[Value]) -> Value:
    return Value(code.value(f"inttoptr i64 {operands[0].text} to ptr"), kind)


def _read(bits: int, code: Code, operands: list[Value]) -> Value:
    place = code.value(f"inttoptr i64 {operands[0].text} to ptr")
    value = code.value(f"load i{bits}, ptr {place}, align 1")
    return Value(value if bits == 64 else code.value(f"zext i{bits} {value} to i64"))


def _write(bits: int, code: Code, operands: list[Value]) -> Value:
    place, value = code.value(f"inttoptr i64 {operands[0].text} to ptr"), code.integer(operands[1])
    if bits != 64:
        value = code.value(f"trunc i64 {value} to i{bits}")
    code.add(f"store i{bits} {value}, ptr {place}, align 1")
    return Value("", NOTHING)


def _trailing_zeros(code: Code, operands: list[Value]) -> Value:
    return Value(code.value(f"call i64 @llvm.cttz.i64(i64 {operands[0].text}, i1 true)"))


def _move(code: Code, operands: list[Value]) -> Value:
    target, source = (code.value(f"inttoptr i64 {operand.text} to ptr") for operand in operands[:2])
    code.add(f"call void @llvm.memmove.p0.p0.i64(ptr {target}, ptr {source}, i64 {operands[2].text}, i1 false)")
    return Value("", NOTHING)


def _call(bits: tuple[int, ...], code: Code, operands: list[Value]) -> Value:
    place, arguments = code.value(f"inttoptr i64 {operands[0].text} to ptr"), []
    for size, operand in zip(bits, operands[1:], strict=True):
        value = code.integer(operand)
        arguments.append(f"i{size} {value if size == 64 else code.value(f'trunc i64 {value} to i{size}')}")
    result = code.value(f"call i32 {place}({', '.join(arguments)})")
    return Value(code.value(f"sext i32 {result} to i64"))


PRIMITIVES: dict[Any, Callable[[Code, list[Value]], Value]] = {
    int: _integer,
    bool: _truth,
    min: partial(_choose, "slt"),
    max: partial(_choose, "sgt"),
    abs: _absolute,
    native_calls.words_at: partial(_pointer, "Words"),
    native_calls.unsigned_at: partial(_pointer, "Unsigned"),
    native_calls.bytes_at: partial(_pointer, "Bytes"),
    native_calls.read_8: partial(_read, 8),
    native_calls.read_16: partial(_read, 16),
    native_calls.read_32: partial(_read, 32),
    native_calls.read_64: partial(_read, 64),
    native_calls.write_8: partial(_write, 8),
    native_calls.write_16: partial(_write, 16),
    native_calls.write_32: partial(_write, 32),
    native_calls.write_64: partial(_write, 64),
    native_calls.trailing_zeros: _trailing_zeros,
    native_calls.move_bytes: _move,
    native_calls.call_1: partial(_call, (64,)),
    native_calls.call_2: partial(_call, (64, 64)),
    native_calls.call_3: partial(_call, (64, 32, 64)),
    native_calls.call_4: partial(_call, (64, 64, 32, 64)),
    native_calls.call_batch: partial(_call, (64, 64, 64, 32)),
}
DECLARATIONS = (
    "declare i64 @llvm.cttz.i64(i64, i1)",
    "declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)",
)
"""LLVM's own functions that these call."""

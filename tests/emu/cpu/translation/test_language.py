"""Functions give the same in machine code as in Python."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

from emu.cpu import native, native_calls
from emu.cpu.native_calls import Bytes, Int32, UInt8, UInt32, Unsigned, Words
from emu.cpu.translation.code import TranslationError
from emu.cpu.translation.module import Module

Binary = Callable[[int, int], int]
NUMBERS = (0, 1, 2, 3, 5, 7, 63, 64, 100, 0xFF, 0x1_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
PRIMES = (2, 3, 5, 7, 11)
PAIRS = ((1, 10), (2, 20), (3, 30))


def compiled(function: Callable[..., Any], *arguments: Any, result: Any = ctypes.c_int64) -> Callable[..., Any]:
    """The function in machine code."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    address = native.load(llvm, native.machine_code(llvm, {"tested": function}), ["tested"])["tested"]
    kinds = arguments or (ctypes.c_int64,) * function.__code__.co_argcount
    called: Callable[..., Any] = ctypes.CFUNCTYPE(result, *kinds)(address)
    return called


def operators(a: int, b: int) -> int:
    total = (a + b) * 3 - (a & 0xFF) * (b ^ 21) + (a | b) + (a >> 3) + (b << 5) + ~a - -b
    total += a // 7 - b // -9 + a % 13 - b % -11
    total ^= a
    total |= 1 << (b & 15)
    return total


def quotients(a: int, b: int) -> int:
    return 1000 * (a // b) + a % b


def comparisons(a: int, b: int) -> int:
    result = (a < b) + 2 * (a <= b) + 4 * (a == b) + 8 * (a != b) + 16 * (a > b) + 32 * (a >= b)
    result += 64 if 0 <= a < b < 1000 else 128 if a in (1, 3, 5) or b not in (0, 2) else 256
    if (not a and b) or (a > 100 and not b < 50):
        result += 512
    return -result if a and not (b and a == 7) else result


def built_in(a: int, b: int) -> int:
    return min(a, b) + 3 * max(a, -b) + 5 * abs(a - b) + int(a > b) + 7 * bool(a)


def loops(a: int, b: int) -> int:
    total = last = 0
    for index in range(a & 31):
        if index == b & 15:
            continue
        if index > 20:
            break
        total += index
        last = index
    for index in range(10, b & 63, 3):
        for inner in range(index, 0, -2):
            total += inner * index
    while total > 100:
        total -= 37
        while True:
            last += 1
            if last % 4 == 0:
                break
    for number, factor in PAIRS:
        if number == a & 3:
            continue
        if number == b & 3:
            break
        total += number * factor
    return total * 1000 + last


def tables(a: int, b: int) -> int:
    return PRIMES[a % 5] * 100 + (4, 6, 8)[b % 3]


def make_adder(amount: int, inner: Binary) -> Binary:
    def adder(a: int, b: int) -> int:
        return inner(a, b) + amount

    return adder


def fibonacci(a: int, b: int) -> int:
    number = a & 7
    return number if number < 2 else fibonacci(number - 1, b) + fibonacci(number - 2, b)


def bits(a: int, b: int) -> int:
    return native_calls.trailing_zeros(a | 1 << 40) * 100 + native_calls.trailing_zeros(b | 1 << 50)


ADD_FIVE = make_adder(5, make_adder(7, operators))
FUNCTIONS: tuple[Binary, ...] = (operators, comparisons, built_in, loops, tables, ADD_FIVE, fibonacci, bits)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_machine_code_computes_what_python_computes(function: Binary) -> None:
    chance, machine_code = random.Random(7), compiled(function)
    pairs = [(a, b) for a in NUMBERS for b in NUMBERS]
    pairs += [
        (chance.choice((1, -1)) * chance.getrandbits(chance.randrange(1, 40)), chance.getrandbits(33))
        for _ in range(500)
    ]
    for a, b in pairs:
        assert machine_code(a, b) == function(a, b), (a, b)


def test_quotients_are_rounded_down_and_those_by_zero_are_zero() -> None:
    machine_code = compiled(quotients)
    for a in range(-20, 20):
        for b in (-7, -3, -1, 1, 2, 7):
            assert machine_code(a, b) == quotients(a, b)
        assert machine_code(a, 0) == 0


def fill(words: Words, unsigned: Unsigned, small: Bytes, count: int) -> bool:
    for index in range(count):
        words[index] = unsigned[index] - small[index]
        unsigned[index] += words[index] << 20
        small[index] -= 200
        words[index], words[index + count] = words[index + count], words[index]
    return count > 3


def test_memory() -> None:
    chance, pointer = np.random.default_rng(3), ctypes.c_void_p
    arrays = [chance.integers(0, 256, 8).astype(kind) for kind in (np.int64, np.uint32, np.uint8)]
    expected = [array.copy() for array in arrays]
    machine_code = compiled(fill, pointer, pointer, pointer, ctypes.c_int64)
    assert machine_code(*(array.ctypes.data for array in arrays), 4) == 1
    with np.errstate(over="ignore"):
        assert fill(
            native_calls.words_at(expected[0].ctypes.data),
            native_calls.unsigned_at(expected[1].ctypes.data),
            native_calls.bytes_at(expected[2].ctypes.data),
            4,
        )
    for array, other in zip(arrays, expected, strict=True):
        assert array.tolist() == other.tolist()


def copy(source: int, target: int) -> None:
    native_calls.write_8(target, native_calls.read_8(source))
    native_calls.write_16(target + 1, native_calls.read_16(source + 1))
    native_calls.write_32(target + 3, native_calls.read_32(source + 3) + 1)
    native_calls.write_64(target + 7, native_calls.read_64(source + 7))
    native_calls.move_bytes(target + 15, source + 15, 5)


def test_numbers_that_are_not_aligned() -> None:
    source = np.random.default_rng(4).integers(0, 256, 24).astype(np.uint8)
    here, there = np.zeros(24, np.uint8), np.zeros(24, np.uint8)
    compiled(copy, result=None)(source.ctypes.data, here.ctypes.data)
    copy(source.ctypes.data, there.ctypes.data)
    assert here.tolist() == there.tolist()
    assert here[15:20].tolist() == source[15:20].tolist()


def narrow(a: Int32, b: UInt32, c: int) -> UInt8:
    return a + 2 * b + 3 * c


def test_a_hook_has_the_types_of_c() -> None:
    machine_code = compiled(narrow, ctypes.c_int32, ctypes.c_uint32, ctypes.c_int64, result=ctypes.c_uint8)
    for a, b, c in ((-1, 0xFFFF_FFFF, 5), (100, 7, -1), (-(1 << 31), 1, 0)):
        assert machine_code(a, b, c) == narrow(a, b, c) & 0xFF


def call_back(function: int, value: int) -> int:
    total = native_calls.call_1(function, value) + native_calls.call_2(function, value, 2)
    return total + native_calls.call_3(function, 1, value, 3) + native_calls.call_4(function, 1, 2, 3, value)


def test_functions_are_called_by_their_address() -> None:
    seen = []
    kind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64)

    def note(value: int) -> int:
        seen.append(value)
        return -3

    function = kind(note)
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert compiled(call_back)(address, 1 << 40) == call_back(address or 0, 1 << 40) == -12
    assert seen == [1 << 40, 1 << 40, 1, 1] * 2


def text(a: int) -> int:
    return len("text")


def keyword(a: int) -> int:
    return operators(a, b=1)


def power(a: int) -> int:
    return a**2


def unknown_name(a: int) -> int:
    return a + nowhere  # type: ignore[name-defined]  # noqa: F821


def without_annotation(a):  # type: ignore[no-untyped-def]
    return a


def two_kinds(a: int) -> int:
    value: Any = 1
    return value


def changes_kind(a: int) -> int:
    b = a
    b = native_calls.words_at(a)
    return b[0]


def index_of_number(a: int) -> int:
    return a[0]  # type: ignore[index]


def too_large(a: int) -> int:
    return a + (1 << 63) + 0x8000_0000_0000_0000


def returns_memory(a: int) -> int:
    return native_calls.words_at(a)


def wrong_count(a: int) -> int:
    return operators(a)  # type: ignore[call-arg]


def raises(a: int) -> int:
    raise ValueError


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (text, "'text' is no number of 64 bits"),
        (keyword, "operators(a, b=1) names arguments"),
        (power, "a ** 2"),
        (unknown_name, "nowhere is no constant"),
        (without_annotation, "'' is no annotation of native code"),
        (two_kinds, "value: Any = 1"),
        (changes_kind, "b is int and Words"),
        (index_of_number, "a is not in memory"),
        (too_large, "9223372036854775808 is no number of 64 bits"),
        (returns_memory, "returns Words instead of int"),
        (wrong_count, "operators(a) has not 2 arguments"),
        (raises, "raise ValueError"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_the_language_does_not_have_is_named(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(TranslationError) as caught:
        Module({"tested": function})
    assert message in str(caught.value)
    assert "line" in str(caught.value)

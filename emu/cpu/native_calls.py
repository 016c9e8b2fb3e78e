"""What native code does with the memory and the functions of the host; here for plain Python.

`emu.cpu.translation.primitives` says what each function is in machine code. All integers there have 64 bits with sign.
"""

from __future__ import annotations

import ctypes
from typing import Any, TypeAlias

Words: TypeAlias = Any
"""Signed 64-bit integers in memory, of which each has an index: an array, a list or a pointer."""
Unsigned: TypeAlias = Any
"""The same of unsigned 32-bit integers,"""
Bytes: TypeAlias = Any
"""and of bytes."""
Int32: TypeAlias = int
"""An argument or a result of a hook that has 32 bits in C, with sign;"""
UInt32: TypeAlias = int
"""without sign;"""
UInt8: TypeAlias = int
"""or 8 bits."""


def words_at(address: int) -> Words:
    """The 64-bit integers at an address."""
    return ctypes.cast(address, ctypes.POINTER(ctypes.c_int64))


def unsigned_at(address: int) -> Unsigned:
    """The unsigned 32-bit integers at an address."""
    return ctypes.cast(address, ctypes.POINTER(ctypes.c_uint32))


def bytes_at(address: int) -> Bytes:
    """The bytes at an address."""
    return ctypes.cast(address, ctypes.POINTER(ctypes.c_uint8))


def trailing_zeros(word: int) -> int:
    """How many of the lowest bits of a 64-bit word, which is not 0, are 0."""
    return (word & -word).bit_length() - 1


def move_bytes(target: int, source: int, count: int) -> None:
    """Copy bytes from one address to another, as C's memmove does."""
    ctypes.memmove(target, source, count)


# Numbers at any address, which need not be aligned


def read_8(address: int) -> int:
    """The byte at an address."""
    return ctypes.c_uint8.from_address(address).value


def read_16(address: int) -> int:
    """The 16 bits at an address, unsigned."""
    return ctypes.c_uint16.from_address(address).value


def read_32(address: int) -> int:
    """The 32 bits at an address, unsigned."""
    return ctypes.c_uint32.from_address(address).value


def read_64(address: int) -> int:
    """The 64 bits at an address, signed."""
    return ctypes.c_int64.from_address(address).value


def write_8(address: int, value: int) -> None:
    """Put the lowest 8 bits of a number at an address."""
    ctypes.c_uint8.from_address(address).value = value


def write_16(address: int, value: int) -> None:
    """Put the lowest 16 bits of a number at an address."""
    ctypes.c_uint16.from_address(address).value = value


def write_32(address: int, value: int) -> None:
    """Put the lowest 32 bits of a number at an address."""
    ctypes.c_uint32.from_address(address).value = value


def write_64(address: int, value: int) -> None:
    """Put a number at an address."""
    ctypes.c_int64.from_address(address).value = value


# Functions of C, by their address


def call_1(function: int, first: int) -> int:
    """Call the function with a pointer."""
    return _call(function, (ctypes.c_int64,), first)


def call_2(function: int, first: int, second: int) -> int:
    """Call the function with two pointers."""
    return _call(function, (ctypes.c_int64,) * 2, first, second)


def call_3(function: int, first: int, second: int, third: int) -> int:
    """Call the function with a pointer, an int and a pointer."""
    return _call(function, (ctypes.c_int64, ctypes.c_int32, ctypes.c_int64), first, second, third)


def call_4(function: int, first: int, second: int, third: int, fourth: int) -> int:
    """Call the function with the arguments of a block hook."""
    kinds = ctypes.c_int64, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_int64
    return _call(function, kinds, first, second, third, fourth)


def call_batch(function: int, first: int, second: int, third: int, fourth: int) -> int:
    """Call the function with three pointers and an int."""
    kinds = ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int32
    return _call(function, kinds, first, second, third, fourth)


def _call(function: int, kinds: tuple[Any, ...], *arguments: int) -> int:
    return int(ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(function)(*arguments))

"""Loads and stores at addresses of the host, for compiled code and, while numba is switched off, for plain Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic


def reader(bits: int) -> Callable[[int], int]:
    """Function: the unsigned (64 bits: signed) number at an address of the host, which need not be aligned."""
    if config.DISABLE_JIT:
        kind = {8: ctypes.c_uint8, 16: ctypes.c_uint16, 32: ctypes.c_uint32, 64: ctypes.c_int64}[bits]
        return lambda address: int(kind.from_address(address).value)

    @intrinsic
    def read(context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            return builder.zext(builder.load(pointer, align=1), ir.IntType(64))

        return types.int64(types.int64), generate

    return cast(Callable[[int], int], read)


def writer(bits: int) -> Callable[[int, int], None]:
    """Function: put the low bits of a number at an address of the host."""
    if config.DISABLE_JIT:
        kind = {8: ctypes.c_uint8, 16: ctypes.c_uint16, 32: ctypes.c_uint32, 64: ctypes.c_int64}[bits]

        def plain(address: int, value: int) -> None:
            kind.from_address(address).value = value

        return plain

    @intrinsic
    def write(context: Any, address: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            value = arguments[1] if bits == 64 else builder.trunc(arguments[1], ir.IntType(bits))
            builder.store(value, pointer, align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return cast(Callable[[int, int], None], write)

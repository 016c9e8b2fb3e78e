"""What numba lacks for the hooks: addresses as pointers, and calls of C functions by their address."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def bytes_at(context: Any, address: Any) -> Any:
    """The address as a pointer to bytes."""
    return _pointer(types.uint8, address)


@intrinsic
def words_at(context: Any, address: Any) -> Any:
    """The address as a pointer to 64-bit integers."""
    return _pointer(types.int64, address)


@intrinsic
def unsigned_at(context: Any, address: Any) -> Any:
    """The address as a pointer to unsigned 32-bit integers."""
    return _pointer(types.uint32, address)


@intrinsic
def trailing_zeros(context: Any, word: Any) -> Any:
    """How many of the lowest bits of a 64-bit word, which is not 0, are 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


@intrinsic
def move_bytes(context: Any, target: Any, source: Any, count: Any) -> Any:
    """Copy bytes from one address to another, as C's memmove does."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, word = ir.IntType(8).as_pointer(), ir.IntType(64)
        function = builder.module.declare_intrinsic("llvm.memmove", [pointer, pointer, word])
        target, source = (builder.inttoptr(address, pointer) for address in arguments[:2])
        builder.call(function, [target, source, arguments[2], ir.Constant(ir.IntType(1), 0)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


def _pointer(element: Any, address: Any) -> Any:
    signature = types.CPointer(element)(address)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return signature, generate


@intrinsic
def call_1(context: Any, function: Any, first: Any) -> Any:
    """Call the C function at an address with a pointer."""
    return types.int32(types.int64, types.intp), _generate_call


@intrinsic
def call_2(context: Any, function: Any, first: Any, second: Any) -> Any:
    """Call the function at an address with two addresses."""
    return types.int32(types.int64, types.intp, types.intp), _generate_call


@intrinsic
def call_batch(context: Any, function: Any, first: Any, second: Any, third: Any, fourth: Any) -> Any:
    """Call the C function at an address with three pointers and an int."""
    return types.int32(types.int64, types.intp, types.intp, types.intp, types.int32), _generate_call


@intrinsic
def call_3(context: Any, function: Any, first: Any, second: Any, third: Any) -> Any:
    """Call the C function at an address with a pointer, an int and a pointer."""
    return types.int32(types.int64, types.intp, types.int32, types.intp), _generate_call


@intrinsic
def call_4(context: Any, function: Any, first: Any, second: Any, third: Any, fourth: Any) -> Any:
    """Call the function at an address with the arguments of a block hook."""
    return types.int32(types.int64, types.intp, types.uint64, types.uint32, types.int64), _generate_call


def _generate_call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kinds = [argument.type for argument in arguments[1:]]
    pointer = ir.FunctionType(ir.IntType(32), kinds).as_pointer()
    return builder.call(builder.inttoptr(arguments[0], pointer), arguments[1:])

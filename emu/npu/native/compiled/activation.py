"""Psums become elements: requantisation and pooling."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from emu.npu.native.compiled.vectors import BLOCK, INT32, INT64, LANES, OPTIONS, VECTOR, broadcast, load, unwrap

SCALING = ("bias", "multiplier", "shift", "half", "least", "most", "offset")
"""How psums become elements: int64, these rows, a column per kernel and as many more as fill a block.

Bias, multiplier, shift and offset are those of the table, ``half`` is half of 2^shift, rounded down, ``least`` and
``most`` are bounds of the result, less the offset.
"""
NO_SCALING = np.empty((len(SCALING), 0), np.int64)


@intrinsic
def requantise_pixels(
    context: Any, target: Any, pitch: Any, lanes: Any, psums: Any, count: Any, scaling: Any, kernels: Any, kernel: Any
) -> Any:
    """Elements of ``count`` pixels and the ``lanes`` kernels from ``kernel`` on. Nothing in it reaches 2^63.

    Args of the compiled call:
        target: uint8, written: the pixels are ``pitch`` apart.
        lanes: at most `LANES`.
        psums: int32, the pixels are `BLOCK` apart.
        scaling: `SCALING`; its rows are ``kernels`` apart.
    """
    signature = types.void(target, pitch, lanes, psums, count, scaling, kernels, kernel)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, pitch, lanes, psums, count, scaling, kernels, kernel = unwrap(
            context, builder, signature.args, arguments
        )
        rows = [builder.mul(kernels, ir.Constant(INT64, row)) for row in range(len(SCALING))]
        bias, multiplier, shift, half, least, most, offset = (
            load(builder, builder.gep(scaling, [builder.add(row, kernel)])) for row in rows
        )
        wide, narrow = shift.type, ir.VectorType(ir.IntType(8), LANES)
        bias, offset = builder.trunc(bias, VECTOR), builder.trunc(offset, narrow)
        wanted = builder.icmp_signed(
            "<", ir.Constant(VECTOR, list(range(LANES))), broadcast(builder, builder.trunc(lanes, INT32))
        )
        with cgutils.for_range(builder, count) as pixel:
            psum = load(builder, builder.gep(psums, [builder.mul(pixel.index, ir.Constant(INT64, BLOCK))]))
            product = builder.mul(builder.sext(_saturating_add(builder, psum, bias), wide), multiplier)
            negative = builder.icmp_signed("<", product, ir.Constant(wide, None))
            magnitude = builder.select(negative, builder.neg(product), product)
            # Halves round away from zero: the magnitude is rounded up.
            rounded = builder.lshr(builder.add(magnitude, half), shift)
            value = builder.select(negative, builder.neg(rounded), rounded)
            value = builder.select(builder.icmp_signed(">", value, least), value, least)
            value = builder.select(builder.icmp_signed("<", value, most), value, most)
            element = builder.add(builder.trunc(value, narrow), offset)
            place = builder.gep(target, [builder.mul(pixel.index, pitch)])
            _masked_store(builder, element, builder.bitcast(place, narrow.as_pointer()), wanted)

    return signature, generate


def _masked_store(builder: Any, value: Any, place: Any, wanted: Any) -> None:
    """Writes the wanted lanes."""
    kind = ir.FunctionType(ir.VoidType(), [value.type, place.type, INT32, wanted.type])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{LANES}i8.p0")
    builder.call(function, [value, place, ir.Constant(INT32, 1), wanted])


def _saturating_add(builder: Any, left: Any, right: Any) -> Any:
    """The sum, or the nearest number of 32 bits."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * 2)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sadd.sat.v{LANES}i32")
    return builder.call(function, [left, right])


@njit(**OPTIONS)
def requantise(elements: Any, sums: Any, rows: int, columns: int, kernel: int, wanted: int, scaling: Any) -> None:
    """Elements of a chunk of the output, (rows, columns, all kernels), from its psums for one block of kernels."""
    pitch, kernels = elements.shape[2], scaling.shape[1]
    for row in range(rows):
        for first in range(0, wanted, LANES):
            psums = sums[row * columns * BLOCK + first :]
            target = elements[row, 0, kernel + first :]
            lanes = min(LANES, wanted - first)
            requantise_pixels(target, pitch, lanes, psums, columns, scaling, kernels, kernel + first)


@intrinsic(prefer_literal=True)
def pool_row(context: Any, vectors: Any, target: Any, upper: Any, lower: Any, columns: Any) -> Any:
    """The largest psum of each 2 x 2 pixels of two rows of ``columns``, of ``vectors`` x `LANES` kernels, a literal.

    The last column may be alone. All are int32, (pixels, BLOCK); the target may be the upper row or before it.
    """
    signature = types.void(vectors, target, upper, lower, columns)
    width = vectors.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, upper, lower, columns = unwrap(context, builder, signature.args[1:], arguments[1:])
        one, block = ir.Constant(INT64, 1), ir.Constant(INT64, BLOCK)
        last = builder.sub(columns, one)
        with cgutils.for_range(builder, builder.lshr(builder.add(columns, one), one)) as column:
            left = builder.shl(column.index, one)
            right = builder.add(left, one)
            right = builder.select(builder.icmp_signed("<", right, last), right, last)
            for first in range(0, width * LANES, LANES):
                lane = ir.Constant(INT64, first)
                four = [
                    load(builder, builder.gep(row, [builder.add(builder.mul(side, block), lane)]))
                    for row in (upper, lower)
                    for side in (left, right)
                ]
                largest = reduce(lambda a, b: builder.select(builder.icmp_signed(">", a, b), a, b), four)
                place = builder.gep(target, [builder.add(builder.mul(column.index, block), lane)])
                builder.store(largest, builder.bitcast(place, VECTOR.as_pointer()), align=4)

    return signature, generate


@njit(**OPTIONS)
def pool(sums: Any, rows: int, columns: int, kernels: int) -> None:
    """The largest psum of each 2 x 2 pixels, at the edges of those that exist, to the beginning of ``sums``."""
    width = (columns + 1) // 2 * BLOCK
    for row in range(0, rows, 2):
        target = sums[row // 2 * width :]
        upper, lower = sums[row * columns * BLOCK :], sums[min(row + 1, rows - 1) * columns * BLOCK :]
        if kernels > LANES:
            pool_row(2, target, upper, lower, columns)
        else:
            pool_row(1, target, upper, lower, columns)

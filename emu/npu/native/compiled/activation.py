"""Psums become elements: requantisation and pooling."""

from __future__ import annotations

from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from emu.npu.native.compiled.vectors import BLOCK, CHUNK_PIXELS, INT64, LANES, OPTIONS, VECTOR, load, unwrap


class Scaling(NamedTuple):
    """How psums become elements. Every array has an entry per kernel and as many more as fill a block.

    Attributes:
        bias, multiplier: int32, of the table.
        shift: int64, of the table.
        half: int64, half of 2^shift, rounded down.
        least, most: int64, bounds of the result, less the offset.
        offset: uint8, the lowest byte of the table's offset.
    """

    bias: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int64]
    half: NDArray[np.int64]
    least: NDArray[np.int64]
    most: NDArray[np.int64]
    offset: NDArray[np.uint8]


_NONE, _NONE_WIDE = np.empty(0, np.int32), np.empty(0, np.int64)
NO_SCALING = Scaling(_NONE, _NONE, _NONE_WIDE, _NONE_WIDE, _NONE_WIDE, _NONE_WIDE, np.empty(0, np.uint8))


@intrinsic
def requantise_pixels(
    context: Any, target: Any, pitch: Any, psums: Any, count: Any, bias: Any, multiplier: Any, shift: Any, half: Any,
    least: Any, most: Any, offset: Any,
) -> Any:  # fmt: skip
    """Elements of ``count`` pixels and `LANES` kernels. Nothing in it reaches 2^63.

    Args of the compiled call:
        target: uint8, written: the pixels are ``pitch`` apart.
        psums: int32, the pixels are `BLOCK` apart.
        bias, multiplier, shift, half, least, most, offset: of these kernels, as in `Scaling`.
    """
    parameters = (bias, multiplier, shift, half, least, most, offset)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, pitch, psums, count, *pointers = unwrap(context, builder, signature.args, arguments)
        bias, multiplier, shift, half, least, most, offset = (load(builder, pointer) for pointer in pointers)
        wide, narrow = shift.type, offset.type
        multiplier = builder.sext(multiplier, wide)
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
            builder.store(element, builder.bitcast(place, narrow.as_pointer()), align=1)

    return types.void(target, pitch, psums, count, *parameters), generate


def _saturating_add(builder: Any, left: Any, right: Any) -> Any:
    """The sum, or the nearest number of 32 bits."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * 2)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sadd.sat.v{LANES}i32")
    return builder.call(function, [left, right])


@njit(**OPTIONS)
def requantise_vector(target: Any, pitch: int, psums: Any, count: int, kernel: int, scaling: Scaling) -> None:
    """Elements of the `LANES` kernels from ``kernel`` on."""
    requantise_pixels(
        target, pitch, psums, count, scaling.bias[kernel:], scaling.multiplier[kernel:], scaling.shift[kernel:],
        scaling.half[kernel:], scaling.least[kernel:], scaling.most[kernel:], scaling.offset[kernel:],
    )  # fmt: skip


@njit(**OPTIONS)
def requantise(elements: Any, sums: Any, rows: int, columns: int, kernel: int, wanted: int, scaling: Scaling) -> None:
    """Elements of a chunk of the output, (rows, columns, all kernels), from its psums for one block of kernels."""
    narrow = np.empty(CHUNK_PIXELS * LANES, np.uint8)
    pitch = elements.shape[2]
    for row in range(rows):
        for first in range(0, wanted, LANES):
            psums = sums[row * columns * BLOCK + first :]
            lanes = min(LANES, wanted - first)
            target = elements[row, 0, kernel + first :]
            if lanes == LANES:
                requantise_vector(target, pitch, psums, columns, kernel + first, scaling)
            else:
                requantise_vector(narrow, LANES, psums, columns, kernel + first, scaling)
                for column in range(columns):
                    source = narrow[column * LANES : column * LANES + lanes]
                    elements[row, column, kernel + first : kernel + wanted] = source


@intrinsic
def pool_row(context: Any, target: Any, upper: Any, lower: Any, columns: Any) -> Any:
    """The largest psum of each 2 x 2 pixels of two rows of ``columns``; the last column may be alone.

    All are int32, (pixels, BLOCK).
    """
    signature = types.void(target, upper, lower, columns)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, upper, lower, columns = unwrap(context, builder, signature.args, arguments)
        one, block = ir.Constant(INT64, 1), ir.Constant(INT64, BLOCK)
        last = builder.sub(columns, one)
        with cgutils.for_range(builder, builder.lshr(builder.add(columns, one), one)) as column:
            left = builder.shl(column.index, one)
            right = builder.add(left, one)
            right = builder.select(builder.icmp_signed("<", right, last), right, last)
            for first in range(0, BLOCK, LANES):
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
def pool(pooled: Any, sums: Any, rows: int, columns: int) -> None:
    """The largest psum of each 2 x 2 pixels; at the edges of those that exist."""
    width = (columns + 1) // 2 * BLOCK
    for row in range(0, rows, 2):
        below = min(row + 1, rows - 1)
        pool_row(pooled[row // 2 * width :], sums[row * columns * BLOCK :], sums[below * columns * BLOCK :], columns)

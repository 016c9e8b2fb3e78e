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

SCALING = (
    "lowest", "highest", "multiplier", "addend", "half", "down", "shift", "least", "most", "offset", "wide",
)  # fmt: skip
"""How psums become elements: int64, these rows, a column per kernel and as many more as fill a block.

    t = clip(psum, lowest, highest)
    p = t * multiplier + addend
    r = (p + half + (down if p < 0 else 0)) >> shift
    element = clip(r, least, most) + offset

Psums outside of ``lowest`` and ``highest`` give the same as those. All of ``wide`` is 1 if it takes 64 bits, 0 if 32
bits hold everything on the way; there, ``addend`` wraps around.
"""
NO_SCALING = np.empty((len(SCALING), 0), np.int64)
WIDE = SCALING.index("wide")


@intrinsic(prefer_literal=True)
def requantise_pixels(
    context: Any, bits: Any, target: Any, line: Any, pitch: Any, lanes: Any, psums: Any, rows: Any, columns: Any,
    scaling: Any, kernels: Any, kernel: Any,
) -> Any:  # fmt: skip
    """Elements of some pixels and the ``lanes`` kernels from ``kernel`` on, in numbers of ``bits``, a literal.

    Args of the compiled call:
        target: uint8, written: the rows are ``line`` apart, the pixels ``pitch``.
        lanes: at most `LANES`.
        psums: int32, (rows, columns, BLOCK).
        scaling: `SCALING`; its rows are ``kernels`` apart.
    """
    signature = types.void(bits, target, line, pitch, lanes, psums, rows, columns, scaling, kernels, kernel)
    number, narrow = ir.VectorType(ir.IntType(bits.literal_value), LANES), ir.VectorType(ir.IntType(8), LANES)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, line, pitch, lanes, psums, rows, columns, scaling, kernels, kernel = unwrap(
            context, builder, signature.args[1:], arguments[1:]
        )

        def entries(name: str, kind: Any) -> Any:
            row = builder.mul(kernels, ir.Constant(INT64, SCALING.index(name)))
            values = load(builder, builder.gep(scaling, [builder.add(row, kernel)]))
            return values if values.type == kind else builder.trunc(values, kind)

        lowest, highest = (entries(name, VECTOR) for name in ("lowest", "highest"))
        # The multiplier has 32 bits: knowing that, the compiler finds a faster multiplication of 64 bits.
        multiplier = _extended(builder, entries("multiplier", VECTOR), number)
        addend, half, down, shift, least, most = (entries(name, number) for name in SCALING[3:9])
        offset = entries("offset", narrow)
        wanted = builder.icmp_signed(
            "<", ir.Constant(VECTOR, list(range(LANES))), broadcast(builder, builder.trunc(lanes, INT32))
        )
        with cgutils.for_range(builder, rows) as row, cgutils.for_range(builder, columns) as column:
            pixel = builder.add(builder.mul(row.index, columns), column.index)
            psum = load(builder, builder.gep(psums, [builder.mul(pixel, ir.Constant(INT64, BLOCK))]))
            psum = _clipped(builder, psum, lowest, highest)
            product = builder.add(builder.mul(_extended(builder, psum, number), multiplier), addend)
            signs = builder.ashr(product, ir.Constant(number, [number.element.width - 1] * LANES))
            rounded = builder.add(builder.add(product, half), builder.and_(signs, down))
            scaled = _clipped(builder, builder.ashr(rounded, shift), least, most)
            element = builder.add(builder.trunc(scaled, narrow), offset)
            place = builder.add(builder.mul(row.index, line), builder.mul(column.index, pitch))
            place = builder.bitcast(builder.gep(target, [place]), narrow.as_pointer())
            _masked_store(builder, element, place, wanted)

    return signature, generate


def _extended(builder: Any, value: Any, kind: Any) -> Any:
    """Signed numbers with as many bits as those of ``kind``."""
    return value if value.type == kind else builder.sext(value, kind)


def _clipped(builder: Any, value: Any, low: Any, high: Any) -> Any:
    value = builder.select(builder.icmp_signed(">", value, low), value, low)
    return builder.select(builder.icmp_signed("<", value, high), value, high)


def _masked_store(builder: Any, value: Any, place: Any, wanted: Any) -> None:
    """Writes the wanted lanes."""
    kind = ir.FunctionType(ir.VoidType(), [value.type, place.type, INT32, wanted.type])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{LANES}i8.p0")
    builder.call(function, [value, place, ir.Constant(INT32, 1), wanted])


@njit(**OPTIONS)
def requantise(elements: Any, sums: Any, rows: int, columns: int, kernel: int, wanted: int, scaling: Any) -> None:
    """Elements of a chunk of the output, (rows, columns, all kernels), from its psums for one block of kernels."""
    kernels = scaling.shape[1]
    line, pitch, _ = elements.strides
    for first in range(0, wanted, LANES):
        psums, target, lanes = sums[first:], elements[0, 0, kernel + first :], min(LANES, wanted - first)
        if scaling[WIDE, kernel]:
            requantise_pixels(64, target, line, pitch, lanes, psums, rows, columns, scaling, kernels, kernel + first)
        else:
            requantise_pixels(32, target, line, pitch, lanes, psums, rows, columns, scaling, kernels, kernel + first)


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

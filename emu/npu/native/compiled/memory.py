"""Elements out of memory and into it."""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from emu.npu.native.compiled.vectors import INT32, INT64, OPTIONS, spread, unwrap

NIBBLES = 32
"""Elements of 4 bits that are unpacked together."""
PACKED = 16
"""Elements of 4 bits that are packed together."""


class Runs(NamedTuple):
    """Where the elements of a tensor are in its bytes: runs of elements that follow each other without gaps.

    Attributes:
        rows: rows of the tensor.
        runs: runs in a row.
        elements: of a run.
        line, pitch: bytes from row to row, from run to run.
        bits: of an element, 1, 2, 4 or 8.
    """

    rows: int
    runs: int
    elements: int
    line: int
    pitch: int
    bits: int


class Coding(NamedTuple):
    """What the bits of an element mean: ((bits ^ flip) * scale) + add, where scale is 1 unless it is a single bit.

    Padding is ``zero``.
    """

    flip: int
    scale: int
    add: int
    zero: int


@intrinsic
def unpack_nibbles(context: Any, target: Any, source: Any, vectors: Any, flip: Any, add: Any) -> Any:
    """Elements of 4 bits out of bytes.

    Args of the compiled call:
        target: uint8 or int16, written.
        source: uint8.
        vectors: of `NIBBLES` elements.
        flip, add: as of `Coding`.
    """
    signature = types.void(target, source, vectors, flip, add)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, source, vectors, flip, add = unwrap(context, builder, signature.args, arguments)
        element = target.type.pointee
        wide, half = ir.VectorType(element, NIBBLES), ir.VectorType(ir.IntType(8), NIBBLES // 2)
        flip, add = (spread(builder, builder.trunc(value, element), NIBBLES) for value in (flip, add))
        order = [place // 2 + place % 2 * half.count for place in range(NIBBLES)]
        with cgutils.for_range(builder, vectors) as vector:
            packed = builder.gep(source, [builder.mul(vector.index, ir.Constant(INT64, half.count))])
            both = builder.load(builder.bitcast(packed, half.as_pointer()), align=1)
            low = builder.and_(both, ir.Constant(half, [15] * half.count))
            high = builder.lshr(both, ir.Constant(half, [4] * half.count))
            values = builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(INT32, NIBBLES), order))
            if element.width > 8:
                values = builder.zext(values, wide)
            values = builder.add(builder.xor(values, flip), add)
            place = builder.gep(target, [builder.mul(vector.index, ir.Constant(INT64, NIBBLES))])
            builder.store(values, builder.bitcast(place, wide.as_pointer()), align=1)

    return signature, generate


@intrinsic
def pack_nibbles(
    context: Any, target: Any, byte: Any, pitch: Any, source: Any, element: Any, elements: Any, runs: Any
) -> Any:
    """The lowest 4 bits of elements into bytes. A run has an even number of them and at least `PACKED`.

    Args of the compiled call:
        target: uint8, written from ``byte`` on: the runs are ``pitch`` apart.
        source: uint8, from ``element`` on: runs of ``elements``.
    """
    signature = types.void(target, byte, pitch, source, element, elements, runs)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, byte, pitch, source, element, elements, runs = unwrap(context, builder, signature.args, arguments)
        target, source = builder.gep(target, [byte]), builder.gep(source, [element])
        pair, half = ir.VectorType(ir.IntType(16), PACKED // 2), ir.VectorType(ir.IntType(8), PACKED // 2)
        one, count = ir.Constant(INT64, 1), ir.Constant(INT64, PACKED)
        vectors = builder.udiv(builder.add(elements, ir.Constant(INT64, PACKED - 1)), count)
        last = builder.sub(elements, count)
        with cgutils.for_range(builder, runs) as run, cgutils.for_range(builder, vectors) as vector:
            # The last vector may begin inside of the one before.
            place = builder.mul(vector.index, count)
            place = builder.select(builder.icmp_signed("<", place, last), place, last)
            pairs = builder.gep(source, [builder.add(builder.mul(run.index, elements), place)])
            pairs = builder.load(builder.bitcast(pairs, pair.as_pointer()), align=1)
            pairs = builder.and_(pairs, ir.Constant(pair, [0x0F0F] * pair.count))
            pairs = builder.or_(pairs, builder.lshr(pairs, ir.Constant(pair, [4] * pair.count)))
            packed = builder.gep(target, [builder.add(builder.mul(run.index, pitch), builder.lshr(place, one))])
            builder.store(builder.trunc(pairs, half), builder.bitcast(packed, half.as_pointer()), align=1)

    return signature, generate


@njit(**OPTIONS)
def unpack_run(target: Any, source: Any, count: int, bits: int, coding: Coding) -> None:
    """``count`` elements out of bytes."""
    flip, scale, add, _ = coding
    done = 0
    if bits == 4:
        vectors = count // NIBBLES
        unpack_nibbles(target, source, vectors, flip, add)
        done = vectors * NIBBLES
    each, mask = 8 // bits, (1 << bits) - 1
    for place in range(done, count):
        target[place] = (((source[place // each] >> (place % each * bits)) & mask) ^ flip) * scale + add


@njit(**OPTIONS)
def pack_run(target: Any, start: int, source: Any, first: int, count: int, bits: int) -> None:
    """``count`` elements of 2, 4 or 8 bits, from ``first`` on, into whole bytes, from ``start`` on."""
    if bits == 8:
        target[start : start + count] = source[first : first + count]
    elif bits == 4:
        for byte in range(count >> 1):
            target[start + byte] = source[first + 2 * byte] & 15 | source[first + 2 * byte + 1] << 4
    else:
        for byte in range(count >> 2):
            four = source[first + 4 * byte : first + 4 * byte + 4]
            target[start + byte] = four[0] & 3 | (four[1] & 3) << 2 | (four[2] & 3) << 4 | four[3] << 6


@njit(**OPTIONS)
def read_features(features: Any, source: Any, runs: Runs, coding: Coding, padding: Any, line: int) -> None:
    """Features out of memory, with their padding.

    Args:
        features: uint8 or int16, flat, written.
        source: uint8, from the first byte of the first row on.
        padding: rows above and below, elements left and right.
        line: elements of ``features`` from row to row.
    """
    above, below, left, right = padding
    features[: above * line] = coding.zero
    features[(above + runs.rows) * line : (above + runs.rows + below) * line] = coding.zero
    for row in range(runs.rows):
        start = (above + row) * line
        features[start : start + left] = coding.zero
        features[start + line - right : start + line] = coding.zero
        for run in range(runs.runs):
            place = start + left + run * runs.elements
            packed = source[row * runs.line + run * runs.pitch :]
            unpack_run(features[place : place + runs.elements], packed, runs.elements, runs.bits, coding)


@njit(**OPTIONS)
def write_elements(target: Any, runs: Runs, elements: Any) -> None:
    """The first rows and columns of (height, width, kernels) elements into memory."""
    flat = elements.reshape(-1)
    for row in range(runs.rows):
        start, first = row * runs.line, row * elements.shape[1] * elements.shape[2]
        if runs.bits == 4 and runs.elements >= PACKED:
            pack_nibbles(target, start, runs.pitch, flat, first, runs.elements, runs.runs)
        else:
            for run in range(runs.runs):
                byte, element = start + run * runs.pitch, first + run * runs.elements
                pack_run(target, byte, flat, element, runs.elements, runs.bits)

"""Sums of products of features and weights."""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from emu.npu.native.compiled.vectors import (
    BLOCK,
    FEW_PIXELS,
    GROUP_BYTES,
    INT32,
    INT64,
    LANES,
    OPTIONS,
    PIXELS,
    VECTOR,
    broadcast,
    load,
    unwrap,
)


class Window(NamedTuple):
    """Where the windows of a convolution are in its features; all in elements.

    Attributes:
        rows: rows of a window.
        groups: groups in a row of a window.
        line: from one row of the features to the next.
        step_y, step_x: from the window of a pixel to the one below and to the one right of it.
    """

    rows: int
    groups: int
    line: int
    step_y: int
    step_x: int


@intrinsic(prefer_literal=True)
def multiply(
    context: Any, pixels: Any, vectors: Any, sums: Any, features: Any, weights: Any, places: Any, rows: Any, line: Any,
    groups: Any, initial: Any,
) -> Any:  # fmt: skip
    """Psums of ``pixels`` pixels by ``vectors`` x `LANES` kernels, both literals.

    Args of the compiled call:
        sums: int32, written: (pixels, BLOCK).
        features: uint8 or int16.
        weights: int8 or int16, (rows, groups, vectors * LANES, elements of a group).
        places: int64, element of ``features`` at which the window of each pixel starts.
        rows: rows of the window.
        line: elements of ``features`` from one row to the next.
        groups: groups in a row of the window.
        initial: int32, what the psums of each kernel start from.
    """
    signature = types.void(pixels, vectors, sums, features, weights, places, rows, line, groups, initial)
    count, width = pixels.literal_value, vectors.literal_value
    element_bytes = features.dtype.bitwidth // 8
    accumulate = accumulation(features.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        sums, features, weights, places, rows, line, groups, initial = unwrap(
            context, builder, signature.args[2:], arguments[2:]
        )
        weights = builder.bitcast(weights, INT32.as_pointer())

        def constant(value: int) -> Any:
            return ir.Constant(INT64, value)

        psums = [[cgutils.alloca_once(builder, VECTOR) for _ in range(width)] for _ in range(count)]
        for vector in range(width):
            start = load(builder, builder.gep(initial, [constant(vector * LANES)]))
            for pixel in range(count):
                builder.store(start, psums[pixel][vector])
        windows = [
            builder.gep(features, [builder.load(builder.gep(places, [constant(pixel)]))]) for pixel in range(count)
        ]
        with cgutils.for_range(builder, rows) as row, cgutils.for_range(builder, groups) as group:
            step = builder.add(builder.mul(row.index, groups), group.index)
            kernels = [
                load(builder, builder.gep(weights, [builder.add(builder.mul(step, constant(width * LANES)), lane)]))
                for lane in map(constant, range(0, width * LANES, LANES))
            ]
            offset = builder.add(
                builder.mul(row.index, line), builder.mul(group.index, constant(GROUP_BYTES // element_bytes))
            )
            for pixel in range(count):
                address = builder.bitcast(builder.gep(windows[pixel], [offset]), INT32.as_pointer())
                feature = broadcast(builder, builder.load(address, align=1))
                for place, weight in zip(psums[pixel], kernels, strict=True):
                    builder.store(accumulate(builder, builder.load(place), feature, weight), place)
        for pixel in range(count):
            for vector in range(width):
                target = builder.gep(sums, [constant(pixel * BLOCK + vector * LANES)])
                value = builder.load(psums[pixel][vector])
                builder.store(value, builder.bitcast(target, VECTOR.as_pointer()), align=4)

    return signature, generate


def accumulation(kind: Any) -> Any:
    """What generates the addition of the products of a group to psums, for features of a numba type."""
    return _accumulate_fours if kind.bitwidth == 8 else _accumulate_pairs


def _accumulate_fours(builder: Any, psum: Any, features: Any, weights: Any) -> Any:
    """Adds four products of unsigned and signed bytes to each lane, by the VNNI instruction."""
    name = f"llvm.x86.avx512.vpdpbusd.{32 * LANES}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(VECTOR, [VECTOR] * 3), name)
    return builder.call(function, [psum, features, weights])


def _accumulate_pairs(builder: Any, psum: Any, features: Any, weights: Any) -> Any:
    """Adds two products of signed 16-bit numbers to each lane; x86 has an instruction for this pattern."""
    narrow, wide = ir.VectorType(ir.IntType(16), 2 * LANES), ir.VectorType(INT32, 2 * LANES)
    products = builder.mul(*(builder.sext(builder.bitcast(side, narrow), wide) for side in (features, weights)))
    even, odd = (
        builder.shuffle_vector(products, products, ir.Constant(VECTOR, list(range(first, 2 * LANES, 2))))
        for first in (0, 1)
    )
    return builder.add(psum, builder.add(even, odd))


@njit(**OPTIONS)
def block_sums(
    sums: Any, features: Any, weights: Any, places: Any, count: int, window: Window, initial: Any, kernels: int
) -> None:
    """Psums of ``count`` pixels for one block of kernels; other arguments as of `multiply`.

    ``places`` and ``sums`` have room for `PIXELS` more: the last step may compute pixels that nobody wants.
    """
    rows, line, groups = window.rows, window.line, window.groups
    wide = kernels > LANES
    done = 0
    while done < count:
        part, where, left = sums[done * BLOCK :], places[done:], count - done
        if left > FEW_PIXELS:
            if wide:
                multiply(PIXELS, 2, part, features, weights, where, rows, line, groups, initial)
            else:
                multiply(PIXELS, 1, part, features, weights, where, rows, line, groups, initial)
            done += PIXELS
        elif left > 1:
            if wide:
                multiply(FEW_PIXELS, 2, part, features, weights, where, rows, line, groups, initial)
            else:
                multiply(FEW_PIXELS, 1, part, features, weights, where, rows, line, groups, initial)
            done += FEW_PIXELS
        else:
            if wide:
                multiply(1, 2, part, features, weights, where, rows, line, groups, initial)
            else:
                multiply(1, 1, part, features, weights, where, rows, line, groups, initial)
            done += 1


@njit(**OPTIONS)
def find_places(places: Any, rows: int, columns: int, window: Window) -> None:
    """Where the windows of a chunk start, from its first one on; entries after the chunk repeat the last one."""
    for row in range(rows):
        for column in range(columns):
            places[row * columns + column] = row * window.step_y + column * window.step_x
    places[rows * columns : rows * columns + PIXELS] = places[rows * columns - 1]

"""Convolution and requantisation as numba functions. This file alone holds compiled code: numba's cache follows it.

Features and weights are multiplied in *groups* of 32 bits along the channels: four elements of 8 bits where the
processor has VNNI, which multiplies unsigned features by signed weights, else two elements of 16 bits. The dtype of
the features says which. One step multiplies a group of some pixels by a group of some kernels, one kernel in each
lane of a vector, and adds to psums that stay in registers. Psums wrap around at 32 bits; a sum that ends within
32 bits is exact, whatever happens on the way.

Inaccuracies: none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from emu.npu.native.processor import LANES, PIXELS

FEW_PIXELS = PIXELS // 2
BLOCK = 2 * LANES
"""Kernels that are multiplied together."""
CHUNK_COLUMNS = 56
CHUNK_PIXELS = 112
"""Psums of a chunk of the output stay in the first-level cache: 14 KiB."""
PSUM_LOW, PSUM_HIGH = -(1 << 31), (1 << 31) - 1

INT32, INT64 = ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(INT32, LANES)
GROUP_BYTES = 4
OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


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


class Scaling(NamedTuple):
    """How psums become elements, for all kernels and as many more as fill a block.

    Attributes:
        table: int64, (4, kernels): bias, multiplier, shift, offset.
        low, high: int64, (kernels,), bounds of the result, at most 255 apart.
        low_bytes: uint8, (kernels,), the lowest byte of ``low``.
        spans: float32, (kernels,), high - low.
        scales, starts: float32, (kernels,), factors of `rescale_float`.
        proven: bool, (blocks,), whether `rescale_float` is exact for all kernels of a block.
    """

    table: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    low_bytes: NDArray[np.uint8]
    spans: NDArray[np.float32]
    scales: NDArray[np.float32]
    starts: NDArray[np.float32]
    proven: NDArray[np.bool_]


NO_PSUMS = np.empty((0, 0, 0), np.int32)
NO_ELEMENTS = np.empty((0, 0, 0), np.uint8)
NO_SCALING = Scaling(
    table=np.empty((4, 0), np.int64),
    low=np.empty(0, np.int64),
    high=np.empty(0, np.int64),
    low_bytes=np.empty(0, np.uint8),
    spans=np.empty(0, np.float32),
    scales=np.empty(0, np.float32),
    starts=np.empty(0, np.float32),
    proven=np.empty(0, np.bool_),
)
"""For a convolution that gives only psums or only elements."""


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
    accumulate = _accumulate_fours if element_bytes == 1 else _accumulate_pairs

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        kinds = signature.args
        sums, features, weights, places, initial = (
            context.make_array(kinds[index])(context, builder, arguments[index]).data for index in (2, 3, 4, 5, 9)
        )
        rows, line, groups = (context.cast(builder, arguments[index], kinds[index], types.int64) for index in (6, 7, 8))

        def vector_at(pointer: Any, index: Any) -> Any:
            return builder.gep(builder.bitcast(pointer, VECTOR.as_pointer()), [index])

        def constant(value: int) -> Any:
            return ir.Constant(INT64, value)

        psums = [[cgutils.alloca_once(builder, VECTOR) for _ in range(width)] for _ in range(count)]
        for lane in range(width):
            start = builder.load(vector_at(initial, constant(lane)), align=4)
            for pixel in range(count):
                builder.store(start, psums[pixel][lane])
        windows = [
            builder.gep(features, [builder.load(builder.gep(places, [constant(pixel)]))]) for pixel in range(count)
        ]
        with cgutils.for_range(builder, rows) as row, cgutils.for_range(builder, groups) as group:
            step = builder.add(builder.mul(row.index, groups), group.index)
            first = builder.mul(step, constant(width))
            kernels = [
                builder.load(vector_at(weights, builder.add(first, constant(lane))), align=4) for lane in range(width)
            ]
            offset = builder.add(
                builder.mul(row.index, line), builder.mul(group.index, constant(GROUP_BYTES // element_bytes))
            )
            for pixel in range(count):
                address = builder.bitcast(builder.gep(windows[pixel], [offset]), INT32.as_pointer())
                feature = _broadcast(builder, builder.load(address, align=1))
                for lane in range(width):
                    place = psums[pixel][lane]
                    builder.store(accumulate(builder, builder.load(place), feature, kernels[lane]), place)
        for pixel in range(count):
            for lane in range(width):
                target = vector_at(sums, constant(pixel * (BLOCK // LANES) + lane))
                builder.store(builder.load(psums[pixel][lane]), target, align=4)

    return signature, generate


def _broadcast(builder: Any, value: Any) -> Any:
    """A 32-bit value in all lanes."""
    undefined = ir.Constant(VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(INT32, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(VECTOR, [0] * LANES))


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
def find_places(places: Any, top: int, rows: int, left: int, columns: int, window: Window) -> None:
    """Where the windows of a chunk start; entries after the chunk repeat the last one."""
    for row in range(rows):
        for column in range(columns):
            places[row * columns + column] = (top + row) * window.step_y + (left + column) * window.step_x
    places[rows * columns : rows * columns + PIXELS] = places[rows * columns - 1]


@njit(**OPTIONS)
def pool(sums: Any, rows: int, columns: int) -> None:
    """The largest psum of each 2 x 2 pixels, in place; at the edges of those that exist."""
    for row in range(0, rows, 2):
        below = min(row + 1, rows - 1)
        for column in range(0, columns, 2):
            right = min(column + 1, columns - 1)
            a, b = (row * columns + column) * BLOCK, (row * columns + right) * BLOCK
            c, d = (below * columns + column) * BLOCK, (below * columns + right) * BLOCK
            target = (row // 2 * ((columns + 1) // 2) + column // 2) * BLOCK
            for kernel in range(BLOCK):
                above = max(sums[a + kernel], sums[b + kernel])
                sums[target + kernel] = max(above, max(sums[c + kernel], sums[d + kernel]))


@njit(**OPTIONS)
def copy_psums(target: Any, sums: Any, rows: int, columns: int, kernel: int, wanted: int) -> None:
    """Puts the psums of a chunk where they belong."""
    for row in range(rows):
        for column in range(columns):
            first = (row * columns + column) * BLOCK
            target[row, column, kernel : kernel + wanted] = sums[first : first + wanted]


@njit(inline="always")
def rescale(psum: int, bias: int, multiplier: int, shift: int, offset: int, low: int, high: int) -> int:
    """The activation unit in 64 bits: nothing in it reaches 2^63.

    A negative product is moved down by one where it is shifted: halves round away from zero, shifts round down.
    """
    total = min(max(np.int64(psum) + bias, PSUM_LOW), PSUM_HIGH)
    product = total * multiplier
    half = (np.int64(1) << shift) >> 1
    down = np.int64((product < 0) & (shift > 0))
    return min(max(((product + half - down) >> shift) + offset, low), high)


@njit(inline="always")
def rescale_float(psum: int, scale: Any, start: Any, span: Any) -> int:
    """What `rescale` gives, less the lowest result, in float32; `prove` finds out for which kernels."""
    return np.int32(min(max(np.float32(psum) * scale + start, np.float32(0)), span))


@njit(**OPTIONS)
def threshold(value: int, first: int, last: int, entry: Any, low: int, high: int) -> int:
    """The first psum in first..last that gives ``value`` or more; last + 1 if none does."""
    after = last + 1
    while first < after:
        middle = (first + after) >> 1
        if rescale(middle, entry[0], entry[1], entry[2], entry[3], low, high) >= value:
            after = middle
        else:
            first = middle + 1
    return after


@njit(**OPTIONS)
def prove(scaling: Scaling, bounds: Any, proven: Any) -> None:
    """Finds the factors of `rescale_float` and whether they are exact for every psum that a kernel can have.

    Both ways are staircases that never go down, of 255 steps at most: they are equal where every step lies between
    the same two psums.

    Args:
        scaling: ``scales`` and ``starts`` are written.
        bounds: int64, (kernels,), no psum is larger in magnitude.
        proven: bool, (kernels,), written.
    """
    firsts = np.empty(256, np.int64)
    for kernel in range(len(bounds)):
        entry, bound = scaling.table[:, kernel], bounds[kernel]
        low, high, span = scaling.low[kernel], scaling.high[kernel], scaling.spans[kernel]
        scale = np.float32(entry[1] / np.float64(np.int64(1) << entry[2]))
        smallest, largest = -np.inf, np.inf
        first = -bound
        for step in range(1, high - low + 1):
            first = threshold(low + step, first, bound, entry, low, high)
            firsts[step] = first
            if first <= bound:
                smallest = max(smallest, step - np.float64(scale) * first)
            if first > -bound:
                largest = min(largest, step - np.float64(scale) * (first - 1))
        if np.isinf(smallest):
            smallest = largest - 2 if np.isfinite(largest) else 0.0
        if np.isinf(largest):
            largest = smallest + 2
        start = np.float32((smallest + largest) / 2)
        good = True
        for step in range(1, high - low + 1):
            first = firsts[step]
            if first <= bound:
                good &= rescale_float(np.int32(first), scale, start, span) >= step
            if first > -bound:
                good &= rescale_float(np.int32(first - 1), scale, start, span) < step
        scaling.scales[kernel], scaling.starts[kernel], proven[kernel] = scale, start, good


@njit(**OPTIONS)
def requantise(elements: Any, sums: Any, rows: int, columns: int, kernel: int, wanted: int, scaling: Scaling) -> None:
    """Elements of a chunk of the output, (rows, columns, all kernels), from its psums for one block of kernels."""
    if scaling.proven[kernel // BLOCK]:
        scales, starts, spans = scaling.scales[kernel:], scaling.starts[kernel:], scaling.spans[kernel:]
        lowest = scaling.low_bytes[kernel:]
        for row in range(rows):
            for column in range(columns):
                psums = sums[(row * columns + column) * BLOCK :]
                target = elements[row, column, kernel:]
                for lane in range(wanted):
                    step = rescale_float(psums[lane], scales[lane], starts[lane], spans[lane])
                    target[lane] = np.uint8(step) + lowest[lane]
        return
    bias, multiplier, shift, offset = scaling.table[:, kernel:]
    low, high = scaling.low[kernel:], scaling.high[kernel:]
    for row in range(rows):
        for column in range(columns):
            psums = sums[(row * columns + column) * BLOCK :]
            target = elements[row, column, kernel:]
            for lane in range(wanted):
                target[lane] = np.uint8(
                    rescale(
                        psums[lane], bias[lane], multiplier[lane], shift[lane], offset[lane], low[lane], high[lane]
                    )
                )


@njit(**OPTIONS)
def convolve(
    psums: Any, elements: Any, features: Any, weights: Any, initial: Any, window: Window, shape: Any, scaling: Scaling,
    pooled: bool,
) -> None:  # fmt: skip
    """Psums of a convolution, or elements of its output.

    Args:
        psums: int32, (height, width, kernels), written; empty where elements are wanted.
        elements: uint8, (height, width, kernels), written; empty where psums are wanted. Pooled ones are half as large.
        features: uint8 or int16, rows with their padding, and a group more at the end.
        weights: int8 or int16, as `emu.npu.native.layout` orders them.
        initial: int32, what the psums of each kernel start from, whole blocks.
        shape: height, width, kernels of the output before pooling.
        pooled: 2 x 2 maximum.
    """
    height, width, kernels = shape
    sums = np.empty((CHUNK_PIXELS + PIXELS) * BLOCK, np.int32)
    places = np.empty(CHUNK_PIXELS + PIXELS, np.int64)
    chunk_columns = min(width, CHUNK_COLUMNS)
    chunk_rows = (CHUNK_PIXELS // chunk_columns) & ~1
    position = 0
    for kernel in range(0, kernels, BLOCK):
        wanted = min(BLOCK, kernels - kernel)
        for top in range(0, height, chunk_rows):
            rows = min(chunk_rows, height - top)
            for left in range(0, width, chunk_columns):
                columns = min(chunk_columns, width - left)
                find_places(places, top, rows, left, columns, window)
                block_sums(
                    sums, features, weights[position:], places, rows * columns, window, initial[kernel:], wanted
                )
                if pooled:
                    pool(sums, rows, columns)
                    part = elements[top // 2 :, left // 2 :]
                    requantise(part, sums, (rows + 1) // 2, (columns + 1) // 2, kernel, wanted, scaling)
                elif len(elements):
                    requantise(elements[top:, left:], sums, rows, columns, kernel, wanted, scaling)
                else:
                    copy_psums(psums[top:, left:], sums, rows, columns, kernel, wanted)
        lanes = BLOCK if wanted > LANES else LANES
        position += window.rows * window.groups * lanes * (GROUP_BYTES // features.itemsize)

"""Convolution and requantisation as numba functions.

All that the compiled code depends on is in this file, because numba's cache follows one file. Importing it imports
numba: wait until something is to be computed.

Features and weights are multiplied in *groups* of 32 bits along the channels: four elements of 8 bits where the
processor has VNNI, which multiplies unsigned features by signed weights, else two elements of 16 bits. The dtype of
the features says which. One step multiplies a group of some pixels by a group of some kernels, one kernel in each
lane of a vector, and adds to psums that stay in registers. Psums wrap around at 32 bits; a sum that ends within
32 bits is exact, whatever happens on the way.

Inaccuracies: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numpy.typing import NDArray


def _target_features() -> frozenset[str]:
    """Instruction sets that numba compiles for: those of the host, unless numba's settings say otherwise."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return frozenset(feature[1:] for feature in features.split(",") if feature.startswith("+"))


FEATURES = _target_features()
LANES = 16 if "avx512bw" in FEATURES else 8
"""32-bit numbers in a vector."""
HAS_VNNI = ("avx512vnni" if LANES == 16 else "avxvnni") in FEATURES
PIXELS = 14 if LANES == 16 else 6
"""Pixels that are multiplied together: their psums, two vectors each, fill most of the registers."""
FEW_PIXELS = PIXELS // 2
BLOCK = 2 * LANES
"""Kernels that are multiplied together."""
CHUNK_COLUMNS = 56
CHUNK_PIXELS = 112
"""Psums of a chunk of the output stay in the first-level cache: 14 KiB."""

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
    """What the bits of an element mean: ((bits ^ flip) * scale) + add; padding is ``zero``."""

    flip: int
    scale: int
    add: int
    zero: int


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
NO_PSUMS = np.empty((0, 0, 0), np.int32)
NO_ELEMENTS = np.empty((0, 0, 0), np.uint8)


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
        sums, features, weights, places, rows, line, groups, initial = _unwrap(
            context, builder, signature.args[2:], arguments[2:]
        )
        weights = builder.bitcast(weights, INT32.as_pointer())

        def constant(value: int) -> Any:
            return ir.Constant(INT64, value)

        psums = [[cgutils.alloca_once(builder, VECTOR) for _ in range(width)] for _ in range(count)]
        for vector in range(width):
            start = _load(builder, builder.gep(initial, [constant(vector * LANES)]))
            for pixel in range(count):
                builder.store(start, psums[pixel][vector])
        windows = [
            builder.gep(features, [builder.load(builder.gep(places, [constant(pixel)]))]) for pixel in range(count)
        ]
        with cgutils.for_range(builder, rows) as row, cgutils.for_range(builder, groups) as group:
            step = builder.add(builder.mul(row.index, groups), group.index)
            kernels = [
                _load(builder, builder.gep(weights, [builder.add(builder.mul(step, constant(width * LANES)), lane)]))
                for lane in map(constant, range(0, width * LANES, LANES))
            ]
            offset = builder.add(
                builder.mul(row.index, line), builder.mul(group.index, constant(GROUP_BYTES // element_bytes))
            )
            for pixel in range(count):
                address = builder.bitcast(builder.gep(windows[pixel], [offset]), INT32.as_pointer())
                feature = _broadcast(builder, builder.load(address, align=1))
                for place, weight in zip(psums[pixel], kernels, strict=True):
                    builder.store(accumulate(builder, builder.load(place), feature, weight), place)
        for pixel in range(count):
            for vector in range(width):
                target = builder.gep(sums, [constant(pixel * BLOCK + vector * LANES)])
                value = builder.load(psums[pixel][vector])
                builder.store(value, builder.bitcast(target, VECTOR.as_pointer()), align=4)

    return signature, generate


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
        target, pitch, psums, count, *pointers = _unwrap(context, builder, signature.args, arguments)
        bias, multiplier, shift, half, least, most, offset = (_load(builder, pointer) for pointer in pointers)
        wide, narrow = shift.type, offset.type
        multiplier = builder.sext(multiplier, wide)
        with cgutils.for_range(builder, count) as pixel:
            psum = _load(builder, builder.gep(psums, [builder.mul(pixel.index, ir.Constant(INT64, BLOCK))]))
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


@intrinsic
def pool_row(context: Any, target: Any, upper: Any, lower: Any, columns: Any) -> Any:
    """The largest psum of each 2 x 2 pixels of two rows of ``columns``; the last column may be alone.

    All are int32, (pixels, BLOCK).
    """
    signature = types.void(target, upper, lower, columns)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, upper, lower, columns = _unwrap(context, builder, signature.args, arguments)
        one, block = ir.Constant(INT64, 1), ir.Constant(INT64, BLOCK)
        last = builder.sub(columns, one)
        with cgutils.for_range(builder, builder.lshr(builder.add(columns, one), one)) as column:
            left = builder.shl(column.index, one)
            right = builder.add(left, one)
            right = builder.select(builder.icmp_signed("<", right, last), right, last)
            for first in range(0, BLOCK, LANES):
                lane = ir.Constant(INT64, first)
                four = [
                    _load(builder, builder.gep(row, [builder.add(builder.mul(side, block), lane)]))
                    for row in (upper, lower)
                    for side in (left, right)
                ]
                largest = reduce(lambda a, b: builder.select(builder.icmp_signed(">", a, b), a, b), four)
                place = builder.gep(target, [builder.add(builder.mul(column.index, block), lane)])
                builder.store(largest, builder.bitcast(place, VECTOR.as_pointer()), align=4)

    return signature, generate


def _unwrap(context: Any, builder: Any, kinds: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """Pointers to the first elements of arrays, integers with 64 bits."""
    return [
        context.make_array(kind)(context, builder, argument).data
        if isinstance(kind, types.Array)
        else context.cast(builder, argument, kind, types.int64)
        for kind, argument in zip(kinds, arguments, strict=True)
    ]


def _load(builder: Any, pointer: Any) -> Any:
    """`LANES` elements from an address of any alignment."""
    vector = ir.VectorType(pointer.type.pointee, LANES)
    return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=1)


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
def pool(pooled: Any, sums: Any, rows: int, columns: int) -> None:
    """The largest psum of each 2 x 2 pixels; at the edges of those that exist."""
    width = (columns + 1) // 2 * BLOCK
    for row in range(0, rows, 2):
        below = min(row + 1, rows - 1)
        pool_row(pooled[row // 2 * width :], sums[row * columns * BLOCK :], sums[below * columns * BLOCK :], columns)


@njit(**OPTIONS)
def copy_psums(target: Any, sums: Any, rows: int, columns: int, kernel: int, wanted: int) -> None:
    """Puts the psums of a chunk where they belong."""
    for row in range(rows):
        for column in range(columns):
            first = (row * columns + column) * BLOCK
            target[row, column, kernel : kernel + wanted] = sums[first : first + wanted]


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
    pooled_sums = np.empty(CHUNK_PIXELS * BLOCK, np.int32)
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
                block_sums(sums, features, weights[position:], places, rows * columns, window, initial[kernel:], wanted)
                if pooled:
                    pool(pooled_sums, sums, rows, columns)
                    part = elements[top // 2 :, left // 2 :]
                    requantise(part, pooled_sums, (rows + 1) // 2, (columns + 1) // 2, kernel, wanted, scaling)
                elif len(elements):
                    requantise(elements[top:, left:], sums, rows, columns, kernel, wanted, scaling)
                else:
                    copy_psums(psums[top:, left:], sums, rows, columns, kernel, wanted)
        lanes = BLOCK if wanted > LANES else LANES
        position += window.rows * window.groups * lanes * (GROUP_BYTES // features.itemsize)


@njit(**OPTIONS)
def unpack_run(target: Any, source: Any, count: int, bits: int, coding: Coding) -> None:
    """``count`` elements out of bytes."""
    flip, scale, add, _ = coding
    done = 0
    if bits == 4:
        done = count & ~1
        for byte in range(count >> 1):
            target[2 * byte] = ((source[byte] & 15) ^ flip) * scale + add
            target[2 * byte + 1] = ((source[byte] >> 4) ^ flip) * scale + add
    each, mask = 8 // bits, (1 << bits) - 1
    for place in range(done, count):
        target[place] = (((source[place // each] >> (place % each * bits)) & mask) ^ flip) * scale + add


@njit(**OPTIONS)
def pack_run(target: Any, source: Any, count: int, bits: int) -> None:
    """``count`` elements of 2, 4 or 8 bits into whole bytes."""
    if bits == 8:
        for byte in range(count):
            target[byte] = source[byte]
    elif bits == 4:
        for byte in range(count >> 1):
            target[byte] = source[2 * byte] & 15 | source[2 * byte + 1] << 4
    else:
        for byte in range(count >> 2):
            four = source[4 * byte : 4 * byte + 4]
            target[byte] = four[0] & 3 | (four[1] & 3) << 2 | (four[2] & 3) << 4 | four[3] << 6


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
    pitch = runs.elements
    for row in range(runs.rows):
        made = elements[row].reshape(-1)
        for run in range(runs.runs):
            pack_run(target[row * runs.line + run * runs.pitch :], made[run * pitch :], pitch, runs.bits)


@njit(**OPTIONS)
def convolve_memory(
    target: Any, target_runs: Runs, elements: Any, source: Any, source_runs: Runs, coding: Coding, padding: Any,
    features: Any, weights: Any, initial: Any, window: Window, shape: Any, scaling: Scaling, pooled: bool,
) -> None:  # fmt: skip
    """A convolution from memory to memory.

    Args:
        target, source: uint8, bytes of the tensors.
        elements, features: room for what is between.
        padding: as of `read_features`; other arguments as of `convolve`.
    """
    read_features(features, source, source_runs, coding, padding, window.line)
    height, width, kernels = shape
    step = 2 if pooled else 1
    height, width = (height + step - 1) // step, (width + step - 1) // step
    made = elements[: height * width * kernels].reshape(height, width, kernels)
    convolve(np.empty((0, 0, 0), np.int32), made, features, weights, initial, window, shape, scaling, pooled)
    write_elements(target, target_runs, made)

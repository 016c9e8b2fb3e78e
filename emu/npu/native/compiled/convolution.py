"""Whole convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from emu.npu.native.compiled.activation import pool, requantise
from emu.npu.native.compiled.memory import Coding, Runs, read_features, write_elements
from emu.npu.native.compiled.products import Window, block_sums, find_places
from emu.npu.native.compiled.vectors import BLOCK, CHUNK_COLUMNS, CHUNK_PIXELS, GROUP_BYTES, LANES, OPTIONS, PIXELS
from emu.npu.native.compiled.winograd import POSITIONS, TILES, Room, tile_psums, transform_chunk

LINE_BYTES = 64
NO_PSUMS = np.empty((0, 0, 0), np.int32)
NO_ELEMENTS = np.empty((0, 0, 0), np.uint8)


@njit(**OPTIONS)
def empty_psums(pixels: int) -> Any:
    """Room for the psums of a block of kernels that begins where a cache line begins."""
    memory = np.empty(pixels * BLOCK + LINE_BYTES // 4, np.int32)
    return memory[-memory.ctypes.data % LINE_BYTES // 4 :]


@njit(**OPTIONS)
def copy_psums(target: Any, sums: Any, rows: int, columns: int, kernel: int, wanted: int) -> None:
    """Puts the psums of a chunk where they belong."""
    for row in range(rows):
        for column in range(columns):
            first = (row * columns + column) * BLOCK
            target[row, column, kernel : kernel + wanted] = sums[first : first + wanted]


@njit(**OPTIONS)
def finish(
    psums: Any, elements: Any, sums: Any, top: int, rows: int, left: int, columns: int, kernel: int, wanted: int,
    scaling: Any,
) -> None:  # fmt: skip
    """Puts a chunk, pooled if it is to be, or the elements that become of it, where they belong."""
    if len(elements):
        requantise(elements[top:, left:], sums, rows, columns, kernel, wanted, scaling)
    else:
        copy_psums(psums[top:, left:], sums, rows, columns, kernel, wanted)


@njit(**OPTIONS)
def convolve_directly(
    psums: Any, elements: Any, features: Any, weights: Any, initial: Any, window: Window, shape: Any, scaling: Any,
    pooled: bool,
) -> None:  # fmt: skip
    """`convolve` as it is defined."""
    height, width, kernels = shape
    sums = empty_psums(CHUNK_PIXELS + PIXELS)
    step = 2 if pooled else 1
    places = np.empty(CHUNK_PIXELS + PIXELS, np.int64)
    chunk_columns = min(width, CHUNK_COLUMNS)
    chunk_rows = (CHUNK_PIXELS // chunk_columns) & ~1
    position = known_rows = known_columns = 0
    for kernel in range(0, kernels, BLOCK):
        wanted = min(BLOCK, kernels - kernel)
        for top in range(0, height, chunk_rows):
            rows = min(chunk_rows, height - top)
            for left in range(0, width, chunk_columns):
                columns = min(chunk_columns, width - left)
                if rows != known_rows or columns != known_columns:
                    find_places(places, rows, columns, window)
                    known_rows, known_columns = rows, columns
                block_sums(
                    sums, features[top * window.step_y + left * window.step_x :], weights[position:], places,
                    rows * columns, window, initial[kernel:], wanted,
                )  # fmt: skip
                if pooled:
                    pool(sums, rows, columns, wanted)
                finish(
                    psums, elements, sums, top // step, -(-rows // step), left // step, -(-columns // step), kernel,
                    wanted, scaling,
                )  # fmt: skip
        lanes = BLOCK if wanted > LANES else LANES
        position += window.rows * window.groups * lanes * (GROUP_BYTES // features.itemsize)


@njit(**OPTIONS)
def convolve_tiles(
    psums: Any, elements: Any, features: Any, weights: Any, initial: Any, room: Room, window: Window, shape: Any,
    scaling: Any, pooled: bool,
) -> None:  # fmt: skip
    """`convolve` by tiles. A chunk is transformed once, then multiplied by all kernels."""
    height, width, kernels = shape
    sums = empty_psums(CHUNK_PIXELS)
    group = GROUP_BYTES // features.itemsize
    groups = -(-window.step_x // group)
    step = 2 if pooled else 1
    chunk_columns = min((width + 1) // 2, TILES) * 2
    chunk_rows = TILES // (chunk_columns // 2) * 2
    for top in range(0, height, chunk_rows):
        rows = min(chunk_rows, height - top)
        for left in range(0, width, chunk_columns):
            columns = min(chunk_columns, width - left)
            transform_chunk(room, features, top, rows, left, columns, window)
            for kernel in range(0, kernels, BLOCK):
                wanted = min(BLOCK, kernels - kernel)
                tile_psums(
                    sums, room, weights[kernel * POSITIONS * groups * group :], initial, rows, columns, groups, kernel,
                    wanted, pooled,
                )  # fmt: skip
                finish(
                    psums, elements, sums, top // step, -(-rows // step), left // step, -(-columns // step), kernel,
                    wanted, scaling,
                )  # fmt: skip


@njit(**OPTIONS)
def convolve(
    psums: Any, elements: Any, features: Any, weights: Any, initial: Any, room: Room, window: Window, shape: Any,
    scaling: Any, pooled: bool, tiled: bool,
) -> None:  # fmt: skip
    """Psums of a convolution, or elements of its output.

    Args:
        psums: int32, (height, width, kernels), written; empty where elements are wanted.
        elements: uint8, (height, width, kernels), written; empty where psums are wanted. Pooled ones are half as large.
        features: uint8 or int16, rows with their padding, and `Window.behind` more at the end.
        weights: int8 or int16, as `emu.npu.native.layout` orders them; by tiles, as `emu.npu.native.winograd` does.
        initial: int32, what the psums of each kernel start from, whole blocks; by tiles, for each position.
        room: for what is transformed, if ``tiled``.
        shape: height, width, kernels of the output before pooling.
        pooled: 2 x 2 maximum.
        tiled: by tiles.
    """
    if tiled:
        convolve_tiles(psums, elements, features, weights, initial, room, window, shape, scaling, pooled)
    else:
        convolve_directly(psums, elements, features, weights, initial, window, shape, scaling, pooled)


@njit(**OPTIONS)
def runs_at(job: Any, first: int) -> Runs:
    """`Runs` in the numbers of a job."""
    return Runs(job[first], job[first + 1], job[first + 2], job[first + 3], job[first + 4], job[first + 5])


@njit(**OPTIONS)
def convolve_memory(
    job: Any, target: Any, source: Any, elements: Any, features: Any, weights: Any, initial: Any, scaling: Any,
    transformed: Any, sums: Any,
) -> None:  # fmt: skip
    """A convolution from memory to memory. A call with few arguments is a fast one.

    Args:
        job: int64: `Runs` of the target and of the source, `Coding`, padding as of `read_features`, `Window`, and of
            `convolve`'s arguments shape, pooled, tiled.
        target, source: uint8, bytes of the tensors.
        elements, features: room for what is between.
        transformed, sums: the `Room`; other arguments as of `convolve`.
    """
    target_runs, source_runs = runs_at(job, 0), runs_at(job, 6)
    coding, padding = Coding(job[12], job[13], job[14], job[15]), (job[16], job[17], job[18], job[19])
    window = Window(job[20], job[21], job[22], job[23], job[24])
    height, width, kernels = shape = job[25], job[26], job[27]
    pooled, tiled = job[28] != 0, job[29] != 0
    read_features(features, source, source_runs, coding, padding, window.line)
    step = 2 if pooled else 1
    height, width = (height + step - 1) // step, (width + step - 1) // step
    made, psums = elements[: height * width * kernels].reshape(height, width, kernels), np.empty((0, 0, 0), np.int32)
    room = Room(transformed, sums)
    convolve(psums, made, features, weights, initial, room, window, shape, scaling, pooled, tiled)
    write_elements(target, target_runs, made)

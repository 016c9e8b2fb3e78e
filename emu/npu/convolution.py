"""The arithmetic of the tiles: exact sums of products, computed in floating point where that is provably exact.

A psum is the sum of one kernel's products over one window. Each tile of a chain sums its slice of the channels
and adds that to the psum of the tile before it; that addition saturates to 32 bits. The passes of nibbles of 8-bit
operands are added inside the tile.

*Inaccuracies*: none in the results. Products and the sums inside a tile are taken to be wide enough, which
they are for every kernel that fits a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from emu.npu.formats import Integers

PSUM_LOW, PSUM_HIGH = -(1 << 31), (1 << 31) - 1
FLOAT32_EXACT = 1 << 24
"""Every integer up to this is a float32; partial sums of any order stay exact below it."""
CHUNK_BYTES = 2 << 20
"""Size of the window matrix that is built at a time; larger ones fall out of the cache."""

Psums = NDArray[Any]
"""Integers in a float32, float64 or int64 array."""


@dataclass(eq=False)
class Weights:
    """Kernels, ready to multiply.

    Attributes:
        kernels: integers, (kernels, height, width, channels).
        slices: channels of each tile of the chain, in order: (first, one past the last).
        magnitude: largest sum of absolute weights of one kernel.
        depthwise: whether kernel k, of one channel, is for channel k alone.
        prepared: what compiled code made of the kernels, None if nothing yet.
    """

    kernels: Integers
    slices: tuple[tuple[int, int], ...]
    magnitude: int
    depthwise: bool = False
    prepared: Any = None

    @property
    def height(self) -> int:
        """Rows of a kernel."""
        return int(self.kernels.shape[1])

    @property
    def width(self) -> int:
        """Columns of a kernel."""
        return int(self.kernels.shape[2])

    @cached_property
    def matrix(self) -> NDArray[np.float32]:
        """The kernels, (height * width * channels, kernels)."""
        return np.ascontiguousarray(self.kernels.reshape(len(self.kernels), -1).T, dtype=np.float32)

    @classmethod
    def of_kernels(cls, kernels: Integers, slices: tuple[tuple[int, int], ...], depthwise: bool = False) -> Weights:
        """From integers, (kernels, height, width, channels)."""
        magnitude = int(np.abs(kernels.astype(np.int64)).sum(axis=(1, 2, 3)).max())
        return cls(kernels, slices, magnitude, depthwise)


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Rows of a convolution that one set of kernels makes.

    Attributes:
        features: the whole input, (height, width, channels).
        padding: top, bottom, left, right.
        strides: vertical, horizontal.
        largest: no feature is larger in magnitude.
        rows: rows of the result, before pooling.
        initial: psums that the chain starts from, (rows, columns, kernels); None for zeros.
    """

    features: Integers
    padding: tuple[int, int, int, int]
    strides: tuple[int, int]
    largest: int
    weights: Weights
    rows: range
    initial: Integers | None

    @property
    def reach(self) -> int:
        """No psum would be larger in magnitude if psums did not saturate."""
        start = 0 if self.initial is None else largest_magnitude(self.initial)
        return self.weights.magnitude * self.largest + start

    @property
    def bound(self) -> int:
        """No psum is larger in magnitude."""
        return min(self.reach, PSUM_HIGH + 1)

    def psums(self) -> Iterator[tuple[int, Psums]]:
        """What `psums` yields."""
        padded = pad(self.features, *self.padding)
        return psums(padded, self.weights, self.strides, self.largest, self.rows, self.initial)


def input_rows(rows: range, stride: int, kernel_height: int, top: int, height: int) -> tuple[int, int, int, int]:
    """Input rows that rows of the result need.

    Args:
        rows: consecutive rows of the result.
        top: rows of padding above the input.
        height: of the input.

    Returns:
        First row and one past the last, rows of padding above and below them.
    """
    start = rows.start * stride - top
    end = (rows.stop - 1) * stride - top + kernel_height
    return max(start, 0), min(end, height), max(-start, 0), max(end - height, 0)


def pad(features: Integers, top: int, bottom: int, left: int, right: int) -> NDArray[np.float32]:
    """Features, (height, width, channels), as float32 with rows and columns of zeros around them."""
    height, width, channels = features.shape
    padded = np.zeros((height + top + bottom, width + left + right, channels), np.float32)
    padded[top : top + height, left : left + width] = features
    return padded


def psums(
    padded: NDArray[np.float32],
    weights: Weights,
    strides: tuple[int, int],
    largest: int,
    rows: range,
    initial: Integers | None = None,
) -> Iterator[tuple[int, Psums]]:
    """Psums of some rows of the result, a few rows at a time.

    Args:
        padded: features with their padding, (height, width, channels).
        strides: vertical and horizontal step of the kernel.
        largest: no feature is larger in magnitude.
        rows: rows of the result.
        initial: psums that the chain starts from, (rows, columns, kernels); None for zeros.

    Yields:
        Place of the first row in ``rows``, and psums, (rows, columns, kernels).
    """
    stride_y, stride_x = strides
    _, width, channels = padded.shape
    columns = (width - weights.width) // stride_x + 1
    step_y, step_x, step_c = padded.strides
    windows = as_strided(
        padded[rows.start * stride_y :],
        (len(rows), columns, weights.height, weights.width * channels),
        (step_y * stride_y * rows.step, step_x * stride_x, step_y, step_c),
        writeable=False,
    )
    reach = weights.magnitude * largest
    depth, kernels = weights.height * weights.width * channels, weights.matrix.shape[1]
    chunk = max(1, CHUNK_BYTES // (columns * depth * padded.itemsize))
    for first in range(0, len(rows), chunk):
        part = windows[first : first + chunk]
        start = None if initial is None else initial[first : first + chunk].reshape(-1, kernels)
        pixels = part.reshape(-1, depth)
        sums = _depthwise_sums(pixels, weights, start) if weights.depthwise else _sums(pixels, weights, reach, start)
        yield first, sums.reshape(len(part), columns, kernels)


def largest_magnitude(values: Integers) -> int:
    """The largest absolute value; 0 of no values."""
    return max(-int(values.min(initial=0)), int(values.max(initial=0)))


def _sums(windows: NDArray[np.float32], weights: Weights, reach: int, initial: Integers | None) -> Psums:
    """Psums of windows, (windows, depth), for all kernels: (windows, kernels).

    Args:
        reach: no sum of products is larger in magnitude.
    """
    bound = reach if initial is None else reach + largest_magnitude(initial)
    if bound <= FLOAT32_EXACT:
        return _plus(windows @ weights.matrix, initial)
    wide, matrix = windows.astype(np.float64), weights.matrix.astype(np.float64)
    if bound <= PSUM_HIGH:
        return _plus(wide @ matrix, initial)
    parts = ((wide[:, columns] @ matrix[columns]).astype(np.int64) for columns in _columns_of_tiles(weights))
    return saturating_chain(parts, initial)


def _plus(sums: NDArray[Any], initial: Integers | None) -> Psums:
    """The sum, which fits the type of ``sums``."""
    if initial is not None:
        sums += initial.astype(sums.dtype)
    return sums


def _depthwise_sums(windows: NDArray[np.float32], weights: Weights, initial: Integers | None) -> Psums:
    """The same where kernel k multiplies channel k: a kernel that fits a row has sums below 2^24."""
    taps, kernels = weights.matrix.shape
    sums = np.einsum("ptk,tk->pk", windows.reshape(-1, taps, kernels), weights.matrix)
    return sums if initial is None else saturating_chain([sums.astype(np.int64)], initial)


def _columns_of_tiles(weights: Weights) -> Iterator[NDArray[np.intp]]:
    """Rows of the weight matrix that each tile of the chain holds."""
    depth = weights.matrix.shape[0]
    places = np.arange(depth).reshape(weights.height * weights.width, -1)
    for first, last in weights.slices:
        yield places[:, first:last].reshape(-1)


def saturating_chain(parts: Iterable[NDArray[np.int64]], initial: Integers | None = None) -> NDArray[np.int64]:
    """Adds what each tile contributes, in the order of the chain; every step saturates to 32 bits.

    Args:
        initial: what the chain starts from; None for zeros.
    """
    total = np.asarray(0 if initial is None else initial, np.int64)
    for part in parts:
        total = np.clip(total + part, PSUM_LOW, PSUM_HIGH)
    return total

"""Layers in plain integers: saturating chains, pooling, tables, tensor arithmetic, sparse and compressed forms.

Nothing here comes from `asm`, `emu` or `sdk`; formats are given by name ("u4", "s1", "s32").
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tests.reference import integer
from tests.reference.integer import HIGHEST, LOWEST, Integers

Pair = tuple[int, int]


def convolution(
    features: Integers,
    weights: Integers,
    strides: Pair,
    padding: tuple[int, int, int, int],
    chain: int = 1,
    initial: Integers | None = None,
    depthwise: bool = False,
) -> NDArray[np.int64]:
    """Psums of a convolution; each tile of the chain adds its channels and saturates.

    Args:
        features: (height, width, channels).
        weights: (kernels, kernel height, kernel width, channels); depthwise, kernel k is for channel k alone.
        strides: vertical, horizontal.
        padding: rows above, rows below, columns left, columns right.
        chain: tiles over which the channels are split.
        initial: psums to start from, of the shape of the result.

    Returns:
        int64, (height, width, kernels).
    """
    top, bottom, left, right = padding
    padded = np.pad(features.astype(np.int64), ((top, bottom), (left, right), (0, 0)))
    kernels, kernel_height, kernel_width, channels = weights.shape
    height = (padded.shape[0] - kernel_height) // strides[0] + 1
    width = (padded.shape[1] - kernel_width) // strides[1] + 1
    per_tile = -(-channels // chain)
    psums = np.zeros((height, width, kernels), np.int64)
    if initial is not None:
        psums[...] = initial
    for y in range(height):
        for x in range(width):
            row, column = y * strides[0], x * strides[1]
            window = padded[row : row + kernel_height, column : column + kernel_width]
            for tile in range(chain):
                own = slice(tile * per_tile, (tile + 1) * per_tile)
                for kernel in range(kernels):
                    seen = window[:, :, kernel : kernel + 1] if depthwise else window[:, :, own]
                    product = int((seen * weights[kernel][:, :, own]).sum())
                    psums[y, x, kernel] = min(max(int(psums[y, x, kernel]) + product, LOWEST), HIGHEST)
    return psums


def tensor_sum(first: Integers, second: Integers, scales: Pair) -> NDArray[np.int64]:
    """Saturated psums of a scaled sum."""
    pairs = zip(first.reshape(-1).tolist(), second.reshape(-1).tolist(), strict=True)
    sums = [integer.saturate32(a * scales[0] + b * scales[1]) for a, b in pairs]
    return np.array(sums, np.int64).reshape(first.shape)


def tensor_product(first: Integers, second: Integers) -> NDArray[np.int64]:
    """Saturated psums of a product."""
    pairs = zip(first.reshape(-1).tolist(), second.reshape(-1).tolist(), strict=True)
    return np.array([integer.saturate32(a * b) for a, b in pairs], np.int64).reshape(first.shape)


def look_up(values: Integers, table: bytes, signed: bool, low: int, high: int) -> NDArray[np.int64]:
    """The byte that each value's lower byte selects, saturated to ``low``..``high``."""
    found = []
    for value in values.reshape(-1).tolist():
        entry = table[value % 256]
        found.append(min(max(entry - 256 if signed and entry >= 128 else entry, low), high))
    return np.array(found, np.int64).reshape(values.shape)


def pooled_sizes(size: int, window: int, stride: int) -> set[int]:
    """How many windows there may be: those that fit, or also those that stick out but are not empty."""
    starts = range(0, size, stride)
    fitting = [start for start in starts if start + window <= size]
    sticking_out = [start for start in starts if start == 0 or start - stride + window < size]
    return {count for count in (len(fitting), len(sticking_out)) if count}


def pool(values: Integers, mode: str, window: Pair, strides: Pair, height: int, width: int) -> NDArray[np.int64]:
    """Largest or average value of ``height`` x ``width`` windows; averages are rounded half away from zero."""
    result = np.zeros((height, width, values.shape[2]), np.int64)
    for y, x, channel in np.ndindex(*result.shape):
        top, left = y * strides[0], x * strides[1]
        inside = values[top : top + window[0], left : left + window[1], channel].reshape(-1).tolist()
        if mode == "max":
            result[y, x, channel] = max(inside)
        else:
            mean = Fraction(sum(inside), len(inside))
            magnitude = math.floor(abs(mean) + Fraction(1, 2))
            result[y, x, channel] = magnitude if mean > 0 else -magnitude
    return result


def make_sparse(weights: Integers, chain: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The same weights, (kernels, height, width, channels), with zeros: two of each four of a slice may stay."""
    result = weights.astype(np.int64)
    per_tile = -(-weights.shape[3] // chain)
    for kernel in result:
        for tile in range(chain):
            part = kernel[:, :, tile * per_tile : (tile + 1) * per_tile]
            flat = part.reshape(-1).copy()
            for first in range(0, len(flat), 4):
                group = flat[first : first + 4]
                group[generator.permutation(len(group))[2:]] = 0
            part[...] = flat.reshape(part.shape)
    return result


def sparse_slice(weights: list[int], name: str) -> bytes:
    """A slice with two values of each four weights, then the places of all of them."""
    values, places = [], []
    for first in range(0, len(weights), 4):
        group = (weights[first : first + 4] + [0] * 3)[:4]
        kept = [place for place in range(4) if group[place]]
        assert len(kept) <= 2
        kept = sorted(kept + [place for place in range(4) if not group[place]][: 2 - len(kept)])
        values += [group[place] for place in kept]
        places += kept
    bits = integer.element_bits(name)
    number = int.from_bytes(integer.pack(values, name), "little")
    number += int.from_bytes(integer.pack(places, "u2"), "little") << (len(values) * bits)
    return number.to_bytes((len(values) * (bits + 2) + 7) // 8, "little")


def slices(weights: Integers, chain: int) -> list[list[int]]:
    """The weights of all slices in the order in which they are loaded."""
    per_tile = -(-weights.shape[3] // chain)
    found = []
    for first in range(0, len(weights), integer.KERNELS_PER_CHUNK):
        for tile in range(chain):
            for kernel in weights[first : first + integer.KERNELS_PER_CHUNK]:
                part = kernel[:, :, tile * per_tile : (tile + 1) * per_tile]
                found.append([int(weight) for weight in part.reshape(-1)])
    return found


def pack_sparse_kernels(weights: Integers, name: str, chain: int) -> bytes:
    """Sparse kernels in the order in which the tiles load them."""
    _, height, width, channels = weights.shape
    groups = -(-height * width * -(-channels // chain) // 4)
    slice_bytes = -(-groups * 2 * (integer.element_bits(name) + 2) // 64) * 8
    return b"".join(sparse_slice(part, name).ljust(slice_bytes, b"\0") for part in slices(weights, chain))


def compress_run(elements: list[int], name: str) -> bytes:
    """A bit mask of the elements that are not 0, then those elements."""
    mask = sum(1 << place for place, element in enumerate(elements) if element)
    kept = [element for element in elements if element]
    return mask.to_bytes((len(elements) + 7) // 8, "little") + integer.pack(kept, name)


def compress_kernels(weights: Integers, name: str, chain: int) -> bytes:
    """A compressed set of kernels: its bytes, its slices, each slice."""
    runs = [compress_run(part, name) for part in slices(weights, chain)]
    body = b"".join(runs)
    total = -(-(8 + len(body)) // 8) * 8
    return (total.to_bytes(4, "little") + len(runs).to_bytes(4, "little") + body).ljust(total, b"\0")

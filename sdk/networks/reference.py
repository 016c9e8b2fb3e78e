"""The network in plain 64-bit integers: what the firmware must compute, bit for bit.

Nothing of the emulator is used here. Psums cannot leave 32 bits, which `results` checks, so the order in which tiles
add them up does not matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asm.rules import ElementFormat
from sdk.networks.network import Layer

Integers = NDArray[np.integer[Any]]
Words = NDArray[np.int64]

WORD_MIN, WORD_MAX = -(1 << 31), (1 << 31) - 1


def convolve(features: Integers, kernels: Integers, stride: int, padding: int) -> Words:
    """Sums of products, with zeros around the features.

    Args:
        features: (height, width, channels).
        kernels: (kernels, rows, columns, channels).

    Returns:
        int64, (height, width, kernels).
    """
    zeros = (padding, padding)
    padded = np.pad(features.astype(np.int64), (zeros, zeros, (0, 0)))
    count, rows, columns, channels = kernels.shape
    height = (padded.shape[0] - rows) // stride + 1
    width = (padded.shape[1] - columns) // stride + 1
    sums = np.zeros((height * width, count), np.int64)
    for row in range(rows):
        for column in range(columns):
            part = padded[row:, column:][: (height - 1) * stride + 1 : stride, : (width - 1) * stride + 1 : stride]
            weights = np.ascontiguousarray(kernels[:, row, column].T, dtype=np.int64)
            sums += part.reshape(-1, channels) @ weights
    return sums.reshape(height, width, count)


def requantise(sums: Words, table: Integers, relu: bool, element: ElementFormat) -> Words:
    """``(sum + bias) * multiplier / 2^shift + offset``, halves rounded away from zero, limited to the format.

    `s1` keeps the sign alone: +1 above 0, else -1.

    Args:
        sums: (height, width, kernels), within 32 bits.
        table: (kernels, 4): bias, multiplier, shift, offset.
        relu: nothing falls below the offset.
    """
    bias, multiplier, shift, offset = table.astype(np.int64).T
    scaled = np.clip(sums + bias, WORD_MIN, WORD_MAX) * multiplier
    half = (np.int64(1) << shift) >> 1
    rounded = np.sign(scaled) * ((np.abs(scaled) + half) >> shift)
    lowest = np.maximum(element.low, offset) if relu else element.low
    limited: Words = np.clip(rounded + offset, lowest, element.high)
    return np.where(limited > 0, 1, -1) if element is ElementFormat.s1 else limited


def max_pool(values: Words, size: int) -> Words:
    """The largest value of each ``size`` x ``size`` window; windows at the bottom and right use what is there."""
    for axis in (0, 1):
        values = np.maximum.reduceat(values, range(0, values.shape[axis], size), axis=axis)
    return values


def results(layer: Layer, sums: Words, table: Integers) -> Words:
    """What a layer makes of its psums."""
    if sums.min() < WORD_MIN or sums.max() > WORD_MAX:
        raise OverflowError(f"layer {layer.name}: psums beyond 32 bits; this reference does not saturate them")
    return max_pool(requantise(sums, table, layer.relu, layer.output), layer.pool)

"""The network in plain 64-bit integers: what the firmware must compute, bit for bit.

Nothing of the emulator is used here. Psums cannot leave 32 bits, which `results` checks, so the order in which tiles
add them up does not matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asm.rules import ElementFormat, window_counts
from sdk.networks.layers import Layer, LayerKind, Pair, Sides

Integers = NDArray[np.integer[Any]]
Words = NDArray[np.int64]

WORD_MIN, WORD_MAX = -(1 << 31), (1 << 31) - 1


def convolve(features: Integers, kernels: Integers, stride: Pair, padding: Sides, depthwise: bool = False) -> Words:
    """Sums of products, with zeros around the features.

    Args:
        features: (height, width, channels).
        kernels: (kernels, rows, columns, channels); depthwise, kernel k is for channel k alone.

    Returns:
        int64, (height, width, kernels).
    """
    top, bottom, left, right = padding
    padded = np.pad(features.astype(np.int64), ((top, bottom), (left, right), (0, 0)))
    count, rows, columns, _ = kernels.shape
    height = (padded.shape[0] - rows) // stride[0] + 1
    width = (padded.shape[1] - columns) // stride[1] + 1
    down, across = (height - 1) * stride[0] + 1, (width - 1) * stride[1] + 1
    sums = np.zeros((height * width, count), np.int64)
    for row in range(rows):
        for column in range(columns):
            part = padded[row:, column:][: down : stride[0], : across : stride[1]].reshape(height * width, -1)
            weights = np.ascontiguousarray(kernels[:, row, column].T, dtype=np.int64)
            sums += part * weights if depthwise else part @ weights
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


def look_up(values: Words, numbers: tuple[int, ...]) -> Words:
    """The numbers that values of -128..127 select."""
    return np.array(numbers, np.int64)[values + len(numbers) // 2]


def pool(values: Words, window: Pair, stride: Pair, average: bool) -> Words:
    """The largest value of each window, or the average, halves rounded away from zero.

    Windows at the bottom and right use what is there.
    """
    height, width = (window_counts(*sizes)[1] for sizes in zip(values.shape, window, stride, strict=False))
    total = np.zeros((height, width, values.shape[2]), np.int64)
    largest, count = np.full_like(total, WORD_MIN), np.zeros_like(total)
    for row in range(window[0]):
        for column in range(window[1]):
            part = values[row :: stride[0], column :: stride[1]][:height, :width]
            inside = slice(part.shape[0]), slice(part.shape[1])
            largest[inside] = np.maximum(largest[inside], part)
            total[inside] += part
            count[inside] += 1
    if not average:
        return largest
    averages: Words = np.sign(total) * ((2 * np.abs(total) + count) // (2 * count))
    return averages


def psums(layer: Layer, source: Words, operand: Words | None, kernels: Integers) -> Words:
    """What the activation unit gets.

    Args:
        source, operand: (height, width, channels).
        kernels: (kernels, rows, columns, channels); not used for a sum or product.
    """
    if operand is not None:
        scales = layer.scales
        return source * operand if layer.kind is LayerKind.product else source * scales[0] + operand * scales[1]
    if layer.kind is LayerKind.dense:
        source = source.reshape(1, 1, -1)
    return convolve(source, kernels, layer.stride, layer.padding, layer.depthwise)


def results(layer: Layer, sums: Words, table: Integers) -> Words:
    """What a layer makes of its psums."""
    if sums.min() < WORD_MIN or sums.max() > WORD_MAX:
        raise OverflowError(f"layer {layer.name}: psums beyond 32 bits; this reference does not saturate them")
    values = requantise(sums, table, layer.relu, ElementFormat.s8 if layer.lookup else layer.output)
    if layer.lookup:
        values = look_up(values, layer.lookup)
    return pool(values, layer.pool, layer.pool_stride, layer.average) if layer.pooled else values

"""Exact integer convolution and requantisation at the speed of the processor, on one thread.

    kernels = prepare(weights)
    psums = convolve(features, kernels, padding=(1, 1, 1, 1))
    requantisation = prepare_requantisation(table, low, high)
    elements = convolve_requantise(features, kernels, requantisation, padding=(1, 1, 1, 1))

What `prepare` and `prepare_requantisation` give depends on their arguments only and may be kept.

Inaccuracies: none. Psums that do not fit 32 bits wrap around: whoever calls keeps saturating convolutions away.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.npu.formats import Integers
from emu.npu.native.layout import Kernels, Way, pack_kernels, pad_features
from emu.npu.native.requantisation import UNUSED, Requantisation

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]


def ways() -> tuple[Way, ...]:
    """The ways that work on this processor, the fastest first."""
    from emu.npu.native.processor import HAS_VNNI

    return (Way.VNNI, Way.GENERIC) if HAS_VNNI else (Way.GENERIC,)


def prepare(weights: Integers, way: Way | None = None) -> Kernels:
    """Orders weights, int8 or uint8, (kernels, height, width, channels).

    Args:
        way: one of `ways()`; the fastest that the weights allow if None. VNNI takes weights up to 127 only.
    """
    from emu.npu.native.processor import LANES

    if way is None:
        way = ways()[0]
    if way is Way.VNNI and int(weights.max()) > np.iinfo(np.int8).max:
        way = Way.GENERIC
    return pack_kernels(weights, way, LANES)


def convolve(
    features: Integers, kernels: Kernels, stride: Pair = (1, 1), padding: Padding = (0, 0, 0, 0)
) -> NDArray[np.int32]:
    """Psums of a convolution, without flipping the kernels.

    Args:
        features: int8 or uint8, (height, width, channels), of the size of the kernels at least, with the padding.
        stride: vertical and horizontal step.
        padding: rows of zeros above and below, columns left and right.

    Returns:
        int32, (output height, output width, kernels).
    """
    from emu.npu.native import compiled

    shape = output_shape(features, kernels, stride, padding)
    psums = np.empty(shape, np.int32)
    operands = _operands(features, kernels, stride, padding)
    compiled.convolve(psums, compiled.NO_ELEMENTS, *operands, shape, UNUSED, False)
    return psums


def convolve_requantise(
    features: Integers,
    kernels: Kernels,
    requantisation: Requantisation,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    pooled: bool = False,
) -> NDArray[np.int8] | NDArray[np.uint8]:
    """Elements of the output: `convolve`, then the activation unit, then pooling.

    Args:
        requantisation: prepared for these kernels.
        pooled: the largest of each 2 x 2 elements; at odd edges, of those that exist.

    Returns:
        `Requantisation.dtype`, (output height, output width, kernels); if pooled, half of that, rounded up.
    """
    from emu.npu.native import compiled

    height, width, count = shape = output_shape(features, kernels, stride, padding)
    elements = np.empty((-(-height // 2), -(-width // 2), count) if pooled else shape, np.uint8)
    operands = _operands(features, kernels, stride, padding)
    compiled.convolve(compiled.NO_PSUMS, elements, *operands, shape, requantisation.scaling, pooled)
    return elements.view(requantisation.dtype)


def output_shape(features: Integers, kernels: Kernels, stride: Pair, padding: Padding) -> tuple[int, int, int]:
    """Height, width and kernels of the output before pooling."""
    height, width, _ = features.shape
    count, kernel_height, kernel_width, _ = kernels.shape
    top, bottom, left, right = padding
    return (
        (top + height + bottom - kernel_height) // stride[0] + 1,
        (left + width + right - kernel_width) // stride[1] + 1,
        count,
    )


def _operands(features: Integers, kernels: Kernels, stride: Pair, padding: Padding) -> tuple[Any, ...]:
    """Arguments of the compiled convolution: features, weights, initial psums, window."""
    from emu.npu.native.compiled import Window

    _, _, left, right = padding
    _, width, channels = features.shape
    line = (left + width + right) * channels
    window = Window(kernels.shape[1], kernels.groups, line, stride[0] * line, stride[1] * channels)
    padded = pad_features(features, kernels.way, padding)
    return padded, kernels.packed, kernels.initial(features.dtype), window

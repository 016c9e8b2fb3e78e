"""Exact integer convolution and requantisation at the speed of the processor, on one thread.

    kernels = prepare(weights)
    psums = convolve(features, kernels, padding=(1, 1, 1, 1))
    requantisation = prepare_requantisation(table, low, high)
    elements = convolve_requantise(features, kernels, requantisation, padding=(1, 1, 1, 1))

What `prepare` and `prepare_requantisation` give depends on their arguments only and may be kept.

Inaccuracies: none. Psums that do not fit 32 bits wrap around, they do not saturate: whoever calls checks that
`Kernels.magnitudes` times the largest feature stays below 2^31.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.npu.formats import Integers
from emu.npu.native.kernels import Kernels, pack_kernels
from emu.npu.native.layout import Way, pad_features
from emu.npu.native.requantisation import Requantisation
from emu.npu.native.rooms import behind, room, tile_rooms

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]


def ways() -> tuple[Way, ...]:
    """The ways that work on this processor, the fastest first."""
    from emu.npu.native.compiled import HAS_VNNI

    return (Way.VNNI, Way.GENERIC) if HAS_VNNI else (Way.GENERIC,)


def prepare(weights: Integers, way: Way | None = None) -> Kernels:
    """Orders weights, int8 or uint8, (kernels, height, width, channels).

    Args:
        way: one of `ways()`; if None, the fastest. Weights above 127, which VNNI does not take, are `Way.GENERIC`.

    Raises:
        ValueError: the processor does not have that way, or the weights have another dtype.
    """
    from emu.npu.native.compiled import LANES

    _check_bytes("weights", weights)
    way = way or ways()[0]
    if way not in ways():
        raise ValueError(f"this processor has no {way.name}; ways: {', '.join(way.name for way in ways())}")
    if weights.dtype == np.uint8 and int(weights.max()) > np.iinfo(np.int8).max:
        way = Way.GENERIC
    return pack_kernels(weights, way, LANES)


def convolve(
    features: Integers,
    kernels: Kernels,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    largest: int | None = None,
) -> NDArray[np.int32]:
    """Psums of a convolution, without flipping the kernels.

    Args:
        features: int8 or uint8, (height, width, channels), of the size of the kernels at least, with the padding.
        stride: vertical and horizontal step.
        padding: rows of zeros above and below, columns left and right.
        largest: no feature is larger in magnitude; None for what their dtype allows.

    Returns:
        int32, (output height, output width, kernels).

    Raises:
        ValueError: the operands do not fit each other, or the features have another dtype.
    """
    from emu.npu.native import compiled

    shape = output_shape(features, kernels, stride, padding)
    psums = np.empty(shape, np.int32)
    operands, tiled = _operands(features, kernels, stride, padding, largest)
    compiled.convolve(psums, compiled.NO_ELEMENTS, *operands, shape, compiled.NO_SCALING, False, tiled)
    return psums


def convolve_requantise(
    features: Integers,
    kernels: Kernels,
    requantisation: Requantisation,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    pooled: bool = False,
    largest: int | None = None,
) -> NDArray[np.int8] | NDArray[np.uint8]:
    """Elements of the output: `convolve`, then the activation unit, then pooling.

    Args:
        requantisation: prepared for these kernels.
        pooled: the largest of each 2 x 2 elements; at odd edges, of those that exist.

    Returns:
        `Requantisation.dtype`, (output height, output width, kernels); if pooled, half of that, rounded up.

    Raises:
        ValueError: the operands do not fit each other, or the features have another dtype.
    """
    from emu.npu.native import compiled

    if requantisation.kernels != kernels.shape[0]:
        raise ValueError(f"the table has {requantisation.kernels} entries for {kernels.shape[0]} kernels")
    height, width, count = shape = output_shape(features, kernels, stride, padding)
    elements = np.empty((-(-height // 2), -(-width // 2), count) if pooled else shape, np.uint8)
    operands, tiled = _operands(features, kernels, stride, padding, largest)
    compiled.convolve(compiled.NO_PSUMS, elements, *operands, shape, requantisation.scaling, pooled, tiled)
    return elements.view(requantisation.dtype)


def output_shape(features: Integers, kernels: Kernels, stride: Pair, padding: Padding) -> tuple[int, int, int]:
    """Height, width and kernels of the output before pooling; `ValueError` if there is no output."""
    count, kernel_height, kernel_width, channels = kernels.shape
    top, bottom, left, right = padding
    height, width = top + features.shape[0] + bottom, left + features.shape[1] + right
    if features.shape[2] != channels:
        raise ValueError(f"the features have {features.shape[2]} channels, the kernels {channels}")
    if height < kernel_height or width < kernel_width:
        raise ValueError(
            f"kernels of {kernel_height} x {kernel_width} do not fit features of {height} x {width} with their padding"
        )
    return (height - kernel_height) // stride[0] + 1, (width - kernel_width) // stride[1] + 1, count


def _check_bytes(name: str, operand: Integers) -> None:
    if operand.dtype not in (np.int8, np.uint8):
        raise ValueError(f"{name} must be int8 or uint8, not {operand.dtype}")


def _operands(
    features: Integers, kernels: Kernels, stride: Pair, padding: Padding, largest: int | None
) -> tuple[tuple[Any, ...], bool]:
    """Arguments of the compiled convolution: features, weights, initial psums, room, window; whether by tiles."""
    from emu.npu.native.compiled import Room, Window

    _check_bytes("features", features)
    _, _, left, right = padding
    _, width, channels = features.shape
    line = (left + width + right) * channels
    window = Window(kernels.shape[1], kernels.groups, line, stride[0] * line, stride[1] * channels)
    height, width, _ = output_shape(features, kernels, stride, padding)
    operand = kernels.operand(features.dtype, stride, (height, width), largest)
    padded = pad_features(features, kernels.way, padding, behind(line, channels, operand.tiled))
    rooms = Room(*map(room, tile_rooms(padded.dtype, channels, operand.tiled)))
    return (padded, operand.packed, operand.initial, rooms, window), operand.tiled

"""When convolutions are made by Winograd's F(2 x 2, 3 x 3), and kernels for it.

How it works stands in `emu.npu.native.compiled.winograd`.

Inaccuracies: none. Ranges are checked: transformed features and kernels fit the numbers that are multiplied, four
times the psums fits 32 bits. Sums on the way there wrap around, which is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.npu.formats import Integers
from emu.npu.native.layout import Way, pack_blocks

PSUM_HIGH = (1 << 31) - 1
SIZE = 3
FEW_PIXELS = 64
"""At 7 x 7 pixels tiles are slower if kernels come from the third-level cache, and take 3/4 of the time if not."""


@dataclass(frozen=True, slots=True, eq=False)
class TransformedKernels:
    """Kernels of 3 x 3, ready to multiply transformed features.

    Attributes:
        packed: `Way.weight_dtype`, flat: for each block of kernels, for each position: groups, kernels of the block,
            elements of a group.
        initial: int32, flat: for each position, what sums start from, whole blocks.
    """

    packed: NDArray[Any]
    initial: NDArray[np.int32]


def transform_kernels(weights: Integers, way: Way) -> TransformedKernels | None:
    """(2G) g (2G)' of weights, (kernels, 3, 3, channels), packed as kernels are; None if they do not fit."""
    from emu.npu.native.compiled import BLOCK, LANES, OFFSET, POSITIONS

    transformed = _doubled(_doubled(weights.astype(np.int32), 1), 2)
    limits = np.iinfo(way.weight_dtype)
    if transformed.min() < limits.min or transformed.max() > limits.max:
        return None
    count, _, _, channels = weights.shape
    transformed = transformed.reshape(count, POSITIONS, 1, channels)
    initial = np.zeros((POSITIONS, -(-count // BLOCK) * BLOCK), np.int32)
    if way is Way.VNNI:
        initial[:, :count] = -OFFSET * transformed.sum(axis=(2, 3)).T
    return TransformedKernels(pack_blocks(transformed, way, LANES), initial.reshape(-1))


def _doubled(values: NDArray[np.int32], axis: int) -> NDArray[np.int32]:
    """2G along an axis of three."""
    first, second, third = np.moveaxis(values, axis, 0)
    return np.stack([2 * first, first + second + third, first - second + third, 2 * third], axis)


def fits(way: Way, signed: bool, largest: int, magnitude: int) -> bool:
    """Whether transformed features fit what is multiplied, and four times the psums 32 bits.

    Args:
        signed: whether features can be negative.
        largest: no feature is larger in magnitude.
        magnitude: no kernel's sum of absolute weights is larger.
    """
    from emu.npu.native.compiled import OFFSET

    # The largest sum is that of four features; the smallest, of unsigned ones, has two that are subtracted.
    most, least = 4 * largest, (-4 if signed else -2) * largest
    limits = np.iinfo(way.feature_dtype)
    offset = OFFSET if way is Way.VNNI else 0
    return least + offset >= limits.min and most + offset <= limits.max and 4 * magnitude * largest <= PSUM_HIGH


def is_faster(way: Way, channels: int, height: int, width: int) -> bool:
    """Whether fewer multiplications are worth the transformations, of so many channels and pixels.

    Features are transformed by vectors of channels, of which they should fill a half. Transformed kernels are 16/9 as
    large as kernels, and loading them takes the time that is won if only a few pixels are multiplied by them.
    """
    from emu.npu.native.compiled import VECTOR_BYTES

    return 2 * channels * way.feature_dtype.itemsize >= VECTOR_BYTES and height * width >= FEW_PIXELS

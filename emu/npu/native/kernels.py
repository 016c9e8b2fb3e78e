"""Kernels, in every form that compiled code multiplies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emu.npu.formats import Integers
from emu.npu.native.layout import GROUP_BYTES, SIGN_BIT, Way, adds_offset, pack_blocks
from emu.npu.native.winograd import SIZE, TransformedKernels, fits, is_faster, transform_kernels


class Operand(NamedTuple):
    """What multiplies features: packed kernels, what sums start from, whether both are for tiles."""

    packed: NDArray[Any]
    initial: NDArray[np.int32]
    tiled: bool


@dataclass(frozen=True, eq=False)
class Kernels:
    """Kernels, ready to multiply.

    Attributes:
        weights: int8 or uint8, (kernels, height, width, channels).
        way: how they multiply.
        packed: `Way.weight_dtype`, flat: for each block of kernels, for each row of the kernel: groups, kernels of
            the block, elements of a group.
        magnitudes: int64, (kernels,), sum of the absolute weights of each kernel.
        zeros: int32, what psums start from, whole blocks.
        corrections: int32, what psums start from where 128 was added to the features, whole blocks.
    """

    weights: Integers
    way: Way
    packed: NDArray[Any]
    magnitudes: NDArray[np.int64]
    zeros: NDArray[np.int32]
    corrections: NDArray[np.int32]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Kernels, height, width, channels."""
        count, height, width, channels = self.weights.shape
        return count, height, width, channels

    @property
    def groups(self) -> int:
        """Groups of a kernel's row."""
        _, _, width, channels = self.shape
        return -(-width * channels * self.way.feature_dtype.itemsize // GROUP_BYTES)

    def initial(self, feature_dtype: np.dtype[Any]) -> NDArray[np.int32]:
        """What the psums of features of this dtype start from."""
        return self.corrections if adds_offset(self.way, feature_dtype) else self.zeros

    @cached_property
    def transformed(self) -> TransformedKernels | None:
        """The kernels for Winograd's convolution; None if they do not fit it."""
        return transform_kernels(self.weights, self.way)

    def operand(
        self, feature_dtype: np.dtype[Any], stride: tuple[int, int], size: tuple[int, int], largest: int | None
    ) -> Operand:
        """What multiplies features.

        Args:
            size: height and width of the output before pooling.
            largest: no feature is larger in magnitude; None for the largest of ``feature_dtype``.
        """
        if largest is None:
            largest = SIGN_BIT if feature_dtype == np.int8 else np.iinfo(np.uint8).max
        if (
            stride == (1, 1)
            and self.shape[1:3] == (SIZE, SIZE)
            and is_faster(self.way, self.shape[3], *size)
            and fits(self.way, feature_dtype == np.int8, largest, int(self.magnitudes.max()))
            and self.transformed is not None
        ):
            return Operand(self.transformed.packed, self.transformed.initial, True)
        return Operand(self.packed, self.initial(feature_dtype), False)


def pack_kernels(weights: Integers, way: Way, lanes: int) -> Kernels:
    """Orders weights, (kernels, height, width, channels), for vectors of ``lanes`` kernels."""
    count = len(weights)
    flat = weights.reshape(count, -1).astype(np.int64)
    corrections = np.zeros(-(-count // (2 * lanes)) * 2 * lanes, np.int32)
    corrections[:count] = (flat.sum(axis=1) * -SIGN_BIT).astype(np.int32)  # wraps around, as psums do
    return Kernels(
        weights=weights,
        way=way,
        packed=pack_blocks(weights, way, lanes),
        magnitudes=np.abs(flat).sum(axis=1),
        zeros=np.zeros_like(corrections),
        corrections=corrections,
    )

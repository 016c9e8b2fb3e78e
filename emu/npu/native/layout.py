"""Kernels and features in the order in which the compiled arithmetic reads them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.npu.formats import Integers

GROUP_BYTES = 4
SIGN_BIT = 0x80


class Way(Enum):
    """How products are computed."""

    VNNI = "four products of bytes per lane, by one instruction of the processor"
    GENERIC = "two products of 16-bit numbers per lane, on any processor"

    @property
    def feature_dtype(self) -> np.dtype[Any]:
        """In which features are multiplied."""
        return np.dtype(np.uint8 if self is Way.VNNI else np.int16)

    @property
    def weight_dtype(self) -> np.dtype[Any]:
        """In which weights are multiplied."""
        return np.dtype(np.int8 if self is Way.VNNI else np.int16)


@dataclass(frozen=True, slots=True, eq=False)
class Kernels:
    """Kernels, ready to multiply.

    Attributes:
        shape: kernels, height, width, channels.
        way: how they multiply.
        packed: `Way.weight_dtype`, flat: for each block of kernels, for each row of the kernel: groups, kernels of
            the block, elements of a group.
        magnitudes: int64, (kernels,), sum of the absolute weights of each kernel.
        zeros: int32, what psums start from, whole blocks.
        corrections: int32, what psums start from where 128 was added to the features, whole blocks.
    """

    shape: tuple[int, int, int, int]
    way: Way
    packed: NDArray[Any]
    magnitudes: NDArray[np.int64]
    zeros: NDArray[np.int32]
    corrections: NDArray[np.int32]

    @property
    def groups(self) -> int:
        """Groups of a kernel's row."""
        _, _, width, channels = self.shape
        return -(-width * channels * self.way.feature_dtype.itemsize // GROUP_BYTES)

    def initial(self, feature_dtype: np.dtype[Any]) -> NDArray[np.int32]:
        """What the psums of features of this dtype start from."""
        return self.corrections if adds_offset(self.way, feature_dtype) else self.zeros


def adds_offset(way: Way, feature_dtype: np.dtype[Any]) -> bool:
    """Whether features are multiplied with 128 added to them: VNNI takes them unsigned."""
    return way is Way.VNNI and feature_dtype == np.int8


def pack_kernels(weights: Integers, way: Way, lanes: int) -> Kernels:
    """Orders weights, (kernels, height, width, channels), for vectors of ``lanes`` kernels.

    A block has twice as many kernels; the last one has the kernels of one vector if they suffice.
    """
    count, height, width, channels = weights.shape
    per_group = GROUP_BYTES // way.weight_dtype.itemsize
    groups = -(-width * channels // per_group)
    vectors = -(-count // lanes)
    filled = np.zeros((vectors * lanes, height, groups * per_group), way.weight_dtype)
    filled[:count, :, : width * channels] = weights.reshape(count, height, width * channels)
    blocks = [
        block.reshape(-1, height, groups, per_group).transpose(1, 2, 0, 3).reshape(-1)
        for block in np.split(filled, range(2 * lanes, vectors * lanes, 2 * lanes))
    ]
    flat = weights.reshape(count, -1).astype(np.int64)
    corrections = np.zeros(2 * lanes * len(blocks), np.int32)
    corrections[:count] = (flat.sum(axis=1) * -SIGN_BIT).astype(np.int32)  # wraps around, as psums do
    return Kernels(
        shape=(count, height, width, channels),
        way=way,
        packed=np.concatenate(blocks),
        magnitudes=np.abs(flat).sum(axis=1),
        zeros=np.zeros_like(corrections),
        corrections=corrections,
    )


def pad_features(features: Integers, way: Way, padding: tuple[int, int, int, int]) -> NDArray[Any]:
    """Features, (height, width, channels), with zeros around them, flat, and a group more: groups read past rows.

    Adding 128 to a signed byte flips its sign bit.
    """
    top, bottom, left, right = padding
    height, width, channels = features.shape
    flipped = adds_offset(way, features.dtype)
    zero = SIGN_BIT if flipped else 0
    size = (top + height + bottom) * (left + width + right) * channels
    flat = np.empty(size + GROUP_BYTES, way.feature_dtype)
    padded = flat[:size].reshape(top + height + bottom, left + width + right, channels)
    padded[:top] = zero
    padded[top + height :] = zero
    padded[top : top + height, :left] = zero
    padded[top : top + height, left + width :] = zero
    inner = padded[top : top + height, left : left + width]
    if flipped:
        np.bitwise_xor(features.view(np.uint8), SIGN_BIT, out=inner)
    else:
        inner[...] = features
    return flat

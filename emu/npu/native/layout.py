"""Kernels and features in the order in which the compiled arithmetic reads them."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.npu.formats import Integers

GROUP_BYTES = 4
SIGN_BIT = 0x80
LINE_BYTES = 64


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


def adds_offset(way: Way, feature_dtype: np.dtype[Any]) -> bool:
    """Whether features are multiplied with 128 added to them: VNNI takes them unsigned."""
    return way is Way.VNNI and feature_dtype == np.int8


def empty(size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Numbers of any value that begin where a cache line begins: vectors in two lines take twice as long."""
    memory = np.empty(size * dtype.itemsize + LINE_BYTES, np.uint8)
    first = -memory.ctypes.data % LINE_BYTES
    return memory[first : first + size * dtype.itemsize].view(dtype)


def pack_blocks(weights: Integers, way: Way, lanes: int) -> NDArray[Any]:
    """Weights, (kernels, height, width, channels), ordered for vectors of ``lanes`` kernels.

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
    return np.concatenate(blocks, out=empty(filled.size, way.weight_dtype))


def pad_features(features: Integers, way: Way, padding: tuple[int, int, int, int], behind: int) -> NDArray[Any]:
    """Features, (height, width, channels), with zeros around them, flat, and ``behind`` more of any value.

    Adding 128 to a signed byte flips its sign bit.
    """
    top, bottom, left, right = padding
    height, width, channels = features.shape
    flipped = adds_offset(way, features.dtype)
    zero = SIGN_BIT if flipped else 0
    size = (top + height + bottom) * (left + width + right) * channels
    flat = np.empty(size + behind, way.feature_dtype)
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

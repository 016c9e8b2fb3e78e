# SPDX-License-Identifier: BSD-3-Clause
"""The digits network in plain integers: what the firmware must compute, bit for bit.

Three layers, each a convolution. Sums saturate to 32 bits once a kernel is complete; here they cannot get that far.

| layer | input | kernel | stride, padding | output |
|---|---|---|---|---|
| conv1 | 8 x 8 x 1 u4 | 16 of 3 x 3 x 1 s4 | 1, 1 | 8 x 8 x 16 u4 |
| conv2 | 8 x 8 x 16 u4 | 64 of 3 x 3 x 16 s4 | 2, 1 | 4 x 4 x 64 u4 |
| dense | 4 x 4 x 64 u4 | 10 of 4 x 4 x 64 s4 | 1, 0 | 1 x 1 x 10 s32 |

This file needs NumPy and the files beside it, nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer[Any]]

FOLDER = Path(__file__).parent
SIZE = 8
"""Height and width of an image."""
FEATURE_MAX = 15
"""Largest u4 value."""
WORD_MIN, WORD_MAX = -(1 << 31), (1 << 31) - 1


def load_network(folder: Path = FOLDER) -> dict[str, Integers]:
    """The arrays of ``weights.npz``: for each layer ``<layer>_weights`` and ``<layer>_requant``.

    Weights are int8, (kernels, height, width, channels); requantisation tables are int32, (kernels, 4), with the
    columns bias, multiplier, shift, offset.
    """
    with np.load(folder / "weights.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def load_images(folder: Path = FOLDER) -> NDArray[np.uint8]:
    """The test images of ``images.bin``: uint8, (images, 8, 8), values 0..15. Two pixels share a byte in the file."""
    packed = np.fromfile(folder / "images.bin", np.uint8)
    pixels = np.stack([packed & 15, packed >> 4], axis=-1)
    return pixels.reshape(-1, SIZE, SIZE)


def load_labels(folder: Path = FOLDER) -> NDArray[np.uint8]:
    """The digits that the test images show: uint8, (images,)."""
    return np.loadtxt(folder / "labels.txt", dtype=np.uint8)


def convolve(features: Integers, weights: Integers, stride: int, padding: int) -> NDArray[np.int64]:
    """Sums of a convolution of a batch.

    Args:
        features: (images, height, width, channels).
        weights: (kernels, height, width, channels).
        stride: in both directions.
        padding: rows and columns of zeros on each side of an image.

    Returns:
        int64, (images, height, width, kernels).
    """
    zeros = (padding, padding)
    padded = np.pad(features.astype(np.int64), ((0, 0), zeros, zeros, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weights.shape[1:3], axis=(1, 2))
    return np.tensordot(windows[:, ::stride, ::stride], weights.astype(np.int64), axes=([4, 5, 3], [1, 2, 3]))


def requantise(sums: NDArray[np.int64], table: Integers, relu: bool, low: int, high: int) -> NDArray[np.int64]:
    """``(sum + bias) * multiplier / 2^shift + offset``, halves rounded away from zero, limited to ``low .. high``.

    With ``relu`` nothing falls below the offset, which stands for 0.
    """
    bias, multiplier, shift, offset = table.astype(np.int64).T
    scaled = np.clip(np.clip(sums, WORD_MIN, WORD_MAX) + bias, WORD_MIN, WORD_MAX) * multiplier
    half = (np.int64(1) << shift) >> 1
    rounded = np.sign(scaled) * ((np.abs(scaled) + half) >> shift)
    lowest = np.maximum(low, offset) if relu else low
    limited: NDArray[np.int64] = np.clip(rounded + offset, lowest, high)
    return limited


def logits(images: Integers, network: dict[str, Integers] | None = None) -> NDArray[np.int64]:
    """What the network makes of images; the largest of the ten numbers is its answer.

    Args:
        images: (images, 8, 8), values 0..15.
        network: arrays as `load_network` returns them; those of this folder if left out.

    Returns:
        int64, (images, 10).
    """
    layers = load_network() if network is None else network
    features = images[..., np.newaxis]
    sums = convolve(features, layers["conv1_weights"], stride=1, padding=1)
    features = requantise(sums, layers["conv1_requant"], True, 0, FEATURE_MAX)
    sums = convolve(features, layers["conv2_weights"], stride=2, padding=1)
    features = requantise(sums, layers["conv2_requant"], True, 0, FEATURE_MAX)
    sums = convolve(features, layers["dense_weights"], stride=1, padding=0)
    return requantise(sums, layers["dense_requant"], False, WORD_MIN, WORD_MAX)[:, 0, 0, :]

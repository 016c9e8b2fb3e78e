"""What passes the kernel port when kernels are loaded, compressed or not."""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from asm.rules import LOAD_BYTES
from emu.npu.compression import HEADER
from sdk.networks.mapping import Mapping
from sdk.networks.reference import Integers
from sdk.networks.workload import Workload

BYTE_BITS = 8


def load_bits(workload: Workload, mapping: Mapping, weights: Integers | None) -> tuple[tuple[int, ...], ...]:
    """Bits for each round and each part of its kernels, the padding of slices not counted.

    Args:
        weights: (kernels, rows, columns, channels).

    Raises:
        ValueError: the size of compressed kernels depends on weights that are not given.
    """
    if workload.layer.kind.elementwise:
        return ()
    shares, parts = mapping.shares(workload), mapping.channel_parts(workload)
    if not mapping.compressed:
        area = workload.layer.size[0] * workload.layer.size[1]
        bits = workload.layer.weights.bits
        return tuple(tuple(len(share) * area * len(channels) * bits for channels in parts) for share in shares)
    if weights is None:
        raise ValueError(f"layer {workload.layer.name}: the size of compressed kernels depends on their weights")
    sizes = [_compressed_bytes(workload, mapping, channels, weights) for channels in parts]
    return tuple(
        tuple(BYTE_BITS * _set_bytes(int(size[share.start : share.stop].sum())) for size in sizes) for share in shares
    )


def _compressed_bytes(workload: Workload, mapping: Mapping, channels: range, weights: Integers) -> NDArray[np.int64]:
    """Bytes of each kernel's part, (kernels,): for each slice a mask, and the weights that are not 0."""
    geometry = mapping.geometry(workload, channels)
    filled = np.count_nonzero(weights[..., channels.start : channels.stop], axis=(1, 2))
    area = geometry.height * geometry.width
    sizes = np.zeros(len(weights), np.int64)
    for first, last in pairwise(accumulate(geometry.slice_weights, initial=0)):
        kept = filled[:, first // area : last // area].sum(axis=1)
        sizes += -(-(last - first) // BYTE_BITS) - (-kept * geometry.weights.bits // BYTE_BITS)
    return sizes


def _set_bytes(slices: int) -> int:
    """Bytes of a set whose slices take so many."""
    return -(-(HEADER.size + slices) // LOAD_BYTES) * LOAD_BYTES

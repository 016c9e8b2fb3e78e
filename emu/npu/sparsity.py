"""Slices of kernels as they lie in a row: all weights, or two of every four with their places.

A sparse slice (2:4 structured sparsity) is cut into groups of four weights, in the order in which they are packed;
the last group may be shorter. Two weights of each group are stored, first those of all groups, then, two bits each,
their places in the group. A place behind the end of the slice multiplies nothing.

*Inaccuracies*: published is that the chip uses structured sparsity; pattern and order are our own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asm.rules import PLACE_BITS, SPARSE_GROUP, SPARSE_STORED, Cause, ElementFormat, KernelGeometry, RuleError
from emu.npu.formats import Integers, pack, packed_bytes, unpack

PLACE = ElementFormat.u2


def unpack_slices(packed: NDArray[np.uint8], shape: KernelGeometry, weights: int) -> Integers:
    """All weights of slices, (kernels, weights), from their bytes, (kernels, bytes)."""
    if not shape.sparse:
        return unpack(packed, weights, shape.weights)
    stored = shape.stored_weights(weights)
    values = unpack(packed, stored, shape.weights)
    skipped = stored * shape.weights.bits // PLACE_BITS
    places = unpack(packed, skipped + stored, PLACE)[:, skipped:]
    columns = places + np.arange(stored) // SPARSE_STORED * SPARSE_GROUP
    dense = np.zeros((len(packed), stored // SPARSE_STORED * SPARSE_GROUP), np.int16)
    np.add.at(dense, (np.arange(len(packed))[:, None], columns), values)
    return dense[:, :weights]


def check_groups(weights: Integers, number: int) -> None:
    """Raises `RuleError` if one of the groups of slice ``number``, (weights,), has more weights than are stored."""
    padded = np.pad(weights, (0, -len(weights) % SPARSE_GROUP)).reshape(-1, SPARSE_GROUP)
    full = np.flatnonzero(np.count_nonzero(padded, axis=1) > SPARSE_STORED)
    if full.size:
        group = int(full[0])
        raise RuleError(
            Cause.bad_encoding,
            f"group {group} of slice {number} of the compressed kernels has {np.count_nonzero(padded[group])} weights "
            f"that are not 0; sparse kernels have {SPARSE_STORED} of {SPARSE_GROUP} at most",
        )


def pack_slices(dense: Integers, shape: KernelGeometry) -> NDArray[np.uint8]:
    """Bytes of slices, (kernels, bytes), from all their weights, (kernels, weights).

    Of every four weights of a sparse slice, two at most are not 0.
    """
    if not shape.sparse:
        return pack(dense, shape.weights)
    kernels, weights = dense.shape
    groups = -(-weights // SPARSE_GROUP)
    filled = np.zeros((kernels, groups * SPARSE_GROUP), np.int16)
    filled[:, :weights] = dense
    grouped = filled.reshape(kernels, groups, SPARSE_GROUP)
    # Stable: the weights that are not 0 come first, each kind in its order; two of them, put in rising order.
    places = np.sort(np.argsort(grouped == 0, axis=2, kind="stable")[:, :, :SPARSE_STORED], axis=2)
    values = np.take_along_axis(grouped, places, axis=2).reshape(kernels, -1)
    value_bits = unpack(pack(values, shape.weights), values.shape[1] * shape.weights.bits, ElementFormat.u1)
    place_bits = unpack(pack(places.reshape(kernels, -1), PLACE), values.shape[1] * PLACE_BITS, ElementFormat.u1)
    joined = pack(np.concatenate([value_bits, place_bits], axis=1), ElementFormat.u1)
    assert joined.shape[1] == packed_bytes(shape.stored_bits(weights), ElementFormat.u1)
    return joined

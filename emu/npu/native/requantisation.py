"""The activation unit's table in the order in which the compiled arithmetic reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emu.npu.formats import Integers

MOST_LANES = 32
"""Arrays are filled up to a multiple of this: a block of kernels on any processor."""


class Scaling(NamedTuple):
    """How psums become elements. Every array has an entry per kernel and as many more as fill a block.

    Attributes:
        bias, multiplier: int32, of the table.
        shift: int64, of the table.
        half: int64, half of 2^shift, rounded down.
        least, most: int64, bounds of the result, less the offset.
        offset: uint8, the lowest byte of the table's offset.
    """

    bias: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int64]
    half: NDArray[np.int64]
    least: NDArray[np.int64]
    most: NDArray[np.int64]
    offset: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Requantisation:
    """Table and bounds of the activation unit, ready to use.

    Attributes:
        scaling: what the compiled code reads.
        dtype: of the elements: int8 if one can be negative, else uint8.
    """

    scaling: Scaling
    dtype: np.dtype[Any]


def prepare_requantisation(table: Integers, low: int | Integers, high: int | Integers) -> Requantisation:
    """Prepares the requantisation of some kernels.

    Args:
        table: (kernels, 4): bias, multiplier (at least 0), shift (0..62), offset; each fits 32 bits.
        low, high: bounds of the results, for all kernels or (kernels,); within -128..127 or 0..255, low <= high.
    """
    count = len(table)
    bias, multiplier, shift, offset, lowest, highest = np.zeros((6, -(-count // MOST_LANES) * MOST_LANES), np.int64)
    bias[:count], multiplier[:count], shift[:count], offset[:count] = np.asarray(table, np.int64).T
    lowest[:count], highest[:count] = low, high
    scaling = Scaling(
        bias=bias.astype(np.int32),
        multiplier=multiplier.astype(np.int32),
        shift=shift,
        half=(np.int64(1) << shift) >> 1,
        least=lowest - offset,
        most=highest - offset,
        offset=offset.astype(np.uint8),
    )
    return Requantisation(scaling, np.dtype(np.int8 if lowest.min() < 0 else np.uint8))


UNUSED = prepare_requantisation(np.zeros((1, 4), np.int32), 0, 0).scaling
"""For a convolution that stops at the psums."""

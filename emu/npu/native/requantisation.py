"""Table and bounds of the activation unit in the order in which the compiled arithmetic reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.npu.formats import Integers


@dataclass(frozen=True, slots=True, eq=False)
class Requantisation:
    """What the activation unit does, ready to use.

    Attributes:
        kernels: how many it is for.
        scaling: what the compiled code reads, its `SCALING`.
        dtype: of the elements: int8 if one can be negative, else uint8.
    """

    kernels: int
    scaling: NDArray[np.int64]
    dtype: np.dtype[Any]


def prepare_requantisation(table: Integers, low: int | Integers, high: int | Integers) -> Requantisation:
    """Prepares the requantisation of some kernels.

    Args:
        table: (kernels, 4): bias, multiplier (at least 0), shift (0..62), offset; each fits 32 bits.
        low, high: bounds of the results, for all kernels or (kernels,); within -128..127 or 0..255, low <= high.
    """
    from emu.npu.native.compiled import BLOCK, SCALING

    count = len(table)
    scaling = np.zeros((len(SCALING), -(-count // BLOCK) * BLOCK), np.int64)
    bias, multiplier, shift, half, least, most, offset = scaling[:, :count]
    bias[:], multiplier[:], shift[:], offset[:] = np.asarray(table, np.int64).T
    half[:] = (np.int64(1) << shift) >> 1
    least[:], most[:] = low, high
    dtype = np.dtype(np.int8 if least.min() < 0 else np.uint8)
    least -= offset
    most -= offset
    return Requantisation(count, scaling, dtype)

"""Table and bounds of the activation unit in the order in which the compiled arithmetic reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emu.npu.formats import Integers

if TYPE_CHECKING:
    from emu.npu.native.compiled import Scaling


@dataclass(frozen=True, slots=True, eq=False)
class Requantisation:
    """What the activation unit does, ready to use.

    Attributes:
        kernels: how many it is for.
        scaling: what the compiled code reads.
        dtype: of the elements: int8 if one can be negative, else uint8.
    """

    kernels: int
    scaling: Scaling
    dtype: np.dtype[Any]


def prepare_requantisation(table: Integers, low: int | Integers, high: int | Integers) -> Requantisation:
    """Prepares the requantisation of some kernels.

    Args:
        table: (kernels, 4): bias, multiplier (at least 0), shift (0..62), offset; each fits 32 bits.
        low, high: bounds of the results, for all kernels or (kernels,); within -128..127 or 0..255, low <= high.
    """
    from emu.npu.native.compiled import BLOCK, Scaling

    count = len(table)
    bias, multiplier, shift, offset, lowest, highest = np.zeros((6, -(-count // BLOCK) * BLOCK), np.int64)
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
    return Requantisation(count, scaling, np.dtype(np.int8 if lowest.min() < 0 else np.uint8))

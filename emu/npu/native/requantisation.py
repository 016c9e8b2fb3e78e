"""Table and bounds of the activation unit in the order in which the compiled arithmetic reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.npu.formats import Integers

PSUM_LOW, PSUM_HIGH = -(1 << 31), (1 << 31) - 1


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

    @property
    def is_wide(self) -> bool:
        """Whether it takes numbers of 64 bits; those of 32 are faster."""
        from emu.npu.native.compiled import SCALING

        return bool(self.scaling[SCALING.index("wide"), 0])


def prepare_requantisation(table: Integers, low: int | Integers, high: int | Integers) -> Requantisation:
    """Prepares the requantisation of some kernels.

    Args:
        table: (kernels, 4): bias, multiplier (at least 0), shift (0..62), offset; each fits 32 bits.
        low, high: bounds of the results, for all kernels or (kernels,); within -128..127 or 0..255, low <= high.
    """
    from emu.npu.native.compiled import BLOCK, SCALING

    count = len(table)
    # Python's integers: bounds times 2^shift can have many bits.
    bias, multiplier, shift, offset = np.asarray(table, object).T
    unit = 2**shift
    half = unit // 2
    least, most = low - offset, high - offset
    # At one unit beyond a bound results are at the bound, whatever is rounded; psum + bias saturates to 32 bits.
    first, last = np.maximum(PSUM_LOW, PSUM_LOW - bias), np.minimum(PSUM_HIGH, PSUM_HIGH - bias)
    divisor = np.maximum(multiplier, 1)
    lowest = np.clip((least - 1) * unit // divisor - bias, first, last)
    highest = np.clip(-((-most - 1) * unit // divisor) - bias, first, last)
    largest = [abs((end + bias) * multiplier) + unit for end in (lowest, highest)] + [abs(least), abs(most)]
    wide = max(map(max, largest)) > PSUM_HIGH
    addend = bias * multiplier
    if not wide:  # the lowest 32 bits, signed
        addend = (addend - PSUM_LOW) % (1 << 32) + PSUM_LOW
    scaling = np.zeros((len(SCALING), -(-count // BLOCK) * BLOCK), np.int64)
    scaling[:, :count] = np.array(
        [
            lowest, highest, multiplier, addend, half, np.where(half > 0, -1, 0), shift, least, most, offset,
            np.full(count, int(wide), object),
        ]
    )  # fmt: skip
    return Requantisation(count, scaling, np.dtype(np.int8 if min(least + offset) < 0 else np.uint8))

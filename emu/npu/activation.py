"""The activation unit: from 32-bit psums to elements of the output.

    t = saturate(psum + bias)
    y = clamp(round(t x multiplier / 2^shift) + offset)
    y = table[y mod 256]                                     only with a look-up table

Halves round away from zero. ReLU raises the lower bound of the clamp to the offset. Bias, multiplier, shift and
offset are per kernel. The bytes of the look-up table are signed if the output's format is. In the end the value
saturates to that format.

*Inaccuracies*: published is that there are a bias, a requantisation, ReLU, clamp and a table of 256 entries. How the
chip scales is not; this is the usual integer requantisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asm.rules import PSUM_BITS, Cause, ElementFormat, RuleError
from emu.npu.convolution import PSUM_HIGH, PSUM_LOW, Psums

ENTRY_BYTES = 16
"""Bytes of a kernel's table entry: int32 bias, multiplier, shift, offset."""
LOOKUP_BYTES = 256
"""Bytes of the look-up table."""
MAX_SHIFT = 62
FLOAT64_EXACT = 1 << 53
"""Every integer up to this is a float64."""


@dataclass(frozen=True, slots=True)
class Activation:
    """What the registers ask for.

    Attributes:
        bypass: psums leave as they are.
        relu: nothing below the offset leaves.
        low, high: bounds of the clamp.
        element: format of the output; results saturate to it.
        table: entries of all kernels, `ENTRY_BYTES` each; empty with bypass.
        lookup: the look-up table, `LOOKUP_BYTES`; empty if there is none.
    """

    bypass: bool
    relu: bool
    low: int
    high: int
    element: ElementFormat
    table: bytes
    lookup: bytes = b""

    def check(self) -> None:
        """Raises `RuleError` where a field has a value that is not allowed."""
        if self.bypass:
            if self.element.value_bits != PSUM_BITS:
                raise RuleError(
                    Cause.bad_field,
                    f"with bypass the output must be s32 or psum64, not {self.element.name}: psums have 32 bits",
                )
            if self.lookup:
                raise RuleError(Cause.bad_field, "with bypass there is no look-up: psums leave as they are")
            return
        if self.element is ElementFormat.psum64:
            raise RuleError(Cause.bad_field, "psum64 leaves with bypass only; use s32")
        if self.low > self.high:
            raise RuleError(Cause.bad_field, f"the clamp's low {self.low} is above its high {self.high}")
        _, multiplier, shift, _ = self.columns()
        for kernel in np.flatnonzero((multiplier < 0) | (shift < 0) | (shift > MAX_SHIFT))[:1]:
            raise RuleError(
                Cause.bad_field,
                f"entry {kernel} of the activation table must have a multiplier of at least 0 and a shift of "
                f"0..{MAX_SHIFT}, not {multiplier[kernel]} and {shift[kernel]}",
            )

    def columns(self) -> tuple[NDArray[np.int64], ...]:
        """Bias, multiplier, shift, offset of all kernels."""
        return tuple(np.frombuffer(self.table, "<i4").reshape(-1, 4).T.astype(np.int64))

    def apply(self, psums: Psums, bound: int) -> Psums:
        """Elements of the output.

        Args:
            psums: (..., kernels), within 32 bits.
            bound: no psum is larger in magnitude.

        Returns:
            Integers within the output's format, the shape of ``psums``, in an int64 or float64 array.
        """
        if self.bypass:
            return psums.astype(np.int64)
        bias, multiplier, shift, offset = self.columns()
        lowest, highest = self.bounds()
        # Products and the halves that rounding adds are multiples of half a unit: small enough, they are exact.
        total = bound + int(np.abs(bias).max())
        doubled = 2 * total * int(multiplier.max()) + (1 << int(shift.max()))
        if total <= PSUM_HIGH and doubled < FLOAT64_EXACT:
            scaled: NDArray[Any] = _scale_float(psums, bias, multiplier, shift)
        else:
            scaled = _scale_integer(psums, bias, multiplier, shift)
        scaled += offset
        clamped = np.clip(scaled, lowest, highest, out=scaled)
        return self._looked_up(clamped) if self.lookup else clamped

    def bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lower bound of each kernel, and the upper one of all, in front of the look-up table."""
        offset = self.columns()[3]
        lowest = np.maximum(self.low, offset) if self.relu else np.full_like(offset, self.low)
        lowest, highest = np.minimum(lowest, self.high), np.int64(self.high)
        if not self.lookup:
            lowest = np.clip(lowest, self.element.low, self.element.high)
            highest = np.clip(highest, self.element.low, self.element.high)
        return lowest, np.asarray(highest)

    def _looked_up(self, clamped: Psums) -> Psums:
        """What the table has for each value."""
        entries = np.frombuffer(self.lookup, np.int8 if self.element.signed else np.uint8).astype(np.int64)
        saturated = np.clip(entries, self.element.low, self.element.high)
        looked_up: Psums = saturated[clamped.astype(np.int64) & (LOOKUP_BYTES - 1)]
        return looked_up


def _scale_integer(
    psums: Psums, bias: NDArray[np.int64], multiplier: NDArray[np.int64], shift: NDArray[np.int64]
) -> NDArray[np.int64]:
    """round(saturate(psum + bias) * multiplier / 2^shift); below 2^62 + 2^61 all the way, so int64 holds it."""
    total = np.clip(psums.astype(np.int64) + bias, PSUM_LOW, PSUM_HIGH)
    product = total * multiplier
    half = (np.int64(1) << shift) >> 1
    # The shift rounds down: a negative half must be moved down by one to end up further from zero.
    down = np.where((product < 0) & (shift > 0), 1, 0)
    result: NDArray[np.int64] = (product + half - down) >> shift
    return result


def _scale_float(
    psums: Psums, bias: NDArray[np.int64], multiplier: NDArray[np.int64], shift: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The same in float64, which has fast vector instructions."""
    total: NDArray[np.float64] = psums + bias.astype(np.float64)
    total *= np.ldexp(multiplier.astype(np.float64), -shift.astype(np.int32))
    total += np.copysign(0.5, total)
    return np.trunc(total, out=total)

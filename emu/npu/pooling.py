"""Pooling behind the activation: the largest or the average of the values of a window.

Windows that stick out at the bottom or right use what is there; an average is that of the values really in the
window, halves rounded away from zero.

*Inaccuracies*: published is that there is max and average pooling behind the activation unit; windows, edges and
rounding are our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asm import parameters
from asm.parameters import PoolingMode
from asm.rules import Cause, ElementFormat, RuleError, window_counts
from emu.npu.formats import Integers


@dataclass(frozen=True, slots=True)
class Pooling:
    """What the POOLING register asks for; without pooling, windows of 1 x 1."""

    mode: PoolingMode = PoolingMode.none
    height: int = 1
    width: int = 1
    stride_y: int = 1
    stride_x: int = 1

    @classmethod
    def of_word(cls, word: int) -> Pooling:
        """From a word of the POOLING register. Raises `RuleError`."""
        fields = parameters.Pooling.unpack(word)
        try:
            mode = PoolingMode(fields.pop("mode"))
        except ValueError:
            raise RuleError(Cause.bad_field, "the pooling mode must be none, max or average (0..2), not 3") from None
        if mode is PoolingMode.none:
            return cls()
        for name, value in fields.items():
            if value < 1:
                raise RuleError(Cause.bad_field, f"the pooling window's {name} must be at least 1, not {value}")
        return cls(mode, **fields)

    def check(self, element: ElementFormat) -> None:
        """Raises `RuleError` if the output's format cannot hold what pooling makes."""
        if self.mode is PoolingMode.average and element is ElementFormat.s1:
            raise RuleError(Cause.bad_field, "an average of s1 may be 0, which s1 does not hold; use another output")

    def rows(self, first: int, count: int, height: int) -> range:
        """Rows of the unpooled result, which has ``height``, that ``count`` pooled rows from ``first`` are made of."""
        last = min((first + count - 1) * self.stride_y + self.height, height)
        return range(first * self.stride_y, last)

    def heights(self, height: int) -> tuple[int, int]:
        """Pooled rows of whole windows, and with the windows that stick out."""
        return window_counts(height, self.height, self.stride_y)

    def widths(self, width: int) -> tuple[int, int]:
        """The same for columns."""
        return window_counts(width, self.width, self.stride_x)

    def apply(self, values: Integers, height: int, width: int) -> Integers:
        """Pooled values.

        Args:
            values: (rows, columns, channels), from the first row of the first window on.
            height, width: of the result.

        Returns:
            (height, width, channels); of the dtype of ``values``.
        """
        if self.mode is PoolingMode.none:
            return values
        if self.mode is PoolingMode.max:
            return self._largest(values, height, width)
        return self._average(values, height, width).astype(values.dtype)

    def _shifted(self, values: NDArray[Any], height: int, width: int) -> Iterator[NDArray[Any]]:
        """For each place of the window: the values there in all windows in which it exists."""
        for y in range(self.height):
            for x in range(self.width):
                yield values[y :: self.stride_y, x :: self.stride_x][:height, :width]

    def _largest(self, values: Integers, height: int, width: int) -> Integers:
        parts = self._shifted(values, height, width)
        largest = next(parts).copy()
        for part in parts:
            inside = largest[: part.shape[0], : part.shape[1]]
            np.maximum(inside, part, out=inside)
        return largest

    def _average(self, values: Integers, height: int, width: int) -> NDArray[np.int64]:
        total = np.zeros((height, width, values.shape[2]), np.int64)
        for part in self._shifted(values, height, width):
            total[: part.shape[0], : part.shape[1]] += part
        rows = np.minimum(values.shape[0] - np.arange(height) * self.stride_y, self.height)
        columns = np.minimum(values.shape[1] - np.arange(width) * self.stride_x, self.width)
        count = np.multiply.outer(rows, columns)[:, :, None]
        rounded: NDArray[np.int64] = np.sign(total) * ((2 * np.abs(total) + count) // (2 * count))
        return rounded

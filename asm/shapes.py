"""Sizes of results behind pooling and partition, as far as they are known along a program.

A convolution makes a *result*; pooling makes it smaller; the output tensor holds a band of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from asm.parameters import PoolingMode
from asm.rules import Cause, ElementFormat, RuleError, window_counts


@dataclass(frozen=True, slots=True)
class PoolingSetup:
    """Pooling in force; `none` has windows of one value."""

    mode: PoolingMode = PoolingMode.none
    height: int = 1
    width: int = 1
    stride_y: int = 1
    stride_x: int = 1

    @classmethod
    def of_fields(cls, mode: int, **sizes: int) -> PoolingSetup:
        """From the fields of `asm.parameters.Pooling`; raises `RuleError`."""
        try:
            known = PoolingMode(mode)
        except ValueError:
            raise RuleError(
                Cause.bad_field, f"the pooling mode must be none, max or average (0..2), not {mode}"
            ) from None
        if known is PoolingMode.none:
            return cls()
        for name, value in sizes.items():
            if value < 1:
                raise RuleError(Cause.bad_field, f"the pooling window's {name} must be at least 1, not {value}")
        return cls(known, **sizes)


@dataclass(frozen=True, slots=True)
class OutputSetup:
    """What is known of the way from a result to the output tensor.

    Attributes:
        pooling: None if it is unknown.
        first_row: row of the pooled result that the output begins with; None if it is unknown.
        whole: whether the output must be all of the result; else it may be a band of its rows.
    """

    pooling: PoolingSetup | None
    first_row: int | None
    whole: bool

    def check(self, size: tuple[int, int], output: tuple[int, int], form: ElementFormat) -> None:
        """Raises `RuleError` unless a result of ``size`` makes an ``output`` (height, width) of this format."""
        pooling = self.pooling
        if pooling is None:
            return
        if pooling.mode is PoolingMode.average and form is ElementFormat.s1:
            raise RuleError(Cause.bad_field, "an average of s1 may be 0, which s1 does not hold; use another output")
        heights = window_counts(size[0], pooling.height, pooling.stride_y)
        if self.whole:
            _check_one_of("height", output[0], heights)
        elif self.first_row is not None and self.first_row + output[0] > heights[1]:
            raise RuleError(
                Cause.shape_mismatch,
                f"the output's height must be at most {max(heights[1] - self.first_row, 0)} (the result has "
                f"{heights[1]} rows, the output begins at row {self.first_row}), not {output[0]}",
            )
        _check_one_of("width", output[1], window_counts(size[1], pooling.width, pooling.stride_x))

    def rows_made(self, height: int, output_height: int) -> int | None:
        """Rows before pooling, of ``height``, that so many rows of output are made of; None if it is unknown."""
        if self.pooling is None or self.first_row is None:
            return None
        first = self.first_row * self.pooling.stride_y
        return min(first + (output_height - 1) * self.pooling.stride_y + self.pooling.height, height) - first


AFTER_RESET = OutputSetup(PoolingSetup(), 0, whole=True)
"""No pooling, whole results."""
UNKNOWN = OutputSetup(None, None, whole=False)
"""Anything may be set."""


def _check_one_of(what: str, declared: int, counts: tuple[int, int]) -> None:
    allowed = sorted({count for count in counts if count > 0})
    if declared not in allowed:
        text = " or ".join(map(str, allowed))
        raise RuleError(Cause.shape_mismatch, f"the output's {what} must be {text}, not {declared}")

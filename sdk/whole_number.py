"""Whole numbers on the command line: within bounds, or a message that says which."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def whole_number(low: int, high: int | None = None, *, base: int = 10) -> Callable[[str], int]:
    """The ``type`` of an argument.

    Args:
        low, high: the smallest and the largest number; None: there is no largest.
        base: of the digits; 0: as Python writes numbers, 0x for instance.
    """
    largest = f"{high:#x}" if base == 0 and high is not None else high
    bounds = f"{low} or more" if high is None else f"{low}..{largest}"

    def convert(text: str) -> int:
        try:
            value = int(text, base)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"must be a whole number, {bounds}, not {text!r}")
        return value

    return convert

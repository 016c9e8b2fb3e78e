"""Look-up tables of the activation unit for functions that have a name.

The index is a signed byte in steps of 1/16, so that a table covers -8..8. Results are scaled so that the largest value
of the output's format is a full scale of the function, and rounded to the nearest integer.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, floor, tanh

from asm.rules import ElementFormat

STEPS = 16
"""Steps of the index for 1.0."""
INDICES = range(-128, 128)


def _sigmoid(value: float) -> float:
    return 1 / (1 + exp(-value))


def _hard_swish(value: float) -> float:
    return value * min(max(value + 3, 0), 6) / 6


def _leaky_relu(value: float) -> float:
    return max(value, value / 10)


FUNCTIONS: dict[str, tuple[Callable[[float], float], int]] = {
    "sigmoid": (_sigmoid, 1),
    "tanh": (tanh, 1),
    "hard_swish": (_hard_swish, 8),
    "leaky_relu": (_leaky_relu, 8),
}
"""By name: the function, and its value that the largest number of the output stands for."""


def lookup_table(name: str, element: ElementFormat) -> tuple[int, ...]:
    """The numbers of the output for the indices -128..127 of a function in `FUNCTIONS`."""
    function, full_scale = FUNCTIONS[name]
    scaled = (floor(function(index / STEPS) * element.high / full_scale + 0.5) for index in INDICES)
    return tuple(min(max(value, element.low), element.high) for value in scaled)


def table_bytes(numbers: tuple[int, ...]) -> bytes:
    """The table as the activation unit reads it: entry 0 is that of index 0, entry 255 that of -1."""
    return bytes(number & 0xFF for number in (*numbers[-INDICES.start :], *numbers[: -INDICES.start]))

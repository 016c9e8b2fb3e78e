"""The three ways of summing, chosen by the largest psum that is possible."""

from __future__ import annotations

import numpy as np
import pytest

from emu.npu.convolution import Weights, pad, psums, saturating_chain
from tests.reference import integer


def test_saturating_chain() -> None:
    high, low = integer.HIGHEST, integer.LOWEST
    parts = np.array([[high, low, 5, high], [1, -1, 6, high], [-10, 10, -20, 2 * low]], np.int64)
    made = saturating_chain(iter(parts))
    assert made.tolist() == [integer.saturating_sum(column) for column in parts.T]
    assert made.tolist() == [high - 10, low + 10, -9, low]


@pytest.mark.parametrize(
    ("weight", "feature"),
    [(100, 7), (2**12 + 1, 2**10 - 1), (2**24 - 3, 2**6 + 1), (2**24 - 1, 2**7 - 1), (2**20 + 1, 2**27 + 1)],
)
def test_any_width(weight: int, feature: int) -> None:
    """Values far wider than tiles have: float32, float64, and a chain of three tiles that saturates."""
    generator = np.random.default_rng(weight)
    kernels = generator.integers(-weight, weight + 1, (3, 2, 2, 5))
    features = generator.choice([-feature, feature - 1, feature], (4, 4, 5)).astype(np.int64)
    if feature > 2**24:
        features = features // 8 * 8
    slices = ((0, 2), (2, 4), (4, 5))
    expected = np.zeros((3, 3, 3), np.int64)
    for position in np.ndindex(3, 3, 3):
        row, column, kernel = position
        window = features[row : row + 2, column : column + 2]
        expected[position] = integer.saturating_sum(
            int((window[:, :, first:last] * kernels[kernel, :, :, first:last]).sum()) for first, last in slices
        )
    weights = Weights.of_kernels(kernels, slices)
    (first, made), *rest = psums(pad(features, 0, 0, 0, 0), weights, (1, 1), feature, range(3))
    assert first == 0
    assert rest == []
    np.testing.assert_array_equal(made, expected)


def test_the_widest_case_saturates() -> None:
    """The last case above would prove nothing if its psums stayed within 32 bits."""
    weights = Weights.of_kernels(np.full((1, 1, 1, 3), 2**20), ((0, 1), (1, 2), (2, 3)))
    features = np.array([[[2**12, 2**12, -(2**11)]]])
    ((_, made),) = psums(pad(features, 0, 0, 0, 0), weights, (1, 1), 2**12, range(1))
    assert made.reshape(-1).tolist() == [2**31 - 1 - 2**31]

"""Compiled requantisation and pooling against exact Python integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.npu.native import compiled, convolution
from emu.npu.native.requantisation import prepare_requantisation
from tests.reference import integer

WAYS = convolution.ways()
LOWEST, HIGHEST = -(2**31), 2**31 - 1
BOUNDS = [(0, 1), (-1, 1), (-2, 1), (0, 15), (-8, 7), (0, 255), (-128, 127), (3, 3), (-100, -90)]
TABLE = np.array(
    [
        (bias, multiplier, shift, offset)
        for bias in (LOWEST, -1, 0, HIGHEST)
        for multiplier, shift in (
            (0, 0), (1, 0), (1, 1), (3, 2), (HIGHEST, 0), (HIGHEST, 31), (HIGHEST, 53), (HIGHEST, 62), (1 << 30, 62),
            (1, 62), (12345, 30),
        )
        for offset in (0, -3, 127, HIGHEST, LOWEST)
    ]
)  # fmt: skip
"""Entries at the ends of their fields."""
EXTREME_PSUMS = [LOWEST, LOWEST + 1, -(2**24) - 1, -256, -3, -2, -1, 0, 1, 2, 3, 255, 2**24 + 1, HIGHEST - 1, HIGHEST]


def elements_of(psums: np.ndarray, table: np.ndarray, low: int, high: int) -> np.ndarray:
    """Elements of psums, (count, kernels), with the compiled requantisation alone."""
    count, kernels = psums.shape
    block = compiled.BLOCK
    requantisation = prepare_requantisation(table, low, high)
    elements = np.empty((1, count, kernels), np.uint8)
    for kernel in range(0, kernels, block):
        wanted = min(block, kernels - kernel)
        sums = np.zeros((count, block), np.int32)
        sums[:, :wanted] = psums[:, kernel : kernel + wanted]
        compiled.requantise(elements, sums.reshape(-1), 1, count, kernel, wanted, requantisation.scaling)
    return elements[0].view(requantisation.dtype)


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_extreme_tables_and_psums(low: int, high: int) -> None:
    psums = np.repeat(np.array(EXTREME_PSUMS)[:, None], len(TABLE), axis=1)
    elements = elements_of(psums, TABLE, low, high)
    assert elements.dtype == (np.int8 if low < 0 else np.uint8)
    assert np.array_equal(elements, integer.requantise(psums, TABLE, False, low, high))


def test_every_extreme_entry_alone() -> None:
    """Some entries fit 32 bits on the way, some need 64; together, all have 64."""
    widths = set()
    for entry in TABLE:
        for low, high in BOUNDS:
            psums, table = np.array(EXTREME_PSUMS)[:, None], entry[None]
            widths.add(prepare_requantisation(table, low, high).is_wide)
            expected = integer.requantise(psums, table, False, low, high)
            assert np.array_equal(elements_of(psums, table, low, high), expected), (entry, low, high)
    assert widths == {False, True}


entries = st.tuples(
    st.integers(LOWEST, HIGHEST) | st.integers(-9, 9),
    st.integers(0, HIGHEST) | st.integers(0, 99),
    st.integers(0, 62),
    st.integers(LOWEST, HIGHEST) | st.integers(-9, 9),
)


@settings(max_examples=200)
@given(
    st.lists(entries, min_size=1, max_size=40),
    st.lists(st.integers(LOWEST, HIGHEST) | st.integers(-99, 99), min_size=1, max_size=20),
    st.sampled_from(BOUNDS),
)
def test_any_table(table: list[tuple[int, int, int, int]], psums: list[int], bounds: tuple[int, int]) -> None:
    entries, sums = np.array(table), np.repeat(np.array(psums)[:, None], len(table), axis=1)
    assert np.array_equal(elements_of(sums, entries, *bounds), integer.requantise(sums, entries, False, *bounds))


@given(st.integers(1, 56), st.integers(-7, 7), st.sampled_from([-1, 0, 1]))
def test_halves_round_away_from_zero(shift: int, result: int, beside: int) -> None:
    """Quotients that are halves, or as near to one as psums can be."""
    of_psum = min(shift - 1, 25)
    psums = np.array([[(2 * result + 1) * 2**of_psum + beside]])
    table = np.array([[0, 2 ** (shift - 1 - of_psum), shift, 0]])
    assert elements_of(psums, table, -8, 8).tolist() == integer.requantise(psums, table, False, -8, 8).tolist()


@given(
    st.tuples(st.integers(-(2**20), 2**20), st.integers(0, 2**20), st.integers(0, 30), st.integers(-300, 300)),
    st.sampled_from(BOUNDS),
    st.data(),
)
def test_psums_beside_every_threshold(
    entry: tuple[int, int, int, int], bounds: tuple[int, int], data: st.DataObject
) -> None:
    """Psums at which results change, or as near to that as they can be."""
    bias, multiplier, shift, offset = entry
    results = [data.draw(st.integers(bounds[0] - 2, bounds[1] + 2)) - offset for _ in range(9)]
    near = [(2 * result + 1) * 2**shift // (2 * max(multiplier, 1)) - bias for result in results]
    psums = np.clip([[psum + beside] for psum in near for beside in (-1, 0, 1, 2)], LOWEST, HIGHEST)
    table = np.array([entry])
    assert np.array_equal(elements_of(psums, table, *bounds), integer.requantise(psums, table, False, *bounds))


def test_bounds_by_kernel() -> None:
    table = np.array([[0, 1, 0, 3], [0, 1, 0, -3]])
    kernels = convolution.prepare(np.ones((2, 1, 1, 1), np.int8))
    features = np.arange(-10, 10, dtype=np.int8).reshape(1, 20, 1)
    relu = prepare_requantisation(table, np.array([3, -3]), 7)
    expected = integer.requantise(integer.conv2d(features, np.ones((2, 1, 1, 1))), table, True, -128, 7)
    assert np.array_equal(convolution.convolve_requantise(features, kernels, relu), expected)


@st.composite
def layers(draw: st.DrawFn) -> tuple:
    """A layer: features, weights, table, bounds, stride, padding."""
    kernels, channels, size = draw(st.integers(1, 70)), draw(st.integers(1, 9)), draw(st.integers(1, 3))
    height, width = draw(st.integers(size, 9)), draw(st.integers(size, 70))
    stride = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    padding = tuple(draw(st.integers(0, 2)) for _ in range(4))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        features = generator.integers(0, 256, (height, width, channels)).astype(np.uint8)
    else:
        features = generator.integers(-128, 128, (height, width, channels)).astype(np.int8)
    weights = generator.integers(-128, 128, (kernels, size, size, channels)).astype(np.int8)
    table = np.stack(
        [
            generator.integers(-(2**14), 2**14, kernels),
            generator.integers(1, 2**16, kernels),
            generator.integers(26, 29, kernels),
            generator.integers(-20, 20, kernels),
        ],
        axis=1,
    )
    return features, weights, table, draw(st.sampled_from(BOUNDS)), stride, padding


@settings(max_examples=60)
@given(layers())
def test_layers_with_and_without_pooling(layer: tuple) -> None:
    features, weights, table, (low, high), stride, padding = layer
    sums = integer.conv2d(features, weights, 1, padding)[:: stride[0], :: stride[1]]
    expected = integer.requantise(sums, table, False, low, high)
    requantisation = prepare_requantisation(table, low, high)
    for way in WAYS:
        kernels = convolution.prepare(weights, way)
        elements = convolution.convolve_requantise(features, kernels, requantisation, stride, padding)
        assert np.array_equal(elements, expected), way
        pooled = convolution.convolve_requantise(features, kernels, requantisation, stride, padding, pooled=True)
        assert np.array_equal(pooled, largest_of_pairs(expected)), way


def largest_of_pairs(elements: np.ndarray) -> np.ndarray:
    """The largest of each 2 x 2 pixels, at odd edges of those that exist."""
    rows, columns, kernels = elements.shape
    return np.array(
        [
            [elements[y : y + 2, x : x + 2].reshape(-1, kernels).max(axis=0) for x in range(0, columns, 2)]
            for y in range(0, rows, 2)
        ]
    )

"""Requantisation: both ways of computing it against plain integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asm.rules import Cause, ElementFormat, RuleError
from emu.npu.activation import FLOAT64_EXACT, Activation
from tests.reference import integer

WORD = st.integers(integer.LOWEST, integer.HIGHEST)


def activation(entries: list[tuple[int, int, int, int]], **values: int) -> Activation:
    """An activation unit with output s32 and no clamp, unless told otherwise."""
    table = np.array(entries, "<i4").tobytes()
    settings = {"relu": 0, "low": integer.LOWEST, "high": integer.HIGHEST, "element": ElementFormat.s32, **values}
    element = ElementFormat(settings["element"])
    return Activation(False, bool(settings["relu"]), settings["low"], settings["high"], element, table)


@st.composite
def any_table(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    """Entries over the whole range of the registers."""
    entry = st.tuples(WORD, st.integers(0, integer.HIGHEST), st.integers(0, 62), WORD)
    return draw(st.lists(entry, min_size=1, max_size=4))


@given(any_table(), st.data(), st.booleans())
@settings(max_examples=300)
def test_full_range(entries: list[tuple[int, int, int, int]], data: st.DataObject, relu: bool) -> None:
    row = data.draw(st.lists(WORD, min_size=len(entries), max_size=len(entries)))
    psums = np.array([row], np.int64)
    made = activation(entries, relu=relu).apply(psums, 1 << 31)
    expected = integer.requantise(psums, np.array(entries, object), relu, integer.LOWEST, integer.HIGHEST)
    np.testing.assert_array_equal(made, expected)


@given(st.integers(0, 40), st.integers(0, 62), st.integers(0, 2**31 - 1), st.integers(-50, 50))
@settings(max_examples=300)
def test_halves_and_their_neighbours(offset: int, shift: int, multiplier: int, bias: int) -> None:
    """Psums around those whose scaled value is a half, where rounding shows."""
    entry = (bias, multiplier, shift, offset)
    near = (2**shift) // (2 * multiplier) if multiplier else 0
    values = [sign * (near * odd + step) - bias for sign in (1, -1) for odd in (1, 3) for step in (-1, 0, 1)]
    psums = np.array([[integer.saturate32(value)] for value in values], np.int64)
    bound = int(np.abs(psums).max())
    made = activation([entry]).apply(psums.astype(np.float64), bound)
    expected = integer.requantise(psums, np.array([entry], object), False, integer.LOWEST, integer.HIGHEST)
    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize("shift", [1, 20, 21, 22, 23, 30, 52, 62])
def test_both_ways_at_the_edge_of_float64(shift: int) -> None:
    """Around the largest product that the floating-point way accepts."""
    multiplier = 2**31 - 1
    edge = (FLOAT64_EXACT - (1 << min(shift, 52))) // (2 * multiplier)
    psums = np.array([[value] for value in range(edge - 20, edge + 21)], np.int64)
    for bound in (int(np.abs(psums).max()), 1 << 31):
        made = activation([(0, multiplier, shift, 0)]).apply(psums, bound)
        entry = np.array([(0, multiplier, shift, 0)], object)
        expected = integer.requantise(psums, entry, False, integer.LOWEST, integer.HIGHEST)
        np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize("shift", [20, 24, 26, 29, 30])
@pytest.mark.parametrize("multiplier", [2**31 - 1, 1_234_567_891])
def test_products_next_to_a_half(shift: int, multiplier: int) -> None:
    """Products of more than 53 bits that miss a half by one: rounded to float64, they would hit it."""
    inverse = pow(multiplier, -1, 2**shift)
    values = [(2 ** (shift - 1) + miss) * inverse % 2**shift for miss in (-2, -1, 0, 1)]
    psums = np.array([[sign * value] for value in values for sign in (1, -1)], np.int64)
    made = activation([(0, multiplier, shift, 0)]).apply(psums, int(np.abs(psums).max()))
    entry = np.array([(0, multiplier, shift, 0)], object)
    expected = integer.requantise(psums, entry, False, integer.LOWEST, integer.HIGHEST)
    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize(
    ("low", "high", "offset", "expected"),
    [
        (-100, 100, 0, [-8, -1, 0, 7]),
        (-5, 5, 0, [-5, -1, 0, 5]),
        (-3, 2, 6, [-3, 2, 2, 2]),
        (9, 12, 0, [7, 7, 7, 7]),
        (-20, -10, 0, [-8, -8, -8, -8]),
    ],
)
def test_clamp_then_format(low: int, high: int, offset: int, expected: list[int]) -> None:
    unit = activation([(0, 1, 0, offset)], low=low, high=high, element=ElementFormat.s4)
    psums = np.array([[-30], [-1], [0], [30]], np.int64)
    assert unit.apply(psums, 30).reshape(-1).tolist() == expected


@pytest.mark.parametrize("entry", [(0, -1, 0, 0), (0, 1, 63, 0), (0, 1, -1, 0)])
def test_a_bad_entry_is_named(entry: tuple[int, int, int, int]) -> None:
    with pytest.raises(RuleError, match=r"entry 1 of the activation table must have a multiplier") as found:
        activation([(0, 1, 0, 0), entry]).check()
    assert found.value.cause is Cause.bad_field


def test_bounds_the_wrong_way_round() -> None:
    with pytest.raises(RuleError, match=r"the clamp's low 3 is above its high 2"):
        activation([(0, 1, 0, 0)], low=3, high=2).check()


def test_bypass_needs_a_wide_output() -> None:
    with pytest.raises(RuleError, match=r"with bypass the output must be s32 or psum64, not s8"):
        Activation(True, False, 0, 0, ElementFormat.s8, b"").check()

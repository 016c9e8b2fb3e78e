"""Generated layers on the cluster equal the plain-integer reference: all topologies, precisions and partitions."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from unittest import mock

import pytest
from hypothesis import given, settings

from emu.npu.arithmetic import SMALL_MACS, VARIABLE, Choice, UnknownArithmeticError
from tests.emu.npu.datapath import (
    Arithmetic,
    Layer,
    arithmetics,
    check_arithmetic,
    check_convolution,
    convolutions,
    plain_convolutions,
)


def computed_by(by: str) -> AbstractContextManager[object]:
    """NumPy or compiled code computes."""
    return mock.patch.dict(os.environ, {VARIABLE: by})


@pytest.mark.parametrize("by", ["numpy", "compiled"])
@given(convolutions())
@settings(max_examples=300)
def test_any_convolution(by: str, layer: Layer) -> None:
    with computed_by(by):
        check_convolution(layer)


@given(plain_convolutions())
@settings(max_examples=300)
def test_convolutions_by_one_call_of_compiled_code(layer: Layer) -> None:
    with computed_by("compiled"):
        check_convolution(layer)


def test_arithmetic_that_does_not_exist() -> None:
    with computed_by("fast"), pytest.raises(UnknownArithmeticError) as caught:
        Choice.of_environment()
    assert str(caught.value) == "IMNPU_ARITHMETIC must be auto, numpy, compiled, not fast"


def test_small_convolutions_follow_large_ones() -> None:
    small, large = SMALL_MACS - 1, SMALL_MACS
    for word, expected in {"auto": "NCC", "numpy": "NNN", "compiled": "CCC"}.items():
        choice = Choice(word)
        assert "".join(type(choice.arithmetic(macs)).__name__[0] for macs in (small, large, small)) == expected


@given(arithmetics())
@settings(max_examples=150)
def test_any_sum_or_product(case: Arithmetic) -> None:
    check_arithmetic(case)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("by", ["numpy", "compiled"])
@given(convolutions())
def test_ten_thousand_convolutions(by: str, layer: Layer) -> None:
    with computed_by(by):
        check_convolution(layer)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@given(plain_convolutions())
def test_ten_thousand_convolutions_by_one_call(layer: Layer) -> None:
    with computed_by("compiled"):
        check_convolution(layer)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@given(arithmetics())
def test_ten_thousand_sums_and_products(case: Arithmetic) -> None:
    check_arithmetic(case)

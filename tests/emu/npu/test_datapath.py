"""Generated layers on the cluster equal the plain-integer reference: all topologies, precisions and partitions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.emu.npu.datapath import Arithmetic, Layer, arithmetics, check_arithmetic, check_convolution, convolutions


@given(convolutions())
@settings(max_examples=300)
def test_any_convolution(layer: Layer) -> None:
    check_convolution(layer)


@given(arithmetics())
@settings(max_examples=150)
def test_any_sum_or_product(case: Arithmetic) -> None:
    check_arithmetic(case)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@given(convolutions())
def test_ten_thousand_convolutions(layer: Layer) -> None:
    check_convolution(layer)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@given(arithmetics())
def test_ten_thousand_sums_and_products(case: Arithmetic) -> None:
    check_arithmetic(case)

"""Compiled convolutions against plain integer loops, every way that this processor has."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.npu.native import convolution
from emu.npu.native.layout import Way
from emu.npu.native.requantisation import prepare_requantisation
from tests.reference import integer

WAYS = convolution.ways()
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, tuple[int, int], tuple[int, int, int, int]]:
    """Features, weights, stride, padding: sizes around those of groups, vectors, blocks and steps of pixels."""
    kernels, channels = draw(st.integers(1, 70)), draw(st.integers(1, 40))
    kernel_height, kernel_width = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    padding = tuple(draw(st.integers(0, 3)) for _ in range(4))
    height = draw(st.integers(max(1, kernel_height - padding[0] - padding[1]), 12))
    width = draw(st.integers(max(1, kernel_width - padding[2] - padding[3]), 20))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    dtypes = st.sampled_from([np.int8, np.uint8])
    bits = st.integers(1, 8)
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features = random_elements(generator, draw(dtypes), draw(bits), (height, width, channels))
    weights = random_elements(generator, draw(dtypes), draw(bits), (kernels, kernel_height, kernel_width, channels))
    return features, weights, stride, padding


def random_elements(generator: np.random.Generator, dtype: type, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    """Integers of so many bits."""
    low = -(2 ** (bits - 1)) if dtype is np.int8 else 0
    return generator.integers(low, low + 2**bits, shape).astype(dtype)


def check_psums(case: tuple) -> None:
    """Every way gives the sums of plain loops."""
    features, weights, stride, padding = case
    expected = integer.conv2d(features, weights, 1, padding)[:: stride[0], :: stride[1]]
    for way in WAYS:
        psums = convolution.convolve(features, convolution.prepare(weights, way), stride, padding)
        assert psums.dtype == np.int32
        assert np.array_equal(psums, expected), way


@settings(max_examples=100)
@given(convolutions())
def test_psums_of_any_convolution(case: tuple) -> None:
    check_psums(case)


@pytest.mark.slow
@settings(max_examples=10_000)
@given(convolutions())
def test_psums_of_many_convolutions(case: tuple) -> None:
    check_psums(case)


@every_way
@pytest.mark.parametrize("width", [55, 56, 57, 112, 113])
def test_images_wider_than_a_chunk(way: Way, width: int) -> None:
    generator = np.random.default_rng(width)
    features = random_elements(generator, np.uint8, 8, (5, width, 3))
    weights = random_elements(generator, np.int8, 8, (33, 3, 3, 3))
    psums = convolution.convolve(features, convolution.prepare(weights, way), padding=(1, 1, 1, 1))
    assert np.array_equal(psums, integer.conv2d(features, weights, padding=(1, 1, 1, 1)))


@every_way
@pytest.mark.parametrize(("dtype", "feature"), [(np.uint8, 255), (np.int8, -128), (np.int8, 127)])
@pytest.mark.parametrize("weight", [-128, 127])
def test_the_largest_products_in_long_sums(way: Way, dtype: type, feature: int, weight: int) -> None:
    features = np.full((1, 3, 4096), feature, dtype)
    weights = np.full((17, 1, 1, 4096), weight, np.int8)
    psums = convolution.convolve(features, convolution.prepare(weights, way))
    assert np.unique(psums).tolist() == [4096 * feature * weight]


@every_way
def test_unsigned_weights_of_8_bits(way: Way) -> None:
    features, weights = np.full((2, 2, 4096), 255, np.uint8), np.full((3, 2, 2, 4096), 255, np.uint8)
    kernels = convolution.prepare(weights, way)
    assert kernels.way is Way.GENERIC
    assert convolution.convolve(features, kernels).tolist() == [[[4 * 4096 * 255 * 255] * 3]]


@every_way
@pytest.mark.parametrize(("dtype", "feature"), [(np.uint8, 255), (np.int8, -128)])
def test_sums_at_the_end_of_32_bits(way: Way, dtype: type, feature: int) -> None:
    channels = (2**31 - 1) // (abs(feature) * 128)
    features = np.full((1, 1, channels), feature, dtype)
    weights = np.full((1, 1, 1, channels), -128, np.int8)
    psums = convolution.convolve(features, convolution.prepare(weights, way))
    assert psums.tolist() == [[[channels * feature * -128]]]


@every_way
def test_sums_that_leave_32_bits_on_the_way(way: Way) -> None:
    half = 2**31 // (255 * 127) + 1
    features = np.full((1, 1, 2 * half), 255, np.uint8)
    weights = np.full((1, 1, 1, 2 * half), 127, np.int8)
    weights[..., half:] = -126
    psums = convolution.convolve(features, convolution.prepare(weights, way))
    assert psums.tolist() == [[[half * 255]]]


@every_way
def test_views_are_as_good_as_arrays(way: Way) -> None:
    generator = np.random.default_rng(5)
    features = random_elements(generator, np.int8, 8, (20, 20, 16))[::2, 1::3, ::-2]
    weights = random_elements(generator, np.int8, 8, (8, 3, 3, 16))[:, ::-1, :, 8:]
    psums = convolution.convolve(features, convolution.prepare(weights, way))
    assert np.array_equal(psums, integer.conv2d(features, weights))


def test_magnitudes_bound_the_psums() -> None:
    weights = np.array([[[[-3, 2]]], [[[0, 0]]]], np.int8)
    assert convolution.prepare(weights).magnitudes.tolist() == [5, 0]


def test_a_way_that_the_processor_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "ways", lambda: (Way.GENERIC,))
    assert convolution.prepare(np.ones((1, 1, 1, 1), np.int8)).way is Way.GENERIC
    with pytest.raises(ValueError, match="this processor has no VNNI; ways: GENERIC"):
        convolution.prepare(np.ones((1, 1, 1, 1), np.int8), Way.VNNI)


def test_operands_that_do_not_fit() -> None:
    kernels = convolution.prepare(np.ones((2, 3, 3, 4), np.int8))
    features = np.ones((3, 3, 4), np.int8)
    with pytest.raises(ValueError, match="features must be int8 or uint8, not int64"):
        convolution.convolve(features.astype(np.int64), kernels)
    with pytest.raises(ValueError, match="weights must be int8 or uint8, not float32"):
        convolution.prepare(np.ones((2, 3, 3, 4), np.float32))
    with pytest.raises(ValueError, match="the features have 3 channels, the kernels 4"):
        convolution.convolve(features[..., :3], kernels)
    with pytest.raises(ValueError, match="kernels of 3 x 3 do not fit features of 2 x 3 with their padding"):
        convolution.convolve(features[:1], kernels, padding=(0, 1, 0, 0))
    with pytest.raises(ValueError, match="the table has 1 entries for 2 kernels"):
        convolution.convolve_requantise(features, kernels, prepare_requantisation(np.zeros((1, 4), np.int32), 0, 1))


SECOND_PROCESS = """
import sys
import numpy as np
from emu.npu.native import convolution
from emu.npu.native.requantisation import prepare_requantisation
assert "numba" not in sys.modules
for way in convolution.ways():
    kernels = convolution.prepare(np.ones((1, 1, 1, 1), np.int8), way)
    requantisation = prepare_requantisation(np.array([[0, 1, 0, 0]]), 0, 255)
    print(convolution.convolve_requantise(np.full((1, 1, 1), 7, np.uint8), kernels, requantisation).tolist())
from emu.npu.native.compiled import convolve
print(sum(convolve.stats.cache_misses.values()))
"""


def run_python(program: str, **environment: str) -> list[str]:
    """Lines that a program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, check=True, capture_output=True, text=True
    )
    return done.stdout.split("\n")[:-1]


def test_a_second_process_compiles_nothing() -> None:
    kernels = convolution.prepare(np.ones((1, 1, 1, 1), np.int8), Way.GENERIC)
    for way in WAYS:
        kernels = convolution.prepare(np.ones((1, 1, 1, 1), np.int8), way)
        convolution.convolve(np.ones((1, 1, 1), np.int8), kernels)
    assert run_python(SECOND_PROCESS) == ["[[[7]]]"] * len(WAYS) + ["0"]


@pytest.mark.slow
def test_the_plainest_processor_computes_the_same() -> None:
    """Other vectors, other instructions: numba compiles for a processor without extensions."""
    program = """
import numpy as np
from emu.npu.native import convolution
from emu.npu.native.compiled import HAS_VNNI, LANES
from tests.emu.npu.test_native_convolution import random_elements
from tests.emu.npu.test_native_requantisation import TABLE, elements_of
from tests.reference import integer
assert (LANES, HAS_VNNI) == (8, False)
generator = np.random.default_rng(7)
for kernels in (7, 8, 9, 16, 17, 30):
    features = random_elements(generator, np.int8, 8, (9, 13, 5))
    weights = random_elements(generator, np.int8, 8, (kernels, 3, 3, 5))
    psums = convolution.convolve(features, convolution.prepare(weights), padding=(1, 1, 1, 1))
    assert np.array_equal(psums, integer.conv2d(features, weights, padding=(1, 1, 1, 1)))
psums = generator.integers(-(2**31), 2**31, (40, len(TABLE)))
assert np.array_equal(elements_of(psums, TABLE, -128, 127), integer.requantise(psums, TABLE, False, -128, 127))
print("equal")
"""
    assert run_python(program, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == ["equal"]

"""Convolutions by Winograd's tiles against plain integer loops, every way that this processor has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.npu.arithmetic import VARIABLE
from emu.npu.native import compiled, convolution, kernels
from emu.npu.native.layout import Way
from emu.npu.native.requantisation import prepare_requantisation
from tests.emu.npu.datapath import Layer, Stage, check_convolution, convolutions, format_bounds, plain_convolutions
from tests.reference import integer

WAYS = convolution.ways()
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
NIBBLES = ("u1", "s1", "u2", "s2", "u4", "s4")
SMALL_SUMS = ("u1", "s1", "u2", "s2", "s4")
"""Formats of weights of which nine fit a signed byte."""
BYTES = ("u8", "s8")


@contextmanager
def always_by_tiles() -> Iterator[list[kernels.Operand]]:
    """Tiles wherever they are exact, even where they are not faster; yields what was multiplied."""
    made: list[kernels.Operand] = []
    operand = kernels.Kernels.operand

    def noted(*arguments: object) -> kernels.Operand:
        made.append(operand(*arguments))  # type: ignore[arg-type]
        return made[-1]

    with (
        mock.patch.object(kernels, "is_faster", return_value=True),
        mock.patch.object(kernels.Kernels, "operand", noted),
    ):
        yield made


def elements(generator: np.random.Generator, name: str, shape: tuple[int, ...], extreme: bool) -> np.ndarray:
    """Elements of a format; only the smallest and the largest ones, if ``extreme``."""
    low, high = format_bounds(name)
    values = [low, high] if extreme or name == "s1" else range(low, high + 1)
    return generator.choice(values, shape).astype(np.int8 if low < 0 else np.uint8)


@st.composite
def tiled_layers(draw: st.DrawFn) -> tuple:
    """Features, weights, padding, largest feature: of any formats, sizes around those of tiles and chunks."""
    features, weights = draw(st.sampled_from(NIBBLES + BYTES)), draw(st.sampled_from(NIBBLES + BYTES))
    count, channels = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    padding = tuple(draw(st.integers(0, 3)) for _ in range(4))
    height = draw(st.integers(max(1, 3 - padding[0] - padding[1]), 14))
    width = draw(st.integers(max(1, 3 - padding[2] - padding[3]), 20) | st.sampled_from([54, 55, 56, 57]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return (
        elements(generator, features, (height, width, channels), draw(st.booleans())),
        elements(generator, weights, (count, 3, 3, channels), draw(st.booleans())),
        padding,
        (features, weights),
    )


def largest_of(name: str) -> int:
    return max(-format_bounds(name)[0], format_bounds(name)[1])


def check_layer(layer: tuple) -> None:
    """Psums, elements and pooled elements of every way are those of plain loops, by tiles where they must fit."""
    features, weights, padding, names = layer
    sums = integer.conv2d(features, weights, 1, padding)
    table = np.array([(-3, 5, 8, 2)] * len(weights))
    expected = integer.requantise(sums, table, False, 0, 15)
    requantisation, largest = prepare_requantisation(table, 0, 15), largest_of(names[0])
    for way in WAYS:
        made = convolution.prepare(weights, way)
        with always_by_tiles() as operands:
            psums = convolution.convolve(features, made, padding=padding, largest=largest)
            assert np.array_equal(psums, sums), way
            got = convolution.convolve_requantise(features, made, requantisation, padding=padding, largest=largest)
            assert np.array_equal(got, expected), way
        if made.way is Way.GENERIC or (names[0] in NIBBLES and names[1] in SMALL_SUMS):
            assert all(operand.tiled for operand in operands)
        elif names[0] in BYTES:
            assert not any(operand.tiled for operand in operands)


@settings(max_examples=100)
@given(tiled_layers())
def test_any_layer(layer: tuple) -> None:
    check_layer(layer)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@settings(max_examples=2_000)
@given(tiled_layers())
def test_many_layers(layer: tuple) -> None:
    check_layer(layer)


@every_way
@pytest.mark.parametrize("weight_format", ["u4", "s4"])
@pytest.mark.parametrize("feature_format", ["u4", "s4"])
def test_transformed_numbers_at_the_ends_of_their_ranges(way: Way, feature_format: str, weight_format: str) -> None:
    """At each position both ends of transformed features meet both ends of transformed kernels."""
    signs = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    doubled = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
    tiles, weights = [], []
    for row in range(4):
        for column in range(4):
            tiles += ends(np.outer(signs[row], signs[column]), *format_bounds(feature_format))
            weights += ends(np.outer(doubled[row], doubled[column]), *format_bounds(weight_format))
    features = np.concatenate([np.repeat(tile[:, :, None], 64, 2) for tile in tiles], axis=1)
    kernel = np.repeat(np.array(weights)[..., None], 64, 3)
    dtypes = [np.uint8 if name == "u4" else np.int8 for name in (feature_format, weight_format)]
    features, kernel = features.astype(dtypes[0]), kernel.astype(dtypes[1])
    with always_by_tiles() as operands:
        psums = convolution.convolve(features, convolution.prepare(kernel, way), largest=largest_of(feature_format))
    assert [operand.tiled for operand in operands] == [way is Way.GENERIC or weight_format in SMALL_SUMS]
    assert np.array_equal(psums, integer.conv2d(features, kernel))


def ends(factors: np.ndarray, low: int, high: int) -> list[np.ndarray]:
    """What makes the sum of products with ``factors`` the largest and the smallest."""
    return [np.where(factors > 0, high, low), np.where(factors > 0, low, high)]


@pytest.mark.parametrize(("weight", "tiled"), [(127, True), (-128, False)])
def test_psums_of_which_four_times_leaves_32_bits(weight: int, tiled: bool) -> None:
    """The largest magnitude below 2^29, and above it."""
    channels = 2**29 // (9 * 255 * 127)
    features = np.full((3, 3, channels), 255, np.uint8)
    weights = np.full((1, 3, 3, channels), weight, np.int8)
    with always_by_tiles() as operands:
        psums = convolution.convolve(features, convolution.prepare(weights, Way.GENERIC))
    assert [operand.tiled for operand in operands] == [tiled]
    assert psums.tolist() == [[[9 * 255 * channels * weight]]]


@every_way
def test_other_kernels_and_strides_are_not_tiled(way: Way) -> None:
    generator = np.random.default_rng(3)
    features = elements(generator, "u4", (9, 11, 40), False)
    for size, stride in (((3, 3), (2, 1)), ((3, 3), (1, 2)), ((3, 1), (1, 1)), ((1, 3), (1, 1)), ((5, 5), (1, 1))):
        weights = elements(generator, "s4", (8, *size, 40), False)
        with always_by_tiles() as operands:
            psums = convolution.convolve(features, convolution.prepare(weights, way), stride, largest=15)
        assert [operand.tiled for operand in operands] == [False]
        assert np.array_equal(psums, integer.conv2d(features, weights)[:: stride[0], :: stride[1]])


@every_way
@pytest.mark.parametrize(
    ("channels", "side", "faster"), [(64, 16, True), (32, 11, True), (3, 64, False), (224, 7, False)]
)
def test_where_tiles_are_faster(way: Way, channels: int, side: int, faster: bool) -> None:
    made = convolution.prepare(np.ones((8, 3, 3, channels), np.int8), way)
    assert made.operand(np.dtype(np.uint8), (1, 1), (side, side), 15).tiled is faster


def test_features_of_which_only_the_dtype_is_known() -> None:
    made = convolution.prepare(np.ones((8, 3, 3, 64), np.int8), Way.GENERIC)
    for dtype in (np.uint8, np.int8):
        assert made.operand(np.dtype(dtype), (1, 1), (16, 16), None).tiled
    if compiled.HAS_VNNI:
        made = convolution.prepare(np.ones((8, 3, 3, 64), np.int8), Way.VNNI)
        for dtype, most in ((np.uint8, 32), (np.int8, 16)):
            assert made.operand(np.dtype(dtype), (1, 1), (16, 16), most).tiled
            assert not made.operand(np.dtype(dtype), (1, 1), (16, 16), most + 1).tiled
            assert not made.operand(np.dtype(dtype), (1, 1), (16, 16), None).tiled


@st.composite
def programs(draw: st.DrawFn) -> Layer:
    """Convolutions that tiles can make, from memory to memory and step by step, with and without initial psums."""
    layer = draw(plain_convolutions() | convolutions())
    count, _, _, channels = layer.kernel
    chain = layer.topology[0]
    weights = draw(st.sampled_from(NIBBLES))
    most = 1024 // (9 * integer.element_bits(weights)) * chain
    return replace(
        layer,
        weights=weights,
        kernel=(count, 3, 3, max(min(channels, most), chain)),
        size=(max(layer.size[0], 3), max(layer.size[1], 3)),
        strides=(1, 1),
        depthwise=False,
        sparse=False,
    )


@given(programs())
@settings(max_examples=150)
def test_any_program(layer: Layer) -> None:
    with mock.patch.dict(os.environ, {VARIABLE: "compiled"}), always_by_tiles():
        check_convolution(layer)


@pytest.mark.parametrize("pooling", ["none", "max"])
def test_a_command_from_memory_to_memory_uses_tiles(pooling: str) -> None:
    stage = Stage("u4", False, False, False, True, (0, 15), (pooling, (2, 2), (2, 2)), (True, True), 1, 5)
    layer = Layer(
        "s4", "u4", (8, 3, 3, 28), (9, 7), (1, 1), (1, 1, 1, 1), (1, 1, 1, 0), False, False, "", 1000, False, False, 5,
        stage,
    )  # fmt: skip
    with mock.patch.dict(os.environ, {VARIABLE: "compiled"}), always_by_tiles() as operands:
        check_convolution(layer)
    assert [operand.tiled for operand in operands] == [True]

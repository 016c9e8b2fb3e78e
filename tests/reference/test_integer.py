"""The oracle itself: cases worked out by hand, and loops over single elements."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import integer


def test_a_convolution_by_hand() -> None:
    features = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]]).reshape(3, 3, 1)
    weights = np.array([[1, 0], [0, -1]]).reshape(1, 2, 2, 1)
    assert integer.conv2d(features, weights)[..., 0].tolist() == [[-4, -4], [-4, -4]]
    assert integer.conv2d(features, weights, stride=2, padding=(1, 0, 1, 0))[..., 0].tolist() == [[-1, -3], [-7, -4]]


def test_channels_and_kernels_by_hand() -> None:
    features = np.array([[[1, 2], [3, 4]]])
    weights = np.array([[[[1, 10]]], [[[-1, 1]]]])
    assert integer.conv2d(features, weights).tolist() == [[[21, 1], [43, 1]]]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_convolution_against_single_products(data: st.DataObject) -> None:
    size = st.integers(1, 4)
    height, width, channels, kernels, kernel_height, kernel_width = (data.draw(size) for _ in range(6))
    top, bottom, left, right = (data.draw(st.integers(0, 2)) for _ in range(4))
    stride = data.draw(st.integers(1, 3))
    if height + top + bottom < kernel_height or width + left + right < kernel_width:
        return
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    features = generator.integers(-9, 10, (height, width, channels))
    weights = generator.integers(-9, 10, (kernels, kernel_height, kernel_width, channels))
    sums = integer.conv2d(features, weights, stride, (top, bottom, left, right))
    assert sums.dtype == np.int64
    assert sums.shape == (
        len(range(0, height + top + bottom - kernel_height + 1, stride)),
        len(range(0, width + left + right - kernel_width + 1, stride)),
        kernels,
    )
    for y, x, kernel in np.ndindex(*sums.shape):
        total = 0
        for i in range(kernel_height):
            for j in range(kernel_width):
                for channel in range(channels):
                    row, column = y * stride + i - top, x * stride + j - left
                    if 0 <= row < height and 0 <= column < width:
                        total += int(features[row, column, channel]) * int(weights[kernel, i, j, channel])
        assert sums[y, x, kernel] == total


@pytest.mark.parametrize(
    ("value", "saturated"),
    [(0, 0), (2**31 - 1, 2**31 - 1), (2**31, 2**31 - 1), (-(2**31), -(2**31)), (-(2**31) - 1, -(2**31))],
)
def test_saturation(value: int, saturated: int) -> None:
    assert integer.saturate32(value) == saturated


def test_each_step_of_a_sum_saturates() -> None:
    assert integer.saturating_sum([2**31 - 1, 5, -7]) == 2**31 - 8
    assert integer.saturating_sum([-1], start=-(2**31)) == -(2**31)


@pytest.mark.parametrize(
    ("numerator", "shift", "rounded"),
    [
        (5, 1, 3),
        (-5, 1, -3),
        (4, 1, 2),
        (1, 2, 0),
        (-1, 2, 0),
        (2, 2, 1),
        (-2, 2, -1),
        (3, 2, 1),
        (7, 0, 7),
        (-7, 0, -7),
    ],
)
def test_halves_round_away_from_zero(numerator: int, shift: int, rounded: int) -> None:
    assert integer.divide_rounding(numerator, shift) == rounded


def test_requantise_by_hand() -> None:
    # Kernel 0: (psum + 1) * 3 / 4 + 2. Kernel 1: psum + 2**31 - 1 saturates before it is halved.
    table = np.array([[1, 3, 2, 2], [2**31 - 1, 1, 1, 0]])
    psums = np.array([[1, 10], [-7, -10], [99, 0]])
    wide = integer.requantise(psums, table, False, -(2**31), 2**31 - 1)
    assert wide.tolist() == [[4, 2**30], [-3, 2**30 - 5], [77, 2**30]]
    assert integer.requantise(psums, table, False, -2, 15).tolist() == [[4, 15], [-2, 15], [15, 15]]
    assert integer.requantise(psums, table, True, -2, 15).tolist() == [[4, 15], [2, 15], [15, 15]]


def test_requantise_saturates_the_sum_first() -> None:
    table = np.array([[0, 2**31 - 1, 62, 0]])
    psums = np.array([[2**40], [-(2**40)]])
    # (2**31 - 1)**2 / 2**62 = 0.99.. and -(2**31) * (2**31 - 1) / 2**62 = -0.99..
    assert integer.requantise(psums, table, False, -8, 7).tolist() == [[1], [-1]]


@pytest.mark.parametrize(
    ("name", "elements", "packed"),
    [
        ("u1", [1, 0, 0, 1, 0, 0, 0, 0, 1], "0901"),
        ("s1", [1, -1, -1, 1], "09"),
        ("u2", [1, 2, 3, 0, 1], "3901"),
        ("s2", [1, -2, -1], "39"),
        ("u4", [1, 15, 8], "f108"),
        ("s4", [1, -1, -8], "f108"),
        ("u8", [1, 255], "01ff"),
        ("s8", [-128, -1], "80ff"),
        ("s32", [1, -2], "01000000feffffff"),
    ],
)
def test_packing_by_hand(name: str, elements: list[int], packed: str) -> None:
    assert integer.pack(elements, name).hex() == packed
    assert integer.unpack(bytes.fromhex(packed), len(elements), name) == elements


def test_rows_start_at_whole_bytes() -> None:
    tensor = np.arange(6).reshape(2, 3, 1)
    assert integer.pack_tensor(tensor, "u4").hex() == "1002" + "4305"


def test_a_chain_of_two_tiles_by_hand() -> None:
    # Three channels over two tiles: the first tile holds two of them, the second one.
    weights = np.array([[[[1, 2, 3]]], [[[4, 5, 6]]]])
    memory = integer.pack_kernels(weights, "u4", 2)
    assert memory == b"".join(bytes([first]) + bytes(7) for first in (0x21, 0x54, 0x03, 0x06))


def test_chunks_of_32_kernels() -> None:
    weights = np.arange(33).reshape(33, 1, 1, 1) % 16
    weights = np.concatenate([weights, 15 - weights], axis=3)
    memory = integer.pack_kernels(weights, "u4", 2)
    firsts = [kernel % 16 for kernel in range(32)]
    assert list(memory[::8]) == [*firsts, *(15 - first for first in firsts), 0, 15]

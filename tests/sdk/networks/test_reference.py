"""The network reference against plain loops over Python integers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asm.rules import ElementFormat
from sdk.networks import reference
from sdk.networks.network_file import network_of
from sdk.networks.parameters import make_parameters
from tests.reference import integer


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    size=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    pool=st.integers(1, 3),
    relu=st.booleans(),
    output=st.sampled_from([ElementFormat.u4, ElementFormat.s4, ElementFormat.u1, ElementFormat.s8]),
)
def test_a_layer_equals_plain_loops(
    seed: int, height: int, width: int, size: int, stride: int, padding: int, pool: int, relu: bool,
    output: ElementFormat,
) -> None:  # fmt: skip
    if min(height, width) + 2 * padding < size:
        return
    generator = np.random.default_rng(seed)
    features = generator.integers(0, 16, (height, width, 3))
    kernels = generator.integers(-8, 8, (5, size, size, 3))
    low, high = np.array([-300, 0, 0, -4]), np.array([300, 1 << 12, 20, 4])
    table = generator.integers(low, high, (5, 4), endpoint=True)
    sums = reference.convolve(features, kernels, (stride, stride), (padding,) * 4)
    np.testing.assert_array_equal(sums, integer.conv2d(features, kernels, stride, (padding,) * 4))
    made = reference.requantise(sums, table, relu, output)
    np.testing.assert_array_equal(made, integer.requantise(sums, table, relu, output.low, output.high))
    pooled = reference.pool(made, (pool, pool), (pool, pool), average=False)
    for row in range(pooled.shape[0]):
        for column in range(pooled.shape[1]):
            window = made[row * pool : (row + 1) * pool, column * pool : (column + 1) * pool]
            np.testing.assert_array_equal(pooled[row, column], window.max(axis=(0, 1)))
    assert pooled.shape[:2] == (-(-made.shape[0] // pool), -(-made.shape[1] // pool))


def test_half_of_the_weights_are_zero_and_outputs_use_their_format() -> None:
    layers = [
        {"name": "A", "kernels": 24, "size": 3, "padding": 1},
        {"name": "B", "kernels": 24, "size": 3, "padding": 1, "weights": "s2", "output": "s4", "relu": False},
    ]
    start = {"height": 16, "width": 16, "channels": 8}
    made = make_parameters(network_of({"name": "n", "seed": 7, "input": start, "layers": layers}, "n"))
    for name, low, high in (("A", -8, 7), ("B", -2, 1)):
        weights = made.kernels[name]
        assert np.count_nonzero(weights) == weights.size / 2
        assert (weights.min(), weights.max()) == (low, high)
    for name, values in (("A", range(16)), ("B", range(-8, 8))):
        shares = [np.mean(made.expected[name] == value) for value in values]
        assert min(shares) > 0.002
        assert max(shares) < 0.35
    again = make_parameters(network_of({"name": "n", "seed": 7, "input": start, "layers": layers}, "n"))
    np.testing.assert_array_equal(made.expected["B"], again.expected["B"])

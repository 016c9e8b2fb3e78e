"""The reference of every kind of layer against plain loops over Python integers."""

from __future__ import annotations

from math import exp, tanh

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from asm.rules import ElementFormat
from sdk.networks.lookup import lookup_table, table_bytes
from sdk.networks.network import Network
from sdk.networks.parameters import make_parameters
from tests.reference import integer, layers
from tests.reference.integer import Integers
from tests.sdk.networks.generated import Table, network, networks


def plain(network: Network, name: str) -> Integers:
    """A layer of the network by plain loops, from the tensors that the reference made before it."""
    made = make_parameters(network)
    workload = next(one for one in network.workloads() if one.layer.name == name)
    layer, source = workload.layer, made.expected[workload.layer.source]
    if layer.kind.value == "product":
        psums = layers.tensor_product(source, made.expected[layer.operand])
    elif layer.kind.value == "sum":
        psums = layers.tensor_sum(source, made.expected[layer.operand], layer.scales)
    else:
        source = source.reshape(1, 1, -1) if layer.kind.value == "dense" else source
        psums = layers.convolution(
            source, made.kernels[name], layer.stride, layer.padding, depthwise=layer.kind.value == "depthwise"
        )
    low, high = (-128, 127) if layer.lookup else (layer.output.low, layer.output.high)
    values = integer.requantise(psums, made.tables[name], layer.relu, low, high)
    if layer.lookup:
        values = layers.look_up(
            values, table_bytes(layer.lookup), layer.output.signed, layer.output.low, layer.output.high
        )
    elif layer.output is ElementFormat.s1:
        values = np.where(values > 0, 1, -1)
    mode = "average" if layer.average else "max"
    return layers.pool(values, mode, layer.pool, layer.pool_stride, workload.pooled_height, workload.pooled_width)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=networks())
def test_every_kind_equals_plain_loops(table: Table) -> None:
    made = network(table)
    expected = make_parameters(made).expected
    for workload in made.workloads():
        name = workload.layer.name
        if workload.macs < 20_000:
            np.testing.assert_array_equal(expected[name], plain(made, name), err_msg=name)


@pytest.mark.parametrize(
    ("name", "element", "index", "expected"),
    [
        ("sigmoid", ElementFormat.u8, 16, round(255 / (1 + exp(-1)))),
        ("sigmoid", ElementFormat.u4, -128, 0),
        ("tanh", ElementFormat.s8, 8, round(127 * tanh(0.5))),
        ("tanh", ElementFormat.s8, -8, round(-127 * tanh(0.5))),
        ("tanh", ElementFormat.u4, -8, 0),
        ("hard_swish", ElementFormat.s8, -48, 0),
        ("hard_swish", ElementFormat.s8, -24, round(-1.5 * 1.5 / 6 / 8 * 127)),
        ("leaky_relu", ElementFormat.s8, 64, round(4 / 8 * 127)),
        ("leaky_relu", ElementFormat.s8, -80, round(-0.5 / 8 * 127)),
    ],
)
def test_functions_in_steps_of_a_sixteenth(name: str, element: ElementFormat, index: int, expected: int) -> None:
    table = lookup_table(name, element)
    assert len(table) == 256
    assert table[index + 128] == expected
    assert table_bytes(table)[index % 256] == expected % 256

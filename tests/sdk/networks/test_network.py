"""Networks as data: what is read, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asm.rules import ElementFormat
from sdk import paths
from sdk.networks.layers import NetworkError
from sdk.networks.network_file import load_network, network_of


def table(*layers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    start = {"height": 9, "width": 7, "channels": 5}
    return {"name": "small", "input": start, "layers": list(layers), **changes}


LAYER = {"name": "A", "kernels": 8, "size": 3}


def test_shapes_follow_from_layer_to_layer() -> None:
    halves = [
        {"name": "B_1", "source": "A", "tensor": "B", "kernels": 4, "size": 1},
        {"name": "B_2", "source": "A", "tensor": "B", "kernels": 6, "size": 1, "first_channel": 4},
    ]
    first = {**LAYER, "padding": 1, "pool": 2}
    network = network_of(table(first, *halves, {"name": "C", "kernels": 3, "size": 2, "stride": 2}), "small")
    shapes = {name: (shape.height, shape.width, shape.channels) for name, shape in network.tensors().items()}
    assert shapes == {"input": (9, 7, 5), "A": (5, 4, 8), "B": (5, 4, 10), "C": (2, 2, 3)}, "9 x 7 pooled: 5 x 4"
    last = network.workloads()[-1]
    assert (last.input.channels, last.macs, last.kernel_bits) == (10, 2 * 2 * 3 * 40, 160)
    assert last.activation_bytes == (5 * 4 * 10 + 2 * 2 * 3) // 2
    assert network.layers[0].weights is ElementFormat.s4


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([], "small: a network needs at least one layer"),
        ([LAYER, LAYER], "small: there are two layers A"),
        ([{**LAYER, "source": "B"}], "small: layer A: no layer before it writes B; known: input"),
        (
            [{**LAYER, "size": 10}],
            "small: layer A: a kernel of 10 x 10 does not fit into its input of 9 x 7, 9 x 7 with padding",
        ),
        ([{**LAYER, "kernels": 0}], "small: layer A: kernels must be at least 1, not 0"),
        ([{**LAYER, "weights": "s32"}], "small: layer A: weights must be one of "),
        ([{**LAYER, "first_channel": 2}], "small: layer A: first_channel must be 0, the channels of A"),
        ([{**LAYER, "mapping": {"stripe": 1}}], "file: layers[0]: mapping: stripe is unknown; known: stripes, chain"),
        ([{**LAYER, "relu": 1}], "file: layers[0]: relu must be of type bool, not 1"),
        ([{"name": "A", "size": 1}], "file: layers[0]: kernels is missing"),
        ([{**LAYER, "output": "s5"}], "file: layers[0]: output must be one of u1, s1, u2"),
        (
            [{**LAYER, "kind": "deconvolution"}],
            "file: layers[0]: kind must be one of convolution, depthwise",
        ),
        (
            [{**LAYER, "kind": "depthwise"}],
            "file: layers[0]: a depthwise layer has no kernels, leave it out",
        ),
        ([{"name": "A", "kind": "sum"}], "file: layers[0]: operand is missing"),
        ([{**LAYER, "size": [1, 2, 3]}], "file: layers[0]: size must be a whole number, or a list of 2, not [1, 2, 3]"),
        (
            [{**LAYER, "padding": [1, 2, 3]}],
            "file: layers[0]: padding must be a whole number, or a list of 2 or 4",
        ),
        ([{**LAYER, "stride": 16}], "small: layer A: stride must be at most 15, not 16"),
        ([{**LAYER, "size": [1, 300]}], "small: layer A: size must be at most 255, not 300"),
        ([{**LAYER, "pool": [2, 16]}], "small: layer A: pool must be at most 15, not 16"),
        ([{**LAYER, "pooling": "median"}], "file: layers[0]: pooling must be one of max, average, not 'median'"),
        (
            [{**LAYER, "output": "s1", "pool": 2, "pooling": "average"}],
            "small: layer A: an average of s1 may be 0, which s1 does not hold; use another output",
        ),
        ([{**LAYER, "output": "s32"}], "small: layer A: output must be one of u1, s1, u2"),
        (
            [{**LAYER, "lookup": "sine"}],
            "file: layers[0]: lookup must be one of sigmoid, tanh, hard_swish",
        ),
        ([{**LAYER, "lookup": [1, 2]}], "file: layers[0]: lookup must be a whole number, or a list of 256, not [1, 2]"),
        ([{**LAYER, "lookup": 255 * [0] + [16]}], "file: layers[0]: lookup[255] must be 0..15, as the output, not 16"),
        ([{**LAYER, "output": "s1", "lookup": "tanh"}], "file: layers[0]: lookup: a look-up table cannot write s1"),
        (
            [LAYER, {"name": "B", "kind": "sum", "operand": "input"}],
            "small: layer B: both inputs of a sum must have one shape; A is 7 x 5 x 8 of u4, input is 9 x 7 x 5 of u4",
        ),
        (
            [LAYER, {"name": "B", "kind": "product", "operand": "C"}],
            "small: layer B: no layer before it writes C; known: input, A",
        ),
        (
            [{"name": "B", "kind": "sum", "operand": "input", "scales": [1, 40000]}],
            "file: layers[0]: scales must be -32768..32767, not 40000",
        ),
        (
            [{"name": "A", "kind": "dense", "kernels": 3}],
            "small: layer A: a dense layer reads its input as one run, but a row of input (9 x 7 x 5 of u4) has "
            "140 bits, no whole bytes; use a convolution with size = [9, 7]",
        ),
        ([{**LAYER, "mapping": {"overlap": 1}}], "file: layers[0]: mapping: overlap must be of type bool, not 1"),
        ([{**LAYER, "name": "A b"}], "file: layers[0]: name must be letters, digits and '_', not 'A b'"),
    ],
)
def test_wrong_layers_are_refused_with_rule_and_place(layers: list[dict[str, Any]], text: str) -> None:
    with pytest.raises(NetworkError) as error:
        network_of(table(*layers), "file")
    assert str(error.value).startswith(text)


def test_tensors_that_several_layers_write_need_one_shape() -> None:
    other = {"name": "B", "source": "input", "tensor": "A", "kernels": 2, "size": 1, "first_channel": 8}
    with pytest.raises(NetworkError, match="layer B: A is 7 x 5 of u4, not 9 x 7 of u4"):
        network_of(table(LAYER, other), "file")


def test_files_that_are_not_networks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"network\.toml cannot be read: No such file"):
        load_network(tmp_path)
    (tmp_path / "network.toml").write_text("name = ")
    with pytest.raises(NetworkError, match=r"network\.toml is not a TOML file"):
        load_network(tmp_path)


@pytest.mark.parametrize("name", ["residual", "vgg16", "yolo2_tiny"])
def test_the_examples_are_networks(name: str) -> None:
    assert load_network(paths.examples() / name).layers

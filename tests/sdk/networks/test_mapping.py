"""The published rule and the search against the published table; plans against counting."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from sdk import paths
from sdk.networks.cost import published_cycles
from sdk.networks.layers import NetworkError
from sdk.networks.mapping import Mapping
from sdk.networks.network import Network
from sdk.networks.network_file import load_network, network_of
from sdk.networks.plan import plan_network
from sdk.networks.search import mapping_of, search
from sdk.networks.workload import Workload

with (Path(__file__).parents[2] / "data" / "vgg16_published.csv").open(encoding="utf-8") as file:
    PUBLISHED = {row["layer"]: row for row in csv.DictReader(file)}

VGG = load_network(paths.examples() / "vgg16")
YOLO = load_network(paths.examples() / "yolo2_tiny")


def one_layer(channels: int, kernels: int, size: int, height: int = 9, **more: object) -> Network:
    layer = {"name": "A", "kernels": kernels, "size": size, "padding": size // 2, **more}
    start = {"height": height, "width": 6, "channels": channels}
    return network_of({"name": "one", "input": start, "layers": [layer]}, "one")


@pytest.mark.parametrize("workload", VGG.workloads(), ids=lambda workload: workload.layer.name)
def test_shapes_are_those_of_the_published_table(workload: Workload) -> None:
    row = PUBLISHED[workload.layer.name]
    shape = workload.input
    assert (shape.channels, shape.height, shape.width) == (int(row["c"]), int(row["h"]), int(row["w"]))
    assert (workload.kernels, workload.kernel_bits) == (int(row["kernels"]), int(row["kernel_bits"]))
    assert (workload.weight_bits, shape.stream_bytes) == (8 * int(row["weight_bytes"]), int(row["activation_bytes"]))
    assert round(workload.macs / 1e6, 2) == float(row["mmacs"])


@pytest.mark.parametrize("workload", VGG.workloads(), ids=lambda workload: workload.layer.name)
def test_the_search_finds_the_published_mappings(workload: Workload) -> None:
    row = PUBLISHED[workload.layer.name]
    mapping = search(workload)
    assert mapping == mapping_of(workload), "the example's own mapping is the published one"
    assert (mapping.stripes, mapping.chain, mapping.parallel) == tuple(
        int(row[name]) for name in ("stripes", "chain", "parallel")
    )
    assert mapping.rounds(workload) == int(row["kernel_rounds"])
    assert round(100 * mapping.utilisation(workload)) == int(row["utilization_pct"])
    assert abs(published_cycles(workload, mapping) - int(row["cycles_1cluster"])) < 1
    assert abs(published_cycles(workload, mapping, 8) - int(row["cycles_8clusters"])) < 1


def test_a_kernel_that_no_chain_holds_is_refused() -> None:
    text = "layer A: a tile holds whole channels of a kernel; one channel has 17 x 17 weights of s4, 1156 bits, and the"
    with pytest.raises(NetworkError, match=text):
        plan_network(one_layer(2, 8, 17), 1)
    with pytest.raises(NetworkError, match=r"layer A: .*chain of 2 needs 1728 bits a tile; a row has 1024"):
        plan_network(one_layer(96, 8, 3, mapping={"chain": 2}), 1)


def test_more_rounds_than_clusters_take_several_passes() -> None:
    network = one_layer(224, 320, 3)
    workload = network.workloads()[0]
    mapping = search(workload)
    assert (mapping, mapping.rounds(workload)) == (Mapping(1, 8, 1), 10)
    load, work = workload.weight_bits / 64, workload.macs * 4 / (1024 * 8)
    assert published_cycles(workload, mapping, 8) == 2 * (load + work) / 10
    rounds = [[task.round for task in tasks] for tasks in plan_network(network, 8).layers[0].tasks]
    assert rounds == [[0, 8], [1, 9], [2], [3], [4], [5], [6], [7]]


@pytest.mark.parametrize("clusters", [1, 2, 3, 8])
@pytest.mark.parametrize(
    "network",
    [VGG, YOLO, one_layer(3, 33, 3), one_layer(7, 65, 5, height=3), one_layer(16, 250, 3, output="u1", pool=3)],
    ids=lambda network: f"{network.name}-{len(network.layers)}",
)
def test_every_row_of_every_kernel_is_made_once(network: Network, clusters: int) -> None:
    for layer in plan_network(network, clusters).layers:
        workload = layer.workload
        made = [
            (row, kernel) for tasks in layer.tasks for task in tasks for row in task.rows for kernel in task.kernels
        ]
        whole = {(row, kernel) for row in range(workload.pooled_height) for kernel in range(workload.kernels)}
        assert len(made) == len(whole)
        assert set(made) == whole
        for cluster, tasks in enumerate(layer.tasks):
            for task in tasks:
                assert cluster in task.clusters
                assert len(task.kernels) <= 32 * layer.mapping.parallel
                assert task.kernels.start * workload.layer.output.bits % 8 == 0

"""What the search chooses, held against what firmware measures with every other choice."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdk.networks.cost import cluster_cycles
from sdk.networks.kernel_sizes import load_bits
from sdk.networks.layers import NetworkError
from sdk.networks.mapping import Mapping
from sdk.networks.measure import NetworkRun, run_network
from sdk.networks.network import Network
from sdk.networks.network_file import network_of
from sdk.networks.parameters import draw
from sdk.networks.plan import Plan, plan_network
from sdk.networks.search import mapping_of, search, search_best
from sdk.networks.tasks import distribute
from sdk.tensors import compress_kernels
from sdk.toolchain import ToolchainError
from tests.sdk.networks.generated import Table, network, networks


def one_layer(channels: int, kernels: int, size: int, **more: object) -> Network:
    layer = {"name": "A", "kernels": kernels, "size": size, "padding": size // 2, **more}
    start = {"height": 8, "width": 8, "channels": channels}
    return network_of({"name": "one", "input": start, "layers": [layer]}, "one")


def planned(network: Network, mapping: Mapping, clusters: int) -> Plan:
    """The only layer of a network with that mapping."""
    (workload,) = network.workloads()
    return Plan(network, clusters, (distribute(workload, mapping, clusters, draw(network).kernels["A"]),))


def run(plan: Plan, folder: Path, timing: str = "published") -> NetworkRun:
    try:
        made = run_network(plan, folder, timing=timing)
    except ToolchainError as error:
        pytest.skip(str(error))
    assert made.exact, made.wrong
    return made


def slowest(made: NetworkRun) -> int:
    """Cycles of the slowest cluster's commands, its group's load included."""
    (counted,) = made.counted
    load = max(one.load_cycles for one in counted)
    return max(load + one.work_cycles + one.stall_cycles for one in counted)


@pytest.mark.parametrize("clusters", [1, 3])
def test_no_other_mapping_with_the_same_chain_takes_fewer_cycles(clusters: int, tmp_path: Path) -> None:
    network = one_layer(32, 70, 3)
    (workload,) = network.workloads()
    best = mapping_of(workload, network.search, clusters, draw(network).kernels["A"])
    found = slowest(run(planned(network, best, clusters), tmp_path / "best"))
    for stripes, parallel in ((4, 1), (2, 2), (1, 4)):
        for techniques in (False, True):
            other = Mapping(stripes, best.chain, parallel, overlap=techniques, compressed=techniques)
            made = run(planned(network, other, clusters), tmp_path / "other")
            assert found <= slowest(made) + 3, f"{other} is better than {best}"


def test_kernels_are_compressed_where_they_have_zeros_and_loads_overlap_where_there_are_several(tmp_path: Path) -> None:
    chosen = {}
    for name, kernels, weights in (("few", 32, "s4"), ("many", 128, "s4"), ("binary", 128, "s1")):
        network = one_layer(32, kernels, 3, weights=weights)
        (layer,) = plan_network(network, 1).layers
        chosen[name] = (layer.mapping.overlap, layer.mapping.compressed)
    assert chosen == {"few": (False, True), "many": (True, True), "binary": (True, False)}, "s1 has no 0"
    network = one_layer(32, 128, 3)
    (workload,) = network.workloads()
    mapping = search(workload)
    plain = run(planned(network, mapping, 1), tmp_path)
    compressed = run(planned(network, replace(mapping, compressed=True), 1), tmp_path)
    both = run(planned(network, replace(mapping, compressed=True, overlap=True), 1), tmp_path)
    assert slowest(plain) > slowest(compressed) > slowest(both)
    assert plain.counted[0][0].kernel_words > compressed.counted[0][0].kernel_words


@pytest.mark.parametrize("clusters", [1, 4])
def test_the_first_loads_of_a_layer_hide_behind_the_layer_before(clusters: int, tmp_path: Path) -> None:
    layers = [{"name": name, "kernels": 32, "size": 3, "padding": 1} for name in ("A", "B")]
    start = {"height": 16, "width": 16, "channels": 32}
    network = network_of({"name": "two", "input": start, "layers": layers}, "two")
    plan = plan_network(network, clusters)
    second = plan.layers[1]
    assert second.mapping.overlap
    made = run(plan, tmp_path)
    counted = max(one.load_cycles for one in made.counted[1])
    whole, work = Fraction(second.load_bits[0][0], 64), max(one.work_cycles for one in made.counted[0])
    assert whole > 100
    assert abs(counted - max(whole - work, 0)) <= 2


def test_features_are_broadcast_where_streams_would_queue(tmp_path: Path) -> None:
    network = one_layer(256, 256, 1)
    (layer,) = plan_network(network, 8).layers
    assert layer.mapping.broadcast
    assert {task.listeners for tasks in layer.tasks for task in tasks} == {tuple(range(8))}
    shared = run(planned(network, layer.mapping, 8), tmp_path, "strict")
    alone = run(planned(network, replace(layer.mapping, broadcast=False), 8), tmp_path, "strict")
    assert sum(one.stall_port_cycles for one in alone.counted[0]) > 0
    assert slowest(shared) < slowest(alone)
    (layer,) = plan_network(one_layer(256, 256, 3), 8).layers
    assert not layer.mapping.broadcast, "nine times the work for the same streams"


@pytest.mark.parametrize("clusters", [1, 2])
def test_kernels_that_no_chain_holds_are_cut_into_parts(clusters: int, tmp_path: Path) -> None:
    network = one_layer(512, 8, 3, pool=2)
    (layer,) = plan_network(network, clusters).layers
    assert (layer.mapping.parts, layer.mapping.chain) == (3, 7), "18432 bits: 8 tiles have 8192"
    made = run(planned(network, layer.mapping, clusters), tmp_path)
    model = max(cluster_cycles(layer, cluster).total for cluster in range(clusters))
    assert abs(slowest(made) - model) <= 1 + layer.mapping.parts


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=networks(), clusters=st.integers(1, 8))
def test_the_best_is_never_slower_than_the_published_one(table: Table, clusters: int) -> None:
    made = network(table)
    kernels = draw(made).kernels
    for workload in made.workloads():
        weights = kernels.get(workload.layer.name)
        if weights is None:
            continue
        try:
            published = search(workload)
        except NetworkError:
            continue
        cycles = []
        for mapping in (search_best(workload, clusters, weights), published):
            plan = distribute(workload, mapping, clusters, weights)
            cycles.append(max(cluster_cycles(plan, cluster).total for cluster in range(clusters)))
        assert cycles[0] <= cycles[1]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=networks())
def test_sizes_of_compressed_kernels_are_those_of_what_is_packed(table: Table) -> None:
    made = network(table)
    kernels = draw(made).kernels
    for workload in made.workloads():
        weights = kernels.get(workload.layer.name)
        if weights is None:
            continue
        try:
            mapping = replace(search(workload), compressed=True)
        except NetworkError:
            continue
        sizes = load_bits(workload, mapping, weights)
        for share, bits in zip(mapping.shares(workload), sizes, strict=True):
            for channels, size in zip(mapping.channel_parts(workload), bits, strict=True):
                part = weights[share.start : share.stop, :, :, channels.start : channels.stop]
                assert size == 8 * len(compress_kernels(part, workload.layer.weights, mapping.chain))


@pytest.mark.parametrize(
    ("layer", "mapping", "text"),
    [
        (
            {},
            {"parts": 9},
            "layer A: parts must be 1..8, not 9: a kernel has 16 channels, and a part begins",
        ),
        ({}, {"stripes": 9}, "layer A: stripes must be 1..8, not 9"),
        ({}, {"chain": 4, "parallel": 3}, "layer A: chain 4 x parallel 3 x stripes 1 needs 12 tiles; a cluster has 8"),
        (
            {"unshared": True},
            {"broadcast": True},
            "layer A: features cannot be broadcast: its input is one",
        ),
        (
            {"kind": "depthwise"},
            {"broadcast": True},
            "layer A: features cannot be broadcast: the kernels of",
        ),
        ({"kind": "depthwise"}, {"chain": 2}, "layer A: depthwise kernels have 1 channel and a chain of 1 tile, not 1"),
    ],
)
def test_mappings_that_are_impossible_are_refused(layer: dict[str, object], mapping: object, text: str) -> None:
    table = {"name": "A", "size": 3, "mapping": mapping, **layer}
    if "kind" not in layer:
        table["kernels"] = 8
    start = {"height": 8, "width": 8, "channels": 16}
    network = network_of({"name": "one", "input": start, "layers": [table]}, "one")
    with pytest.raises(NetworkError) as error:
        plan_network(network, 2)
    assert str(error.value).startswith(text)

"""Networks that run from firmware: exact outputs, and the cycles that the rule says."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdk.networks.cost import layer_rule
from sdk.networks.layers import NetworkError
from sdk.networks.measure import NetworkRun, NetworkRunError, run_network
from sdk.networks.network import Network
from sdk.networks.network_file import network_of
from sdk.networks.plan import plan_network
from sdk.toolchain import ToolchainError

FORMATS = ("u1", "s1", "u2", "s2", "u4", "s4", "u8", "s8")


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Two layers; the first one's mapping is any that its kernels fit, or searched for."""
    first = {
        "name": "A",
        "kernels": draw(st.integers(1, 80)),
        "size": draw(st.integers(1, 3)),
        "padding": draw(st.integers(0, 1)),
        "stride": draw(st.integers(1, 2)),
        "pool": draw(st.integers(1, 3)),
        "weights": draw(st.sampled_from(FORMATS)),
        "output": draw(st.sampled_from(FORMATS)),
        "unshared": draw(st.booleans()),
    }
    if draw(st.booleans()):
        mappings = [(a, b, c) for a in range(1, 9) for b in range(1, 9) for c in range(1, 9) if a * b * c <= 8]
        first["mapping"] = dict(zip(("stripes", "chain", "parallel"), draw(st.sampled_from(mappings)), strict=True))
    second = {"name": "B", "kernels": draw(st.integers(1, 40)), "size": 1, "relu": False, "output": "s4"}
    start = {
        "height": draw(st.integers(6, 14)),
        "width": draw(st.integers(6, 9)),
        "channels": draw(st.integers(1, 24)),
        "format": draw(st.sampled_from(FORMATS)),
    }
    seed = draw(st.integers(0, 1 << 32))
    return network_of({"name": "small", "seed": seed, "input": start, "layers": [first, second]}, "small")


def run(network: Network, clusters: int, folder: Path, timing: str = "published") -> NetworkRun:
    try:
        return run_network(plan_network(network, clusters), folder, timing=timing)
    except ToolchainError as error:
        pytest.skip(str(error))


def check(network: Network, clusters: int, timing: str) -> None:
    """Runs a network if it can be mapped: exact outputs, cycles as the rule says, or more with strict timing."""
    try:
        plan_network(network, clusters)
    except NetworkError:
        return
    with TemporaryDirectory() as folder:
        made = run(network, clusters, Path(folder), timing)
    assert made.exact, made.wrong
    for layer, counted in zip(made.plan.layers, made.counted, strict=True):
        cycles = counted[0].load_cycles + counted[0].work_cycles + counted[0].stall_cycles
        rule = layer_rule(layer).total
        if timing == "strict":
            slowest = max(one.load_cycles + one.work_cycles + one.stall_cycles for one in counted)
            assert slowest + 1 >= rule
        elif clusters == 1:
            assert abs(cycles - rule) <= 1 + layer.rounds, (
                "a fraction is carried; streams of whole cycles, set-up meanwhile"
            )
        bits = layer.workload.macs * layer.workload.bits_per_mac
        assert abs(sum(one.tile_cycles for one in counted) - bits // 1024) <= clusters


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(network=networks(), timing=st.sampled_from(["published", "strict"]))
def test_small_networks_are_exact(network: Network, timing: str) -> None:
    check(network, 1, timing)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(network=networks(), clusters=st.integers(2, 8))
def test_small_networks_are_exact_on_several_clusters(network: Network, clusters: int) -> None:
    check(network, clusters, "published")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(network=networks(), clusters=st.integers(1, 8), timing=st.sampled_from(["published", "strict"]))
def test_many_networks_are_exact(network: Network, clusters: int, timing: str) -> None:
    check(network, clusters, timing)


@pytest.mark.parametrize("clusters", [1, 2, 5])
def test_several_rounds_write_their_channels_side_by_side(tmp_path: Path, clusters: int) -> None:
    halves = [
        {"name": f"B_{half}", "source": "A", "tensor": "B", "kernels": 66, "size": 3, "first_channel": 66 * half,
         "weights": "s2"}
        for half in (0, 1)
    ]  # fmt: skip
    first = {"name": "A", "kernels": 100, "size": 3, "padding": 1, "pool": 2}
    layers = [first, *halves, {"name": "C", "kernels": 10, "size": 2, "output": "s8", "relu": False}]
    start = {"height": 13, "width": 11, "channels": 20}
    network = network_of({"name": "rounds", "search": "published", "input": start, "layers": layers}, "rounds")
    made = run(network, clusters, tmp_path)
    assert [layer.rounds for layer in made.plan.layers] == [2, 2, 2, 1]
    assert made.exact, made.wrong


def test_an_output_that_differs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sdk.networks import measure

    def spoiled(network: Network) -> object:
        made = original(network)
        made.expected["A"][2, 3, 1] ^= 1
        return made

    original = measure.make_parameters
    monkeypatch.setattr(measure, "make_parameters", spoiled)
    layer = {"name": "A", "kernels": 4, "size": 1}
    start = {"height": 4, "width": 4, "channels": 4}
    made = run(network_of({"name": "spoiled", "input": start, "layers": [layer]}, "spoiled"), 1, tmp_path)
    assert made.wrong == {"A": 1}
    assert not made.exact


def test_a_firmware_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sdk.networks import program

    monkeypatch.setattr(program, "_end_of_layer", lambda *_: ["wait 0"])
    layer = {"name": "A", "kernels": 4, "size": 1}
    start = {"height": 4, "width": 4, "channels": 4}
    with pytest.raises(NetworkRunError, match="programs wait for what is never going to happen"):
        run(network_of({"name": "broken", "input": start, "layers": [layer]}, "broken"), 1, tmp_path)


@pytest.mark.parametrize(
    ("size", "kernels", "text"),
    [
        (224, 64, r"big: its tensors take 3612672 bytes, sysmem has 2097152 \(largest: A 3211264, input 401408\); use"),
        (2, 45000, r"big: its kernels take 3240000 bytes, flash has 2097152 \(largest: A 3240000\); use fewer bits"),
    ],
)
def test_what_does_not_fit_the_memories_is_refused(size: int, kernels: int, text: str, tmp_path: Path) -> None:
    layer = {"name": "A", "kernels": kernels, "size": 3, "padding": 1, "output": "u8", "mapping": {}}
    start = {"height": size, "width": size, "channels": 16}
    with pytest.raises(NetworkError, match=text):
        run(network_of({"name": "big", "input": start, "layers": [layer]}, "big"), 1, tmp_path)


def test_both_hosts_count_the_same(tmp_path: Path) -> None:
    layer = {"name": "A", "kernels": 40, "size": 3, "padding": 1, "pool": 2}
    start = {"height": 12, "width": 12, "channels": 8}
    plan = plan_network(network_of({"name": "hosts", "input": start, "layers": [layer]}, "hosts"), 2)
    try:
        one, other = (run_network(plan, tmp_path / name, name) for name in ("st18", "st18-rv32"))
    except ToolchainError as error:
        pytest.skip(str(error))
    assert one.exact
    assert other.exact
    for first, second in zip(one.counted[0], other.counted[0], strict=True):
        assert (first.load_cycles, first.work_cycles) == (second.load_cycles, second.work_cycles)

"""Every kind of layer with every mapping, from firmware: exact outputs, and the cycles that the cost model says."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sdk.networks.cost import cluster_cycles
from sdk.networks.layers import NetworkError
from sdk.networks.measure import NetworkRun, run_network
from sdk.networks.network import Network
from sdk.networks.plan import Plan, plan_network
from sdk.toolchain import ToolchainError
from tests.sdk.networks.generated import networks

CONTROL = 6
"""Set-up instructions and barriers between a load and its convolution, at most."""


def check(network: Network | None, clusters: int, timing: str) -> None:
    """Runs a network that can be mapped: exact outputs, cycles of every cluster as the model says."""
    assume(network is not None)
    assert network is not None
    try:
        plan = plan_network(network, clusters)
    except NetworkError:
        assume(False)
        raise
    with TemporaryDirectory() as folder:
        try:
            made = run_network(plan, Path(folder), timing=timing)
        except ToolchainError as error:
            pytest.skip(str(error))
    assert made.exact, made.wrong
    check_cycles(plan, made)


def check_cycles(plan: Plan, made: NetworkRun) -> None:
    """Published timing: each cluster's counters are the model's, but for fractions. Strict timing: never faster."""
    for layer, counted in zip(plan.layers, made.counted, strict=True):
        for number, one in enumerate(counted):
            model, commands = cluster_cycles(layer, number), len(layer.tasks[number]) * layer.mapping.parts
            loads = not layer.tasks[number] or layer.tasks[number][0].clusters[0] == number
            load = model.load if loads else 0
            if made.timing == "strict":
                assert one.load_cycles + one.work_cycles + 1 + commands >= load + model.work
                assert one.copy_cycles >= model.copy
                continue
            assert abs(one.load_cycles - load) <= 1 + commands
            assert abs(one.work_cycles - model.work) <= 1 + commands
            assert one.copy_cycles == model.copy
            unshared = CONTROL * commands if layer.workload.layer.unshared else 0
            assert abs(one.stall_cycles - model.stall) <= (1 + commands if unshared else 0) + unshared


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(network=networks(), timing=st.sampled_from(["published", "published", "strict"]))
def test_every_kind_is_exact_and_takes_the_cycles_of_the_model(network: Network | None, timing: str) -> None:
    check(network, 1, timing)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(network=networks(), clusters=st.integers(2, 8))
def test_every_kind_is_exact_on_several_clusters(network: Network | None, clusters: int) -> None:
    check(network, clusters, "published")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(network=networks(), clusters=st.integers(1, 8), timing=st.sampled_from(["published", "strict"]))
def test_many_networks_of_every_kind(network: Network | None, clusters: int, timing: str) -> None:
    check(network, clusters, timing)

"""Every kind of layer with every mapping, from firmware: exact outputs, and the cycles that the cost model says."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from sdk.networks.cost import cluster_cycles
from sdk.networks.layers import NetworkError
from sdk.networks.measure import NetworkRun, run_network
from sdk.networks.plan import Plan, plan_network
from sdk.toolchain import ToolchainError
from tests.sdk.networks.generated import Table, network, networks

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking: a run takes a second."""
CONTROL = 6
"""Set-up instructions and barriers between a load and its convolution, at most."""


def check(table: Table, clusters: int, timing: str) -> None:
    """Runs a network that can be mapped: exact outputs, cycles of every cluster as the model says."""
    try:
        plan = plan_network(network(table), clusters)
    except NetworkError:
        reject()
    with TemporaryDirectory() as folder:
        try:
            made = run_network(plan, Path(folder), timing=timing)
        except ToolchainError as error:
            pytest.skip(str(error))
    assert made.exact, made.wrong
    check_cycles(plan, made)


def check_cycles(plan: Plan, made: NetworkRun) -> None:
    """Published timing: each cluster's counters are the model's, but for fractions. Strict timing: never faster.

    Loads that overlap may be hidden better in strict timing, but behind work that took longer: up to the end of each
    layer no cluster is faster.
    """
    ahead = [0] * plan.clusters
    for layer, counted in zip(plan.layers, made.counted, strict=True):
        for number, one in enumerate(counted):
            model, commands = cluster_cycles(layer, number), len(layer.tasks[number]) * layer.mapping.parts
            loads = not layer.tasks[number] or layer.tasks[number][0].clusters[0] == number
            load = model.load if loads else 0
            if made.timing == "strict":
                ahead[number] += one.load_cycles + one.work_cycles + 1 + commands - int(load + model.work)
                assert ahead[number] >= 0
                assert one.work_cycles + 1 + commands >= model.work
                assert one.copy_cycles >= model.copy
                continue
            assert abs(one.load_cycles - load) <= 1 + commands
            assert abs(one.work_cycles - model.work) <= 1 + commands
            assert one.copy_cycles == model.copy
            unshared = CONTROL * commands if layer.workload.layer.unshared else 0
            assert abs(one.stall_cycles - model.stall) <= (1 + commands if unshared else 0) + unshared


@settings(max_examples=12, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(table=networks(), timing=st.sampled_from(["published", "published", "strict"]))
def test_every_kind_is_exact_and_takes_the_cycles_of_the_model(table: Table, timing: str) -> None:
    check(table, 1, timing)


@settings(max_examples=12, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(table=networks(), clusters=st.integers(2, 8))
def test_every_kind_is_exact_on_several_clusters(table: Table, clusters: int) -> None:
    check(table, clusters, "published")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=400, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(table=networks(), clusters=st.integers(1, 8), timing=st.sampled_from(["published", "strict"]))
def test_many_networks_of_every_kind(table: Table, clusters: int, timing: str) -> None:
    check(table, clusters, timing)

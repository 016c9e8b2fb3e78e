"""Which cluster does what: kernel rounds go to groups of clusters, rows of a round to the clusters of its group."""

from __future__ import annotations

from dataclasses import dataclass

from sdk.networks.mapping import Mapping, group_size, mapping_of
from sdk.networks.network import Network, NetworkError, Workload


@dataclass(frozen=True, slots=True)
class Task:
    """What one cluster does in one round: load the kernels, make its rows.

    Attributes:
        round: number of the kernel round.
        kernels: those of the round.
        rows: rows of the layer's results, behind pooling; empty if there are more clusters than rows.
        clusters: the group, the lowest one loads for all.
    """

    round: int
    kernels: range
    rows: range
    clusters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A layer on its clusters.

    Attributes:
        tasks: of each cluster, in the order in which it does them.
    """

    workload: Workload
    mapping: Mapping
    tasks: tuple[tuple[Task, ...], ...]

    @property
    def rounds(self) -> int:
        """Times that kernels are loaded."""
        return self.mapping.rounds(self.workload)

    @property
    def clusters(self) -> int:
        """Clusters that have rows to make."""
        return sum(any(task.rows for task in tasks) for tasks in self.tasks)


@dataclass(frozen=True)
class Plan:
    """A network on some clusters."""

    network: Network
    clusters: int
    layers: tuple[LayerPlan, ...]


def plan_network(network: Network, clusters: int) -> Plan:
    """Distributes a network. Raises `NetworkError` if a layer's mapping is impossible, or none is possible."""
    if clusters < 1:
        raise NetworkError(f"{network.name}: at least 1 cluster must work, not {clusters}")
    return Plan(network, clusters, tuple(_plan_layer(workload, clusters) for workload in network.workloads()))


def _plan_layer(workload: Workload, clusters: int) -> LayerPlan:
    mapping = mapping_of(workload)
    shares = mapping.shares(workload)
    size = group_size(workload, len(shares), clusters)
    groups = [tuple(range(first, first + size)) for first in range(0, clusters - size + 1, size)]
    tasks: list[list[Task]] = [[] for _ in range(clusters)]
    for number, kernels in enumerate(shares):
        group = groups[number % len(groups)]
        for place, cluster in enumerate(group):
            tasks[cluster].append(Task(number, kernels, _band(workload.pooled_height, place, size), group))
    return LayerPlan(workload, mapping, tuple(tuple(own) for own in tasks))


def _band(height: int, place: int, count: int) -> range:
    """The rows of one of ``count`` clusters: as equal as whole rows allow."""
    return range(place * height // count, (place + 1) * height // count)

"""Which cluster does what in a layer.

Kernel rounds go to groups of clusters, the rows of a round to the clusters of its group. With more rounds than groups,
groups take several rounds one after the other. A sum or product is one round without kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from sdk.networks.kernel_sizes import load_bits
from sdk.networks.mapping import Mapping
from sdk.networks.reference import Integers
from sdk.networks.workload import Workload

SHARED_ROWS = 8
"""A layer with fewer rows of results is not shared among the clusters of a group."""


@dataclass(frozen=True, slots=True)
class Task:
    """What one cluster does in one round: load the kernels, make its rows.

    Attributes:
        round: number of the kernel round.
        kernels: those of the round.
        rows: rows of the layer's results, behind pooling; empty if there are more clusters than rows.
        clusters: the group, the lowest one loads for all of it.
        listeners: clusters that take their features from one stream; empty: this one alone.
    """

    round: int
    kernels: range
    rows: range
    clusters: tuple[int, ...]
    listeners: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A layer on its clusters.

    Attributes:
        tasks: of each cluster, in the order in which it does them.
        load_bits: what passes the kernel port, for each round and each part of its kernels.
        hiding: of each cluster, cycles of the last convolution before this layer that no load has hidden behind yet.
    """

    workload: Workload
    mapping: Mapping
    tasks: tuple[tuple[Task, ...], ...]
    load_bits: tuple[tuple[int, ...], ...]
    hiding: tuple[Fraction, ...]

    @property
    def rounds(self) -> int:
        """Times that kernels are loaded."""
        return self.mapping.rounds(self.workload)

    @property
    def clusters(self) -> int:
        """Clusters that have rows to make."""
        return sum(any(task.rows for task in tasks) for tasks in self.tasks)


def group_size(workload: Workload, rounds: int, clusters: int) -> int:
    """Clusters that share the rows of one round."""
    return max(1, clusters // rounds) if workload.height >= SHARED_ROWS else 1


def distribute(
    workload: Workload,
    mapping: Mapping,
    clusters: int,
    weights: Integers | None = None,
    hiding: tuple[Fraction, ...] = (),
) -> LayerPlan:
    """A layer on some clusters.

    Args:
        weights: (kernels, rows, columns, channels); a mapping with compressed kernels needs them.
        hiding: see `LayerPlan`; empty: nothing was convolved before.
    """
    shares = mapping.shares(workload)
    size = group_size(workload, len(shares), clusters)
    groups = [tuple(range(first, first + size)) for first in range(0, clusters - size + 1, size)]
    tasks: list[list[Task]] = [[] for _ in range(clusters)]
    for number, kernels in enumerate(shares):
        group = groups[number % len(groups)]
        working = groups[: len(shares) - number // len(groups) * len(groups)]
        for place, cluster in enumerate(group):
            listeners = tuple(other[place] for other in working) if mapping.broadcast and len(working) > 1 else ()
            rows = _band(workload.pooled_height, place, size)
            tasks[cluster].append(Task(number, kernels, rows, group, listeners))
    bits = load_bits(workload, mapping, weights)
    return LayerPlan(workload, mapping, tuple(map(tuple, tasks)), bits, hiding or (Fraction(),) * clusters)


def _band(height: int, place: int, count: int) -> range:
    """The rows of one of ``count`` clusters: as equal as whole rows allow."""
    return range(place * height // count, (place + 1) * height // count)

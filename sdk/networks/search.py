"""The search for the best mapping of a layer.

The chain is the shortest that holds a kernel: a longer one has more tiles, but each has less to do. If none does, the
kernel is cut into as few parts as possible. Of what is left, by the rule of `sdk/networks/cost.py`:

*published*: the fewest cycles on one cluster; then the fewest rounds, since every round streams the input again, but
two if the kernels allow it, since rounds are what clusters share; then the most stripes. No overlap, no compression, no
shared features: the published tables have none.

*best*: the fewest cycles of the slowest cluster, with overlap and compression where they save some; then the fewest
rounds, then the most stripes. Features are broadcast where that pays:
`sdk/networks/broadcast.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from fractions import Fraction

from asm.rules import KERNEL_ROWS, ROW_BITS, TILES
from sdk.networks.broadcast import broadcast_pays
from sdk.networks.cost import cluster_cycles, published_cycles
from sdk.networks.layers import NetworkError
from sdk.networks.mapping import Mapping
from sdk.networks.reference import Integers
from sdk.networks.tasks import distribute
from sdk.networks.workload import Workload

PREFERRED_ROUNDS = 2


class Search(Enum):
    """What makes a mapping the best one; see the module."""

    published = "published"
    best = "best"


def mapping_of(
    workload: Workload,
    goal: Search = Search.published,
    clusters: int = 1,
    weights: Integers | None = None,
    hiding: tuple[Fraction, ...] = (),
) -> Mapping:
    """The mapping that the layer asks for, or the best one.

    Args:
        clusters: on which it will run.
        weights: (kernels, rows, columns, channels); compression is only tried with them.
        hiding: see `sdk.networks.tasks.LayerPlan`.

    Raises:
        NetworkError: the mapping is impossible, or none is possible.
    """
    if workload.layer.mapping is not None:
        workload.layer.mapping.check(workload)
        return workload.layer.mapping
    if workload.layer.kind.elementwise:
        return Mapping()
    return search(workload) if goal is Search.published else search_best(workload, clusters, weights, hiding)


def search(workload: Workload) -> Mapping:
    """The best mapping in the sense of the published tables. Raises `NetworkError` if no chain holds a kernel."""

    def badness(mapping: Mapping) -> tuple[Fraction, bool, int, int]:
        rounds = mapping.rounds(workload)
        return published_cycles(workload, mapping), rounds < PREFERRED_ROUNDS, rounds, -mapping.stripes

    return min(_topologies(workload), key=badness)


def search_best(
    workload: Workload, clusters: int, weights: Integers | None = None, hiding: tuple[Fraction, ...] = ()
) -> Mapping:
    """The mapping with the fewest cycles on these clusters. Raises `NetworkError` if no chain holds a kernel.

    Args:
        weights: (kernels, rows, columns, channels); without them kernels are not compressed.
        hiding: see `sdk.networks.tasks.LayerPlan`.
    """

    def badness(mapping: Mapping) -> tuple[Fraction, int, int, int]:
        plan = distribute(workload, mapping, clusters, weights, hiding)
        slowest = max(cluster_cycles(plan, cluster).total for cluster in range(clusters))
        return slowest, mapping.compressed + mapping.overlap, plan.rounds, -mapping.stripes

    best = min(
        (
            replace(topology, overlap=overlap, compressed=compressed)
            for topology in _topologies(workload)
            for overlap in (False, True)
            for compressed in ((False,) if weights is None else (False, True))
        ),
        key=badness,
    )
    if workload.layer.unshared or workload.layer.depthwise:
        return best
    plan = distribute(workload, replace(best, broadcast=True), clusters, weights)
    return plan.mapping if broadcast_pays(plan) else best


def _topologies(workload: Workload) -> Iterator[Mapping]:
    """All mappings with the shortest chain whose stripes have rows and whose parallel chains have kernels."""
    shortest = _shortest_chain(workload)
    chain = shortest.chain
    for parallel in range(1, min(TILES // chain, -(-workload.kernels // KERNEL_ROWS)) + 1):
        for stripes in range(1, min(TILES // (chain * parallel), workload.height) + 1):
            yield replace(shortest, stripes=stripes, parallel=parallel)


def _shortest_chain(workload: Workload) -> Mapping:
    """The fewest parts, then the fewest tiles, that hold a kernel."""
    bits = workload.layer.size[0] * workload.layer.size[1] * workload.layer.weights.bits
    fewest = -(-workload.kernel_bits // (TILES * ROW_BITS))
    for parts in range(fewest, workload.kernel_channels + 1):
        for chain in range(1, TILES + 1):
            mapping = Mapping(chain=chain, parts=parts)
            try:
                mapping.check(workload)
            except NetworkError:
                continue
            return mapping
    rows, columns = workload.layer.size
    raise NetworkError(
        f"layer {workload.layer.name}: a tile holds whole channels of a kernel; one channel has {rows} x {columns} "
        f"weights of {workload.layer.weights.name}, {bits} bits, and the row of a tile {ROW_BITS}: "
        "use smaller kernels, or fewer bits"
    )

"""How a layer lies on the tiles, what it takes by the published rule, and the search for the best mapping.

    load  = weight bits / 64
    work  = macs x bits per mac / (1024 x tiles)
    one cluster:      cycles = load + work
    more clusters:    cycles = load / rounds + work / (rounds x s),  s = floor(clusters / rounds), 1 below 8 rows

A *round* is the kernels that the tiles hold at a time. With several clusters each round has a group of ``s`` of them of
its own, which share its rows and get the kernels by broadcast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from asm.rules import KERNEL_ROWS, ROW_BITS, TILES, KernelGeometry, RuleError, check_topology
from sdk.networks.network import NetworkError, Workload

PORT_BITS = 64
"""Kernel port, and an unshared input stream: bits in a cycle."""
SHARED_ROWS = 8
"""A layer with fewer rows of results is not shared among the clusters of a group."""
PREFERRED_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Mapping:
    """``stripes`` copies of ``parallel`` chains of ``chain`` tiles."""

    stripes: int = 1
    chain: int = 1
    parallel: int = 1

    @property
    def tiles(self) -> int:
        """Tiles in use."""
        return self.stripes * self.chain * self.parallel

    def check(self, workload: Workload) -> None:
        """Raises `NetworkError` if there are not that many tiles, or kernels do not fit."""
        layer = workload.layer
        try:
            check_topology(self.chain, self.parallel, self.stripes)
            KernelGeometry(layer.size, layer.size, workload.input.channels, layer.weights, self.chain).check()
        except RuleError as error:
            raise NetworkError(f"layer {layer.name}: {error}") from None

    def rounds(self, workload: Workload) -> int:
        """Times that kernels are loaded."""
        return -(-workload.layer.kernels // (KERNEL_ROWS * self.parallel))

    def shares(self, workload: Workload) -> list[range]:
        """The kernels of each round: equally many, and every round's first output begins at a whole byte."""
        unit = max(1, 8 // workload.layer.output.bits)
        kernels, rounds = workload.layer.kernels, self.rounds(workload)
        units = -(-kernels // unit)
        edges = [min(place * units // rounds * unit, kernels) for place in range(rounds + 1)]
        return [range(first, last) for first, last in pairwise(edges)]

    def utilisation(self, workload: Workload) -> float:
        """Share of the cluster's array that is read in a cycle of work, 0..1."""
        return workload.kernel_bits * self.parallel * self.stripes / (TILES * ROW_BITS)


def group_size(workload: Workload, rounds: int, clusters: int) -> int:
    """Clusters that share the rows of one round."""
    return max(1, clusters // rounds) if workload.height >= SHARED_ROWS else 1


@dataclass(frozen=True, slots=True)
class RuleCycles:
    """What a layer takes by the published rule.

    Attributes:
        stall: waiting for an unshared input stream.
    """

    load: Fraction
    work: Fraction
    stall: Fraction

    @property
    def total(self) -> Fraction:
        """All cycles."""
        return self.load + self.work + self.stall


def published_rule(workload: Workload, mapping: Mapping, clusters: int = 1) -> RuleCycles:
    """A layer by the published rule; more rounds than clusters take several passes."""
    rounds = mapping.rounds(workload)
    passes = -(-rounds // clusters)
    share = Fraction(passes, rounds)
    load = share * Fraction(workload.weight_bits, PORT_BITS)
    work = share * Fraction(workload.macs * workload.bits_per_mac, ROW_BITS * mapping.tiles)
    work /= group_size(workload, rounds, clusters)
    stream = Fraction(passes * 8 * workload.input.stream_bytes, PORT_BITS) if workload.layer.unshared else Fraction()
    return RuleCycles(load, work, max(stream - load - work, Fraction()))


def published_cycles(workload: Workload, mapping: Mapping, clusters: int = 1) -> Fraction:
    """Cycles of a layer by the published rule."""
    return published_rule(workload, mapping, clusters).total


def search(workload: Workload) -> Mapping:
    """The best mapping by the published rule.

    The chain is the shortest that holds a kernel: a longer one has more tiles, but each has less to do. Of the rest the
    one with the fewest cycles on one cluster wins; of equal ones the one with the fewest rounds, since every round
    streams the input again, but two if the kernels allow it, since rounds are what clusters share. Of equal ones the
    one with the most stripes.

    Raises:
        NetworkError: no chain holds a kernel.
    """
    found = min(_mappings(workload), key=lambda mapping: _badness(workload, mapping), default=None)
    if found is None:
        needed = -(-workload.kernel_bits // ROW_BITS)
        raise NetworkError(
            f"layer {workload.layer.name}: a kernel of {workload.kernel_bits} bits needs a chain of {needed} tiles; "
            f"a cluster has {TILES}, and each takes whole channels"
        )
    return found


def _badness(workload: Workload, mapping: Mapping) -> tuple[Fraction, bool, int, int]:
    rounds = mapping.rounds(workload)
    return published_cycles(workload, mapping), rounds < PREFERRED_ROUNDS, rounds, -mapping.stripes


def _mappings(workload: Workload) -> Iterator[Mapping]:
    """All mappings with the shortest chain whose stripes have rows and whose parallel chains have kernels."""
    chain = _shortest_chain(workload)
    if chain is None:
        return
    for parallel in range(1, min(TILES // chain, -(-workload.layer.kernels // KERNEL_ROWS)) + 1):
        for stripes in range(1, min(TILES // (chain * parallel), workload.height) + 1):
            yield Mapping(stripes, chain, parallel)


def _shortest_chain(workload: Workload) -> int | None:
    for chain in range(1, TILES + 1):
        try:
            Mapping(1, chain, 1).check(workload)
        except NetworkError:
            continue
        return chain
    return None


def mapping_of(workload: Workload) -> Mapping:
    """The mapping that the layer asks for, or the best one. Raises `NetworkError`."""
    if workload.layer.mapping is None:
        return search(workload)
    mapping = Mapping(*workload.layer.mapping)
    mapping.check(workload)
    return mapping

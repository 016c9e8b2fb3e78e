"""What a layer takes by the published rule.

    load = weight bits / 64
    work = macs x bits per mac / (1024 x tiles)
    one cluster:      cycles = load + work
    more clusters:    cycles = load / rounds + work / (rounds x s),  s = floor(clusters / rounds), 1 below 8 rows

Each round has a group of ``s`` clusters of its own, which share its rows and get the kernels by broadcast. What the
published tables do not use is counted as the clusters count it: compressed kernels take the time of their bytes, a load
that overlaps takes what is longer than the work before it, also that of the layer before, a sum or product takes the
time of its longest stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from asm.rules import ROW_BITS
from sdk.networks.mapping import Mapping
from sdk.networks.reference import Integers
from sdk.networks.tasks import LayerPlan, distribute
from sdk.networks.workload import Workload

PORT_BITS = 64
"""Kernel port, streams: bits in a cycle."""


@dataclass(frozen=True, slots=True)
class RuleCycles:
    """Cycles by cause.

    Attributes:
        copy: of sums and products.
        stall: waiting for an unshared input stream.
    """

    load: Fraction = Fraction()
    work: Fraction = Fraction()
    copy: Fraction = Fraction()
    stall: Fraction = Fraction()

    @property
    def total(self) -> Fraction:
        """All cycles."""
        return self.load + self.work + self.copy + self.stall

    def __add__(self, other: RuleCycles) -> RuleCycles:
        return RuleCycles(
            self.load + other.load, self.work + other.work, self.copy + other.copy, self.stall + other.stall
        )


def cluster_cycles(plan: LayerPlan, cluster: int) -> RuleCycles:
    """What one cluster takes; the load of a group's kernels counts for each of its clusters."""
    tasks, total = plan.tasks[cluster], RuleCycles()
    if not tasks:
        return total
    if plan.workload.layer.kind.elementwise:
        return RuleCycles(copy=Fraction(sum(elementwise_cycles(plan.workload, task.rows) for task in tasks)))
    loads, _ = _loads(plan, tasks[0].clusters[0])
    for load, (_, work, stream) in zip(loads, _commands(plan, cluster), strict=True):
        stall = max(stream - load - work, Fraction()) if work else Fraction()
        total += RuleCycles(load, work, stall=stall)
    return total


def hiding_after(plan: LayerPlan) -> tuple[Fraction, ...]:
    """`LayerPlan.hiding` of the layer behind this one."""
    return tuple(_hiding(plan, cluster) for cluster in range(len(plan.tasks)))


def _hiding(plan: LayerPlan, cluster: int) -> Fraction:
    tasks = plan.tasks[cluster]
    if not tasks or plan.workload.layer.kind.elementwise:
        return plan.hiding[cluster]
    if tasks[0].clusters[0] == cluster:
        return _loads(plan, cluster)[1]
    works = [work for _, work, _ in _commands(plan, cluster) if work]
    return works[-1] if works else plan.hiding[cluster]


def _loads(plan: LayerPlan, loader: int) -> tuple[list[Fraction], Fraction]:
    """Cycles of each load of a cluster that loads for its group, and what is left to hide behind in the end."""
    loads, hiding = [], plan.hiding[loader]
    for bits, work, _ in _commands(plan, loader):
        load = Fraction(bits, PORT_BITS)
        hidden = min(load, hiding) if plan.mapping.overlap else Fraction()
        loads.append(load - hidden)
        hiding = work or hiding - hidden
    return loads, hiding


def _commands(plan: LayerPlan, cluster: int) -> Iterator[tuple[int, Fraction, int]]:
    """For each task and part of its kernels: bits to load, cycles of work, cycles of an unshared stream."""
    workload, mapping = plan.workload, plan.mapping
    area = workload.layer.size[0] * workload.layer.size[1]
    pixels = workload.input.height * workload.input.width
    for task in plan.tasks[cluster]:
        sums = workload.rows_before_pooling(task.rows) * workload.width * len(task.kernels)
        for channels, bits in zip(mapping.channel_parts(workload), plan.load_bits[task.round], strict=True):
            row_bits = sums * area * len(channels) * workload.bits_per_mac
            streamed = pixels * (len(task.kernels) if workload.layer.depthwise else len(channels))
            stream = beats(streamed * workload.input.format.bits) if workload.layer.unshared else 0
            yield bits, Fraction(row_bits, ROW_BITS * mapping.tiles), stream


def elementwise_cycles(workload: Workload, rows: range) -> int:
    """Cycles of a sum or product: those of its longest stream."""
    if not rows:
        return 0
    read = workload.rows_before_pooling(rows) * workload.width * workload.kernels
    written = len(rows) * workload.pooled_width * workload.kernels
    formats = [workload.input.format] if workload.operand is None else [workload.input.format, workload.operand.format]
    return max(*(beats(read * element.bits) for element in formats), beats(written * workload.layer.output.bits))


def beats(bits: int) -> int:
    """64-bit beats of that many bits, which fill whole bytes."""
    return -(-bits // PORT_BITS)


def layer_rule(plan: LayerPlan) -> RuleCycles:
    """The slowest group of clusters; the rows of a group are taken to be shared evenly."""
    groups = {tasks[0].clusters for tasks in plan.tasks if tasks}
    return max((_average([cluster_cycles(plan, one) for one in group]) for group in groups), key=_total)


def _average(group: list[RuleCycles]) -> RuleCycles:
    whole = sum(group, RuleCycles())
    count = len(group)
    return RuleCycles(whole.load / count, whole.work / count, whole.copy / count, whole.stall / count)


def _total(cycles: RuleCycles) -> Fraction:
    return cycles.total


def published_rule(
    workload: Workload, mapping: Mapping, clusters: int = 1, weights: Integers | None = None
) -> RuleCycles:
    """A layer by the published rule; more rounds than clusters take several passes.

    Args:
        weights: (kernels, rows, columns, channels); a mapping with compressed kernels needs them.
    """
    return layer_rule(distribute(workload, mapping, clusters, weights))


def published_cycles(
    workload: Workload, mapping: Mapping, clusters: int = 1, weights: Integers | None = None
) -> Fraction:
    """Cycles of a layer by the published rule."""
    return published_rule(workload, mapping, clusters, weights).total

"""What one cluster does in one layer, as assembly text: declarations and instructions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from asm.rules import ElementFormat
from sdk.networks.layers import LayerKind, TensorShape
from sdk.networks.names import features_symbol, kernels_symbol, lookup_symbol, psums_symbol, table_symbol
from sdk.networks.tasks import LayerPlan, Task

READY, LOADED, STREAM = 1, 2, 3
"""Barriers before a broadcast of kernels, behind it, and before features that several clusters share."""

RoundOffsets = list[list[int]]
"""Where the kernels of each round and part begin, in bytes."""


@dataclass(frozen=True)
class LayerProgram:
    """A layer on a cluster.

    Attributes:
        offsets: where its kernels begin in their array.
    """

    plan: LayerPlan
    cluster: int
    offsets: RoundOffsets

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What the cluster has to do."""
        return self.plan.tasks[self.cluster]

    def declarations(self) -> Iterator[str]:
        """Kernels, tables, a dense layer's view of its input, psums between parts of kernels."""
        workload, layer = self.plan.workload, self.plan.workload.layer
        yield f"requant {table_symbol(layer)}[{workload.kernels}] at extern {table_symbol(layer)}"
        if layer.kind is LayerKind.dense:
            yield f"tensor {self._input} : {tensor_type(workload.input)} at extern {features_symbol(layer.source)}"
        if layer.kind.elementwise:
            return
        rows, columns = layer.size
        for task in self.tasks:
            for part, channels in enumerate(self.plan.mapping.channel_parts(workload)):
                shape = f"{layer.weights.name}[{len(task.kernels)}, {rows}, {columns}, {len(channels)}]"
                start = self.offsets[task.round][part]
                yield f"kernels {self._kernels(task, part)} : {shape} at extern {kernels_symbol(layer)} + {start}"
            if self.plan.mapping.parts > 1 and task.rows:
                made = workload.rows_before_pooling(task.rows)
                psums = TensorShape(made, workload.width, len(task.kernels), ElementFormat.s32)
                yield f"tensor {self._psums(task)} : {tensor_type(psums)} at extern {psums_symbol(self.cluster)}"

    def instructions(self) -> Iterator[str]:
        """Set-up and commands; nothing if the cluster has nothing to do."""
        tasks, layer = self.tasks, self.plan.workload.layer
        if not tasks:
            return
        if layer.lookup:
            yield f"lookup at extern {lookup_symbol(layer)}"
        if layer.kind.elementwise:
            yield from self._elementwise(tasks[0])
            return
        mapping = self.plan.mapping
        topology = f"topology chain={mapping.chain}, parallel={mapping.parallel}, stripes={mapping.stripes}"
        yield topology + (", interleave" if mapping.interleave else "")
        if mapping.parts > 1:
            yield from self._tasks_in_parts()
            return
        yield self._kernel(tasks[0], 0)
        yield self._pooling()
        for place, task in enumerate(tasks):
            if place == 0 or task.listeners != tasks[place - 1].listeners:
                yield self._partition(task, task.rows.start)
            yield self._activation(task)
            yield from self._load(task, 0)
            if task.rows:
                yield f"conv {self._output(task)}, {self._features(task, 0)}"

    def _tasks_in_parts(self) -> Iterator[str]:
        """Kernels in parts of their channels: each part starts from the psums of the one before."""
        layer, last = self.plan.workload.layer, self.plan.mapping.parts - 1
        for task in self.tasks:
            made = task.rows.start * layer.pool_stride[0]
            for part in range(last + 1):
                yield self._kernel(task, part)
                yield self._pooling() if part == last else "pool none"
                yield self._partition(task, task.rows.start if part == last else made)
                yield self._activation(task) if part == last else "activation bypass"
                yield from self._load(task, part)
                if not task.rows:
                    continue
                output = self._output(task) if part == last else self._psums(task)
                if part:
                    yield f"accumulate {output}, {self._features(task, part)}, {self._psums(task)}"
                else:
                    yield f"conv {output}, {self._features(task, part)}"

    def _elementwise(self, task: Task) -> Iterator[str]:
        layer = self.plan.workload.layer
        if not task.rows:
            return
        yield self._pooling()
        yield self._partition(task, task.rows.start)
        yield self._activation(task)
        if layer.kind is LayerKind.sum:
            yield f"scale {layer.scales[0]}, {layer.scales[1]}"
        yield f"{layer.kind.value} {self._output(task)}, {layer.source}, {layer.operand}"

    def _load(self, task: Task, part: int) -> Iterator[str]:
        """Kernels in, and what clusters wait for before they work. The lowest cluster of a group loads for all."""
        mapping = self.plan.mapping
        load = f"load {self._kernels(task, part)}"
        load += ", compressed" if mapping.compressed else ""
        load += ", overlap" if mapping.overlap else ""
        if len(task.clusters) == 1:
            yield load
        else:
            group = cluster_set(task.clusters)
            yield f"barrier {READY}, clusters={group}"
            if self.cluster == task.clusters[0]:
                yield f"{load}, clusters={group}"
            yield f"barrier {LOADED}, clusters={group}"
        if task.listeners:
            yield f"barrier {STREAM}, clusters={cluster_set(task.listeners)}"

    def _kernel(self, task: Task, part: int) -> str:
        layer = self.plan.workload.layer
        strides, sides = ", ".join(map(str, layer.stride)), ", ".join(map(str, layer.padding))
        features = self.plan.workload.input.format.name
        text = f"kernel {self._kernels(task, part)}, features={features}, stride=({strides}), pad=({sides})"
        return text + (", depthwise" if layer.depthwise else "")

    def _pooling(self) -> str:
        layer = self.plan.workload.layer
        if not layer.pooled:
            return "pool none"
        mode = "average" if layer.average else "max"
        return f"pool {mode} {layer.pool[0]}x{layer.pool[1]}, stride=({layer.pool_stride[0]}, {layer.pool_stride[1]})"

    def _partition(self, task: Task, first: int) -> str:
        unshared = self.plan.workload.layer.unshared
        if not (first or unshared or task.listeners):
            return "partition none"
        clusters = f", clusters={cluster_set(task.listeners)}" if task.listeners else ""
        return f"partition first={first}{', unshared' if unshared else ''}{clusters}"

    def _activation(self, task: Task) -> str:
        layer, kernels = self.plan.workload.layer, task.kernels
        table = f"{table_symbol(layer)}[{kernels.start}:{kernels.stop}]"
        relu = ", relu" if layer.relu else ""
        element = ElementFormat.s8 if layer.lookup else layer.output
        return f"activation {table}{relu}{', lookup' if layer.lookup else ''}, clamp={element.low}..{element.high}"

    def _output(self, task: Task) -> str:
        layer, kernels, rows = self.plan.workload.layer, task.kernels, task.rows
        channels = f"{layer.first_channel + kernels.start}:{layer.first_channel + kernels.stop}"
        return f"{layer.tensor}[{rows.start}:{rows.stop}, :, {channels}]"

    def _features(self, task: Task, part: int) -> str:
        """The channels of the input that a part of the kernels reads."""
        workload = self.plan.workload
        channels = self.plan.mapping.channel_parts(workload)[part]
        if workload.layer.depthwise:
            channels = task.kernels
        if len(channels) == workload.input.channels:
            return self._input
        return f"{self._input}[:, :, {channels.start}:{channels.stop}]"

    @property
    def _input(self) -> str:
        layer = self.plan.workload.layer
        return f"{layer.name}_flat" if layer.kind is LayerKind.dense else layer.source

    def _kernels(self, task: Task, part: int) -> str:
        name = f"{self.plan.workload.layer.name}_round{task.round}"
        return name if self.plan.mapping.parts == 1 else f"{name}_part{part}"

    def _psums(self, task: Task) -> str:
        return f"{self.plan.workload.layer.name}_psums{task.round}"


def tensor_type(shape: TensorShape) -> str:
    """Format and shape of a tensor."""
    return f"{shape.format.name}[{shape.height}, {shape.width}, {shape.channels}]"


def cluster_set(clusters: Iterable[int]) -> str:
    """A set of clusters as a mask."""
    return f"0x{sum(1 << cluster for cluster in clusters):02x}"

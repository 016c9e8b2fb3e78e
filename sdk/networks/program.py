"""Accelerator programs of a network, one for each cluster, as assembly text.

After each layer all clusters meet at a barrier, and each keeps its counters in memory for whoever looks there when all
is done: the host sleeps through the whole network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from asm.rules import ElementFormat
from sdk.networks.measured import SYMBOL, counted_offset
from sdk.networks.network import INPUT, Layer, Network, TensorShape
from sdk.networks.plan import LayerPlan, Plan, Task

LAYER_DONE, READY, LOADED = 0, 1, 2
"""Barriers: behind a layer, before a broadcast of kernels and behind it."""


def symbol(network: Network) -> str:
    """The network's name as a C name."""
    return network.name.replace("-", "_")


def features_symbol(tensor: str) -> str:
    """The C array of a tensor."""
    return f"{tensor}_features"


def kernels_symbol(layer: Layer) -> str:
    """The C array of a layer's kernels, round after round."""
    return f"{layer.name}_kernels"


def table_symbol(layer: Layer) -> str:
    """The C array of a layer's activation table."""
    return f"{layer.name}_table"


def program_name(network: Network, cluster: int) -> str:
    """The C array of a cluster's program."""
    return f"{symbol(network)}_cluster{cluster}"


def cluster_program(plan: Plan, cluster: int, round_offsets: dict[str, list[int]]) -> str:
    """The program of one cluster.

    Args:
        round_offsets: for each layer, where the kernels of each round begin in its array.
    """
    network = plan.network
    lines = [f"; {network.title}, cluster {cluster} of {plan.clusters}.", f"program {program_name(network, cluster)}"]
    lines += ["", *_declarations(plan, cluster, round_offsets), "", "    mode compute 0..7"]
    for number, layer in enumerate(plan.layers):
        lines += ["", f"layer_{layer.workload.layer.name}:", *(f"    {line}" for line in _layer(layer, cluster))]
        lines += [f"    {line}" for line in _end_of_layer(number, cluster, plan.clusters)]
    return "\n".join([*lines, "    halt", ""])


def _declarations(plan: Plan, cluster: int, round_offsets: dict[str, list[int]]) -> Iterator[str]:
    for name, shape in plan.network.tensors().items():
        yield f"tensor {name} : {_type(shape)} at extern {features_symbol(name)}"
    for layer_plan in plan.layers:
        workload, layer = layer_plan.workload, layer_plan.workload.layer
        size = f"{layer.size}, {layer.size}, {workload.input.channels}"
        for task in layer_plan.tasks[cluster]:
            kernels = f"{layer.weights.name}[{len(task.kernels)}, {size}]"
            start = round_offsets[layer.name][task.round]
            yield f"kernels {_round(layer, task)} : {kernels} at extern {kernels_symbol(layer)} + {start}"
        yield f"requant {table_symbol(layer)}[{layer.kernels}] at extern {table_symbol(layer)}"


def _type(shape: TensorShape) -> str:
    return f"{shape.format.name}[{shape.height}, {shape.width}, {shape.channels}]"


def _round(layer: Layer, task: Task) -> str:
    return f"{layer.name}_round{task.round}"


def _layer(plan: LayerPlan, cluster: int) -> Iterator[str]:
    """The set-up of a layer and all rounds of a cluster; nothing if it has nothing to do."""
    tasks = plan.tasks[cluster]
    if not tasks:
        return
    layer, mapping = plan.workload.layer, plan.mapping
    yield f"topology chain={mapping.chain}, parallel={mapping.parallel}, stripes={mapping.stripes}"
    features = plan.workload.input.format.name
    yield f"kernel {_round(layer, tasks[0])}, features={features}, stride={layer.stride}, pad={layer.padding}"
    yield "pool none" if layer.pool == 1 else f"pool max {layer.pool}x{layer.pool}, stride={layer.pool}"
    yield _partition(layer, tasks[0].rows)
    for task in tasks:
        yield from _task(layer, task, cluster)


def _partition(layer: Layer, rows: range) -> str:
    unshared = ", unshared" if layer.unshared else ""
    return f"partition first={rows.start}{unshared}" if rows.start or unshared else "partition none"


def _task(layer: Layer, task: Task, cluster: int) -> Iterator[str]:
    """One round: kernels in, rows out. The lowest cluster of a group loads for all of it."""
    kernels, rows = task.kernels, task.rows
    element = layer.output
    relu = ", relu" if layer.relu else ""
    table = f"{table_symbol(layer)}[{kernels.start}:{kernels.stop}]"
    yield f"activation {table}{relu}, clamp={_bounds(element)}"
    output = f"{layer.tensor}[{rows.start}:{rows.stop}, :, {_channels(layer, kernels)}]"
    conv = f"conv {output}, {layer.source}"
    if len(task.clusters) == 1:
        yield f"load {_round(layer, task)}"
        yield conv
        return
    group = _cluster_set(task.clusters)
    yield f"barrier {READY}, clusters={group}"
    if cluster == task.clusters[0]:
        yield f"load {_round(layer, task)}, clusters={group}"
    yield f"barrier {LOADED}, clusters={group}"
    if rows:
        yield conv


def _bounds(element: ElementFormat) -> str:
    return f"{element.low}..{element.high}"


def _channels(layer: Layer, kernels: range) -> str:
    return f"{layer.first_channel + kernels.start}:{layer.first_channel + kernels.stop}"


def _end_of_layer(number: int, cluster: int, clusters: int) -> Iterator[str]:
    """All clusters rest until the last one is done; then each keeps what it has counted."""
    if clusters > 1:
        yield f"barrier {LAYER_DONE}, clusters={_cluster_set(range(clusters))}"
    yield f"counters at extern {SYMBOL} + {counted_offset(number, cluster, clusters)}"


def _cluster_set(clusters: Iterable[int]) -> str:
    return f"0x{sum(1 << cluster for cluster in clusters):02x}"


def input_symbol() -> str:
    """The C array of the network's input."""
    return features_symbol(INPUT)

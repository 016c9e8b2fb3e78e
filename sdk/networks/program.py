"""Accelerator programs of a network, one for each cluster, as assembly text.

After each layer all clusters meet at a barrier, and each keeps its counters in memory for whoever looks there when all
is done: the host sleeps through the whole network.
"""

from __future__ import annotations

from collections.abc import Iterator

from sdk.networks.layer_program import LayerProgram, RoundOffsets, cluster_set, tensor_type
from sdk.networks.measured import SYMBOL, counted_offset
from sdk.networks.names import features_symbol, program_name
from sdk.networks.plan import Plan

LAYER_DONE = 0
"""The barrier behind a layer."""


def cluster_program(plan: Plan, cluster: int, offsets: dict[str, RoundOffsets]) -> str:
    """The program of one cluster.

    Args:
        offsets: for each layer, where the kernels of each round and part begin in its array.
    """
    network, tensors = plan.network, plan.network.tensors()
    layers = [LayerProgram(layer, cluster, offsets[layer.workload.layer.name]) for layer in plan.layers]
    lines = [
        f"; {network.title}, cluster {cluster} of {plan.clusters}.",
        f"program {program_name(network, cluster)}",
        "",
    ]
    lines += [
        f"tensor {name} : {tensor_type(shape)} at extern {features_symbol(name)}" for name, shape in tensors.items()
    ]
    for layer in layers:
        lines += layer.declarations()
    lines += ["", "    mode compute 0..7"]
    for number, layer in enumerate(layers):
        lines += ["", f"layer_{layer.plan.workload.layer.name}:", *(f"    {line}" for line in layer.instructions())]
        lines += [f"    {line}" for line in _end_of_layer(number, cluster, plan.clusters)]
    return "\n".join([*lines, "    halt", ""])


def _end_of_layer(number: int, cluster: int, clusters: int) -> Iterator[str]:
    """All clusters rest until the last one is done; then each keeps what it has counted."""
    if clusters > 1:
        yield f"barrier {LAYER_DONE}, clusters={cluster_set(range(clusters))}"
    yield f"counters at extern {SYMBOL} + {counted_offset(number, cluster, clusters)}"

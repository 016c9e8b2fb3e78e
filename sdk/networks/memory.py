"""Whether a network fits the memories of a machine: tensors in system memory, kernels in flash."""

from __future__ import annotations

from asm.rules import ElementFormat
from emu.machine import MachineMap
from sdk.networks.layers import NetworkError
from sdk.networks.plan import Plan
from sdk.networks.tasks import LayerPlan

SYSTEM, FLASH = "sysmem", "flash"
BYTE_BITS = 8
NAMED = 3
"""Largest parts that an error names."""


def psum_bytes(plan: Plan, cluster: int) -> int:
    """Memory that a cluster needs for the psums between the parts of its kernels."""
    return max((_layer_psums(layer, cluster) for layer in plan.layers), default=0)


def _layer_psums(plan: LayerPlan, cluster: int) -> int:
    if plan.mapping.parts == 1:
        return 0
    workload, word = plan.workload, ElementFormat.s32.bits // BYTE_BITS
    sizes = (workload.rows_before_pooling(task.rows) * len(task.kernels) for task in plan.tasks[cluster])
    return max(sizes, default=0) * workload.width * word


def check_memory(plan: Plan, machine: MachineMap) -> None:
    """Raises `NetworkError` if tensors or kernels alone are larger than the memory that they lie in."""
    sizes = {memory.name: memory.size for memory in machine.memories}
    tensors = {name: shape.memory_bytes for name, shape in plan.network.tensors().items()}
    psums = {f"psums of cluster {cluster}": psum_bytes(plan, cluster) for cluster in range(plan.clusters)}
    kernels = {layer.workload.layer.name: sum(map(sum, layer.load_bits)) // BYTE_BITS for layer in plan.layers}
    where = plan.network.name
    _check(f"{where}: its tensors", tensors | psums, SYSTEM, sizes, "use fewer bits, larger steps, or pooling")
    _check(f"{where}: its kernels", kernels, FLASH, sizes, "use fewer bits, or compressed kernels")


def _check(what: str, parts: dict[str, int], memory: str, sizes: dict[str, int], advice: str) -> None:
    total = sum(parts.values())
    if memory in sizes and total > sizes[memory]:
        largest = sorted(parts.items(), key=lambda item: -item[1])[:NAMED]
        names = ", ".join(f"{name} {size}" for name, size in largest if size)
        raise NetworkError(f"{what} take {total} bytes, {memory} has {sizes[memory]} (largest: {names}); {advice}")

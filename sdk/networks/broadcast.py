"""Where it pays that several clusters take their features from one stream.

A memory serves as many streams at the same time as it has ports. Clusters that work on different kernels read the same
rows of the input; each of these streams queues for a port unless they are one. That costs time where the streams of all
clusters keep the ports busy for longer than the tiles work (strict timing; published timing does not count ports).
"""

from __future__ import annotations

from asm.rules import KERNEL_ROWS, ROW_BITS
from sdk.networks.cost import beats
from sdk.networks.tasks import LayerPlan, Task

SYSTEM_PORTS = 4
"""Streams that the system memory of the machines serves at the same time."""


def broadcast_pays(plan: LayerPlan) -> bool:
    """Whether streams would queue for longer than the tiles work, and some of them are of the same features.

    Args:
        plan: a layer whose mapping has `broadcast`.
    """
    most = max(len(tasks) for tasks in plan.tasks)
    return any(_pays(plan, [tasks[place] for tasks in plan.tasks if place < len(tasks)]) for place in range(most))


def _pays(plan: LayerPlan, together: list[Task]) -> bool:
    """The same for tasks that clusters do at the same time."""
    streamed = sum(_input_beats(plan, task) + _output_beats(plan, task) for task in together)
    work = max(_work(plan, task) for task in together)
    return any(task.listeners for task in together) and streamed > SYSTEM_PORTS * work


def _input_beats(plan: LayerPlan, task: Task) -> int:
    workload = plan.workload
    rows = workload.rows_before_pooling(task.rows)
    needed = (rows - 1) * workload.layer.stride[0] + workload.layer.size[0]
    return beats(min(needed, workload.input.height) * workload.input.row_bits) if rows else 0


def _output_beats(plan: LayerPlan, task: Task) -> int:
    workload = plan.workload
    return beats(len(task.rows) * workload.pooled_width * len(task.kernels) * workload.layer.output.bits)


def _work(plan: LayerPlan, task: Task) -> int:
    """Whole cycles of the tiles: a slice that fills a part of a row takes the row's cycle."""
    workload, mapping = plan.workload, plan.mapping
    rows = -(-workload.rows_before_pooling(task.rows) // mapping.stripes)
    pixels = rows * workload.width * min(len(task.kernels), KERNEL_ROWS)
    slices = (mapping.geometry(workload, channels).slice_weights[0] for channels in mapping.channel_parts(workload))
    return sum(pixels * -(-weights * workload.bits_per_mac // ROW_BITS) for weights in slices)

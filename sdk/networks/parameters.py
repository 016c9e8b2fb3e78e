"""Numbers for a network that was never trained: seeded kernels and input, calibrated activation tables.

Half of the weights of every layer are 0, the operating point of the published tables. The tables bring psums to where
the output's format is well used. All is integer arithmetic, so that every computer gets the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from asm.rules import ElementFormat
from sdk.networks import reference
from sdk.networks.layers import Layer, TensorShape
from sdk.networks.network import INPUT, Network
from sdk.networks.reference import Integers, Words
from sdk.networks.workload import Workload

SHIFT = 24
"""Shift of every table entry; multipliers have about as many bits as psums leave them."""
SPREAD_RELU, SPREAD_SIGNED = 3, 4
"""Standard deviations of a psum that the output's range holds, with and without ReLU."""
JITTER = (75, 125)
"""Percent: kernels get multipliers that differ as those of trained networks do."""


@dataclass(frozen=True)
class Parameters:
    """What a network computes with, and what comes out.

    Attributes:
        image: the input, (height, width, channels).
        kernels: by layer, (kernels, rows, columns, channels).
        tables: by layer, int64 (kernels, 4): bias, multiplier, shift, offset.
        expected: every tensor by name, as the integer reference computes it.
    """

    image: Integers
    kernels: dict[str, Integers]
    tables: dict[str, Integers]
    expected: dict[str, Words]


@dataclass(frozen=True)
class Draw:
    """The random numbers of a network, before anything is computed with them.

    Attributes:
        image, kernels: see `Parameters`.
        percents: by layer, what the multiplier of each kernel is of the calibrated one.
    """

    image: Integers
    kernels: dict[str, Integers]
    percents: dict[str, Integers]


def draw(network: Network) -> Draw:
    """The random numbers of a network; they depend on its seed and shapes alone."""
    generator = np.random.default_rng(network.seed)
    drawn = Draw(_random_input(network.input, generator), {}, {})
    for workload in network.workloads():
        name = workload.layer.name
        if not workload.layer.kind.elementwise:
            drawn.kernels[name] = _random_kernels(workload, generator)
        drawn.percents[name] = generator.integers(*JITTER, workload.kernels, endpoint=True)
    return drawn


def make_parameters(network: Network) -> Parameters:
    """Kernels, tables and input of a network, and what comes out."""
    drawn = draw(network)
    tables: dict[str, Integers] = {}
    tensors: dict[str, Words] = {INPUT: drawn.image.astype(np.int64)}
    for layer in network.layers:
        operand = tensors[layer.operand] if layer.kind.elementwise else None
        kernels = drawn.kernels.get(layer.name, np.zeros(0, np.int64))
        sums = reference.psums(layer, tensors[layer.source], operand, kernels)
        table = tables[layer.name] = _calibrated(layer, sums, drawn.percents[layer.name])
        made = reference.results(layer, sums, table)
        before = tensors.get(layer.tensor)
        tensors[layer.tensor] = made if before is None else np.concatenate([before, made], axis=2)
    return Parameters(drawn.image, drawn.kernels, tables, tensors)


def _random_input(shape: TensorShape, generator: np.random.Generator) -> Integers:
    size = (shape.height, shape.width, shape.channels)
    return _random_elements(shape.format, size, generator)


def _random_elements(
    element: ElementFormat, size: tuple[int, ...], generator: np.random.Generator, zero: bool = True
) -> Integers:
    """Every value of the format equally often; ``zero``: 0 among them, if the format has it."""
    values = [value for value in range(element.low, element.high + 1) if _holds(element, value) and (zero or value)]
    return generator.choice(np.array(values, np.int8 if element.signed else np.uint8), size)


def _holds(element: ElementFormat, value: int) -> bool:
    return element is not ElementFormat.s1 or value != 0


def _random_kernels(workload: Workload, generator: np.random.Generator) -> Integers:
    """Random weights, half of them 0; `s1` has no 0."""
    layer = workload.layer
    size = (workload.kernels, *layer.size, workload.kernel_channels)
    weights = _random_elements(layer.weights, size, generator, zero=False)
    if layer.weights is not ElementFormat.s1:
        flat = weights.reshape(-1)
        flat[generator.permutation(flat.size)[: flat.size // 2]] = 0
    return weights


def _calibrated(layer: Layer, sums: Words, percents: Integers) -> Integers:
    """A table that spreads psums, (height, width, kernels), over the output's format, kernel by kernel.

    With a look-up table they are spread over its indices instead.
    """
    element = ElementFormat.s8 if layer.lookup else layer.output
    kernels = sums.shape[2]
    flat = sums.reshape(-1, kernels)
    table = np.zeros((kernels, 4), np.int64)
    span = element.high - max(element.low, 0) if layer.relu else element.high - element.low
    for kernel in range(kernels):
        column = flat[:, kernel]
        mean = int(column.sum()) // len(column)
        deviation = isqrt(int(((column - mean) ** 2).sum()) // len(column)) + 1
        spread = SPREAD_RELU if layer.relu else SPREAD_SIGNED
        multiplier = span * int(percents[kernel]) * (1 << SHIFT) // (100 * spread * deviation)
        # ReLU cuts at 0: a deviation above the mean's place there leaves most values above it.
        bias = deviation - mean if layer.relu else -mean
        offset = 0 if layer.relu else (element.high + element.low + 1) // 2
        table[kernel] = bias, max(1, multiplier), SHIFT, offset
    return table

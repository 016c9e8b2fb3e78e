"""What a layer is, as data: its kind, its shapes, what stands behind its psums.

| kind | makes psums of |
|---|---|
| convolution | all channels of its input, kernel by kernel |
| depthwise | one channel of its input for each kernel |
| dense | every element of its input, kernel by kernel |
| sum, product | two tensors of one shape, element by element |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from asm.rules import ElementFormat

if TYPE_CHECKING:
    from sdk.networks.mapping import Mapping

Pair = tuple[int, int]
"""Vertical, horizontal."""
Sides = tuple[int, int, int, int]
"""Top, bottom, left, right."""


OUTPUT_FORMAT = ElementFormat.u4
"""What a layer writes if it does not say it."""


class NetworkError(ValueError):
    """A network is not one, or cannot be mapped: the text names layer, rule and value."""


class LayerKind(Enum):
    """What makes a layer's psums; see the module."""

    convolution = "convolution"
    depthwise = "depthwise"
    dense = "dense"
    sum = "sum"
    product = "product"

    @property
    def elementwise(self) -> bool:
        """Whether it has two inputs and no kernels."""
        return self in (LayerKind.sum, LayerKind.product)


@dataclass(frozen=True, slots=True)
class TensorShape:
    """A tensor between layers: height x width x channels."""

    height: int
    width: int
    channels: int
    format: ElementFormat

    @property
    def elements(self) -> int:
        """How many elements it has."""
        return self.height * self.width * self.channels

    @property
    def stream_bytes(self) -> int:
        """Bytes of its elements, packed tightly."""
        return -(-self.elements * self.format.bits // 8)

    @property
    def row_bits(self) -> int:
        """Bits of the elements of a row."""
        return self.width * self.channels * self.format.bits

    @property
    def memory_bytes(self) -> int:
        """Bytes that it takes in memory, where every row begins at a whole byte."""
        return self.height * -(-self.row_bits // 8)

    def __str__(self) -> str:
        return f"{self.height} x {self.width} x {self.channels} of {self.format.name}"


@dataclass(frozen=True, slots=True)
class Layer:
    """Psums, their activation, and perhaps pooling behind it.

    Attributes:
        source: the tensor that it reads.
        tensor: the tensor that it writes; several layers may write the same one, each some of its channels.
        kind: what makes its psums.
        kernels: how many; 0: as many as the input has channels.
        size: rows and columns of a kernel.
        stride: rows and columns from window to window.
        padding: zeros around the input.
        weights: format of the kernels.
        operand: the second tensor that a sum or product reads.
        scales: factors of both inputs of a sum.
        output: format of what it writes.
        relu: nothing below the activation's offset leaves.
        lookup: 256 numbers, for the bytes -128..127, of which the activated value selects one; empty: none.
        pool: rows and columns of a pooling window; (1, 1): no pooling. Windows at the bottom and right use what is
            there.
        pool_stride: rows and columns from window to window.
        average: pooling takes the average instead of the largest value.
        first_channel: where its channels begin in the tensor that it writes.
        unshared: its input comes over one 64-bit stream that clusters do not share.
        mapping: None: the best one is searched for.
    """

    name: str
    source: str
    tensor: str
    kind: LayerKind = LayerKind.convolution
    kernels: int = 0
    size: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Sides = (0, 0, 0, 0)
    weights: ElementFormat = ElementFormat.s4
    operand: str = ""
    scales: Pair = (1, 1)
    output: ElementFormat = OUTPUT_FORMAT
    relu: bool = True
    lookup: tuple[int, ...] = ()
    pool: Pair = (1, 1)
    pool_stride: Pair = (1, 1)
    average: bool = False
    first_channel: int = 0
    unshared: bool = False
    mapping: Mapping | None = None

    @property
    def pooled(self) -> bool:
        """Whether pooling changes anything."""
        return (self.pool, self.pool_stride) != ((1, 1), (1, 1))

    @property
    def depthwise(self) -> bool:
        """Whether each kernel has a channel of its own."""
        return self.kind is LayerKind.depthwise

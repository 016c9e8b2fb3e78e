"""A convolution as one job from memory to memory, for arithmetic that needs nothing in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emu.npu.activation import Activation
from emu.npu.convolution import Weights, input_rows
from emu.npu.pooling import Pooling
from emu.npu.stream import Tensor


@dataclass(eq=False)
class Streamed:
    """A convolution from memory to memory with one set of kernels and without initial psums.

    Attributes:
        source, destination: the whole input, the rows of the output that are wanted.
        padding, strides, largest, rows: as of `Job`.
        activation, pooling: behind the psums.
        prepared: weights, and what compiled code made of this convolution with them; None if nothing yet.
    """

    source: Tensor
    destination: Tensor
    padding: tuple[int, int, int, int]
    strides: tuple[int, int]
    largest: int
    rows: range
    activation: Activation
    pooling: Pooling
    prepared: tuple[Weights, Any] | None = None

    def input_rows(self, kernel_height: int) -> tuple[int, int, int, int]:
        """What `input_rows` tells."""
        return input_rows(self.rows, self.strides[0], kernel_height, self.padding[0], self.source.height)

"""Adds or multiplies two tensors, element by element."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asm import parameters
from asm.parameters import CommandCode
from asm.rules import Cause, ElementFormat, RuleError
from emu.npu import stream
from emu.npu.commands.command import Command, input_tensor, signed
from emu.npu.commands.results import output_stage
from emu.npu.convolution import PSUM_HIGH, PSUM_LOW
from emu.npu.output_stage import OutputStage
from emu.npu.stream import Tensor
from emu.npu.timing import BEAT_BYTES, Cost

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster

SCALE_BITS = 16


@dataclass(frozen=True)
class Elementwise(Command):
    """Psums from two tensors of one shape, through the output stage into the output. No tile takes part.

    Inputs are those of the whole layer; a partition makes a band of the result's rows (its other fields are
    for convolutions). Inputs and output have a 64-bit stream each, which run side by side.

    *Inaccuracies*: published is that there is an element-wise addition; products, scales and the time are our own.

    Attributes:
        scales: factors of the inputs; a product does not use them.
    """

    first: Tensor
    second: Tensor
    scales: tuple[int, int]
    output: OutputStage

    @classmethod
    def of_registers(cls, cluster: Cluster) -> Elementwise:
        first = input_tensor(cluster, type(cluster).INPUT_ADDRESS, "first input")
        scale = parameters.OperandScale.unpack(cluster.OPERAND_SCALE)
        return cls(
            first,
            input_tensor(cluster, type(cluster).OPERAND_ADDRESS, "second input"),
            (signed(scale["first"], SCALE_BITS), signed(scale["second"], SCALE_BITS)),
            output_stage(cluster, first.channels),
        )

    @abstractmethod
    def combine(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sums or products, not saturated yet."""

    @property
    def fetched(self) -> tuple[tuple[int, bytes], ...] | None:
        return None if self.first.compressed or self.second.compressed else self.output.tables

    @property
    def rows(self) -> range:
        """Rows of the inputs that this command needs."""
        return self.output.rows(self.first.height)

    @cached_property
    def cost(self) -> Cost:
        output, rows = self.output, self.rows
        inputs = [tensor.bytes_of_rows(rows) for tensor in (self.first, self.second)]
        streams = (*inputs, output.destination.stream_bytes)
        return Cost(
            copy_cycles=max(-(-size // BEAT_BYTES) for size in streams),
            activation_bytes=sum(inputs) + output.activated_bytes(len(rows), self.first.width),
            input_bytes=inputs[0],
            psum_bytes=inputs[1],
            output_bytes=output.destination.stream_bytes,
            table_bytes=len(output.activation.table) + len(output.activation.lookup),
        )

    def check(self) -> None:
        for name, tensor in (("first input", self.first), ("second input", self.second)):
            if tensor.element is ElementFormat.psum64:
                raise RuleError(Cause.bad_field, f"the {name} cannot be psum64; use s32")
        if self.first.shape != self.second.shape:
            raise RuleError(
                Cause.shape_mismatch, f"both inputs must have one shape, not {self.first.shape} and {self.second.shape}"
            )
        if self.output.destination.channels != self.first.channels:
            raise RuleError(
                Cause.shape_mismatch,
                f"the output's channels must be those of the inputs, {self.first.channels}, "
                f"not {self.output.destination.channels}",
            )
        self.output.check(self.first.height, self.first.width)

    def check_machine(self, cluster: Cluster) -> None:
        for tensor in (self.first, self.second):
            cluster.bus.view(tensor.address, tensor.extent)
        cluster.bus.view(self.output.destination.address, self.output.destination.extent, write=True)

    def carry_out(self, cluster: Cluster) -> Cost:
        rows = self.rows
        inputs = [
            stream.read(cluster.bus, tensor)[rows.start : rows.stop].astype(np.int64)
            for tensor in (self.first, self.second)
        ]
        psums = np.clip(self.combine(*inputs), PSUM_LOW, PSUM_HIGH)
        activated = self.output.empty(len(rows), self.first.width)
        activated[...] = self.output.activation.apply(psums, PSUM_HIGH + 1)
        return self.output.written(self.cost, self.output.store(cluster.bus, self.output.pool(activated)))


class Sum(Elementwise):
    """Each input times its scale, added."""

    kind = CommandCode.sum

    def combine(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        return first * self.scales[0] + second * self.scales[1]


class Product(Elementwise):
    """One input times the other."""

    kind = CommandCode.product

    def combine(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        return first * second

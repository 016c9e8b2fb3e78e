"""Convolves a tensor with the loaded kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from asm import parameters
from asm.parameters import CommandCode
from asm.rules import (
    ARRAY_FORMATS,
    ARRAY_NAMES,
    PSUM_BITS,
    ROW_BITS,
    TILES,
    Cause,
    ElementFormat,
    RuleError,
    array_bits,
    check_kernel_fits,
    mac_bits,
    output_size,
)  # fmt: skip
from emu.npu import stream
from emu.npu.commands.command import Command, input_tensor
from emu.npu.commands.load import loaded_kernels
from emu.npu.commands.results import Partition, output_stage
from emu.npu.convolution import Job, Weights
from emu.npu.kernel_sets import KernelSet
from emu.npu.kernels import LoadedKernels
from emu.npu.output_stage import OutputStage
from emu.npu.stream import Tensor, element_format
from emu.npu.streamed import Streamed
from emu.npu.timing import Cost

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster


@dataclass(frozen=True)
class Convolve(Command):
    """The input through the loaded kernels and the output stage into the output.

    Input and padding are those of the whole layer; a partition makes a band of the result's rows.

    Attributes:
        features: format that the tiles expect.
        strides: vertical, horizontal.
        padding: top, bottom, left, right.
        initial: psums that the chains start from, of the rows before pooling that are made; None for zeros.
    """

    kind = CommandCode.convolve

    kernels: LoadedKernels
    features: ElementFormat
    strides: tuple[int, int]
    padding: tuple[int, int, int, int]
    partition: Partition
    source: Tensor
    output: OutputStage
    initial: Tensor | None

    @classmethod
    def of_registers(cls, cluster: Cluster) -> Convolve:
        accumulates = cls.kind is CommandCode.accumulate
        shape = parameters.KernelShape.unpack(cluster.KERNEL_SHAPE)
        kind = parameters.KernelFormat.unpack(cluster.KERNEL_FORMAT)
        zeros = parameters.Padding.unpack(cluster.PADDING)
        kernels = loaded_kernels(cluster)
        kernels.check()
        if kernels.count < 1:
            raise RuleError(
                Cause.kernels_not_loaded, "LOAD_COUNT is 0: load kernels after every change of topology or kernel"
            )
        return cls(
            kernels,
            element_format(kind["features"]),
            (shape["stride_y"], shape["stride_x"]),
            (zeros["top"], zeros["bottom"], zeros["left"], zeros["right"]),
            Partition.of_registers(cluster),
            input_tensor(cluster, type(cluster).INPUT_ADDRESS, "input"),
            output_stage(cluster, kernels.count),
            input_tensor(cluster, type(cluster).OPERAND_ADDRESS, "third tensor (psums)") if accumulates else None,
        )

    @cached_property
    def fetched(self) -> tuple[tuple[int, bytes], ...] | None:
        compressed = self.source.compressed or (self.initial is not None and self.initial.compressed)
        return None if compressed else self.output.tables

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width of the whole result before pooling."""
        top, bottom, left, right = self.padding
        vertical, horizontal = self.strides
        shape = self.kernels.geometry
        return (
            output_size(self.source.height, top, bottom, shape.height, vertical),
            output_size(self.source.width, left, right, shape.width, horizontal),
        )

    @cached_property
    def rows(self) -> range:
        """Rows of the result before pooling that this command makes."""
        return self.output.rows(self.size[0])

    @cached_property
    def input_bytes(self) -> int:
        """Bytes of the rows of the input that it needs."""
        rows, (vertical, _), (top, _, _, _) = self.rows, self.strides, self.padding
        first = max(rows.start * vertical - top, 0)
        last = min((rows.stop - 1) * vertical - top + self.kernels.geometry.height, self.source.height)
        return self.source.bytes_of_rows(range(first, max(last, first)))

    @cached_property
    def cost(self) -> Cost:
        shape, wiring, output = self.kernels.geometry, self.kernels.topology, self.output
        weights, bits = shape.kernel_weights, mac_bits(shape.weights, self.features)
        chains = wiring.parallel * wiring.stripes
        rows, columns = len(self.rows), self.size[1]
        psum_bytes = 0 if self.initial is None else self.initial.stream_bytes
        return Cost(
            macs=rows * columns * self.kernels.count * weights,
            bits=bits,
            tiles=wiring.tiles,
            activation_bytes=self.input_bytes + psum_bytes + output.activated_bytes(rows, columns),
            utilisation=shape.kernel_bits * chains / (TILES * ROW_BITS),
            array_bits=array_bits(shape.weights, self.features),
            rows=len(wiring.rows_of(0, rows)),
            columns=columns,
            kernels=wiring.kernels_of(0, self.kernels.count),
            slice_bits=shape.stored_weights(shape.slice_weights[0]) * bits,
            input_bytes=self.input_bytes,
            output_bytes=output.destination.stream_bytes,
            psum_bytes=psum_bytes,
            table_bytes=len(output.activation.table) + len(output.activation.lookup),
            unshared_bytes=self.source.stream_bytes if self.partition.unshared else 0,
            clusters=self.partition.clusters,
        )

    @cached_property
    def _tiles(self) -> int:
        """The tiles at work, one bit each."""
        return (1 << self.kernels.topology.tiles) - 1

    @cached_property
    def _places(self) -> tuple[tuple[int, int, bool], ...]:
        """Address and bytes of each tensor, and whether it is written."""
        output = self.output.destination
        inputs = [tensor for tensor in (self.source, self.initial) if tensor is not None]
        return *((one.address, one.extent, False) for one in inputs), (output.address, output.extent, True)

    def check_machine(self, cluster: Cluster) -> None:
        idle = ~cluster.tiles.modes & self._tiles
        if idle:
            number = (idle & -idle).bit_length() - 1
            raise RuleError(Cause.tile_mode, f"tile {number} is in memory mode; set its bit in TILE_MODE")
        for address, count, write in self._places:
            cluster.bus.view(address, count, write=write)

    def check(self) -> None:
        source, destination, shape = self.source, self.output.destination, self.kernels.geometry
        if self.features not in ARRAY_FORMATS:
            raise RuleError(Cause.bad_field, f"features must be {ARRAY_NAMES}, not {self.features.name}")
        if source.element is not self.features:
            raise RuleError(
                Cause.bad_field,
                f"the input's format must be that of the features, {self.features.name}, not {source.element.name}",
            )
        input_channels = self.kernels.count if shape.depthwise else shape.channels
        for what, made, needed in (
            ("input's channels must be those of the kernels", source.channels, input_channels),
            ("output's channels must be the loaded kernels", destination.channels, self.kernels.count),
        ):
            if made != needed:
                raise RuleError(Cause.shape_mismatch, f"the {what}, {needed}, not {made}")
        top, bottom, left, right = self.padding
        vertical, horizontal = self.strides
        check_kernel_fits("height", source.height + top + bottom, shape.height, vertical)
        check_kernel_fits("width", source.width + left + right, shape.width, horizontal)
        self.output.check(*self.size)
        if self.initial is not None:
            self._check_initial(self.initial)

    def _check_initial(self, initial: Tensor) -> None:
        if initial.element.value_bits != PSUM_BITS:
            raise RuleError(
                Cause.bad_field, f"the third tensor must have psums, s32 or psum64, not {initial.element.name}"
            )
        needed = (len(self.rows), self.size[1], self.kernels.count)
        if initial.shape != needed:
            raise RuleError(
                Cause.shape_mismatch,
                f"the third tensor must have a psum for each of the {by(needed)} sums before pooling, "
                f"not {by(initial.shape)}",
            )

    @cached_property
    def streamed(self) -> Streamed:
        """The whole command, if all stripes hold the same kernels and psums start from zero."""
        output = self.output
        return Streamed(
            self.source, output.destination, self.padding, self.strides, self._largest, self.rows, output.activation,
            output.pooling,
        )  # fmt: skip

    @property
    def _largest(self) -> int:
        """No feature is larger in magnitude."""
        return max(-self.features.low, self.features.high)

    def carry_out(self, cluster: Cluster) -> Cost:
        self.kernels.describe(cluster.tiles)
        held = cluster.kernel_sets.read(self.kernels, cluster.tiles)
        stream = self._stream(cluster, held)
        if stream is not None:
            stream()
            return self.cost
        who, output = cluster.choice.arithmetic(self.cost.macs), self.output
        activated = output.empty(len(self.rows), self.size[1])
        for places, job in self._jobs(cluster, held):
            who.activate(job, output.activation, activated[places])
        height, width, _ = output.destination.shape
        return output.written(self.cost, output.store(cluster.bus, output.pool(activated)[:height, :width]))

    def _stream(self, cluster: Cluster, held: list[Weights]) -> Callable[[], None] | None:
        """All of it by one call, None if that is not possible."""
        if len(held) > 1 or self.initial is not None:
            return None
        return cluster.choice.arithmetic(self.cost.macs).stream(self.streamed, held[0], cluster.bus)

    def bound(self, cluster: Cluster) -> Callable[[], object]:
        tiles, held = cluster.tiles, cluster.tiles.held
        if not isinstance(held, KernelSet) or held.kernels != self.kernels:
            return super().bound(cluster)
        stream = self._stream(cluster, [held.weights])
        if stream is None:
            return super().bound(cluster)

        def carry_out() -> None:
            if tiles.held is held:
                stream()
            else:
                self.carry_out(cluster)

        return carry_out

    def _jobs(self, cluster: Cluster, held: list[Weights]) -> Iterator[tuple[slice, Job]]:
        """Places in `rows` and what makes them, for the kernels of each stripe, or those of all of them."""
        features = stream.read(cluster.bus, self.source)
        initial = None if self.initial is None else stream.read(cluster.bus, self.initial)
        rows = self.rows
        for stripe, weights in enumerate(held):
            part = range(len(rows)) if len(held) == 1 else self.kernels.topology.rows_of(stripe, len(rows))
            if part:
                places = slice(part.start, part.stop, part.step)
                start = None if initial is None else initial[places]
                yield places, Job(features, self.padding, self.strides, self._largest, weights, rows[places], start)


@dataclass(frozen=True)
class Accumulate(Convolve):
    """The same with psums that start from a third tensor."""

    kind = CommandCode.accumulate


def by(shape: tuple[int, ...]) -> str:
    """A shape for people."""
    return " x ".join(map(str, shape))

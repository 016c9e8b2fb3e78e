"""What a cluster does over time: load kernels, convolve, copy.

A command is made from the registers when it starts; later writes do not change it. It is checked at once, and
carried out in one go when its time is over: inputs and kernels are those of its end. Only the activation table is
fetched at the start.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from asm import isa
from asm.isa import CommandCode
from asm.rules import ARRAY_FORMATS, LOAD_BYTES, ROW_BITS, TILES, Cause, ElementFormat, RuleError, check_output
from emu.npu import stream
from emu.npu.activation import ENTRY_BYTES, Activation
from emu.npu.convolution import PSUM_HIGH, Weights, pad, psums
from emu.npu.kernels import LoadedKernels
from emu.npu.stream import Tensor, element_format
from emu.npu.timing import Cost

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster

WORD_BYTES = 4


class Command(ABC):
    """One command with all its values.

    Attributes:
        kind: its number in COMMAND.
    """

    kind: ClassVar[CommandCode]

    @classmethod
    @abstractmethod
    def of_registers(cls, cluster: Cluster) -> Command:
        """The command that the registers describe. Raises `RuleError`, `BusError`."""

    @property
    @abstractmethod
    def cost(self) -> Cost:
        """What time and energy depend on."""

    @abstractmethod
    def check(self, cluster: Cluster) -> None:
        """Raises `RuleError` or `BusError` if it cannot be carried out now."""

    @abstractmethod
    def carry_out(self, cluster: Cluster) -> None:
        """The effect, all of it. Raises `BusError` if memory went away in the meantime."""


def signed(word: int) -> int:
    """A 32-bit word as two's complement."""
    return word - (1 << 32) if word >> 31 else word


@dataclass(frozen=True, slots=True)
class LoadKernels(Command):
    """From memory into the rows of the tiles, in any mode: the kernel port is not the bus."""

    kind = CommandCode.load

    kernels: LoadedKernels
    address: int

    @classmethod
    def of_registers(cls, cluster: Cluster) -> LoadKernels:
        return cls(loaded_kernels(cluster), cluster.LOAD_ADDRESS)

    @property
    def cost(self) -> Cost:
        return Cost(kernel_bits=self.kernels.weight_bits, tiles=self.kernels.topology.tiles)

    def check(self, cluster: Cluster) -> None:
        self.kernels.check()
        if self.kernels.count < 1:
            raise RuleError(Cause.bad_field, "LOAD_COUNT must be at least 1, not 0")
        if self.address % LOAD_BYTES:
            raise RuleError(
                Cause.misaligned, f"kernels must lie at a multiple of {LOAD_BYTES}, not at 0x{self.address:08x}"
            )
        cluster.bus.view(self.address, self.kernels.memory_bytes)

    def carry_out(self, cluster: Cluster) -> None:
        self.kernels.store(cluster.tiles, cluster.bus.view(self.address, self.kernels.memory_bytes))
        self.kernels.describe(cluster.tiles)


@dataclass(frozen=True, slots=True)
class Convolve(Command):
    """The input through the loaded kernels and the activation unit into the output.

    Attributes:
        features: format that the tiles expect.
        strides: vertical, horizontal.
        padding: top, bottom, left, right.
    """

    kind = CommandCode.convolve

    kernels: LoadedKernels
    features: ElementFormat
    strides: tuple[int, int]
    padding: tuple[int, int, int, int]
    source: Tensor
    destination: Tensor
    activation: Activation

    @classmethod
    def of_registers(cls, cluster: Cluster) -> Convolve:
        shape = isa.KernelShape.unpack(cluster.KERNEL_SHAPE)
        kind = isa.KernelFormat.unpack(cluster.KERNEL_FORMAT)
        zeros = isa.Padding.unpack(cluster.PADDING)
        kernels = loaded_kernels(cluster)
        kernels.check()
        if kernels.count < 1:
            raise RuleError(
                Cause.kernels_not_loaded, "LOAD_COUNT is 0: load kernels after every change of topology or kernel"
            )
        destination = Tensor.of_words(cluster.register_words(type(cluster).OUTPUT_ADDRESS, len(isa.TENSOR)))
        return cls(
            kernels,
            element_format(kind["features"]),
            (shape["stride_y"], shape["stride_x"]),
            (zeros["top"], zeros["bottom"], zeros["left"], zeros["right"]),
            Tensor.of_words(cluster.register_words(type(cluster).INPUT_ADDRESS, len(isa.TENSOR))),
            destination,
            _activation(cluster, destination.element, kernels.count),
        )

    @property
    def cost(self) -> Cost:
        shape, wiring, output = self.kernels.geometry, self.kernels.topology, self.destination
        weights = shape.height * shape.width * shape.channels
        chains = wiring.parallel * wiring.stripes
        return Cost(
            macs=output.height * output.width * output.channels * weights,
            bits=max(shape.weights.bits, self.features.bits),
            tiles=wiring.tiles,
            activation_bytes=self.source.stream_bytes + output.stream_bytes,
            utilisation=weights * shape.weights.bits * chains / (TILES * ROW_BITS),
        )

    def check(self, cluster: Cluster) -> None:
        self._check_tiles(cluster)
        self._check_tensors()
        self.activation.check()
        cluster.bus.view(self.source.address, self.source.extent)
        cluster.bus.view(self.destination.address, self.destination.extent, write=True)

    def _check_tiles(self, cluster: Cluster) -> None:
        for tile in cluster.tiles.tiles[: self.kernels.topology.tiles]:
            if not tile.compute:
                raise RuleError(Cause.tile_mode, f"tile {tile.number} is in memory mode; set its bit in TILE_MODE")

    def _check_tensors(self) -> None:
        source, destination, shape = self.source, self.destination, self.kernels.geometry
        if self.features not in ARRAY_FORMATS:
            raise RuleError(Cause.bad_field, f"features must be u1, s1, u2, s2, u4 or s4, not {self.features.name}")
        if source.element is not self.features:
            raise RuleError(
                Cause.bad_field,
                f"the input's format must be that of the features, {self.features.name}, not {source.element.name}",
            )
        source.check("input")
        destination.check("output")
        destination.check_writable("output")
        for what, made, needed in (
            ("input's channels must be those of the kernels", source.channels, shape.channels),
            ("output's channels must be the loaded kernels", destination.channels, self.kernels.count),
        ):
            if made != needed:
                raise RuleError(Cause.shape_mismatch, f"the {what}, {needed}, not {made}")
        top, bottom, left, right = self.padding
        vertical, horizontal = self.strides
        check_output("height", destination.height, source.height, top, bottom, shape.height, vertical)
        check_output("width", destination.width, source.width, left, right, shape.width, horizontal)

    def carry_out(self, cluster: Cluster) -> None:
        self.kernels.describe(cluster.tiles)
        largest = max(-self.features.low, self.features.high)
        padded = pad(stream.read(cluster.bus, self.source), *self.padding)
        output: NDArray[Any] = np.empty(
            (self.destination.height, self.destination.width, self.destination.channels), np.int64
        )
        for rows, weights in self._bands(cluster):
            bound = min(weights.magnitude * largest, PSUM_HIGH + 1)
            for first, sums in psums(padded, weights, self.strides, largest, rows):
                output[first : first + len(sums)] = self.activation.apply(sums, bound)
        stream.write(cluster.bus, self.destination, output)

    def _bands(self, cluster: Cluster) -> Iterator[tuple[range, Weights]]:
        """Rows of the output with the kernels that make them. Stripes that hold the same kernels are one band."""
        height, wiring = self.destination.height, self.kernels.topology
        held = [cluster.kernel_reader.read(cluster.tiles, self.kernels, stripe) for stripe in range(wiring.stripes)]
        if all(weights is held[0] for weights in held):
            yield range(height), held[0]
            return
        for stripe, weights in enumerate(held):
            rows = wiring.rows_of(stripe, height)
            if rows:
                yield rows, weights


def loaded_kernels(cluster: Cluster) -> LoadedKernels:
    """What the registers say about the kernels in the tiles. Raises `RuleError`."""
    return LoadedKernels.of_words(cluster.TOPOLOGY, cluster.KERNEL_SHAPE, cluster.KERNEL_FORMAT, cluster.LOAD_COUNT)


def _activation(cluster: Cluster, element: ElementFormat, kernels: int) -> Activation:
    """The activation unit's settings, with the table that the bus holds now. Raises `RuleError`, `BusError`."""
    control = isa.ActivationControl.unpack(cluster.ACTIVATION_CONTROL)
    table, address = b"", cluster.ACTIVATION_TABLE
    if not control["bypass"]:
        if address % WORD_BYTES:
            raise RuleError(
                Cause.misaligned, f"the activation table must lie at a multiple of 4, not at 0x{address:08x}"
            )
        table = cluster.bus.read(address, kernels * ENTRY_BYTES)
    low, high = signed(cluster.CLAMP_LOW), signed(cluster.CLAMP_HIGH)
    return Activation(bool(control["bypass"]), bool(control["relu"]), low, high, element, table)

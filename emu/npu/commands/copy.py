"""The tensor DMA: memory to memory with four nested loops, or memory filled with a byte."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from asm import parameters
from asm.parameters import CommandCode
from asm.rules import Cause, RuleError
from emu.bus import Bus
from emu.npu.commands.command import Command, signed
from emu.npu.formats import BYTE_BITS
from emu.npu.timing import BEAT_BYTES, Cost

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Runs:
    """Where the runs of contiguous bytes of one side of a copy lie.

    Without wrapping, the span from the lowest to the highest byte must be one memory; with it, the circular buffer.

    Attributes:
        address: first byte of the first run.
        length: bytes of a run.
        counts: iterations of the loops, outermost first.
        strides: bytes, signed, of the same loops.
        wrap: bytes of the circular buffer that begins at ``address``; 0: addresses do not wrap.
    """

    address: int
    length: int
    counts: tuple[int, ...]
    strides: tuple[int, ...]
    wrap: int

    @property
    def beats(self) -> int:
        """64-bit beats of all runs."""
        return math.prod(self.counts) * -(-self.length // BEAT_BYTES)

    @property
    def moved(self) -> int:
        """Bytes of all runs."""
        return math.prod(self.counts) * self.length

    def check(self) -> None:
        """Raises `RuleError` if there is nothing to move."""
        if self.length < 1 or min(self.counts) < 1:
            raise RuleError(
                Cause.bad_field,
                f"a copy needs runs of at least 1 byte and counts of at least 1, not {self.length} bytes "
                f"and counts {', '.join(map(str, self.counts))}",
            )

    def check_writable(self, bus: Bus) -> None:
        """Raises `RuleError` if a byte would be written twice, `BusError` if it is not writable memory."""
        if not self.wrap:
            self._check_overlap()
        bus.view(*self._span(), write=True)
        if self.wrap:
            self._check_wrapped()

    def _check_overlap(self) -> None:
        """Sorted by step, each loop must step over all that the smaller ones write."""
        written = self.length
        loops = zip(self.strides, self.counts, strict=True)
        for step, count in sorted((abs(stride), count) for stride, count in loops if count > 1):
            if step < written:
                raise RuleError(
                    Cause.bad_field,
                    f"the copy would write bytes twice: a destination stride must be at least {written}, not {step}",
                )
            written += step * (count - 1)

    def _check_wrapped(self) -> None:
        """Every byte of the circular buffer is written once at most."""
        size = math.prod(self.counts) * self.length
        if size > self.wrap:
            raise RuleError(
                Cause.bad_field, f"the copy would write bytes twice: {size} bytes into a buffer of {self.wrap}"
            )
        places, times = np.unique(self._places(), return_counts=True)
        if times.max() > 1:
            twice = self.address + int(places[times.argmax()])
            raise RuleError(Cause.bad_field, f"the copy would write bytes twice: the one at 0x{twice:08x}")

    def check_readable(self, bus: Bus) -> None:
        """Raises `BusError` if it is not memory."""
        bus.view(*self._span())

    def read(self, bus: Bus) -> Bytes:
        """The bytes, (*counts, length). Raises `BusError`."""
        low, extent = self._span()
        block = bus.view(low, extent)
        return block[self._places()] if self.wrap else self._strided(block, low)

    def write(self, bus: Bus, data: Bytes) -> None:
        """Store bytes, which broadcast to (*counts, length). Raises `BusError`; nothing is written then."""
        low, extent = self._span()
        block = bus.view(low, extent, write=True)
        if self.wrap:
            block[self._places()] = data
        else:
            np.copyto(self._strided(block, low), data)
        bus.written(low, extent)

    def _strided(self, block: Bytes, low: int) -> Bytes:
        return as_strided(block[self.address - low :], (*self.counts, self.length), (*self.strides, 1))

    def _span(self) -> tuple[int, int]:
        """Lowest address and number of bytes up to the highest one."""
        if self.wrap:
            return self.address, self.wrap
        reach = [stride * (count - 1) for stride, count in zip(self.strides, self.counts, strict=True)]
        below, above = sum(step for step in reach if step < 0), sum(step for step in reach if step > 0)
        return self.address + below, above - below + self.length

    def _places(self) -> NDArray[np.int64]:
        """Place of each byte in the circular buffer, (*counts, length)."""
        places = np.arange(self.length)
        for count, stride in zip(reversed(self.counts), reversed(self.strides), strict=True):
            places = np.arange(count).reshape(-1, *[1] * places.ndim) * stride + places
        return places % self.wrap


@dataclass(frozen=True)
class CopyTensor(Command):
    """Runs of contiguous bytes from one place to another; all are read before the first is written."""

    kind = CommandCode.copy

    source: Runs
    destination: Runs

    @classmethod
    def of_registers(cls, cluster: Cluster) -> CopyTensor:
        strides = tuple(signed(cluster.COPY_SOURCE_STRIDE[loop]) for loop in range(parameters.COPY_LOOPS))
        destination = _destination(cluster)
        wrap = cluster.COPY_SOURCE_WRAP
        return cls(Runs(cluster.COPY_SOURCE, destination.length, destination.counts, strides, wrap), destination)

    @property
    def fetched(self) -> tuple[tuple[int, bytes], ...] | None:
        return ()

    @cached_property
    def cost(self) -> Cost:
        moved = self.destination.moved
        return Cost(copy_cycles=self.destination.beats, input_bytes=moved, output_bytes=moved)

    def check(self) -> None:
        self.destination.check()

    def check_machine(self, cluster: Cluster) -> None:
        self.destination.check_writable(cluster.bus)
        self.source.check_readable(cluster.bus)

    def carry_out(self, cluster: Cluster) -> Cost:
        self.destination.write(cluster.bus, self.source.read(cluster.bus))
        return self.cost


@dataclass(frozen=True)
class FillTensor(Command):
    """One byte into all runs; the source's address is the byte, its strides and its wrapping do not matter."""

    kind = CommandCode.fill

    value: int
    destination: Runs

    @classmethod
    def of_registers(cls, cluster: Cluster) -> FillTensor:
        return cls(cluster.COPY_SOURCE % (1 << BYTE_BITS), _destination(cluster))

    @property
    def fetched(self) -> tuple[tuple[int, bytes], ...] | None:
        return ()

    @cached_property
    def cost(self) -> Cost:
        return Cost(copy_cycles=self.destination.beats, output_bytes=self.destination.moved)

    def check(self) -> None:
        self.destination.check()

    def check_machine(self, cluster: Cluster) -> None:
        self.destination.check_writable(cluster.bus)

    def carry_out(self, cluster: Cluster) -> Cost:
        self.destination.write(cluster.bus, np.array(self.value, np.uint8))
        return self.cost


def _destination(cluster: Cluster) -> Runs:
    """What the registers say about the side that is written."""
    return Runs(
        cluster.COPY_DESTINATION,
        cluster.COPY_BYTES,
        tuple(cluster.COPY_COUNT[loop] for loop in range(parameters.COPY_LOOPS)),
        tuple(signed(cluster.COPY_DESTINATION_STRIDE[loop]) for loop in range(parameters.COPY_LOOPS)),
        cluster.COPY_DESTINATION_WRAP,
    )

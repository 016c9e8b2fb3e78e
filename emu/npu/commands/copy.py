"""The tensor DMA: memory to memory with four nested loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from asm import isa
from asm.isa import CommandCode
from asm.rules import Cause, RuleError
from emu.npu.commands.command import Command, signed
from emu.npu.timing import BEAT_BYTES, Cost

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster


@dataclass(frozen=True, slots=True)
class CopyTensor(Command):
    """Runs of contiguous bytes from one place to another.

    All bytes are read before the first is written. The span from the lowest to the highest byte of either side
    must be one memory.

    Attributes:
        length: bytes of a run.
        counts: iterations of the loops, outermost first.
        source_strides, destination_strides: bytes, signed, of the same loops.
    """

    kind = CommandCode.copy

    source: int
    destination: int
    length: int
    counts: tuple[int, ...]
    source_strides: tuple[int, ...]
    destination_strides: tuple[int, ...]

    @classmethod
    def of_registers(cls, cluster: Cluster) -> CopyTensor:
        if cluster.COPY_SOURCE_WRAP or cluster.COPY_DESTINATION_WRAP:
            raise RuleError(Cause.bad_field, "copies cannot wrap")
        return cls(
            cluster.COPY_SOURCE,
            cluster.COPY_DESTINATION,
            cluster.COPY_BYTES,
            tuple(cluster.COPY_COUNT[loop] for loop in range(isa.COPY_LOOPS)),
            tuple(signed(cluster.COPY_SOURCE_STRIDE[loop]) for loop in range(isa.COPY_LOOPS)),
            tuple(signed(cluster.COPY_DESTINATION_STRIDE[loop]) for loop in range(isa.COPY_LOOPS)),
        )

    @property
    def cost(self) -> Cost:
        runs = 1
        for count in self.counts:
            runs *= count
        return Cost(copy_cycles=runs * -(-self.length // BEAT_BYTES))

    def check(self, cluster: Cluster) -> None:
        if self.length < 1 or min(self.counts) < 1:
            raise RuleError(
                Cause.bad_field,
                f"a copy needs runs of at least 1 byte and counts of at least 1, not {self.length} bytes "
                f"and counts {', '.join(map(str, self.counts))}",
            )
        self._check_overlap()
        self._view(cluster, self.source, self.source_strides, write=False)
        self._view(cluster, self.destination, self.destination_strides, write=True)

    def _check_overlap(self) -> None:
        """Sorted by step, each loop of the destination must step over all that the smaller ones write."""
        written = self.length
        loops = zip(self.destination_strides, self.counts, strict=True)
        for step, count in sorted((abs(stride), count) for stride, count in loops if count > 1):
            if step < written:
                raise RuleError(
                    Cause.bad_field,
                    f"the copy would write bytes twice: a destination stride must be at least {written}, not {step}",
                )
            written += step * (count - 1)

    def carry_out(self, cluster: Cluster) -> Cost:
        source = self._view(cluster, self.source, self.source_strides, write=False)
        destination = self._view(cluster, self.destination, self.destination_strides, write=True)
        np.copyto(destination, source)
        low, extent = self._span(self.destination, self.destination_strides)
        cluster.bus.written(low, extent)
        return self.cost

    def _span(self, address: int, strides: tuple[int, ...]) -> tuple[int, int]:
        """Lowest address and number of bytes up to the highest one."""
        reach = [stride * (count - 1) for stride, count in zip(strides, self.counts, strict=True)]
        below, above = sum(step for step in reach if step < 0), sum(step for step in reach if step > 0)
        return address + below, above - below + self.length

    def _view(self, cluster: Cluster, address: int, strides: tuple[int, ...], *, write: bool) -> NDArray[np.uint8]:
        """The bytes of one side, shaped (*counts, length). Raises `BusError`."""
        low, extent = self._span(address, strides)
        block = cluster.bus.view(low, extent, write=write)
        return as_strided(block[address - low :], (*self.counts, self.length), (*strides, 1))

"""How long a command takes, by two models.

`published` is the rule that reproduces the published cycle tables:

    load cycles = weight bits / 64                                  the kernel port is 64 bits wide
    work cycles = macs x bits per mac / (1024 x tiles)              each tile finishes 1024 kernel bits a cycle
    copy cycles = runs x ceil(bytes of a run / 8)                   64-bit beats

Bits per mac are those of the wider operand, over all its passes. Cycles are fractions here, but time is whole: what
is left over is carried to the next command of the program, so that a layer that is cut into many commands takes as
long as the table says.

`strict` counts whole cycles: a slice that fills a part of a row takes the row's cycle, a stripe with fewer rows
waits for the largest, and every stream takes its 64-bit beats (`emu/npu/timeline.py`). No command is faster than
in the published rule.

*Inaccuracies*: the published rule takes every tile-cycle to be full, and lets neither the ports of the system memory
nor tables take time. `strict` and the copy rule are our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from math import lcm

from asm.rules import ROW_BITS, TILES

KERNEL_PORT_BITS = 64
BEAT_BYTES = 8
"""Bytes that a copy moves in a cycle."""
TILE_FRACTIONS = lcm(*range(1, TILES + 1))
UNITS = ROW_BITS * TILE_FRACTIONS
"""Units of a cycle in which every load and every convolution takes a whole number."""


class TimingModel(Enum):
    """What decides how long a command takes."""

    PUBLISHED = "published"
    STRICT = "strict"


@dataclass(frozen=True)
class Cycles:
    """What a command takes, by cause, in cycles of the cluster's clock.

    Attributes:
        load, work, copy: of the kernel port, of the tiles, of the tensor DMA.
        stall_input: waiting for what is streamed in.
        stall_output: waiting for the output to leave.
        stall_port: waiting for memory ports that other streams use.
    """

    load: int = 0
    work: int = 0
    copy: int = 0
    stall_input: int = 0
    stall_output: int = 0
    stall_port: int = 0

    @cached_property
    def total(self) -> int:
        """All of them: the command's duration."""
        return self.load + self.work + self.copy + self.stall_input + self.stall_output + self.stall_port


@dataclass(frozen=True)
class Cost:
    """What a command does, as far as time and energy depend on it.

    Attributes:
        kernel_bits: useful weight bits loaded.
        macs: multiply-accumulates, those with padding included.
        bits: tile-row bits that one multiply-accumulate takes: those of the wider operand, over all its passes.
        tiles: tiles at work, at least 1.
        copy_cycles: cycles of the tensor DMA: copies, fills, tensor arithmetic.
        activation_bytes: bytes of input and output tensors; the output counts before pooling.
        utilisation: share of the cluster's array that a convolution reads in a cycle, 0..1.
        array_bits: bits that the array multiplies in one pass, 1, 2 or 4.
        load_bytes: bytes that pass the kernel port, with the padding of slices.
        rows: rows of the largest stripe, before pooling.
        columns: columns of the result, before pooling.
        kernels: kernels on the fullest chain.
        slice_bits: tile-row bits of one kernel's largest slice, over all passes.
        input_bytes: bytes of the input tensor that are streamed; of a copy's source.
        output_bytes: bytes of the output tensor, behind pooling; of a copy's or fill's destination.
        psum_bytes: bytes over the operand port: psums that are streamed in, second inputs.
        table_bytes: bytes of the activation table and the look-up table.
        unshared_bytes: bytes of the stream that began with the load before and must end first; 0: there is none.
        clusters: numbers of the other clusters of a broadcast: that get the same kernels, or the same features.
        overlap: the load hides behind the convolution before it.
    """

    kernel_bits: int = 0
    macs: int = 0
    bits: int = 1
    tiles: int = 1
    copy_cycles: int = 0
    activation_bytes: int = 0
    utilisation: float = 0.0
    array_bits: int = 4
    load_bytes: int = 0
    rows: int = 0
    columns: int = 0
    kernels: int = 0
    slice_bits: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    psum_bytes: int = 0
    table_bytes: int = 0
    unshared_bytes: int = 0
    clusters: tuple[int, ...] = ()
    overlap: bool = False

    @cached_property
    def row_bits(self) -> int:
        """Kernel bits that the tiles work through."""
        return self.macs * self.bits

    @cached_property
    def load_units(self) -> int:
        """Time on the kernel port in 1 / `UNITS` cycles."""
        return self.kernel_bits * (UNITS // KERNEL_PORT_BITS)

    @cached_property
    def work_units(self) -> int:
        """Time of the tiles in 1 / `UNITS` cycles."""
        return self.row_bits * (TILE_FRACTIONS // self.tiles)

    @cached_property
    def strict_load(self) -> int:
        """Cycles of the kernel port, padding of slices included."""
        return beats(self.load_bytes)

    @cached_property
    def strict_work(self) -> int:
        """Cycles of the tiles if a row that is read in part takes its whole cycle."""
        return self.rows * self.columns * self.kernels * -(-self.slice_bits // ROW_BITS)


def beats(count: int) -> int:
    """64-bit beats that ``count`` bytes take."""
    return -(-count // BEAT_BYTES)


def whole_cycles(units: int, carried: int) -> tuple[int, int]:
    """Cycles that ``units`` take after ``carried`` units were left over, and the units that are left over then."""
    return divmod(units + carried, UNITS)

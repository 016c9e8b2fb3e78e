"""What an observer learns about a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asm.isa import CommandCode
from asm.rules import ROW_BITS
from emu.npu.energy import Energy
from emu.npu.timing import KERNEL_PORT_BITS, Cost, TimingModel

if TYPE_CHECKING:
    from emu.npu.cluster import Running
    from emu.npu.counters import Counters


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """One command that has ended without error. Cycles are those of the cluster's clock.

    Attributes:
        cluster: index of the cluster.
        kind: what it was.
        pc: address of its instruction, None if COMMAND started it.
        start, end: machine cycles since reset.
        load_cycles, work_cycles, copy_cycles: of the kernel port, of the tiles, of the tensor DMA.
        stall_input_cycles, stall_output_cycles, stall_port_cycles: waiting for inputs, for outputs to leave, for
            ports of memories. With the three before they are the command's whole time.
        control_cycles: of control and set-up instructions since the command before, or since START.
        wait_cycles: of waiting for events and barriers in the same time.
        published_cycles, strict_cycles: the command's whole time by both timing models; by the one that does not
            decide, without waiting for ports.
        macs: multiply-accumulates, those with padding included.
        tiles: tiles at work.
        tile_cycles: full rows of 1024 bits that they worked through.
        kernel_words: 64-bit words of weights.
        kernel_port_bytes, input_port_bytes, operand_port_bytes, output_port_bytes: bytes over each port.
        activation_bytes: bytes of tensors in and out.
        energy: femtojoules by component since the command before or since START, leakage included.
        utilisation: share of the cluster's array that was read in each cycle of work, 0..1.
    """

    cluster: int
    kind: CommandCode
    pc: int | None
    start: int
    end: int
    load_cycles: int
    work_cycles: int
    copy_cycles: int
    stall_input_cycles: int
    stall_output_cycles: int
    stall_port_cycles: int
    control_cycles: int
    wait_cycles: int
    published_cycles: int
    strict_cycles: int
    macs: int
    tiles: int
    tile_cycles: float
    kernel_words: float
    kernel_port_bytes: int
    input_port_bytes: int
    operand_port_bytes: int
    output_port_bytes: int
    activation_bytes: int
    energy: Energy
    utilisation: float

    @property
    def energy_fj(self) -> int:
        """Energy in femtojoules."""
        return self.energy.total


def record_of(
    cluster: int, model: TimingModel, running: Running, end: int, since: Counters, cost: Cost
) -> CommandRecord:
    """The record of a command that has ended.

    Args:
        model: the timing model that decided.
        end: machine cycles since reset.
        since: what the cluster has counted since the command before.
        cost: what the command really took.
    """
    total, other = running.cycles.total, running.other_total
    published, strict = (total, other) if model is TimingModel.PUBLISHED else (other, total)
    return CommandRecord(
        cluster=cluster,
        kind=running.command.kind,
        pc=running.pc,
        start=running.start,
        end=end,
        load_cycles=since.load_cycles,
        work_cycles=since.work_cycles,
        copy_cycles=since.copy_cycles,
        stall_input_cycles=since.stall_input_cycles,
        stall_output_cycles=since.stall_output_cycles,
        stall_port_cycles=since.stall_port_cycles,
        control_cycles=since.control_cycles,
        wait_cycles=since.wait_cycles,
        published_cycles=published,
        strict_cycles=strict,
        macs=cost.macs,
        tiles=cost.tiles,
        tile_cycles=cost.row_bits / ROW_BITS,
        kernel_words=cost.kernel_bits / KERNEL_PORT_BITS,
        kernel_port_bytes=since.kernel_port_bytes,
        input_port_bytes=since.input_port_bytes,
        operand_port_bytes=since.operand_port_bytes,
        output_port_bytes=since.output_port_bytes,
        activation_bytes=cost.activation_bytes,
        energy=since.energy,
        utilisation=cost.utilisation,
    )

"""What an observer learns about a command."""

from __future__ import annotations

from dataclasses import dataclass

from asm.isa import CommandCode
from emu.npu.energy import Energy


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """One command that has ended without error.

    Attributes:
        cluster: index of the cluster.
        kind: what it was.
        pc: address of its instruction, None if COMMAND started it.
        start, end: machine cycles since reset.
        load_cycles, work_cycles, copy_cycles: cycles by cause; one of them is ``end - start``.
        control_cycles: cycles of control and set-up instructions since the command before.
        macs: multiply-accumulates, those with padding included.
        tiles: tiles at work.
        tile_cycles: full rows of 1024 bits that they worked through.
        kernel_words: 64-bit words of weights.
        activation_bytes: bytes of tensors in and out.
        energy: femtojoules by component, leakage included.
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
    control_cycles: int
    macs: int
    tiles: int
    tile_cycles: float
    kernel_words: float
    activation_bytes: int
    energy: Energy
    utilisation: float

    @property
    def energy_fj(self) -> int:
        """Energy in femtojoules."""
        return self.energy.total

"""What an observer learns about a command."""

from __future__ import annotations

from typing import NamedTuple

from asm.parameters import CommandCode
from emu.npu.energy import Energy
from emu.npu.timing import Cost, Cycles


class CommandRecord(NamedTuple):
    """One command that has ended without error. Cycles are those of the cluster's clock.

    Attributes:
        cluster: index of the cluster.
        kind: what it was.
        pc: address of its instruction, None if COMMAND started it.
        start, end: machine cycles since reset.
        cycles: the command's time by cause.
        published_cycles, strict_cycles: the command's whole time by both timing models; by the one that does not
            decide, without waiting for ports.
        control_cycles: of control and set-up instructions since the command before, or since START.
        wait_cycles: of waiting for events and barriers in the same time.
        cost: what the command did: work, bytes over each port.
        work_energy: femtojoules by component, without leakage.
        leakage: femtojoules since the command before or since START.
    """

    cluster: int
    kind: CommandCode
    pc: int | None
    start: int
    end: int
    cycles: Cycles
    published_cycles: int
    strict_cycles: int
    control_cycles: int
    wait_cycles: int
    cost: Cost
    work_energy: Energy
    leakage: int

    @property
    def energy(self) -> Energy:
        """Femtojoules by component since the command before or since START, leakage included."""
        return self.work_energy.leaking(self.leakage)

    @property
    def energy_fj(self) -> int:
        """Energy in femtojoules."""
        return self.energy.total

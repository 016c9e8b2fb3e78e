"""What a command asks of time and energy, and what of that is the same every time it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from emu.npu.energy import Energy, work_energy
from emu.npu.ports import Stream
from emu.npu.power import PowerState
from emu.npu.timing import Cost, Cycles, beats, whole_cycles

KEPT = 64
"""Fractions of a cycle for which a command's cycles are kept."""


@dataclass(eq=False)
class Demand:
    """The work of a command and the streams that bring and take its bytes."""

    cost: Cost
    streams: tuple[Stream, ...] = ()
    _alone: dict[tuple[bool, int], tuple[Cycles, int]] = field(default_factory=dict)
    _energy: tuple[PowerState, Energy] | None = None

    @cached_property
    def has_neighbours(self) -> bool:
        """Whether stalls depend on the commands before."""
        return self.cost.overlap or self.cost.unshared_bytes > 0

    def alone(self, strict: bool, carried: int) -> tuple[Cycles, int]:
        """The cycles if neither ports nor the commands before matter.

        Args:
            strict: by which timing model.
            carried: what the commands before left over, in 1 / `UNITS` cycles.

        Returns:
            The cycles, and what is left over now.
        """
        known = self._alone.get((strict, carried))
        if known is None:
            if len(self._alone) >= KEPT:
                self._alone.clear()
            known = self._alone[strict, carried] = self._taken(strict, carried)
        return known

    def _taken(self, strict: bool, carried: int) -> tuple[Cycles, int]:
        cost = self.cost
        load, work = cost.strict_load, cost.strict_work
        if not strict:
            load, carried = whole_cycles(cost.load_units, carried)
            work, carried = whole_cycles(cost.work_units, carried)
        stalls = self.stalls(strict, load + work + cost.copy_cycles)
        return Cycles(load, work, cost.copy_cycles, *stalls), carried

    def stalls(self, strict: bool, own: int, waits: tuple[int, ...] = ()) -> tuple[int, int, int]:
        """What input, output and ports take longer than the command's ``own`` cycles.

        Args:
            strict: by which timing model.
            waits: cycles that each stream waits for a port; empty if none does.
        """
        fed = drained = queued = own
        for stream, wait in zip(self.streams, waits or (0,) * len(self.streams), strict=True):
            end = stream.cycles if strict or stream.slow else 0
            if not stream.output:
                fed = max(fed, end)
            drained = max(drained, end)
            queued = max(queued, end + wait)
        drained = max(drained, fed)
        tables = beats(self.cost.table_bytes) if strict else 0
        return tables + fed - own, drained - fed, max(queued - drained, 0)

    def energy(self, power: PowerState) -> Energy:
        """What the work takes at an operating point; the leakage of its time is not in it."""
        if self._energy is None or self._energy[0] is not power:
            self._energy = power, work_energy(self.cost, power)
        return self._energy[1]

"""What a command asks of time and energy, and what of that is the same every time it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from emu.npu.energy import Energy, work_energy
from emu.npu.ports import Stream
from emu.npu.power import PowerState
from emu.npu.timing import Cost, Cycles, beats


@dataclass(eq=False)
class Demand:
    """The work of a command and the streams that bring and take its bytes."""

    cost: Cost
    streams: tuple[Stream, ...] = ()
    _steady: dict[tuple[bool, int, int], Cycles] = field(default_factory=dict)
    _energy: tuple[PowerState, Energy] | None = None

    @cached_property
    def no_waits(self) -> tuple[int, ...]:
        """No stream waits for a port."""
        return (0,) * len(self.streams)

    @cached_property
    def alone(self) -> bool:
        """Whether stalls do not depend on the commands before."""
        return not self.cost.overlap and not self.cost.unshared_bytes

    def steady(self, strict: bool, load: int, work: int) -> Cycles:
        """The cycles of a command that is `alone`, by the cycles of its load and its work, if no stream waits."""
        known = self._steady.get((strict, load, work))
        if known is None:
            copy = self.cost.copy_cycles
            known = Cycles(load, work, copy, *self.stalls(strict, load + work + copy, self.no_waits))
            self._steady[strict, load, work] = known
        return known

    def stalls(self, strict: bool, own: int, waits: tuple[int, ...]) -> tuple[int, int, int]:
        """What input, output and ports take longer than the command's ``own`` cycles.

        Args:
            strict: by which timing model.
            waits: cycles that each stream waits for a port.
        """
        fed = drained = queued = own
        for stream, wait in zip(self.streams, waits, strict=True):
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

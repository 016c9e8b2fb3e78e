"""The time of one cluster's commands by one timing model.

A command takes the time of its load, its work or its copy; what its streams need longer are stalls:

    stall_input   the tables are fetched before the work begins; inputs may end later than the work
    stall_output  outputs may end later than work and inputs
    stall_port    streams that waited for a port of their memory may end later than all of that

In `published` only streams of slow memories (the external one) and inputs that are marked as one unshared stream
take time. An unshared stream begins with the load before: the convolution ends no earlier than its last beat.

*Inaccuracies*: a load that overlaps hides behind the work of the last convolution even if the program waited in
between. Compressed tensors take the time of their largest size.
"""

from __future__ import annotations

from dataclasses import replace

from emu.npu.ports import Stream
from emu.npu.timing import Cost, Cycles, TimingModel, beats, whole_cycles


class Timeline:
    """What earlier commands mean for the time of the next one.

    Args:
        model: what decides.
    """

    def __init__(self, model: TimingModel) -> None:
        self.strict = model is TimingModel.STRICT
        self.restart()

    def restart(self) -> None:
        """A program begins: nothing is carried over."""
        self._carried = 0
        self._since_load = 0
        self._hiding = 0

    def load_begins(self) -> None:
        """Kernels begin to come: an unshared stream would begin now."""
        self._since_load = 0

    def pass_cycles(self, cycles: int) -> None:
        """Time without a command."""
        self._since_load += cycles

    def take(self, cost: Cost, streams: tuple[Stream, ...], waits: tuple[int, ...]) -> Cycles:
        """The cycles of a command that begins now.

        Args:
            streams: what it streams.
            waits: cycles that each of them waits for a port.
        """
        cycles = self._own(cost)
        if cost.load_units:
            self.load_begins()
        cycles = self._stalled(cycles, cost, streams, waits)
        if cost.overlap:
            cycles = self._hidden(cycles)
        late = beats(cost.unshared_bytes) - self._since_load - cycles.total
        cycles = replace(cycles, stall_input=cycles.stall_input + max(late, 0))
        self._since_load += cycles.total
        if cost.macs:
            self._hiding = cycles.work
        return cycles

    def _own(self, cost: Cost) -> Cycles:
        """Load, work and copy without stalls."""
        if self.strict:
            return Cycles(cost.strict_load, cost.strict_work, cost.copy_cycles)
        load, self._carried = whole_cycles(cost.load_units, self._carried)
        work, self._carried = whole_cycles(cost.work_units, self._carried)
        return Cycles(load, work, cost.copy_cycles)

    def _stalled(self, own: Cycles, cost: Cost, streams: tuple[Stream, ...], waits: tuple[int, ...]) -> Cycles:
        """``own`` with what the streams need longer."""
        ends = [stream.cycles if self.strict or stream.slow else 0 for stream in streams]
        tables = beats(cost.table_bytes) if self.strict else 0
        fed = max([own.total, *(end for end, stream in zip(ends, streams, strict=True) if not stream.output)])
        drained = max([fed, *(end for end, stream in zip(ends, streams, strict=True) if stream.output)])
        queued = max([drained, *(end + wait for end, wait in zip(ends, waits, strict=True))])
        return replace(
            own, stall_input=tables + fed - own.total, stall_output=drained - fed, stall_port=queued - drained
        )

    def _hidden(self, cycles: Cycles) -> Cycles:
        """``cycles`` of a load without what passes behind the work before it."""
        left = {}
        for cause in ("load", "stall_input", "stall_port"):
            hidden = min(getattr(cycles, cause), self._hiding)
            self._hiding -= hidden
            left[cause] = getattr(cycles, cause) - hidden
        return replace(cycles, **left)

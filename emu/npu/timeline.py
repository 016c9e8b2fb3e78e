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

from emu.npu.demand import Demand
from emu.npu.timing import Cycles, TimingModel, beats
from emu.state import Saved


class Timeline(Saved):
    """What earlier commands mean for the time of the next one.

    Args:
        model: what decides.
    """

    saved = ("_carried", "_since_load", "_hiding")

    def __init__(self, model: TimingModel) -> None:
        self.strict = model is TimingModel.STRICT
        self.restart()

    def restart(self) -> None:
        """A program begins: nothing is carried over."""
        self._carried = 0
        self._since_load = 0
        self._hiding = 0

    @property
    def position(self) -> tuple[int, int, int]:
        """All that `take` remembers; assigning goes there."""
        return self._carried, self._since_load, self._hiding

    @position.setter
    def position(self, position: tuple[int, int, int]) -> None:
        self._carried, self._since_load, self._hiding = position

    def load_begins(self) -> None:
        """Kernels begin to come: an unshared stream would begin now."""
        self._since_load = 0

    def pass_cycles(self, cycles: int) -> None:
        """Time without a command."""
        self._since_load += cycles

    def take(self, demand: Demand, waits: tuple[int, ...] = ()) -> Cycles:
        """The cycles of a command that begins now.

        Args:
            waits: cycles that each of its streams waits for a port; empty if none does.
        """
        cost = demand.cost
        alone, self._carried = demand.alone(self.strict, self._carried)
        if cost.load_units:
            self.load_begins()
        cycles = self._behind_others(demand, alone, waits) if demand.has_neighbours or any(waits) else alone
        self._since_load += cycles.total
        if cost.macs:
            self._hiding = alone.work
        return cycles

    def _behind_others(self, demand: Demand, alone: Cycles, waits: tuple[int, ...]) -> Cycles:
        """The cycles of a command whose stalls depend on ports, or on what was before."""
        cost, load, work = demand.cost, alone.load, alone.work
        stall_input, stall_output, stall_port = demand.stalls(self.strict, load + work + cost.copy_cycles, waits)
        if cost.overlap:
            load, stall_input, stall_port = self._hidden(load, stall_input, stall_port)
        if cost.unshared_bytes:
            total = load + work + cost.copy_cycles + stall_input + stall_output + stall_port
            stall_input += max(beats(cost.unshared_bytes) - self._since_load - total, 0)
        return Cycles(load, work, cost.copy_cycles, stall_input, stall_output, stall_port)

    def _hidden(self, *parts: int) -> list[int]:
        """What is left of the parts of a load behind the work before it."""
        left = []
        for part in parts:
            hidden = min(part, self._hiding)
            self._hiding -= hidden
            left.append(part - hidden)
        return left

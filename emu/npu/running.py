"""A command whose time is passing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emu.npu.commands import Command, command_class
from emu.npu.demand import Demand
from emu.npu.timing import Cycles
from emu.state import State, plain, rebuilt


@dataclass(slots=True)
class Running:
    """A command whose time is passing.

    Attributes:
        pc: address of its instruction, None if the host started it.
        start, end: machine cycles since reset.
        cycles: what it takes, in cycles of the cluster.
        other_total: what it would take by the other timing model.
    """

    command: Command
    demand: Demand
    pc: int | None
    start: int
    end: int
    cycles: Cycles
    other_total: int

    def get_state(self) -> dict[str, State]:
        """As plain data; what the command asks of time can be found again."""
        names = ("command", "pc", "start", "end", "cycles", "other_total")
        return {"kind": self.command.kind.value, **{name: plain(getattr(self, name)) for name in names}}

    @classmethod
    def of_state(cls, state: Mapping[str, State]) -> Running:
        """What `get_state` gave."""
        rest = dict(state)
        command = rebuilt(command_class(rest.pop("kind")), rest.pop("command"))
        cycles = rebuilt(Cycles, rest.pop("cycles"))
        return cls(command=command, demand=Demand(command.cost), cycles=cycles, **rest)

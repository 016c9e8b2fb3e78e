"""A cluster's clock, and what its commands take by both timing models.

*Inaccuracies*: see `emu/npu/timing.py`, `emu/npu/timeline.py` and `emu/npu/ports.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from emu.npu.demand import Demand
from emu.npu.ports import Stream, take_port
from emu.npu.power import REFERENCE_KHZ
from emu.npu.timeline import Timeline
from emu.npu.timing import Cycles, TimingModel
from emu.state import Saved

Position = tuple[int, tuple[int, int, int], tuple[int, int, int]]


@dataclass(slots=True)
class Passed:
    """What passed between two commands: cycles of instructions and of waiting, femtojoules of leakage in that time."""

    control: int = 0
    wait: int = 0
    leakage: int = 0


class ClusterTime(Saved):
    """Time as the cluster sees it.

    Args:
        model: the timing model that decides.
        hertz: machine cycles a second.

    Attributes:
        khz: clock of the cluster; `set_clock` changes it.
    """

    saved = ("khz", "_fraction", "_own", "_other")

    def __init__(self, model: TimingModel, hertz: int) -> None:
        self.model, self.khz = model, REFERENCE_KHZ
        self._hertz = hertz
        (other,) = set(TimingModel) - {model}
        self._own, self._other = Timeline(model), Timeline(other)
        self._fraction = 0

    def restart(self) -> None:
        """A program begins: no fraction and no cycle of an earlier one belongs to it."""
        self._own.restart()
        self._other.restart()
        self._fraction = 0

    @property
    def position(self) -> Position:
        """All that decides how long what comes next takes, of the clock as it is; assigning goes there."""
        return self._fraction, self._own.position, self._other.position

    @position.setter
    def position(self, position: Position) -> None:
        self._fraction, self._own.position, self._other.position = position

    def set_clock(self, khz: int) -> None:
        """Change the clock; a fraction of a machine cycle that was left over is lost."""
        self.khz, self._fraction = khz, 0

    def ticks(self, cycles: int) -> int:
        """Machine cycles that ``cycles`` of the cluster take; the fraction is carried to the next ones."""
        ticks, self._fraction = divmod(cycles * self._hertz + self._fraction, 1000 * self.khz)
        return ticks

    def cycles_until(self, ticks: int) -> int:
        """Cycles of the cluster until its first clock edge that is at least ``ticks`` machine cycles away."""
        left = ticks * 1000 * self.khz - self._fraction
        return max(-(-left // self._hertz), 0)

    def load_begins(self) -> None:
        """Kernels begin to come, from this cluster's own load or from another's broadcast."""
        self._own.load_begins()
        self._other.load_begins()

    def pass_cycles(self, cycles: int) -> None:
        """Time without a command."""
        self._own.pass_cycles(cycles)
        self._other.pass_cycles(cycles)

    def take(self, demand: Demand, time: int) -> tuple[Cycles, int]:
        """What a command takes that begins at machine cycle ``time``, and its total by the other model."""
        waits: tuple[int, ...] = ()
        if self.model is TimingModel.STRICT:
            waits = tuple(self._port_wait(stream, time) for stream in demand.streams)
        return self._own.take(demand, waits), self._other.take(demand).total

    def _port_wait(self, stream: Stream, time: int) -> int:
        """Cycles that a stream waits for a port of its memory, which it takes."""
        hertz = 1000 * self.khz
        waited = take_port(stream, time, -(-stream.cycles * self._hertz // hertz))
        return -(-waited * hertz // self._hertz)

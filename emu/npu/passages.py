"""Passages of programs: what a program did once, it does again when it comes to the same place in the same state.

A passage begins where a program starts, or behind an instruction that can be seen from outside, and ends with the
cycle of the next such instruction. While nobody else acts, all that it does but the arithmetic depends on little:
registers, modes of the tiles, what time has left over, and bytes of read-only memory. So it is recorded when it is
executed for the first time. After that its commands are carried out one after the other, as they always are, and
what comes of time, counters, energy and registers is taken from the recording.

Not repeated are passages whose instructions or tables lie in memory that a program can change, commands whose time
depends on what lies in memory (compressed tensors) or which are for several clusters, and all of `strict` timing,
where commands wait for ports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from emu.memory import Memory, Moment
from emu.npu.commands import Command
from emu.npu.counters import Counters
from emu.npu.record import CommandRecord
from emu.npu.running import Running
from emu.npu.timing import Cost

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster

KEPT = 128
"""Passages that are kept."""
LONGEST = 64
"""Most commands of a passage."""

Position = tuple[Any, ...]
"""What decides how a program goes on, besides what lies in memory: all of it, or that of one part."""


class Step(NamedTuple):
    """A command of a passage.

    Attributes:
        carry_out: see `Command.bound`.
        start, end: machine cycles since the beginning of the passage.
        head, tail: what its record has before and behind these two.
    """

    carry_out: Callable[[], object]
    start: int
    end: int
    head: tuple[Any, ...]
    tail: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """What a program does from one state on.

    Attributes:
        duration: machine cycles.
        memories: what its commands use; none of them has a blocked page.
        read: the read-only memories among them, and those that instructions and tables lie in.
        counted: what it adds to the counters.
        words: all registers at its end.
        cluster, sequencer: their positions at its end.
    """

    steps: tuple[Step, ...]
    duration: int
    memories: tuple[Memory, ...]
    read: tuple[Moment, ...]
    counted: Counters
    words: dict[int, int]
    cluster: Position
    sequencer: Position

    @property
    def holds(self) -> bool:
        """Whether what it takes from memory, and where its commands find what they use, is still the same."""
        return all(moment.lasts for moment in self.read) and not any(memory.any_blocked for memory in self.memories)

    def repeat(self, cluster: Cluster, time: int) -> None:
        """Do it again, from machine cycle ``time`` on."""
        clock, observers = cluster.clock, cluster.on_command
        for carry_out, start, end, head, tail in self.steps:
            clock.advance_to(time + end)
            carry_out()
            if observers:
                record = CommandRecord._make((*head, time + start, time + end, *tail))
                for observer in observers:
                    observer(record)
        clock.advance_to(time + self.duration)
        cluster.counted = cluster.counted + self.counted
        cluster.words.update(self.words)
        cluster.position, cluster.sequencer.position = self.cluster, self.sequencer


class Recording:
    """A passage that is being executed for the first time.

    Args:
        begin: where it begins.
        time: machine cycles there.
    """

    def __init__(self, cluster: Cluster, begin: Position, time: int) -> None:
        self.begin = begin
        self._cluster, self._time = cluster, time
        self._counted = cluster.counted + Counters()
        self._steps: list[Step] = []
        self._memories: set[Memory] = set()
        self._read = {cluster.bus.memory_at(cluster.sequencer.base)}
        self._repeatable = True

    def add(self, running: Running, record: CommandRecord) -> None:
        """A command has ended."""
        command, (*head, start, end) = running.command, record[:5]
        bound = command.bound(self._cluster)
        self._steps.append(Step(bound, start - self._time, end - self._time, tuple(head), record[5:]))
        self._memories.update(stream.memory for stream in running.demand.streams)
        self._read.update(self._cluster.bus.memory_at(address) for address, _ in command.fetched or ())
        self._repeatable &= _is_repeatable(command, record.cost)

    @property
    def is_full(self) -> bool:
        """Whether it is as long as passages may be."""
        return len(self._steps) == LONGEST

    def passage(self, time: int) -> Passage | None:
        """What was recorded up to machine cycle ``time``; None if it cannot be repeated."""
        cluster = self._cluster
        passage = Passage(
            tuple(self._steps),
            time - self._time,
            tuple(self._memories),
            tuple(memory.moment for memory in self._memories | self._read if memory.constant),
            cluster.counted - self._counted,
            dict(cluster.words),
            cluster.position,
            cluster.sequencer.position,
        )
        constant = all(memory.constant for memory in self._read)
        return passage if self._repeatable and self._steps and constant and passage.holds else None


def _is_repeatable(command: Command, cost: Cost) -> bool:
    """Whether a command that cost this depends on nothing but registers, tables and modes."""
    of_data = command.fetched is None or cost is not command.cost
    only_padding = cost.macs > 0 and cost.input_bytes == 0  # There is no stream that names the input's memory.
    return not (of_data or only_padding or cost.clusters)


class Passages:
    """The passages of one cluster's programs.

    *Inaccuracies*: none, as long as observers of commands change nothing in the machine.
    """

    def __init__(self) -> None:
        self._known: dict[Position, Passage] = {}

    def at(self, begin: Position) -> Passage | None:
        """The passage that begins there, None if there is none that may be repeated."""
        known = self._known.get(begin)
        return known if known is not None and known.holds else None

    def keep(self, recording: Recording, time: int) -> None:
        """A recording has ended at machine cycle ``time``."""
        passage = recording.passage(time)
        if passage is None:
            return
        if len(self._known) >= KEPT:
            self._known.clear()
        self._known[recording.begin] = passage

"""Streams between memories and a cluster, and how they share the memories' ports.

A memory serves as many streams at the same time as it has ports. A stream gets the port that is free first and keeps
it for as long as its bytes take; what it waits for the port is a stall only as far as the command's own work does not
cover it.

*Inaccuracies*: a stream's beats are taken to follow each other at its beginning, although a convolution spreads them
over its work. Rows that a tensor's strides skip, and the halo that stripes share, are read once. The host's accesses
do not use ports.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from asm.parameters import CommandCode
from emu.memory import Memory
from emu.npu.timing import BEAT_BYTES, Cost

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster


@dataclass(frozen=True)
class Stream:
    """Bytes between a memory and a cluster.

    Attributes:
        output: from the cluster to the memory.
        shared: another cluster pays for the memory's port; this one listens.
    """

    memory: Memory
    count: int
    output: bool = False
    shared: bool = False

    @cached_property
    def slow(self) -> bool:
        """Whether the memory cannot deliver a beat in every cycle."""
        return self.memory.timing.latency > 0 or self.memory.timing.bytes_per_cycle < BEAT_BYTES

    @cached_property
    def cycles(self) -> int:
        """Cycles that it takes with a port for itself."""
        timing = self.memory.timing
        return timing.latency + -(-self.count // min(timing.bytes_per_cycle, BEAT_BYTES))


def streams_of(cluster: Cluster, code: CommandCode, cost: Cost) -> tuple[Stream, ...]:
    """What the command that the registers describe streams; its addresses are in memory."""
    sides: tuple[tuple[int, int, bool, bool], ...]
    match code:
        case CommandCode.load:
            sides = ((cluster.LOAD_ADDRESS, cost.load_bytes, False, False),)
        case CommandCode.copy | CommandCode.fill:
            sides = (
                (cluster.COPY_SOURCE, cost.input_bytes, False, False),
                (cluster.COPY_DESTINATION, cost.output_bytes, True, False),
            )
        case _:
            listens = bool(cost.clusters) and min(cost.clusters) < cluster.index
            sides = (
                (cluster.INPUT_ADDRESS, cost.input_bytes, False, listens),
                (cluster.OPERAND_ADDRESS, cost.psum_bytes, False, False),
                (cluster.OUTPUT_ADDRESS, cost.output_bytes, True, False),
            )
    streams = []
    for address, count, output, shared in sides:
        found = cluster.bus.find(address) if count else None
        if found is not None and isinstance(found[1], Memory):
            streams.append(Stream(found[1], count, output, shared))
    return tuple(streams)


def take_port(stream: Stream, time: int, ticks: int) -> int:
    """Give a stream the port of its memory that is free first.

    Args:
        time: machine cycles at which it wants to begin.
        ticks: machine cycles that it takes.

    Returns:
        Machine cycles that it waits.
    """
    free = stream.memory.port_free
    if not free or stream.shared:
        return 0
    port = min(range(len(free)), key=lambda number: (free[number], number))
    begin = max(free[port], time)
    free[port] = begin + ticks
    return begin - time

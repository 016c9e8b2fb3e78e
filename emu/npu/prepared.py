"""Commands that were made from the registers and checked; the same registers give the same command again.

Layers repeat their commands, inferences repeat their layers. What is kept is what depends on the set-up registers
alone; what depends on the machine's state (modes of the tiles, other clusters, what lies in memory) is looked at
every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from asm.parameters import CommandCode
from emu.npu.commands import Command, command_class
from emu.npu.demand import Demand
from emu.npu.ports import streams_of

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster

KEPT = 1024
"""Commands that a cluster keeps."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command that may begin, and what its time and energy depend on."""

    command: Command
    demand: Demand


class Preparation:
    """Makes the commands of one cluster.

    Args:
        first, last: the first and the last of the registers that commands are made from.
    """

    def __init__(self, cluster: Cluster, first: int, last: int) -> None:
        self._cluster = cluster
        offsets = [offset for offset in cluster.words if first <= offset <= last]
        self._registers: Callable[[dict[int, int]], tuple[int, ...]] = itemgetter(*offsets)
        self._kept: dict[tuple[CommandCode, tuple[int, ...]], Prepared] = {}

    def command(self, code: CommandCode) -> Prepared:
        """The command that the registers describe, which can be carried out now. Raises `RuleError`, `BusError`."""
        cluster = self._cluster
        key = code, self._registers(cluster.words)
        known = self._kept.get(key)
        if known is not None and known.command.is_current(cluster.bus):
            known.command.check_machine(cluster)
            return known
        command = command_class(code).of_registers(cluster)
        command.check()
        command.check_machine(cluster)
        if len(self._kept) >= KEPT:
            self._kept.clear()
        prepared = Prepared(command, Demand(command.cost, streams_of(cluster, code, command.cost)))
        self._kept[key] = prepared
        return prepared

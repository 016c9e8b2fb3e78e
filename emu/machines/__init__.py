"""The machines by name. Importing this is cheap: a map's devices are imported when it is made."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emu.machine import MachineMap

NAMES = ("st18", "st18-rv32")
"""Names of the machines with an NPU; the first is the default."""
BOARDS = ("mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "microbit", "virt")
"""Names of the boards without one, for firmware that exists already."""
ALL = NAMES + BOARDS
MAX_CLUSTERS = 8
"""Clusters that the memory maps have room for."""
TIMINGS = ("published", "strict")
"""Timing models of the clusters; the first is the default."""
SYSTEM_PORTS = 4
"""Ports of the system memory, unless a caller asks for another number."""


class UnknownMachineError(Exception):
    """There is no machine of that name, or it cannot have that many clusters."""


def machine_map(
    name: str, clusters: int = MAX_CLUSTERS, timing: str = TIMINGS[0], system_ports: int = SYSTEM_PORTS
) -> MachineMap:
    """The memory map of a machine.

    Args:
        clusters: NPU clusters, 1..8; a board has none, whatever this says.
        timing: how long their commands take, `published` or `strict`.
        system_ports: streams that the system memory serves at the same time in strict timing, at least 1.

    Raises:
        UnknownMachineError: unknown name or timing, or a number that no map has room for.
    """
    if name not in ALL:
        near = difflib.get_close_matches(name, ALL, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownMachineError(f"there is no machine {name!r}: {hint}known machines: {', '.join(ALL)}")
    if name == "virt":
        from emu.machines import virt

        return virt.machine_map(name)
    if name == "microbit":
        from emu.machines import microbit

        return microbit.machine_map(name)
    if name == "mps2-an505":
        from emu.machines import mps2_an505

        return mps2_an505.machine_map(name)
    if name in BOARDS:
        from emu.machines import mps2

        return mps2.machine_map(name)
    if not 1 <= clusters <= MAX_CLUSTERS:
        raise UnknownMachineError(f"{name} can have 1..{MAX_CLUSTERS} clusters, not {clusters}")
    if timing not in TIMINGS:
        raise UnknownMachineError(f"there is no timing {timing!r}: known are {', '.join(TIMINGS)}")
    if system_ports < 1:
        raise UnknownMachineError(f"the system memory must have at least 1 port, not {system_ports}")
    from emu.machines import st18

    return st18.machine_map(name, clusters, timing, system_ports)

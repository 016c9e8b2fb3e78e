"""Which machine runs firmware and how it is built, as the command line chooses it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from emu.cpu import ENGINES
from emu.cpu.timing.lookup import MOST_WAIT_STATES
from emu.machines import MAX_CLUSTERS, TIMINGS
from sdk.whole_number import whole_number

if TYPE_CHECKING:
    from emu.machine import MachineMap
    from sdk.loader import Image


@dataclass(frozen=True, slots=True)
class MachineOptions:
    """Which machine, and what is not as it says itself.

    Attributes:
        machine: its name, or a Python file that describes one; None: the one for the firmware's architecture.
        clusters: NPU clusters of a machine by name.
        timing: how long their commands take, `published` or `strict`.
        engine: what executes the host's instructions, one of `emu.cpu.ENGINES`.
        exact: stop, and take events, at the very instruction.
        cpu_timing: cycles of the host's instructions; None: what the machine says.
        flash_wait_states: of the memory that the host starts from; None: what the machine says.
    """

    machine: str | None = None
    clusters: int = MAX_CLUSTERS
    timing: str = TIMINGS[0]
    engine: str = ENGINES[0]
    exact: bool = False
    cpu_timing: str | None = None
    flash_wait_states: int | None = None

    @classmethod
    def of_arguments(cls, arguments: argparse.Namespace) -> MachineOptions:
        """What the arguments of `add_machine_options` say."""
        return cls(**{field.name: getattr(arguments, field.name) for field in fields(cls)})

    @property
    def named(self) -> MachineMap | None:
        """The machine that was asked for, if one was. Raises `UnknownMachineError`."""
        return None if self.machine is None else self._made(self.machine)

    def machine_for(self, image: Image) -> MachineMap:
        """The machine that runs the firmware. Raises `UnknownMachineError`."""
        from sdk.loader import machine_for

        return self.named or self._made(machine_for(image))

    def _made(self, name: str) -> MachineMap:
        from sdk.custom_machine import find_machine

        machine = find_machine(name, self.clusters, self.timing)
        timing = machine.cpu_timing
        if self.cpu_timing is not None:
            timing = replace(timing, model=self.cpu_timing)
        if self.flash_wait_states is not None:
            timing = replace(timing, flash=replace(timing.flash, wait_states=self.flash_wait_states))
        return replace(machine, cpu_timing=timing)


def add_clusters_option(parser: argparse.ArgumentParser, default: int = MAX_CLUSTERS) -> None:
    """Declares ``--clusters``."""
    parser.add_argument(
        "--clusters",
        type=whole_number(1, MAX_CLUSTERS),
        default=default,
        metavar="N",
        help=f"NPU clusters, 1..{MAX_CLUSTERS} (default: %(default)s)",
    )


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "--machine",
        metavar="M",
        help="machine, or a Python file that describes one (default: the one for the firmware's architecture)",
    )
    add_clusters_option(parser)
    parser.add_argument(
        "--timing",
        choices=TIMINGS,
        default=TIMINGS[0],
        help="how long NPU commands take: the published rule, or whole cycles with ports and beats "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=ENGINES[0],
        help="what executes the host's instructions; the interpreter is for RV32 hosts (default: %(default)s)",
    )
    parser.add_argument(
        "--exact",
        action="store_true",
        help="stop, and take interrupts of devices, at the very instruction; otherwise the host first executes the "
        "rest of the straight line of code that it is in",
    )
    parser.add_argument(
        "--cpu-timing",
        metavar="T",
        help="cycles of the host's instructions: single (one each), core (those of the machine's core), or a model "
        "by name; see docs/cpu-timing.md (default: what the machine says, usually single)",
    )
    parser.add_argument(
        "--flash-wait-states",
        type=whole_number(0, MOST_WAIT_STATES),
        metavar="N",
        help="cycles that the host waits for a line of the memory that it starts from (default: what the machine "
        "says, usually 0)",
    )

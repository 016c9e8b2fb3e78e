"""The timing of a machine's host CPU as the command line chooses it."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from emu.cpu.timing.lookup import MOST_WAIT_STATES

if TYPE_CHECKING:
    from emu.machine import MachineMap


def add_cpu_timing(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "--cpu-timing",
        metavar="T",
        help="cycles of the host's instructions: single (one each), core (those of the machine's core), or a model "
        "by name; see docs/cpu-timing.md (default: what the machine says, usually single)",
    )
    parser.add_argument(
        "--flash-wait-states",
        type=_wait_states,
        metavar="N",
        help="cycles that the host waits for a line of the memory that it starts from (default: what the machine "
        "says, usually 0)",
    )


def _wait_states(text: str) -> int:
    value = int(text)
    if not 0 <= value <= MOST_WAIT_STATES:
        raise ValueError
    return value


_wait_states.__name__ = f"number of wait states (0..{MOST_WAIT_STATES})"  # argparse puts it into its message


def with_cpu_timing(machine: MachineMap, model: str | None, wait_states: int | None) -> MachineMap:
    """The machine with another timing of its host; None leaves what the machine says."""
    timing = machine.cpu_timing
    if model is not None:
        timing = replace(timing, model=model)
    if wait_states is not None:
        timing = replace(timing, flash=replace(timing.flash, wait_states=wait_states))
    return replace(machine, cpu_timing=timing)

"""Machines that hand their state on: what the tests of snapshots share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emu.machine import Machine, StopReason

Make = Callable[[], Machine]


def straight(make: Make, cycles: int) -> list[str]:
    """Hash at the end of one run."""
    machine = make()
    machine.run(cycles)
    return [machine.state_hash()]


def sliced(make: Make, cycles: int, leg: int) -> list[str]:
    """Hashes behind every ``leg`` cycles of a machine."""
    return _legs([make()], cycles, leg)


def relay(make: Make, cycles: int, leg: int, others: Make | None = None) -> list[str]:
    """The same of two machines that take turns: each goes on with the state of the other.

    Args:
        others: makes the second machine.
    """
    return _legs([make(), (others or make)()], cycles, leg)


def _legs(machines: list[Machine], cycles: int, leg: int) -> list[str]:
    hashes = []
    end = machines[0].clock.now + cycles
    while True:
        machine = machines[0]
        stop = machine.run(min(leg, end - machine.clock.now))
        hashes.append(machine.state_hash())
        if stop.reason is not StopReason.LIMIT or machine.clock.now >= end:
            return hashes
        machines.append(machines.pop(0))
        if machines[0] is not machine:
            machines[0].restore(machine.snapshot())


def differences(first: Any, second: Any, place: str = "") -> list[str]:
    """Places where two states differ, for people who look for the cause."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return [text for key in first for text in differences(first[key], second[key], f"{place}/{key}")]
    return [] if first == second else [f"{place}: {str(first)[:60]}, {str(second)[:60]}"]

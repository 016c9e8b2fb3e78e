"""Checks one engine against another: the same firmware on two machines, in slices, until their states differ.

difference = lockstep(lambda engine: load(elf, machine_map(name), engine), cycles=1_000_000)
if difference is not None:
    print(difference)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emu.cpu import ENGINES
from emu.cpu.riscv.hart import RiscV
from emu.machine import Machine, Stop, StopReason

SLICE = 10_000
"""Cycles after which states are compared."""


@dataclass(frozen=True)
class Difference:
    """The first difference of two machines.

    Attributes:
        pc: where the block begins behind which the states differ.
        time: cycles since reset, before that block.
        what: register, memory address, "time", "instructions", "privilege" or "stop".
        values: what each machine has.
        engines: their engines, in the same order.
    """

    pc: int
    time: int
    what: str
    values: tuple[str, str]
    engines: tuple[str, str]

    def __str__(self) -> str:
        sides = ", ".join(f"{value} on {engine}" for value, engine in zip(self.values, self.engines, strict=True))
        return f"after the block at 0x{self.pc:08x}, cycle {self.time}: {self.what} is {sides}"


Finding = tuple[str, tuple[str, str]]


def compare(first: Machine, second: Machine) -> Finding | None:
    """The first thing that differs between two machines, and what it is on each; None if all is equal."""
    for what, one, other in (
        ("time", first.clock.now, second.clock.now),
        ("instructions", first.core.instructions, second.core.instructions),
    ):
        if one != other:
            return what, (str(one), str(other))
    for name in first.core.register_names:
        one, other = first.core.read_register(name), second.core.read_register(name)
        if one != other:
            return name, (f"0x{one:08x}", f"0x{other:08x}")
    if isinstance(first.core, RiscV) and isinstance(second.core, RiscV):
        one, other = first.core.state.privilege, second.core.state.privilege
        if one != other:
            return "privilege", (one.name, other.name)
    for memory, twin in zip(first.bus.memories, second.bus.memories, strict=True):
        if not np.array_equal(memory.data, twin.data):
            place = int(np.argmax(memory.data != twin.data))
            values = f"0x{int(memory.data[place]):02x}", f"0x{int(twin.data[place]):02x}"
            return f"0x{memory.base + place:08x} in {memory.name}", values
    return None


def lockstep(
    make: Callable[[str], Machine],
    cycles: int,
    engines: tuple[str, str] = (ENGINES[0], ENGINES[1]),
    slice_cycles: int = SLICE,
) -> Difference | None:
    """Run the firmware on both engines for ``cycles`` or until it ends; the first difference, None if there is none.

    Args:
        make: a machine with the firmware in its memory, after reset, by the name of its engine.
        slice_cycles: how often the states are compared. The block of a difference is found by running again.
    """
    first, second = make(engines[0]), make(engines[1])
    while first.clock.now < cycles:
        before = first.clock.now
        finding, going = _slice(first, second, min(slice_cycles, cycles - before))
        if finding is not None:
            return _narrow(make(engines[0]), make(engines[1]), before, engines)
        if not going:
            break
    return None


def _slice(first: Machine, second: Machine, cycles: int) -> tuple[Finding | None, bool]:
    """Run both; what differs, and whether they may go on."""
    one, other = first.run(cycles), second.run(cycles)
    finding = compare(first, second)
    if finding is None and one != other:
        finding = "stop", (_describe(one), _describe(other))
    return finding, one.reason is StopReason.LIMIT


def _describe(stop: Stop) -> str:
    return stop.reason.name if stop.exit_code is None else f"{stop.reason.name} with code {stop.exit_code}"


def _narrow(first: Machine, second: Machine, start: int, engines: tuple[str, str]) -> Difference:
    """Find the block of a difference that comes after ``start``."""
    if start:
        first.run(start)
        second.run(start)
    going = True
    while going:
        pc, time = first.core.pc, first.clock.now
        finding, going = _slice(first, second, 1)
        if finding is not None:
            return Difference(pc, time, *finding, engines)
    raise RuntimeError(f"the machines differ after cycle {start}, but not when they run again: they are not repeatable")

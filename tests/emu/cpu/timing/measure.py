"""Cycles of short pieces of code: what the tests of the cycle models share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emu.cpu.timing.costs import CORE, CpuTiming
from emu.machine import Machine, MachineMap, StopReason
from tests.emu.cpu import arm_board, riscv_board


@dataclass(frozen=True)
class Piece:
    """Some instructions, and the cycles that they take on each of several cores by their manuals."""

    code: str
    cycles: tuple[int, ...]


def timed(machine_map: MachineMap, timing: CpuTiming | None = None, host: str | None = None) -> MachineMap:
    """The map with cycles of instructions, those of its core unless ``timing`` says others."""
    return replace(machine_map, cpu_timing=timing or CpuTiming(CORE), host=host or machine_map.host)


def program(pieces: Sequence[Piece], separator: str = "nop") -> str:
    """The pieces one after the other, each from a multiple of 16 on and before an instruction that is no load."""
    return "".join(
        f".balign 16\nbegin{index}:\n{piece.code.replace(';', chr(10))}\nend{index}:\n{separator}\n"
        for index, piece in enumerate(pieces)
    )


def cycles_of(machine: Machine, begin: int, end: int) -> int:
    """Cycles from the address ``begin`` to the first arrival at ``end``."""
    core = machine.core
    core.write_register("pc", begin)
    core.add_breakpoint(end)
    start = machine.clock.now
    stop = machine.run(10_000)
    core.remove_breakpoint(end)
    assert (stop.reason, stop.pc) == (StopReason.BREAKPOINT, end)
    return stop.time - start


def measure_arm(folder: Path, setup: str, pieces: Sequence[Piece], machine_map: MachineMap) -> list[int]:
    """Cycles of every piece on a Cortex-M, after ``setup``, which must leave the registers that the pieces need."""
    source = f"reset:\n{setup}\nready: b ready\n{program(pieces)}\n.ltorg\n"
    elf = arm_board.build(folder, arm_board.PRELUDE + source)
    board = arm_board.Board(elf, machine_map)
    board.machine.run(1_000)
    registers = {name: board.core.read_register(name) for name in arm_board_registers()}
    measured = []
    for index in range(len(pieces)):
        for name, value in registers.items():
            board.core.write_register(name, value)
        measured.append(cycles_of(board.machine, board.symbols[f"begin{index}"], board.symbols[f"end{index}"]))
    return measured


def arm_board_registers() -> list[str]:
    """Registers that every piece finds as the set-up left them."""
    return [*(f"r{number}" for number in range(13)), "sp", "lr"]


def measure_riscv(folder: Path, setup: str, pieces: Sequence[Piece], machine_map: MachineMap, engine: str) -> list[int]:
    """The same of an RV32 hart."""
    elf = riscv_board.assemble(f"{setup}\nready: j ready\n{program(pieces)}", folder)
    symbols = riscv_board.symbols(elf)
    machine = riscv_board.load(elf, machine_map, engine)
    machine.run(1_000)
    names = [name for name in machine.core.register_names if name in riscv_board_registers()]
    registers = {name: machine.core.read_register(name) for name in names}
    measured = []
    for index in range(len(pieces)):
        for name, value in registers.items():
            machine.core.write_register(name, value)
        measured.append(cycles_of(machine, symbols[f"begin{index}"], symbols[f"end{index}"]))
    return measured


def riscv_board_registers() -> list[str]:
    """Registers that every piece finds as the set-up left them."""
    return ["ra", "sp", *(f"a{number}" for number in range(8)), *(f"t{number}" for number in range(7))]

"""The A extension where QEMU is no help: which fault an AMO raises, who ends a reservation, devices, what has no A."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.cpu import ENGINES
from emu.machine import Machine, StopReason
from tests.emu.cpu.riscv_board import MAP, RAM, ROM, assemble, core, load

LOAD_RESERVED, STORE_CONDITIONAL, ADD, SWAP = 0x08, 0x0C, 0x00, 0x04
Program = Callable[..., Machine]


def atomic(bits: int, destination: str, address: str, source: str) -> str:
    """An instruction of the A extension; the assembler does not have to know that."""
    return f".insn r 0x2f, 2, {bits:#x}, {destination}, {address}, {source}\n"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    def make(source: str, engine: str, **options: bool) -> Machine:
        machine_map = dataclasses.replace(MAP, host_options=options or {"atomics": True})
        return load(assemble(source, tmp_path), machine_map, engine)

    return make


HANDLED = """
    la t0, handler
    csrw mtvec, t0
    {code}
    exit 0
    .balign 4
handler:
    csrr s10, mcause
    csrr s11, mtval
    exit 1
"""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("code", "cause", "value", "text"),
    [
        (
            f"li a0, RAM + 0x802\n {atomic(ADD, 'a1', 'a0', 'a2')}",
            6,
            RAM + 0x802,
            "write at 0x80000802: an atomic instruction needs a multiple of 4",
        ),
        (
            f"li a0, RAM + 0x801\n {atomic(STORE_CONDITIONAL, 'a1', 'a0', 'a2')}",
            6,
            RAM + 0x801,
            "write at 0x80000801: an atomic instruction needs a multiple of 4",
        ),
        (
            f"li a0, NOTHING\n {atomic(SWAP, 'a1', 'a0', 'a2')}",
            7,
            0x1800_0000,
            "write at 0x18000000: nothing is mapped at 0x18000000",
        ),
        (f"li a0, ROM\n {atomic(SWAP, 'a1', 'a0', 'a2')}", 7, ROM, "write at 0x90000000: write to rom (read-only)"),
    ],
)
def test_faults_of_amos_are_store_faults(
    program: Program, engine: str, code: str, cause: int, value: int, text: str
) -> None:
    machine = program(HANDLED.format(code=code), engine)
    assert machine.run(1000).exit_code == 1
    assert (machine.core.read_register("s10"), machine.core.read_register("s11")) == (cause, value)
    assert machine.core.last_fault is not None
    assert machine.core.last_fault.text == text


@pytest.mark.parametrize("engine", ENGINES)
def test_memory_protection_holds_for_amos(program: Program, engine: str) -> None:
    setup = "li t0, (RAM + 0x800) >> 2\n csrw pmpaddr0, t0\n li t0, 0x91\n csrw pmpcfg0, t0\n li a0, RAM + 0x800\n"
    code = setup + atomic(LOAD_RESERVED, "a1", "a0", "x0") + atomic(ADD, "a1", "a0", "a2")
    machine = program(HANDLED.format(code=code), engine)
    assert machine.run(1000).exit_code == 1
    assert (machine.core.read_register("s10"), machine.core.read_register("s11")) == (7, RAM + 0x800)
    assert machine.core.last_fault is not None
    assert machine.core.last_fault.text == "write at 0x80000800: PMP entry 0 (r--)"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("offset", "failed"), [(0, 1), (3, 1), (4, 0), (-4, 0)])
def test_another_bus_master_ends_a_reservation(program: Program, engine: str, offset: int, failed: int) -> None:
    code = f"""
        li a0, RAM + 0x800
        {atomic(LOAD_RESERVED, "a1", "a0", "x0")}
        .rept 100
        nop
        .endr
        j 1f
    1:  {atomic(STORE_CONDITIONAL, "s0", "a0", "a2")}
    """
    machine = program(HANDLED.format(code=code), engine)
    event = machine.clock.event("write", lambda: machine.bus.write(RAM + 0x800 + offset, b"\x01"))
    event.at(50)
    assert machine.run(1000).exit_code == 0
    assert machine.core.read_register("s0") == failed


@pytest.mark.parametrize("engine", ENGINES)
def test_a_reservation_is_part_of_the_state(program: Program, engine: str) -> None:
    code = f"li a0, RAM + 0x800\n {atomic(LOAD_RESERVED, 'a1', 'a0', 'x0')} 1: j 1b"
    machine = program(HANDLED.format(code=code), engine)
    machine.run(100)
    kept = machine.snapshot()
    assert core(machine).atomics.reservation == RAM + 0x800
    machine.reset()
    assert core(machine).atomics.reservation is None
    machine.restore(kept)
    assert core(machine).atomics.reservation == RAM + 0x800


@pytest.mark.parametrize("engine", ENGINES)
def test_an_amo_into_x0_only_stores(program: Program, engine: str) -> None:
    code = f"li a0, RAM + 0x800\n sw a0, 0(a0)\n {atomic(ADD, 'x0', 'a0', 'a0')} mv s0, x0\n lw s1, 0(a0)"
    machine = program(HANDLED.format(code=code), engine)
    assert machine.run(1000).exit_code == 0
    registers = [machine.core.read_register(name) for name in ("zero", "s0", "s1")]
    assert registers == [0, 0, 2 * (RAM + 0x800) & 0xFFFF_FFFF]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_amo_may_go_to_a_device(program: Program, engine: str) -> None:
    code = f"li a0, MSIP\n li a2, 1\n {atomic(SWAP, 's0', 'a0', 'a2')} csrr s1, mip"
    machine = program(HANDLED.format(code=code), engine)
    assert machine.run(1000).reason is StopReason.EXIT
    assert (machine.core.read_register("s0"), machine.core.read_register("s1")) == (0, 8)


@pytest.mark.parametrize("engine", ENGINES)
def test_code_that_an_amo_overwrites_runs_from_the_next_block_on(program: Program, engine: str) -> None:
    code = f"""
        la a0, patched
        la a1, new
        lw a2, 0(a1)
        jal patched
        {atomic(SWAP, "s1", "a0", "a2")}
        jal patched
        exit 0
        .balign 4
        .option norvc
    patched:
        addi s0, s0, 1
        ret
    new:
        addi s0, s0, 16
        .option rvc
    """
    machine = program(HANDLED.format(code=code), engine)
    assert machine.run(1000).exit_code == 0
    assert machine.core.read_register("s0") == 17


@pytest.mark.parametrize("engine", ENGINES)
def test_without_the_extension_its_instructions_are_illegal(program: Program, engine: str) -> None:
    source = HANDLED.format(code="li a0, RAM\n" + atomic(ADD, "a1", "a0", "a2"))
    machine = program(source, engine, atomics=False)
    assert machine.run(1000).exit_code == 1
    assert machine.core.read_register("s10") == 2
    assert machine.core.read_register("misa") == 0x4010_1104
    with_it = program(HANDLED.format(code=".word 0x0005352f"), engine)
    assert with_it.run(1000).exit_code == 1
    assert with_it.core.read_register("misa") == 0x4010_1105
    assert with_it.core.last_fault is not None
    assert with_it.core.last_fault.text == "0x0005352f: not an RV32IMAC instruction"

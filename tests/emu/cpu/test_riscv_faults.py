"""Faults of the RV32IMC host: what people are told, and what never ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.cpu.core import FaultReport
from emu.machine import Machine, MemoryRegion, StopReason
from tests.emu.cpu.riscv_board import MAP, assemble, load

Program = Callable[[str], Machine]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return lambda source: load(assemble(source, tmp_path))


def faults(machine: Machine) -> list[FaultReport]:
    """Reports of the faults from now on."""
    reports: list[FaultReport] = []
    machine.core.on_fault.append(reports.append)
    return reports


@pytest.mark.parametrize(
    ("instructions", "kind", "text", "address"),
    [
        ("li a0, 0x60000000\n lw a1, 6(a0)", "load access fault", "nothing is mapped at 0x60000006", 0x6000_0006),
        ("li a0, ROM\n sb a0, 0x7d(a0)", "store access fault", "write to rom (read-only)", 0x9000_007D),
        ("li a0, ROM - 2\n sw a0, 0(a0)", "store access fault", "nothing is mapped at 0x8ffffffe", 0x8FFF_FFFE),
        ("li a0, DATA\n jr a0", "instruction access fault", "execute from data (not executable)", 0xA000_0000),
        ("li a0, UART\n jr a0", "instruction access fault", "uart is a device, not code", 0x1000_0000),
        (".word 0", "illegal instruction", "0x0000: all zeros, probably not code", None),
        (".word 0x1005202f", "illegal instruction", "atomic instructions (A extension) are not part of RV32IMC", None),
        (".word 0x12000073", "illegal instruction", "sfence.vma (S-mode) is not modelled", None),
        (".half 0x6100", "illegal instruction", "0x6100: c.flw is not part of RV32IMC", None),
        ("csrr a0, satp", "illegal instruction", "csr satp (0x180) does not exist on an RV32IMC hart", None),
        ("csrr a0, 0x7c0", "illegal instruction", "0x7c002573: csr 0x7c0 does not exist", None),
        ("csrwi mhartid, 1", "illegal instruction", "csr mhartid is read-only", None),
        (".option norvc\n ebreak", "breakpoint", "no debugger handles it", None),
    ],
)
def test_a_fault_names_the_rule_and_the_place(
    program: Program, instructions: str, kind: str, text: str, address: int | None
) -> None:
    machine = program(f"""
        la t0, handler
        csrw mtvec, t0
        li s0, 77
        .option norvc
        {instructions}
        .option rvc
        .balign 4
    handler:
        exit 3
    """)
    reports = faults(machine)
    stop = machine.run(1000)
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 3)
    (report,) = reports
    assert (report.kind, report.address) == (kind, address)
    assert text in report.text
    assert report.registers["s0"] == 77
    assert report.registers["pc"] == report.pc
    assert machine.core.read_register("mepc") == report.pc
    assert machine.core.last_fault is report


def test_an_environment_call_is_not_reported_as_a_fault(program: Program) -> None:
    machine = program("la t0, 1f\n csrw mtvec, t0\n ecall\n .balign 4\n 1: exit 0")
    reports = faults(machine)
    assert machine.run(100).reason is StopReason.EXIT
    assert reports == []


@pytest.mark.parametrize(
    "setup",
    [
        "li t0, 0x60000000\n csrw mtvec, t0",
        "csrw mtvec, x0",
        "la t0, bad\n csrw mtvec, t0\n j start\n .balign 4\n bad: .word 0\n start:",
        "la t0, bad\n csrw mtvec, t0\n j start\n .balign 4\n bad: addi sp, sp, -64\n sw ra, 0(sp)\n j bad\n start:",
    ],
    ids=["unmapped", "reset value", "illegal first instruction", "no stack"],
)
def test_a_fault_whose_handler_faults_for_ever_is_a_lockup(program: Program, setup: str) -> None:
    machine = program(f"li sp, 0x60000000\n {setup}\n .word 0\n exit 0")
    stop = machine.run(100_000)
    assert stop.reason is StopReason.LOCKUP
    assert machine.run(100_000).reason is StopReason.LOCKUP


def test_what_is_not_modelled_says_its_name(program: Program) -> None:
    machine = program("csrw tselect, x0\n csrr a0, tdata1\n exit 0")
    machine.run(1000)
    assert [message.text for message in machine.log.messages] == [
        "csr tselect is not modelled: it reads 0, writes do nothing",
        "csr tdata1 is not modelled: it reads 0, writes do nothing",
    ]


def test_an_error_inside_a_device_reaches_the_caller(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = program("li t0, UART\n sb x0, 0(t0)\n 1: j 1b")

    def fail(offset: int, size: int, value: int) -> None:
        raise RuntimeError("the device failed")

    monkeypatch.setattr(machine.devices["uart"], "write", fail)
    with pytest.raises(RuntimeError, match=r"^the device failed$"):
        machine.run(1000)


def test_user_mode_waits_for_interrupts_only_with_permission(program: Program) -> None:
    machine = program("""
        la t0, handler
        csrw mtvec, t0
        open_memory
        li t0, 1 << 21                  # mstatus.TW
        csrs mstatus, t0
        la t0, 1f
        csrw mepc, t0
        csrr s0, minstret
        mret
        .balign 4
    1:  wfi
        nop
        .balign 4
    handler:
        csrr s1, minstret
        exit 0
    """)
    assert machine.run(1000).reason is StopReason.EXIT
    assert machine.core.last_fault is not None
    assert machine.core.last_fault.text == "0x10500073: wfi is illegal in U-mode while mstatus.TW is set"
    assert machine.core.read_register("s1") - machine.core.read_register("s0") == 2


def test_a_map_leaves_the_page_free_that_catches_illegal_accesses() -> None:
    top = MemoryRegion("top", 0xFFFF_0000, 0x1_0000, "rw", "")
    with pytest.raises(ValueError, match=r"^top: the page at 0xfffff000 must stay free on an rv32imc host$"):
        Machine(dataclasses.replace(MAP, memories=(*MAP.memories, top)))

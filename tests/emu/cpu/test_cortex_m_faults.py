"""Faults are precise: the instruction, the address, the registers before it, and the rule in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.cpu.core import FaultReport
from emu.machine import StopReason
from tests.emu.cpu.arm_board import NO_CODE, RAM, Board, assemble

HANDLERS = """
.section .vectors, "a"
.word 0, hard_fault + 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
.text
hard_fault:
    finish 99
reset:
"""


def first_fault(folder: Path, source: str) -> tuple[Board, FaultReport]:
    """Run up to the exit in the HardFault handler; the board and its only report."""
    board = assemble(folder, HANDLERS + source)
    reports: list[FaultReport] = []
    board.core.on_fault.append(reports.append)
    stop = board.machine.run(10_000)
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 99)
    assert len(reports) == 1
    assert board.core.last_fault == reports[0]
    return board, reports[0]


@pytest.mark.parametrize(
    ("instruction", "address", "rule"),
    [
        ("ldr r2, [r0]", 0x7000_0000, "read at 0x70000000: nothing is mapped at 0x70000000"),
        ("ldrb r2, [r0]", 0x7000_0003, "read at 0x70000003: nothing is mapped at 0x70000003"),
        ("strh r2, [r0]", 0x7000_0002, "write at 0x70000002: nothing is mapped at 0x70000002"),
        ("str r2, [r0]", 0x0800_0104, "write at 0x08000104: write to flash (read-only)"),
        ("ldr r2, [r0]", 0x2004_0000, "read at 0x20040000: nothing is mapped at 0x20040000"),
        ("ldr r2, [r0]", 0xFFFF_FFF0, "read at 0xfffffff0: nothing is mapped at 0xfffffff0"),
    ],
)
def test_a_refused_access(tmp_path: Path, instruction: str, address: int, rule: str) -> None:
    source = f"ldr r0, ={address:#x}\n movs r2, #7\n movs r3, #1\n bad: {instruction}\n movs r3, #2\n b .\n"
    board, report = first_fault(tmp_path, source)
    assert report.kind == "HardFault"
    assert report.text == f"{rule} (BusFault, escalated to HardFault because its handler is not enabled)"
    assert (report.pc, report.address) == (board.symbols["bad"], address)
    assert (report.registers["r0"], report.registers["r2"], report.registers["r3"]) == (address, 7, 1)
    assert report.registers["pc"] == board.symbols["bad"]
    control = board.core.system_control
    status = control.CFSR, control.BFAR, control.HFSR
    assert status == (0x8200, address, 1 << 30)


def test_a_refused_access_changes_nothing(tmp_path: Path) -> None:
    board, _ = first_fault(tmp_path, "ldr r0, =0x08000104\n str r0, [r0]\n")
    assert board.machine.bus.read(0x0800_0104, 4) == bytes(4)


@pytest.mark.parametrize(
    ("address", "kind", "rule", "status"),
    [
        (0xFFFF_FFF1, "MemManage", "execute at 0xfffffff0: nothing is mapped at 0xfffffff0", 1),
        (0x4800_0001, "MemManage", "execute at 0x48000000: knocker is a device, not code", 1),
        (0x7000_0001, "BusFault", "execute at 0x70000000: nothing is mapped at 0x70000000", 0x100),
        (NO_CODE | 1, "BusFault", "execute at 0x30000000: execute from data (not executable)", 0x100),
    ],
)
def test_a_jump_to_where_no_code_is(tmp_path: Path, address: int, kind: str, rule: str, status: int) -> None:
    board, report = first_fault(tmp_path, f"ldr r0, ={address:#x}\n bx r0\n")
    assert report.text == (
        f"instruction fetch: {rule} ({kind}, escalated to HardFault because its handler is not enabled)"
    )
    assert (report.pc, report.address) == (address & ~1, None)
    found = board.core.system_control.CFSR
    assert found == status


def test_a_jump_to_an_even_address(tmp_path: Path) -> None:
    board, report = first_fault(tmp_path, "ldr r0, =target\n blx r0\n .balign 4\n .globl target\n target: nop\n")
    assert report.text.startswith("execution with the Thumb bit clear: a branch to an even address (UsageFault")
    assert report.pc == board.symbols["target"]
    assert board.core.system_control.CFSR & 1 << 17


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("bad: udf #3", "undefined instruction de03 (UsageFault"),
        ("bad: udf.w #0x1234", "undefined instruction f7f1 a234 (UsageFault"),
        ("bad: vmov.f32 s0, s1", "floating-point instruction while CPACR disables the FPU (UsageFault"),
        ("bad: bkpt #7", "BKPT 0x07 without a debugger"),
        ("cpsid i\n svc #0\n bad:", "SVC (SVCall, escalated to HardFault because it cannot preempt what runs)"),
    ],
)
def test_an_instruction_that_cannot_be_executed(tmp_path: Path, source: str, text: str) -> None:
    board, report = first_fault(tmp_path, f"nop\n {source}\n nop\n")
    assert report.text.startswith(text)
    assert report.pc == board.symbols["bad"]


def test_bkpt_without_a_debugger_sets_debugevt(tmp_path: Path) -> None:
    board, _ = first_fault(tmp_path, "bkpt #7\n")
    assert board.core.system_control.HFSR == 1 << 31


def test_a_blocked_page_is_a_bus_error_with_its_reason(tmp_path: Path) -> None:
    source = "ldr r0, =0x30001ffc\n ldr r1, [r0]\n bad: str r1, [r0, #4]\n b .\n"
    board = assemble(tmp_path, HANDLERS + source)
    memory = board.machine.bus.memory("data")
    memory.block_reason = "tile 2 computes"
    memory.block(2, 1, True)
    stop = board.machine.run(10_000)
    report = board.core.last_fault
    assert report is not None
    assert stop.exit_code == 99
    assert (report.pc, report.address) == (board.symbols["bad"], 0x3000_2000)
    assert report.text.startswith("write at 0x30002000: tile 2 computes")
    memory.block(2, 1, False)
    board.machine.reset()
    stop = board.machine.run(10_000)
    assert stop.reason is StopReason.LIMIT


def test_a_fault_in_the_hard_fault_handler_locks_up(tmp_path: Path) -> None:
    source = """
.section .vectors, "a"
.word 0, hard_fault + 1
.text
hard_fault: udf #1
reset: udf #0
"""
    board = assemble(tmp_path, source)
    kinds: list[tuple[str, str]] = []
    board.core.on_fault.append(lambda report: kinds.append((report.kind, report.text)))
    stop = board.machine.run(1_000)
    assert (stop.reason, stop.pc) == (StopReason.LOCKUP, board.symbols["hard_fault"])
    assert [kind for kind, _ in kinds] == ["HardFault", "Lockup"]
    assert kinds[1][1] == "undefined instruction de01 (UsageFault inside a fault handler)"
    assert board.machine.run(1_000).reason is StopReason.LOCKUP
    board.machine.reset()
    assert board.core.pc == board.symbols["reset"]


def test_a_stack_overflow_ends_in_the_hard_fault_handler(tmp_path: Path) -> None:
    source = f"ldr r0, ={RAM + 8:#x}\n mov sp, r0\n svc #0\n"
    board = assemble(tmp_path, HANDLERS + source)
    stop = board.machine.run(10_000)
    report = board.core.last_fault
    assert report is not None
    assert stop.exit_code == 99
    assert report.text.startswith("stacking of an exception: write of 32 bytes at 0x1fffffe8: nothing is mapped there")
    assert board.core.system_control.CFSR == 1 << 12


def test_a_vector_table_that_cannot_be_read_locks_up(tmp_path: Path) -> None:
    board = assemble(tmp_path, "reset: ldr r0, =0xE000ED08\n ldr r1, =0x70000000\n str r1, [r0]\n svc #0\n")
    stop = board.machine.run(10_000)
    assert stop.reason is StopReason.LOCKUP
    assert board.core.last_fault is not None
    assert board.core.last_fault.text.startswith("vector of exception 3: read of 4 bytes at 0x7000000c")


def test_an_exception_of_a_device_reaches_the_caller(tmp_path: Path) -> None:
    board = assemble(tmp_path, "reset: ldr r0, =0x48000004\n nop\n ldr r1, [r0]\n 1: b 1b\n")

    def broken(offset: int, size: int) -> int:
        raise ArithmeticError(f"{offset} {size}")

    board.machine.devices["knocker"].read = broken  # type: ignore[method-assign]
    with pytest.raises(ArithmeticError, match="4 4"):
        board.machine.run(1_000)

"""Lazy stacking of floating-point registers where QEMU is no help: time, faults, snapshots, cores without the unit.

What firmware sees otherwise is compared with QEMU in `tests/boards`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.cpu.arm.exception_frame import ENTRY_CYCLES, FLOAT_CYCLES, RETURN_CYCLES
from emu.cpu.core import FaultReport
from emu.machine import Machine, StopReason
from emu.machines import machine_map
from tests.emu.cpu.arm_board import Board, assemble

VECTORS = """
.section .vectors, "a"
.word 0, hard_fault + 1, 0, 0, 0, 0, 0, 0, 0, handler + 1, 0, 0, 0, 0
.text
.fpu fpv4-sp-d16
hard_fault:
    finish 99
reset:
    ldr r4, =0xE000ED88         @ CPACR
    ldr r5, =0x00F00000
    str r5, [r4]
    ldr r6, =0xE000EF34         @ FPCCR
    vmov.f32 s0, #0.5
    b call
call:
    svc #0
last:
    b .
"""
LAZY, AT_ONCE = "", "ldr r0, =0x80000000\n str r0, [r6]\n"


def board_at_last(folder: Path, handler: str, before: str = LAZY, *, native: bool = True) -> Board:
    """Run until the handler is back."""
    source = VECTORS.replace("    b call\n", f"{before}    b call\n")
    board = assemble(folder, f"{source}\n.ltorg\nhandler:\n{handler}\n bx lr\n")
    board.core.native_exceptions = native
    board.core.add_breakpoint(board.symbols["last"])
    board.machine.run(100_000)
    return board


def transitions(board: Board) -> int:
    """Cycles of exception entry and return."""
    return board.machine.clock.now - board.core.instructions


@pytest.mark.parametrize("native", [True, False])
def test_a_handler_without_floats_pays_for_none(tmp_path: Path, native: bool) -> None:
    plain = board_at_last(tmp_path, "nop", native=native)
    used = board_at_last(tmp_path, "vmov.f32 s0, #1.0", native=native)
    at_once = board_at_last(tmp_path, "nop", AT_ONCE, native=native)
    assert used.core.read_register("s0") == plain.core.read_register("s0") == 0x3F00_0000
    base = transitions(plain)
    assert base >= ENTRY_CYCLES + RETURN_CYCLES
    assert (transitions(used) - base, transitions(at_once) - base) == (2 * FLOAT_CYCLES, 2 * FLOAT_CYCLES)


@pytest.mark.parametrize(
    ("handler", "text", "status"),
    [
        (
            "ldr r0, =0x08000000\n str r0, [r6, #4]\n vmov.f32 s0, #1.0",
            "lazy stacking of floating-point registers: write of 68 bytes at 0x08000000: flash is read-only (BusFault",
            1 << 13,
        ),
        (
            "movs r0, #0\n str r0, [r4]\n vmov.f32 s0, #1.0",
            "floating-point instruction while CPACR disables the FPU (UsageFault, ",
            1 << 19,
        ),
    ],
)
def test_faults_come_at_the_first_instruction_of_the_handler_that_uses_floats(
    tmp_path: Path, handler: str, text: str, status: int
) -> None:
    board = assemble(tmp_path, f"{VECTORS}\n.ltorg\nhandler:\n{handler}\n bx lr\n")
    reports: list[FaultReport] = []
    board.core.on_fault.append(reports.append)
    stop = board.machine.run(100_000)
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 99)
    assert reports[0].text.startswith(text)
    assert board.machine.bus.read(reports[0].pc, 4) == bytes.fromhex("b7ee000a")
    found = board.core.system_control.CFSR
    assert found == status


@pytest.mark.parametrize(
    ("mask", "reason", "status"),
    [("", StopReason.EXIT, 1 << 30), ("cpsid f", StopReason.LOCKUP, 0)],
)
def test_registers_of_code_that_nothing_could_interrupt_lock_up_only_what_nothing_can(
    tmp_path: Path, mask: str, reason: StopReason, status: int
) -> None:
    """FPCCR says that HardFault could not have interrupted the code whose registers are to be stored."""
    handler = (
        f"ldr r0, =0xC0000001\n str r0, [r6]\n ldr r0, =0x08000000\n str r0, [r6, #4]\n {mask}\n vmov.f32 s0, #1.0"
    )
    board = assemble(tmp_path, f"{VECTORS}\n.ltorg\nhandler:\n{handler}\n bx lr\n")
    stop = board.machine.run(100_000)
    assert stop.reason is reason
    control = board.core.system_control
    found = control.CFSR, control.HFSR
    assert found == (1 << 13, status)


def test_a_snapshot_in_the_handler_keeps_what_is_still_to_be_stored(tmp_path: Path) -> None:
    handler = "b inside\ninside:\n vmov.f32 s0, #1.0"
    straight = board_at_last(tmp_path, handler)
    other = assemble(tmp_path, f"{VECTORS}\n.ltorg\nhandler:\n{handler}\n bx lr\n")
    other.core.add_breakpoint(other.symbols["inside"])
    other.machine.run(100_000)
    snapshot = other.machine.snapshot()
    other.machine.reset()
    other.machine.restore(snapshot)
    other.core.remove_breakpoint(other.symbols["inside"])
    other.core.add_breakpoint(other.symbols["last"])
    other.machine.run(100_000)
    assert other.machine.state_hash() == straight.machine.state_hash()


def test_without_the_unit_there_is_nothing_to_stack() -> None:
    machine = Machine(machine_map("mps2-an385"))
    machine.reset()
    control = next(device for base, device in machine.bus.devices if base == 0xE000_E000)
    for offset in (0xF34, 0xF38, 0xF3C):
        control.write(offset, 4, 0xFFFF_FFFF)
        assert control.read(offset, 4) == 0

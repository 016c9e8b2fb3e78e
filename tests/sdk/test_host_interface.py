"""`tohost`: exit codes, console and system calls, here and on QEMU's board with that interface."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from emu.machines import machine_map
from sdk.host_interface import PERIOD
from sdk.loader import load_elf
from sdk.runner import Outcome, Runner, RunResult
from tests.emu.cpu.riscv_board import assemble

WORDS = """
    .macro tell high, low           # store a word of 64 bits, wait until it was served
    li t0, \\low
    li t1, \\high
    la t2, tohost
    sw t0, 0(t2)
    sw t1, 4(t2)
1:  lw t0, 0(t2)
    lw t1, 4(t2)
    or t0, t0, t1
    bnez t0, 1b
    .endm
    .macro answer
    la t2, fromhost
1:  lw t0, 0(t2)
    beqz t0, 1b
    sw x0, 0(t2)
    .endm
    .macro word name
    .balign 64
    .globl \\name
\\name: .dword 0
    .size \\name, 8
    .endm
"""
HELLO = """
    la s0, text
1:  lbu a0, 0(s0)
    beqz a0, 3f
    la t2, tohost
    li t1, 0x01010000
    sw a0, 0(t2)
    sw t1, 4(t2)
2:  lw t0, 0(t2)
    lw t1, 4(t2)
    or t0, t0, t1
    bnez t0, 2b
    addi s0, s0, 1
    j 1b
3:  tell 0, (7 << 1) | 1
    j 3b
text: .asciz "hello from the target\\n"
    word tohost
    word fromhost
"""
CALLS = """
    la a0, call
    la t2, tohost
    sw a0, 0(t2)
    sw x0, 4(t2)
    answer
    lw s0, 0(a0)                    # the result: bytes written
    li t0, 99                       # no such call
    sw t0, 0(a0)
    la t2, tohost
    sw a0, 0(t2)
    answer
    lw s1, 0(a0)
    li t0, 93                       # exit
    sw t0, 0(a0)
    sw x0, 4(a0)
    sw s0, 8(a0)
    la t2, tohost
    sw a0, 0(t2)
4:  j 4b
    .balign 64
call: .dword 64, 1, text, 4
text: .asciz "four or more"
    word tohost
    word fromhost
"""


def run(source: str, folder: Path, cycles: int | None = 10_000_000) -> tuple[Runner, RunResult]:
    runner = Runner(load_elf(assemble(WORDS + source, folder)), machine_map("virt"))
    return runner, runner.run(cycles)


def test_console_and_exit_code_are_those_of_qemu(tmp_path: Path) -> None:
    _, result = run(HELLO, tmp_path)
    assert (result.outcome, result.exit_code, result.uart) == (Outcome.EXIT, 7, b"hello from the target\n")
    if shutil.which("qemu-system-riscv32") is None:
        pytest.skip("needs QEMU: apt install qemu-system-misc")
    command = ["qemu-system-riscv32", "-M", "spike", "-display", "none", "-monitor", "none", "-serial", "stdio"]
    command += ["-bios", str(tmp_path / "program.elf")]
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    assert (done.stdout, done.returncode) == (result.uart, result.exit_code)


def test_system_calls_write_and_exit(tmp_path: Path) -> None:
    runner, result = run(CALLS, tmp_path)
    assert (result.outcome, result.exit_code, result.uart) == (Outcome.EXIT, 4, b"four")
    assert runner.machine.core.read_register("s1") == 2**32 - 38
    assert [message.text for message in runner.machine.log.messages] == [
        "system call 99 is not there: only write (64) and exit (93) are"
    ]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    runner, result = run("tell 0x02030000, 5\n tell 0, 1\n word tohost", tmp_path)
    assert (result.outcome, result.exit_code) == (Outcome.EXIT, 0)
    assert [message.text for message in runner.machine.log.messages] == [
        "device 2 has no command 3: only the console's output is there"
    ]


def test_a_bad_address_is_named(tmp_path: Path) -> None:
    runner, result = run("la t2, tohost\n li t0, 0x40\n sw t0, 0(t2)\n 1: j 1b\n word tohost", tmp_path, 100_000)
    assert result.outcome is Outcome.LIMIT
    assert [message.text for message in runner.machine.log.messages] == [
        "read of 32 bytes at 0x00000040: nothing is mapped there; nothing is served any more"
    ]


def test_a_core_that_sleeps_for_ever_is_still_found_asleep(tmp_path: Path) -> None:
    _, result = run("1: wfi\n j 1b\n word tohost", tmp_path, None)
    assert result.outcome is Outcome.ASLEEP
    assert result.cycles <= 2 * PERIOD


def test_a_core_that_is_waked_by_a_timer_is_served(tmp_path: Path) -> None:
    source = """
        li t0, MTIMECMP
        li t1, 20000
        sw t1, 0(t0)
        sw x0, 4(t0)
        li t1, 0x80
        csrw mie, t1
        wfi
        tell 0, (3 << 1) | 1
        word tohost
    """
    _, result = run(source, tmp_path)
    assert (result.outcome, result.exit_code) == (Outcome.EXIT, 3)

"""Tortures of exceptions and memory protection print the same lines on our Cortex-M cores and on QEMU's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from emu.machine import Machine, StopReason
from emu.machines import machine_map
from sdk.loader import load_elf, load_into
from tests.boards.firmware import build


def run_qemu(elf: Path, machine: str) -> tuple[list[str], int]:
    """Lines and exit code of the program on QEMU."""
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("needs QEMU: apt install qemu-system-arm")
    command = ["qemu-system-arm", "-M", machine, "-icount", "shift=5", "-nographic", "-monitor", "none"]
    command += ["-serial", "none", "-semihosting-config", "enable=on,target=native", "-kernel", str(elf)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return (done.stdout + done.stderr).splitlines(), done.returncode


MAINLINE = ("mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505")
ALL = ("exceptions.c", "exceptions_hard.c", "protection.c", "protected_tasks.c", "unaligned.c")
SHARED = ("exceptions.c", "exceptions_hard.c", "exceptions_user.c")
PROGRAMS = [
    *((machine, program) for machine in MAINLINE for program in ALL),
    ("mps2-an505", "exceptions_limits.c"),
    ("microbit", "exceptions_baseline.c"),
]
DEFINES = {
    "mps2-an500": ("MEMORY_END=0x61000000",),
    "mps2-an505": ("MEMORY_END=0x81000000", "MARK=0x38010000", "PMSAV8", "DEVICES=0x50000000u"),
}
"""Where a memory ends with nothing behind it, and memory that no program occupies; the MPU and where devices are."""


@pytest.mark.parametrize(("machine", "program"), PROGRAMS)
def test_the_same_lines(tmp_path: Path, machine: str, program: str) -> None:
    elf = build(tmp_path, machine, program, *DEFINES.get(machine, ()))
    here = Machine(machine_map(machine))
    printed = bytearray()
    here.core.semihosting.console.append(printed.extend)
    load_into(load_elf(elf), here.bus)
    here.reset()
    stop = here.run(50_000_000)
    expected, code = run_qemu(elf, machine)
    assert printed.decode().splitlines() == expected
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, code)

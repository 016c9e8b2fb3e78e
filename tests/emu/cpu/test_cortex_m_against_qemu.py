"""An exception torture prints the same lines on our Cortex-M4F and on QEMU's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from emu.machine import StopReason
from tests.emu.cpu.arm_board import Board, build

PROGRAM = Path(__file__).parent / "programs" / "exceptions.c"


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("exceptions"), PROGRAM.read_text(), ".c")


def run_qemu(elf: Path) -> tuple[list[str], int]:
    """Lines and exit code of the program on QEMU."""
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("needs QEMU: apt install qemu-system-arm")
    command = [
        "qemu-system-arm",
        "-M",
        "mps2-an386",
        "-icount",
        "shift=5",
        "-nographic",
        "-monitor",
        "none",
        "-serial",
        "none",
    ]
    command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(elf)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return (done.stdout + done.stderr).splitlines(), done.returncode


def test_the_same_lines(elf: Path) -> None:
    board = Board(elf)
    stop = board.machine.run(10_000_000)
    lines = board.printed.decode().splitlines()
    expected, code = run_qemu(elf)
    assert lines == expected
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, code)

"""Compiles C files with the firmware library and runs them: on our machines, and on QEMU's boards.

QEMU has the same CPUs with other memory maps: start-up code, libc and the alarm run there unchanged.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from emu.machines import machine_map
from sdk import paths
from sdk.compile import Unit
from sdk.library import Library
from sdk.loader import load_elf
from sdk.runner import Outcome, Runner
from sdk.toolchain import TARGETS, Toolchain, ToolchainError, find_toolchain

SECONDS = 30
CYCLES = 600_000_000


@dataclass(frozen=True)
class Board:
    """A QEMU machine with the host CPU of one of ours.

    Attributes:
        memory: MEMORY block for the linker script.
    """

    qemu: tuple[str, ...]
    package: str
    memory: str


BOARDS = {
    "st18": Board(
        qemu=("qemu-system-arm", "-M", "mps2-an386"),
        package="qemu-system-arm",
        memory="""MEMORY {
            flash (rx) : ORIGIN = 0x00000000, LENGTH = 4M
            sram (rwx) : ORIGIN = 0x20000000, LENGTH = 2M
            sysmem (rw) : ORIGIN = 0x20200000, LENGTH = 1M
            extmem (rw) : ORIGIN = 0x20300000, LENGTH = 1M
        }""",
    ),
    "st18-rv32": Board(
        qemu=("qemu-system-riscv32", "-M", "virt", "-bios", "none"),
        package="qemu-system-misc",
        memory="""MEMORY {
            flash (rx) : ORIGIN = 0x80000000, LENGTH = 4M
            sram (rwx) : ORIGIN = 0x80400000, LENGTH = 2M
            sysmem (rw) : ORIGIN = 0x80600000, LENGTH = 1M
            extmem (rw) : ORIGIN = 0x80700000, LENGTH = 1M
        }""",
    ),
}
"""By the machine of ours with the same CPU."""


@dataclass(frozen=True)
class Ran:
    """How a run ended, and what the firmware wrote by semihosting and, on our machines, to the UART."""

    code: int
    console: str
    uart: str = ""


def need_toolchain(name: str, machine: str) -> Toolchain:
    """The toolchain; skips the test where it is not installed."""
    try:
        return find_toolchain(name, machine_map(machine).host, paths.cache())
    except ToolchainError as error:
        pytest.skip(str(error))


def need_board(machine: str) -> Board:
    """The board; skips the test where QEMU is not installed."""
    board = BOARDS[machine]
    if shutil.which(board.qemu[0]) is None:
        pytest.skip(f"{board.qemu[0]} is missing: apt install {board.package}")
    return board


def link(machine: str, source: Path, folder: Path, toolchain: str, memory: str | None = None) -> Path:
    """Compiles ``source`` with the library; returns the ELF file.

    Args:
        memory: MEMORY block, that of the machine if left out.
    """
    compiler = need_toolchain(toolchain, machine)
    library = Library(paths.firmware(), machine, TARGETS[machine_map(machine).host])
    units, _ = library.compile(compiler, "s", paths.cache())
    unit = Unit(source.parent, source.name, folder / "main.o")
    library.compiler(compiler, "s").compile([unit])
    regions = library.machine_folder
    if memory is not None:
        regions = folder
        (folder / "memory.ld").write_text(memory)
    elf = folder / "main.elf"
    objects = [*(item.output for item in units), unit.output]
    compiler.run(compiler.link_command(objects, library.linker_script, regions, elf), folder)
    return elf


def run_on_qemu(machine: str, source: Path, folder: Path, toolchain: str = "zig") -> Ran:
    """Runs ``source`` on the QEMU board with the CPU of ``machine``."""
    board = need_board(machine)
    elf = link(machine, source, folder, toolchain, board.memory)
    done = subprocess.run(
        [*board.qemu, "-nographic", "-monitor", "none", "-serial", "none",
         "-semihosting-config", "enable=on,target=native", "-kernel", str(elf)],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout + done.stderr)


def run_here(
    machine: str, source: Path, folder: Path, toolchain: str = "zig", *, stream: bytes = b"", uart_input: bytes = b""
) -> Ran:
    """Runs ``source`` on ``machine``."""
    elf = link(machine, source, folder, toolchain)
    runner = Runner(load_elf(elf), machine_map(machine), stream=stream, uart_input=uart_input)
    console = bytearray()
    runner.machine.core.semihosting.console.append(console.extend)
    result = runner.run(CYCLES)
    if result.outcome is Outcome.ABNORMAL:
        code = 1
    else:
        assert result.exit_code is not None, result.outcome.value
        code = result.exit_code
    return Ran(code, console.decode(), result.uart.decode())

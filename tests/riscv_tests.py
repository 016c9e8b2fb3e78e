"""Runs the p-environment programs of a riscv-tests checkout on both RV32IMC engines: `make check-riscv-tests DIR=...`.

The checkout (github.com/riscv-software-src/riscv-tests, with its submodule env) is not part of this project. Programs
are compiled with riscv64-unknown-elf-gcc and run on a machine with the memory map of QEMU's `virt`.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from emu.cpu import ENGINES
from tests.emu.cpu import riscv_board
from tests.emu.cpu.riscv_board import load, symbols

SUITES = ("rv32ui", "rv32um", "rv32uc", "rv32ua", "rv32mi")
COMPILER = "riscv64-unknown-elf-gcc"
MAP = dataclasses.replace(riscv_board.MAP, host_options={"atomics": True})
CYCLES = 1_000_000
PASSED = 1
"""What a program writes to tohost when all its tests have passed; else 2 * the failing test's number + 1."""


def compile_program(source: Path, checkout: Path, folder: Path) -> Path | str:
    """The ELF file of a test, or why it could not be built."""
    elf = folder / f"{source.parent.name}-{source.stem}.elf"
    environment = checkout / "env" / "p"
    options = (
        "-march=rv32imac_zicsr_zifencei",
        "-mabi=ilp32",
        "-static",
        "-mcmodel=medany",
        "-nostdlib",
        "-nostartfiles",
    )
    include = (f"-I{environment}", f"-I{checkout / 'isa' / 'macros' / 'scalar'}", f"-T{environment / 'link.ld'}")
    done = subprocess.run(
        [COMPILER, *options, *include, source, "-o", elf], capture_output=True, text=True, check=False
    )
    return elf if done.returncode == 0 else "does not build: " + done.stderr.strip().splitlines()[0]


def run_program(elf: Path, engine: str) -> str:
    """Result of a test on an engine."""
    machine, place = load(elf, MAP, engine), symbols(elf)["tohost"]
    while machine.clock.now < CYCLES:
        machine.run(10_000)
        word = int.from_bytes(machine.bus.read(place, 4), "little")
        if word:
            return "pass" if word == PASSED else f"test {word >> 1} fails"
    return f"does not end in {CYCLES:,} cycles, pc 0x{machine.core.pc:08x}"


def main() -> int:
    """Exit code: 1 if a program fails on an engine, or the engines do not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path, help="riscv-tests, with env")
    checkout = parser.parse_args().checkout
    if not (checkout / "env" / "p" / "link.ld").is_file():
        sys.exit(f"{checkout}: no env/p/link.ld: give a checkout of riscv-tests with its submodule env")
    if shutil.which(COMPILER) is None:
        sys.exit(f"{COMPILER} is needed: apt install gcc-riscv64-unknown-elf")
    table = Table("program", *ENGINES)
    total, failed = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for suite in SUITES:
            for source in sorted((checkout / "isa" / suite).glob("*.S")):
                elf = compile_program(source, checkout, Path(folder))
                results = [elf if isinstance(elf, str) else run_program(elf, engine) for engine in ENGINES]
                total += 1
                if set(results) != {"pass"}:
                    failed += 1
                table.add_row(f"{suite}-p-{source.stem}", *results)
    console = Console(width=120)
    console.print(table)
    console.print(f"{total - failed} of {total} programs pass on both engines")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

"""Runs the programs of a riscv-arch-test checkout on both RV32 engines: `make check-riscv-arch-test DIR=...`.

The checkout (github.com/riscv-non-isa/riscv-arch-test) is not part of this project. Its programs are compiled with
riscv64-unknown-elf-gcc for `virt`; a program passes if the signature that it prints is the one that it prints on QEMU.
What does not pass is listed with its cause, and so is what the programs' own conditions leave out for this hart.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from emu.cpu import ENGINES
from emu.machines import machine_map
from sdk.loader import load_elf
from sdk.runner import Outcome, Runner

SUITES = ("I", "M", "A", "C", "Zifencei", "privilege", "pmp32")
COMPILER, QEMU = "riscv64-unknown-elf-gcc", "qemu-system-riscv32"
HERE = Path(__file__).parent
ISA = "RV32IMACUZicsr_Zifencei"
"""The hart of `virt` in the words of the programs' conditions."""
FACTS = {"hw_data_misaligned_support": "True"}
CYCLES = 20_000_000
CASE = re.compile(r'^\s*RVTEST_CASE\(\s*\d+\s*,\s*"//([^"]*)"', re.MULTILINE)
PASSED = "pass"
ZERO_AT_EBREAK = (
    "QEMU 7 writes 0 to mtval, at which the suite's trap handler gives up; here it is the address of ebreak"
)
CAUSES = {"privilege/ebreak": ZERO_AT_EBREAK, "C/cebreak-01": ZERO_AT_EBREAK}
"""Why programs do not pass that cannot: the specification allows both mtval."""


def definitions(source: Path) -> list[str] | str:
    """What to define for the program's first case that is for this hart, or why none is."""
    reason = "it has no case"
    for case in CASE.findall(source.read_text()):
        clauses = [clause.strip() for clause in case.split(";")]
        unmet = next((clause for clause in clauses if clause.startswith("check ") and not holds(clause[6:])), None)
        if unmet is None:
            return [clause[4:] for clause in clauses if clause.startswith("def ")]
        reason = f"not for this hart: {unmet[6:]}"
    return reason


def holds(condition: str) -> bool:
    """Whether a condition of a case is true: ``ISA:=regex(...)`` or ``fact:=value``."""
    name, _, value = condition.partition(":=")
    if name == "ISA":
        return re.match(value.removeprefix("regex(").removesuffix(")"), ISA) is not None
    return FACTS.get(name) == value


def compile_program(source: Path, names: list[str], checkout: Path, folder: Path) -> Path | str:
    """The ELF file of a program, or why it could not be built."""
    elf = folder / f"{source.stem}.elf"
    options = ["-march=rv32imac_zicsr_zifencei", "-mabi=ilp32", "-static", "-mcmodel=medany", "-nostdlib"]
    options += ["-nostartfiles", "-DXLEN=32", *(f"-D{name}" for name in names), f"-T{HERE / 'link.ld'}"]
    options += [f"-I{HERE}", f"-I{checkout / 'riscv-test-suite' / 'env'}"]
    done = subprocess.run([COMPILER, *options, source, "-o", elf], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return elf
    errors = [line for line in done.stderr.splitlines() if "rror" in line]
    return "does not build: " + (errors or ["no message"])[0].strip()


def run_on_qemu(elf: Path) -> str:
    """The signature, as the program prints it."""
    command = [QEMU, "-M", "virt", "-cpu", "sifive-e31", "-display", "none", "-monitor", "none", "-serial", "stdio"]
    done = subprocess.run([*command, "-bios", elf], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout


def run_here(elf: Path, engine: str, expected: str) -> str:
    """Result of a program on an engine."""
    result = Runner(load_elf(elf), machine_map("virt"), engine=engine).run(CYCLES)
    if result.outcome is not Outcome.EXIT:
        return f"{result.outcome.value}, pc 0x{result.stop.pc:08x}"
    printed, words = result.uart.decode().split(), expected.split()
    if printed == words:
        return PASSED if words else "no signature"
    different = [index for index, pair in enumerate(zip(printed, words, strict=False)) if pair[0] != pair[1]]
    if not different:
        return f"a signature of {len(printed)} words, {len(words)} on QEMU"
    index = different[0]
    return f"word {index} is {printed[index]}, {words[index]} on QEMU; {len(different)} differ"


def check(source: Path, checkout: Path, folder: Path) -> list[str]:
    """Results of a program on the engines."""
    names = definitions(source)
    elf = names if isinstance(names, str) else compile_program(source, names, checkout, folder)
    if isinstance(elf, str):
        return [elf] * len(ENGINES)
    try:
        expected = run_on_qemu(elf)
    except subprocess.TimeoutExpired:
        return ["does not end on QEMU"] * len(ENGINES)
    return [run_here(elf, engine, expected) for engine in ENGINES]


def main() -> int:
    """Exit code: 1 if a program that is for this hart builds and does not pass on an engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path, help="riscv-arch-test")
    checkout = parser.parse_args().checkout
    if not (checkout / "riscv-test-suite" / "env" / "arch_test.h").is_file():
        sys.exit(f"{checkout}: no riscv-test-suite/env/arch_test.h: give a checkout of riscv-arch-test")
    for program, package in ((COMPILER, "gcc-riscv64-unknown-elf"), (QEMU, "qemu-system-misc")):
        if shutil.which(program) is None:
            sys.exit(f"{program} is needed: apt install {package}")
    table = Table("program", *ENGINES, "cause")
    passed, left_out, failed, explained = Counter[str](), Counter[str](), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for suite in SUITES:
            for source in sorted((checkout / "riscv-test-suite" / "rv32i_m" / suite / "src").glob("*.S")):
                results = check(source, checkout, Path(folder))
                if set(results) == {PASSED}:
                    passed[suite] += 1
                    continue
                name = f"{suite}/{source.stem}"
                table.add_row(name, *results, CAUSES.get(name))
                if results[0].startswith(("not for", "does not build")):
                    left_out[suite] += 1
                elif name in CAUSES:
                    explained += 1
                else:
                    failed += 1
    console = Console(width=180)
    console.print(table)
    for suite in SUITES:
        console.print(
            f"{suite}: {passed[suite]} pass on both engines, {left_out[suite]} are not for this hart or do not build"
        )
    console.print(f"{sum(passed.values())} pass, {explained} differ for a known cause, {failed} fail")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

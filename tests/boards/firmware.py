"""Compiles firmware for the boards, and runs it here and on QEMU."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import ziglang

from emu.machines import machine_map
from sdk.loader import load_elf
from sdk.runner import Outcome, Runner

PROGRAMS = Path(__file__).parent / "programs"
ZIG = str(Path(ziglang.__file__).with_name("zig"))
ZIG_OPTIONS = {
    "mps2-an385": ["-target", "thumb-freestanding-eabi", "-mcpu=cortex_m3"],
    "mps2-an386": ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"],
    "virt": ["-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m+c+zicsr", "-mabi=ilp32", "-mcmodel=medany"],
}
GCC_OPTIONS = {
    "mps2-an385": ["arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb"],
    "mps2-an386": ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
    "virt": [
        "riscv64-unknown-elf-gcc",
        "-march=rv32imc",
        "-misa-spec=2.2",
        "-mabi=ilp32",
        "-mcmodel=medany",
    ],
}
COMMON_OPTIONS = ["-O1", "-g", "-ffreestanding", "-nostdlib", "-Wno-unused-function"]
ARM_SCRIPT = """
ENTRY(reset)
SECTIONS {
    . = 0;
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
    . = 0x20004000;
    .bss : { *(.data*) *(.bss*) *(COMMON) }
    /DISCARD/ : { *(.ARM.ex*) *(.comment) }
}
"""
RISCV_SCRIPT = """
ENTRY(start)
SECTIONS {
    . = 0x80000000;
    .text : { KEEP(*(.start)) *(.text*) *(.rodata*) *(.srodata*) }
    . = 0x80010000;
    .bss : { bss_start = .; *(.data*) *(.sdata*) *(.sbss*) *(.bss*) *(COMMON) . = ALIGN(4); bss_end = .; }
    stack_top = 0x80020000;
    /DISCARD/ : { *(.eh_frame*) *(.comment) }
}
"""
QEMU = {"mps2-an385": "qemu-system-arm", "mps2-an386": "qemu-system-arm", "virt": "qemu-system-riscv32"}
QEMU_PACKAGES = {"qemu-system-arm": "qemu-system-arm", "qemu-system-riscv32": "qemu-system-misc"}
MAX_CYCLES = 2_000_000_000


def build(folder: Path, machine: str, program: str, *defines: str, compiler: str = "zig") -> Path:
    """The ELF file of a program of `PROGRAMS`; skips the test if the compiler is absent."""
    script = folder / "link.ld"
    script.write_text(RISCV_SCRIPT if machine == "virt" else ARM_SCRIPT)
    elf = folder / f"{machine}-{Path(program).stem}-{compiler}.elf"
    if compiler == "zig":
        command = [ZIG, "cc", *ZIG_OPTIONS[machine], "-fno-sanitize=all"]
    else:
        command = GCC_OPTIONS[machine]
        if shutil.which(command[0]) is None:
            pytest.skip(f"needs GCC: install {command[0]}")
    options = [*COMMON_OPTIONS, *(f"-D{define}" for define in defines), f"-Wl,-T,{script}"]
    subprocess.run([*command, *options, "-o", str(elf), str(PROGRAMS / program)], check=True, cwd=folder)
    return elf


def run_here(elf: Path, machine: str, uart_input: bytes = b"") -> tuple[str, int | None]:
    """What the program prints on our machine, and its exit code."""
    runner = Runner(load_elf(elf), machine_map(machine), uart_input=uart_input)
    result = runner.run(MAX_CYCLES)
    assert result.outcome is Outcome.EXIT, (result.outcome, result.uart, result.faults)
    return result.uart.decode(), result.exit_code


def run_on_qemu(elf: Path, machine: str, uart_input: bytes = b"", *, count: bool = False) -> tuple[str, int]:
    """The same on QEMU; skips the test if it is absent.

    Args:
        count: time follows the instructions, not this computer, which may be busy; QEMU then never wakes from WFI.
    """
    program = QEMU[machine]
    if shutil.which(program) is None:
        pytest.skip(f"needs QEMU: apt install {QEMU_PACKAGES[program]}")
    command = [program, "-M", machine, "-display", "none", "-monitor", "none", "-serial", "stdio"]
    command += ["-icount", "shift=0"] if count else []
    command += ["-bios", "none"] if machine == "virt" else ["-semihosting-config", "enable=on,target=native"]
    done = subprocess.run(
        [*command, "-kernel", str(elf)], input=uart_input, capture_output=True, timeout=20, check=False
    )
    return done.stdout.decode(), done.returncode

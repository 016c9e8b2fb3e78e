"""The same program on a machine of ours and on QEMU's machine of that name."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import ziglang
from elftools.elf.elffile import ELFFile

from emu.cpu.arm.cortex_m import CortexM
from emu.machine import Machine, StopReason
from emu.machines.mps2 import machine_map

ZIG = str(Path(ziglang.__file__).with_name("zig"))
PROGRAMS = Path(__file__).parent / "programs"
LINKER_SCRIPT = """
SECTIONS {
    . = 0;
    .text : { *(.vectors) *(.text*) *(.rodata*) }
    . = 0x20008000;
    /DISCARD/ : { *(.ARM.ex*) }
    .bss : { *(.data*) *(.bss*) *(COMMON) }
}
"""
TARGETS = {
    "mps2-an385": ("thumb-freestanding-eabi", "cortex_m3"),
    "mps2-an386": ("thumb-freestanding-eabihf", "cortex_m4+vfp4d16sp"),
}


def compile_program(folder: Path, name: str, machine: str) -> Path:
    """An ELF file of a program of `PROGRAMS`, for a machine of `TARGETS`."""
    target, cpu = TARGETS[machine]
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(folder), "ZIG_LOCAL_CACHE_DIR": str(folder)}
    (folder / "program.ld").write_text(LINKER_SCRIPT)
    options = ["-target", target, f"-mcpu={cpu}", "-O1", "-ffreestanding", "-fno-sanitize=all"]
    for command in (
        [ZIG, "cc", *options, "-c", str(PROGRAMS / f"{name}.c"), "-o", "program.o"],
        [ZIG, "ld.lld", "-T", "program.ld", "-e", "reset", "program.o", "-o", "program.elf"],
    ):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder / "program.elf"


def run_ours(elf: Path, machine: str) -> list[str]:
    """What the program prints on our machine."""
    ours = Machine(machine_map(machine))
    assert isinstance(ours.core, CortexM)
    printed = bytearray()
    ours.core.semihosting.console.append(printed.extend)
    with elf.open("rb") as file:
        for segment in ELFFile(file).iter_segments("PT_LOAD"):
            ours.bus.program(segment["p_paddr"], segment.data())
    ours.reset()
    stop = ours.run(10_000_000)
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 0), (stop, printed.decode())
    return printed.decode().splitlines()


def run_qemu(elf: Path, machine: str) -> list[str]:
    """What it prints on QEMU."""
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("needs QEMU: apt install qemu-system-arm")
    command = ["qemu-system-arm", "-M", machine, "-icount", "shift=5", "-nographic", "-monitor", "none"]
    command += ["-serial", "none", "-semihosting-config", "enable=on,target=native", "-kernel", str(elf)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return (done.stdout + done.stderr).splitlines()

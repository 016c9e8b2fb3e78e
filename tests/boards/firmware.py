"""Compiles firmware for the boards, and runs it here and on QEMU."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import ziglang

from emu.cpu import ENGINES
from emu.machines import machine_map
from sdk.loader import load_elf
from sdk.runner import Outcome, Runner

PROGRAMS = Path(__file__).parent / "programs"
ZIG = str(Path(ziglang.__file__).with_name("zig"))


@dataclass(frozen=True)
class Target:
    """How to compile for a board.

    Attributes:
        zig, gcc: the compilers' options for the core; of GCC also the command.
        code, data: where the vector table and the variables go.
        stack: end of the stack.
    """

    zig: tuple[str, ...]
    gcc: tuple[str, ...]
    code: int = 0
    data: int = 0x2000_4000
    stack: int = 0x2000_4000


ZIG_UNITS = {"fpv4-sp-d16": "+vfp4d16sp", "fpv5-d16": "+fp_armv8d16", "fpv5-sp-d16": "+fp_armv8d16sp"}
"""zig's names of floating-point units by GCC's."""


def _arm(core: str, unit: str = "", **places: int) -> Target:
    """A Cortex-M board; ``unit`` is GCC's name of the floating-point unit, ``places`` fields of `Target`."""
    abi = "eabihf" if unit else "eabi"
    features = ZIG_UNITS.get(unit, "")
    gcc = ("arm-none-eabi-gcc", f"-mcpu={core}", "-mthumb", *((f"-mfpu={unit}", "-mfloat-abi=hard") if unit else ()))
    return Target(("-target", f"thumb-freestanding-{abi}", f"-mcpu={core.replace('-', '_')}{features}"), gcc, **places)


TARGETS = {
    "mps2-an385": _arm("cortex-m3"),
    "mps2-an386": _arm("cortex-m4", "fpv4-sp-d16"),
    "mps2-an500": _arm("cortex-m7", "fpv5-d16"),
    "mps2-an505": _arm("cortex-m33", "fpv5-sp-d16", code=0x1000_0000, data=0x3800_4000, stack=0x3800_4000),
    "microbit": _arm("cortex-m0", data=0x2000_0000, stack=0x2000_4000),
    "virt": Target(
        ("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m+c+zicsr", "-mabi=ilp32", "-mcmodel=medany"),
        ("riscv64-unknown-elf-gcc", "-march=rv32imc", "-misa-spec=2.2", "-mabi=ilp32", "-mcmodel=medany"),
    ),
}
COMMON_OPTIONS = ["-O1", "-g", "-ffreestanding", "-nostdlib", "-Wno-unused-function"]
ARM_SCRIPT = """
ENTRY(reset)
SECTIONS {{
    . = {target.code:#x};
    .text : {{ KEEP(*(.vectors)) *(.text*) *(.rodata*) }}
    . = {target.data:#x};
    .bss : {{ *(.data*) *(.bss*) *(COMMON) }}
    /DISCARD/ : {{ *(.ARM.ex*) *(.comment) }}
}}
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
QEMU_PACKAGES = {"qemu-system-arm": "qemu-system-arm", "qemu-system-riscv32": "qemu-system-misc"}
MAX_CYCLES = 2_000_000_000
QEMU_SECONDS = 60
ATTEMPTS = 4
"""Runs of QEMU whose timers go by this computer's clock: when it is busy, they interrupt late, or once more."""


def build(
    folder: Path, machine: str, program: str, *defines: str, compiler: str = "zig", options: Sequence[str] = ()
) -> Path:
    """The ELF file of a program of `PROGRAMS`; skips the test if the compiler is absent."""
    script = folder / "link.ld"
    target = TARGETS[machine]
    script.write_text(RISCV_SCRIPT if machine == "virt" else ARM_SCRIPT.format(target=target))
    elf = folder / f"{machine}-{Path(program).stem}-{compiler}.elf"
    if compiler == "zig":
        command = [ZIG, "cc", *target.zig, "-fno-sanitize=all"]
    else:
        command = list(target.gcc)
        if shutil.which(command[0]) is None:
            pytest.skip(f"needs GCC: install {command[0]}")
    defines = (f"STACK_TOP={target.stack:#x}u", f"CODE={target.code:#x}u", *defines)
    options = [*COMMON_OPTIONS, *options, *(f"-D{define}" for define in defines), f"-Wl,-T,{script}"]
    subprocess.run([*command, *options, "-o", str(elf), str(PROGRAMS / program)], check=True, cwd=folder)
    return elf


def run_here(elf: Path, machine: str, uart_input: bytes = b"", engine: str = ENGINES[0]) -> tuple[str, int | None]:
    """What the program prints on our machine, and its exit code."""
    runner = Runner(load_elf(elf), machine_map(machine), uart_input=uart_input, engine=engine)
    result = runner.run(MAX_CYCLES)
    assert result.outcome is Outcome.EXIT, (result.outcome, result.uart, result.faults)
    return result.uart.decode(), result.exit_code


def run_on_qemu(elf: Path, machine: str, uart_input: bytes = b"", *, count: bool = False) -> tuple[str, int]:
    """The same on QEMU; skips the test if it is absent.

    Args:
        count: time follows the instructions, not this computer, which may be busy; QEMU then never wakes from WFI.
    """
    program = "qemu-system-riscv32" if machine == "virt" else "qemu-system-arm"
    if shutil.which(program) is None:
        pytest.skip(f"needs QEMU: apt install {QEMU_PACKAGES[program]}")
    command = [program, "-M", machine, "-display", "none", "-monitor", "none", "-serial", "stdio"]
    command += ["-icount", "shift=0"] if count else []
    command += ["-bios", "none"] if machine == "virt" else ["-semihosting-config", "enable=on,target=native"]
    done = subprocess.run(
        [*command, "-kernel", str(elf)], input=uart_input, capture_output=True, timeout=QEMU_SECONDS, check=False
    )
    return done.stdout.decode(), done.returncode


def like_qemu(
    elf: Path, machine: str, uart_input: bytes = b"", *, count: bool = False, engines: Sequence[str] = ENGINES[:1]
) -> tuple[str, int]:
    """What the program prints on QEMU, and its exit code, after the check that they are the same here.

    Args:
        count: as for `run_on_qemu`; without it QEMU may need another attempt.
        engines: what executes the instructions here.
    """
    expected = run_on_qemu(elf, machine, uart_input, count=count)
    here = [run_here(elf, machine, uart_input, engine) for engine in engines]
    for _ in range(0 if count else ATTEMPTS - 1):
        if here == [expected] * len(here):
            break
        expected = run_on_qemu(elf, machine, uart_input)
    assert here == [expected] * len(here)
    return expected

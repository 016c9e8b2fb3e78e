"""A small machine with QEMU's mps2-an386 addresses, and a compiler for it: what the Cortex-M tests share."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import ziglang
from elftools.elf.elffile import ELFFile

from emu.cpu.arm.cortex_m import CortexM
from emu.device import Device
from emu.machine import Machine, MachineMap, MemoryRegion, Peripheral
from emu.registers import Register, Word

CODE, RAM, FLASH, NO_CODE = 0x0000_0000, 0x2000_0000, 0x0800_0000, 0x3000_0000
"""Writable memory where QEMU has it; read-only memory; memory that cannot be executed."""
KNOCKER = 0x4800_0000

ZIG = str(Path(ziglang.__file__).with_name("zig"))
COMPILE = [
    "-target",
    "thumb-freestanding-eabihf",
    "-mcpu=cortex_m4+vfp4d16sp",
    "-O1",
    "-ffreestanding",
    "-fno-sanitize=all",
    f"-I{Path(__file__).parents[2] / 'boards' / 'programs'}",
]
LINKER_SCRIPT = """
SECTIONS {{
    . = {base:#x};
    .text : {{ *(.vectors) *(.text*) *(.rodata*) }}
    . = 0x20000000 + {offset:#x};
    /DISCARD/ : {{ *(.ARM.ex*) }}
    .bss : {{ *(.data*) *(.bss*) *(COMMON) }}
}}
"""
PRELUDE = """
.syntax unified
.thumb
.macro finish code
    movs r0, #0x20
    ldr r1, =8f
    bkpt 0xab
    .ltorg
    .balign 4
8:  .word 0x20026, \\code
.endm
.section .vectors, "a"
.word 0x20004000, reset + 1
.text
"""


class Knocker(Device):
    """Drives its interrupt line as firmware says, and counts accesses."""

    LEVEL = Register(0x0, Word, "Level of the line.")
    COUNT = Register(0x4, Word, "Reads so far.")

    @LEVEL.on_write
    def _level(self, value: int) -> None:
        self.irq.set(bool(value))

    @COUNT.on_read
    def _count(self) -> int:
        self.COUNT += 1
        return self.COUNT


MAP = MachineMap(
    name="test",
    title="",
    host="cortex-m4f",
    clock_hz=25_000_000,
    reset_address=CODE,
    memories=(
        MemoryRegion("code", CODE, 1 << 20, "rwx", ""),
        MemoryRegion("flash", FLASH, 1 << 16, "rx", ""),
        MemoryRegion("ram", RAM, 1 << 18, "rwx", ""),
        MemoryRegion("data", NO_CODE, 1 << 16, "rw", ""),
    ),
    peripherals=(Peripheral("knocker", KNOCKER, Knocker, "", interrupt=5),),
    clusters=0,
)


def build(folder: Path, source: str, suffix: str = ".S", base: int = CODE) -> Path:
    """An ELF file of a C program or of assembly after `PRELUDE`; its vector table stands at ``base``."""
    path = folder / f"program{suffix}"
    path.write_text(source)
    environment = {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": str(folder / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(folder / "zig"),
    }
    script = folder / "program.ld"
    script.write_text(LINKER_SCRIPT.format(base=base, offset=0x8000))
    commands = (
        [ZIG, "cc", *COMPILE, "-c", str(path), "-o", str(folder / "program.o")],
        [ZIG, "ld.lld", "-T", str(script), "-e", "reset", str(folder / "program.o"), "-o", str(folder / "program.elf")],
    )
    for command in commands:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder / "program.elf"


class Board:
    """A machine with a program, its console and the core."""

    def __init__(self, elf: Path, machine_map: MachineMap = MAP, *, exact: bool = False) -> None:
        self.machine = Machine(machine_map, exact=exact)
        core = self.machine.core
        assert isinstance(core, CortexM)
        self.core = core
        self.printed = bytearray()
        core.semihosting.console.append(self.printed.extend)
        with elf.open("rb") as file:
            image = ELFFile(file)
            for segment in image.iter_segments("PT_LOAD"):
                self.machine.bus.program(segment["p_vaddr"], segment.data())
            table = image.get_section_by_name(".symtab")
            self.symbols = {symbol.name: symbol["st_value"] & ~1 for symbol in table.iter_symbols()}
        self.machine.reset()


def assemble(folder: Path, source: str, machine_map: MachineMap = MAP) -> Board:
    """A machine with an assembled program that starts at ``reset``."""
    return Board(build(folder, PRELUDE + source), machine_map)

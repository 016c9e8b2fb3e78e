"""Compiles the small programs of `tests/sdk/programs` with every compiler, without start-up code or library."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from asm import assemble_file
from asm.objects import object_file
from sdk import paths
from sdk.toolchain import NAMES, TARGETS, ToolchainError, find_toolchain

PROGRAMS = Path(__file__).parent / "programs"
SCRIPT = """
ENTRY(_start)
SECTIONS {
    .text 0x08000100 : { KEEP(*(.text._start)) *(.text .text.*) . = ALIGN(4); }
    .rodata : { KEEP(*(.rodata .rodata.*)) . = ALIGN(8); }
    .data 0x20000000 : { *(.data .data.* .sdata .sdata.*) }
    .bss : { *(.bss .bss.* .sbss .sbss.*) }
    /DISCARD/ : { *(.comment) *(.note.*) *(.eh_frame) *(.ARM.exidx .ARM.exidx.*) }
}
"""
ARCHITECTURES = {"cortex-m4f": "arm", "rv32imc": "riscv"}


@dataclass(frozen=True)
class Variant:
    """How a program is compiled: names as `sdk.toolchain` has them."""

    toolchain: str
    host: str
    optimisation: str
    dwarf: int

    def __str__(self) -> str:
        return f"{self.toolchain}-{self.host}-O{self.optimisation}-dwarf{self.dwarf}"


VARIANTS = [Variant(*values) for values in product(NAMES, TARGETS, ("0", "2"), (4, 5))]


def compile_program(variant: Variant, folder: Path, source: str = "calls.c", program: str = "halt.imn") -> Path:
    """An ELF file of a C file and an accelerator program; skips where the compiler is not installed."""
    try:
        toolchain = find_toolchain(variant.toolchain, variant.host, paths.cache())
    except ToolchainError as error:
        pytest.skip(str(error))
    options = [f"-O{variant.optimisation}", f"-gdwarf-{variant.dwarf}", f"-ffile-prefix-map={PROGRAMS}=."]
    compiled, assembled = folder / "program.o", folder / "accelerator.o"
    toolchain.run(toolchain.compile_command(source, compiled, options), PROGRAMS)
    blob = assemble_file(PROGRAMS / program)
    assembled.write_bytes(object_file(blob, ARCHITECTURES[variant.host], source=program))
    script, elf = folder / "link.ld", folder / "program.elf"
    script.write_text(SCRIPT)
    toolchain.run(toolchain.link_command([compiled, assembled], script, folder, elf), folder)
    return elf

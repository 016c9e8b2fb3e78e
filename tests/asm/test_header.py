"""C headers: compiled for both hosts, their words read back from the compiled object."""

from __future__ import annotations

import io
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection

import asm
from asm.header import c_header

SOURCE = """\
program digits
start: load at extern weights - 8, count=16
       set r1, extern table
next:  conv tensor(u4[8, 8, 16] at r1), tensor(u4[8, 8, 4] at 0x3000_0000)
       halt
"""
USER = """\
#include "digits.h"
const uint32_t *program(void) { return digits; }
uint32_t place(void) { return sizeof digits + DIGITS_LABEL_start + DIGITS_LABEL_next; }
"""
ZIG = (sys.executable, "-m", "ziglang", "cc")
COMPILERS = {
    "arm-zig": (*ZIG, "-target", "thumb-freestanding-eabi", "-mcpu=cortex_m4"),
    "riscv-zig": (*ZIG, "-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m+c"),
    "arm-gcc": ("arm-none-eabi-gcc", "-mcpu=cortex-m4"),
    "riscv-gcc": ("riscv64-unknown-elf-gcc", "-march=rv32imc", "-mabi=ilp32"),
}
WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-ffreestanding", "-O1", "-c")


@pytest.mark.parametrize("name", COMPILERS)
def test_compiled_words_and_relocations(name: str, tmp_path: Path) -> None:
    compiler = COMPILERS[name]
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not there: install gcc-arm-none-eabi, gcc-riscv64-unknown-elf")
    program = asm.assemble(SOURCE)
    (tmp_path / "digits.h").write_text(c_header(program))
    (tmp_path / "user.c").write_text(USER)
    result = subprocess.run(
        [*compiler, *WARNINGS, "user.c", "-o", "user.o"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    elf = ELFFile(io.BytesIO((tmp_path / "user.o").read_bytes()))
    table = elf.get_section_by_name(".symtab")
    (symbol,) = table.get_symbol_by_name("digits")
    section, start = elf.get_section(symbol["st_shndx"]), symbol["st_value"]
    assert section["sh_addralign"] >= 8
    assert start % 8 == 0
    words = list(struct.unpack(f"<{len(program.words)}I", section.data()[start : start + program.size]))
    relocations = {}
    for part in elf.iter_sections():
        if isinstance(part, RelocationSection) and part["sh_info"] == symbol["st_shndx"]:
            for item in part.iter_relocations():
                offset = item["r_offset"] - start
                addend = (
                    item["r_addend"]
                    if part.is_RELA()
                    else struct.unpack("<i", struct.pack("<I", words[offset // 4]))[0]
                )
                relocations[offset] = (table.get_symbol(item["r_info_sym"]).name, addend)
                words[offset // 4] = addend & 0xFFFF_FFFF
    assert words == list(program.words)
    assert relocations == {20: ("weights", -8), 32: ("table", 0)}


def test_labels() -> None:
    header = c_header(asm.assemble(SOURCE))
    assert re.findall(r"#define DIGITS_LABEL_(\w+) (\d+)u", header) == [("start", "16"), ("next", "36")]


def test_a_strange_file_name_does_not_end_the_comment() -> None:
    header = c_header(asm.assemble("halt", "dir/a*/b//ä\n.imn"))
    first = header.split("\n")[0]
    assert first.startswith("/*")
    assert first.index("*/") == len(first) - 2
    assert first.isascii()

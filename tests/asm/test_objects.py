"""ELF objects: read back with pyelftools and binutils, linked by three linkers for both hosts."""

from __future__ import annotations

import io
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

import asm
from asm.objects import object_file

SOURCE = """\
program digits
kernels weights : s4[16, 3, 3, 1] at extern digits_weights + 8
requant table[16] at extern digits_table

start:
    mode compute 0..7
    kernel weights, features=u4, pad=1
    activation table

again:
    load weights
    set r2, extern digits_table - 4
    loop 3 {
        add r1, r1, 300
    }
    jump again
"""
LINES = {0x10: 6, 0x18: 7, 0x28: 8, 0x3C: 11, 0x48: 12, 0x50: 13, 0x5C: 14, 0x64: 16}
"""Source line of the instruction at each offset, counted by hand."""
ORIGIN = 0x0800_0000

USER = """\
    .section .text.start, "ax", %progbits
    .globl user
user:
    .word digits
    .word digits_size
    .section .rodata.digits_weights, "a", %progbits
    .balign 8
    .globl digits_weights
digits_weights:
    .zero 16
    .section .rodata.digits_table, "a", %progbits
    .balign 4
    .globl digits_table
digits_table:
    .zero 256
    .section .rodata.unused, "a", %progbits
    .zero 64
"""
SCRIPT = """\
ENTRY(user)
SECTIONS {
    . = 0x08000000;
    .text : { *(.text*) }
    .rodata : { *(.rodata*) }
}
"""


@dataclass(frozen=True)
class Toolchain:
    """Commands that assemble for a host, link and map addresses to lines."""

    host: str
    assembler: tuple[str, ...]
    linker: tuple[str, ...]
    lines: str = "addr2line"


ZIG = (sys.executable, "-m", "ziglang")
ARM_TARGET = ("cc", "-target", "thumb-freestanding-eabi", "-mcpu=cortex_m4", "-c")
RISCV_TARGET = ("cc", "-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m+c", "-c")
TOOLCHAINS = {
    "arm-zig": Toolchain("arm", (*ZIG, *ARM_TARGET), (*ZIG, "ld.lld")),
    "riscv-zig": Toolchain("riscv", (*ZIG, *RISCV_TARGET), (*ZIG, "ld.lld")),
    "arm-gnu": Toolchain("arm", ("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-c"), ("arm-none-eabi-ld",)),
    "riscv-gnu": Toolchain(
        "riscv",
        ("riscv64-unknown-elf-gcc", "-march=rv32imc", "-mabi=ilp32", "-c"),
        ("riscv64-unknown-elf-ld", "-melf32lriscv"),
    ),
}
HOSTS = ("arm", "riscv")


def needs(*commands: str) -> None:
    """Skips the test without these commands."""
    packages = {"arm-none-eabi-ld": "gcc-arm-none-eabi", "riscv64-unknown-elf-ld": "gcc-riscv64-unknown-elf"}
    for command in commands:
        if shutil.which(command) is None:
            pytest.skip(f"{command} is not there: install {packages.get(command, 'binutils')}")


def run(*command: str | Path, folder: Path | None = None) -> str:
    """Output of a command that must succeed without warnings."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "warning" not in result.stderr
    return result.stdout


def line_rows(elf: ELFFile) -> list[tuple[int, int | None]]:
    """(address, line) of each row of the assembler's line table; the row that ends it has no line."""
    dwarf = debug_of(elf)
    (unit,) = [
        unit for unit in dwarf.iter_CUs() if unit.get_top_DIE().attributes["DW_AT_producer"].value == b"imnpu asm"
    ]
    states = [entry.state for entry in dwarf.line_program_for_CU(unit).get_entries() if entry.state]
    return [(state.address, None if state.end_sequence else state.line) for state in states]


def debug_of(elf: ELFFile) -> DWARFInfo:
    """The debug information as it lies there; pyelftools cannot relocate that of RV32 objects."""
    return elf.get_dwarf_info(relocate_dwarf_sections=False)


def symbols_of(elf: ELFFile) -> dict[str, tuple[int, int, str, str]]:
    """(value, size, binding, section) of each named symbol."""
    table = elf.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    found = {}
    for symbol in table.iter_symbols():
        section = symbol["st_shndx"]
        name = elf.get_section(section).name if isinstance(section, int) else section
        if symbol.name:
            found[symbol.name] = (symbol["st_value"], symbol["st_size"], symbol["st_info"]["bind"], name)
    return found


@pytest.mark.parametrize("host", HOSTS)
def test_sections_symbols_and_flags(host: str) -> None:
    program = asm.assemble(SOURCE, "dir/digits.imn")
    elf = ELFFile(io.BytesIO(object_file(program, host)))
    machine, flags = {"arm": ("EM_ARM", 0x0500_0000), "riscv": ("EM_RISCV", 1)}[host]
    assert (elf["e_type"], elf["e_machine"], elf["e_flags"]) == ("ET_REL", machine, flags)
    section = elf.get_section_by_name(".rodata.digits")
    assert (section["sh_flags"], section["sh_addralign"]) == (2, 8)
    assert section.data()[-4:] == struct.pack("<I", program.size)
    local, public, rodata = "STB_LOCAL", "STB_GLOBAL", ".rodata.digits"
    assert symbols_of(elf) == {
        "digits.imn": (0, 0, local, "SHN_ABS"),
        "start": (0x10, 0, local, rodata),
        "again": (0x3C, 0, local, rodata),
        "digits": (0, program.size, public, rodata),
        "digits_size": (program.size, 4, public, rodata),
        "digits_table": (0, 0, public, "SHN_UNDEF"),
        "digits_weights": (0, 0, public, "SHN_UNDEF"),
    }


@pytest.mark.parametrize("host", HOSTS)
def test_relocations(host: str) -> None:
    elf = ELFFile(io.BytesIO(object_file(asm.assemble(SOURCE), host)))
    name, kind = {"arm": (".rel", 2), "riscv": (".rela", 1)}[host]
    section = elf.get_section_by_name(f"{name}.rodata.digits")
    assert isinstance(section, RelocationSection)
    table = elf.get_section(section["sh_link"])
    content = elf.get_section_by_name(".rodata.digits").data()
    found = []
    for item in section.iter_relocations():
        addend = item["r_addend"] if host == "riscv" else struct.unpack_from("<i", content, item["r_offset"])[0]
        found.append((item["r_offset"], table.get_symbol(item["r_info_sym"]).name, addend, item["r_info_type"]))
    assert found == [
        (0x30, "digits_table", 0, kind),
        (0x40, "digits_weights", 8, kind),
        (0x4C, "digits_table", -4, kind),
    ]


@pytest.mark.parametrize("host", HOSTS)
def test_line_table(host: str) -> None:
    program = asm.assemble(SOURCE, "dir/digits.imn")
    elf = ELFFile(io.BytesIO(object_file(program, host, source="src/digits.imn", directory="/project")))
    assert line_rows(elf) == [*LINES.items(), (program.size, None)]
    (unit,) = debug_of(elf).iter_CUs()
    attributes = unit.get_top_DIE().attributes
    assert attributes["DW_AT_name"].value == b"src/digits.imn"
    assert attributes["DW_AT_comp_dir"].value == b"/project"
    assert (attributes["DW_AT_low_pc"].value, attributes["DW_AT_high_pc"].value) == (0, program.size)


@pytest.mark.parametrize("host", HOSTS)
def test_readelf_has_no_complaints(host: str, tmp_path: Path) -> None:
    needs("readelf")
    path = tmp_path / "digits.o"
    path.write_bytes(object_file(asm.assemble(SOURCE, "digits.imn"), host))
    result = subprocess.run(
        ["readelf", "-aW", "--debug-dump=info,abbrev,decodedline", path], capture_output=True, text=True, check=True
    )
    assert result.stderr == ""
    rows = re.findall(r"^digits\.imn +(\d+) +0x([0-9a-f]+) ", result.stdout, re.MULTILINE)
    assert {int(address, 16): int(line) for line, address in rows} == LINES


@pytest.mark.parametrize("name", TOOLCHAINS)
@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
def test_linked_program(name: str, used: bool, tmp_path: Path) -> None:
    """The program and its externs are kept when something refers to it, and removed otherwise."""
    tools = TOOLCHAINS[name]
    if tools.linker[0] != sys.executable:
        needs(tools.assembler[0], tools.linker[0])
    program = asm.assemble(SOURCE, "digits.imn")
    (tmp_path / "digits.o").write_bytes(object_file(program, tools.host))
    user = USER if used else USER.replace("    .word digits\n    .word digits_size\n", "    .word 0\n")
    (tmp_path / "user.S").write_text(user)
    (tmp_path / "link.ld").write_text(SCRIPT)
    run(*tools.assembler, "user.S", "-o", "user.o", folder=tmp_path)
    run(*tools.linker, "--gc-sections", "-T", "link.ld", "user.o", "digits.o", "-o", "out.elf", folder=tmp_path)
    with (tmp_path / "out.elf").open("rb") as file:
        elf = ELFFile(file)
        if used:
            _check_linked(elf, program.words, name, tmp_path)
        else:
            assert "digits" not in symbols_of(elf)


def _check_linked(elf: ELFFile, words: tuple[int, ...], name: str, folder: Path) -> None:
    symbols = {symbol: value for symbol, (value, _, _, _) in symbols_of(elf).items()}
    blob = symbols["digits"]
    assert blob % 8 == 0
    expected = list(words)
    expected[0x30 // 4] = symbols["digits_table"]
    expected[0x40 // 4] = symbols["digits_weights"] + 8
    expected[0x4C // 4] = symbols["digits_table"] - 4
    assert _read(elf, blob, 4 * len(words)) == struct.pack(f"<{len(expected)}I", *expected)
    assert symbols["digits_size"] == blob + 4 * len(words)
    assert _read(elf, symbols["digits_size"], 4) == struct.pack("<I", 4 * len(words))
    assert _read(elf, symbols["user"], 8) == struct.pack("<2I", blob, symbols["digits_size"])
    assert line_rows(elf)[:-1] == [(blob + offset, line) for offset, line in LINES.items()]
    needs("addr2line")
    for offset, line in LINES.items():
        place = run("addr2line", "-e", folder / "out.elf", hex(blob + offset)).strip()
        assert place.endswith(f"digits.imn:{line}"), (name, place)


def _read(elf: ELFFile, address: int, size: int) -> bytes:
    for segment in elf.iter_segments("PT_LOAD"):
        start = segment["p_vaddr"]
        if start <= address < start + segment["p_filesz"]:
            return bytes(segment.data()[address - start : address - start + size])
    raise AssertionError(f"nothing is loaded at {address:#x}")


def test_gdb_finds_the_address_of_a_line(tmp_path: Path) -> None:
    """From line to address only: an address among data has no line for gdb."""
    needs("gdb-multiarch", "arm-none-eabi-gcc", "arm-none-eabi-ld")
    tools = TOOLCHAINS["arm-gnu"]
    (tmp_path / "digits.o").write_bytes(object_file(asm.assemble(SOURCE, "digits.imn"), "arm"))
    (tmp_path / "user.S").write_text(USER)
    (tmp_path / "link.ld").write_text(SCRIPT)
    run(*tools.assembler, "user.S", "-o", "user.o", folder=tmp_path)
    run(*tools.linker, "-T", "link.ld", "user.o", "digits.o", "-o", "out.elf", folder=tmp_path)
    output = run("gdb-multiarch", "-nx", "-batch", "-ex", "info line digits.imn:12", "out.elf", folder=tmp_path)
    assert re.search(r'Line 12 of "digits.imn" is at address 0x[0-9a-f]+ <digits\+72>', output)


def test_the_same_source_gives_the_same_object() -> None:
    objects = {object_file(asm.assemble(SOURCE, "digits.imn"), "arm") for _ in range(3)}
    assert len(objects) == 1


def test_a_program_may_refer_to_itself_and_may_be_empty() -> None:
    program = asm.assemble("program p\nset r1, extern p_size")
    elf = ELFFile(io.BytesIO(object_file(program, "riscv")))
    assert symbols_of(elf)["p_size"] == (24, 4, "STB_GLOBAL", ".rodata.p")
    empty = ELFFile(io.BytesIO(object_file(asm.assemble("program p"), "arm")))
    assert line_rows(empty) == [(16, None)]

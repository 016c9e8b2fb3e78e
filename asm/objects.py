"""A program as an ELF object that links into firmware.

Section `.rodata.<name>`, aligned to 8 bytes, holds the blob, symbol `<name>`, and behind it one word with its
length in bytes, symbol `<name>_size`:

    extern const uint32_t digits[];
    extern const uint32_t digits_size;

Labels are local symbols. Addresses of externs are relocations; the linker keeps what they refer to.
"""

from __future__ import annotations

import struct

from asm.dwarf import debug_sections
from asm.elf import ABSOLUTE_SECTION, HOSTS, UNDEFINED, ObjectFile, SectionFlag, Symbol, SymbolType
from asm.program import Program

ALIGNMENT = 8
"""Bytes."""


def object_file(program: Program, host: str, *, source: str | None = None, directory: str = ".") -> bytes:
    """The object file of ``program``.

    Args:
        host: `arm` or `riscv`.
        source: path of the source file in the debug information; the path that was assembled by default.
        directory: what a relative path is relative to, in the debug information.

    Raises:
        KeyError: there is no such host.
    """
    output = ObjectFile(HOSTS[host])
    path = program.path if source is None else source
    output.add_symbol(Symbol(path.rsplit("/", 1)[-1], ABSOLUTE_SECTION, type=SymbolType.file))
    blob = struct.pack(f"<{len(program.words)}I", *program.words)
    content = blob + struct.pack("<I", len(blob))
    rodata = output.add_section(f".rodata.{program.name}", content, flags=SectionFlag.allocated, alignment=ALIGNMENT)
    for label, offset in program.labels.items():
        output.add_symbol(Symbol(label, rodata.section, offset))
    _add_globals(output, program, rodata)
    _add_debug(output, program, rodata, path, directory)
    return output.encode()


def _add_globals(output: ObjectFile, program: Program, rodata: Symbol) -> None:
    """Symbols that other objects see, or have; and the words that need their addresses."""
    symbols = {
        name: Symbol(name, rodata.section, offset, size, SymbolType.object, is_global=True)
        for name, offset, size in ((program.name, 0, program.size), (f"{program.name}_size", program.size, 4))
    }
    for name in program.externs:
        symbols.setdefault(name, Symbol(name, UNDEFINED, is_global=True))
    for symbol in symbols.values():
        output.add_symbol(symbol)
    for relocation in program.relocations:
        output.relocate(rodata, relocation.offset, symbols[relocation.symbol], relocation.addend)


def _add_debug(output: ObjectFile, program: Program, rodata: Symbol, path: str, directory: str) -> None:
    debug = debug_sections(path, directory, program.lines, program.labels, program.size)
    sections = {
        name: output.add_section(name, data)
        for name, data in (
            (".debug_abbrev", debug.abbreviations),
            (".debug_info", debug.information),
            (".debug_line", debug.lines),
        )
    }
    for name, offset, addend in debug.program_words:
        output.relocate(sections[name], offset, rodata, addend)
    for name, offset, target in debug.section_words:
        output.relocate(sections[name], offset, sections[target], 0)

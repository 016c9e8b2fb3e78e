"""A DWARF 4 line table: which source line each instruction of a program came from.

It is what a C compiler writes for its code, so every debugger and `addr2line` understands it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

VERSION = 4
ADDRESS_BYTES = 4
LANGUAGE_ASSEMBLER = 0x8001
PRODUCER = "imnpu asm"

COMPILE_UNIT = 0x11
ATTRIBUTES = (
    (0x25, 0x08),  # producer: string
    (0x13, 0x05),  # language: 2 bytes
    (0x03, 0x08),  # name: string
    (0x1B, 0x08),  # compilation directory: string
    (0x11, 0x01),  # lowest address
    (0x12, 0x06),  # size: 4 bytes
    (0x10, 0x17),  # offset of the line table
)
"""(attribute, form) of the only entry, the compilation unit, in the order of its values."""

COPY, ADVANCE_PC, ADVANCE_LINE = 1, 2, 3
END_SEQUENCE, SET_ADDRESS = 1, 2
STANDARD_OPERANDS = (0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1)
"""Number of operands of each standard opcode, 1..12."""


@dataclass(frozen=True, slots=True)
class DebugSections:
    """The debug sections of one program.

    Attributes:
        abbreviations: `.debug_abbrev`.
        information: `.debug_info`.
        lines: `.debug_line`.
        program_words: (section, offset, addend) of words that get the program's address plus addend.
        section_words: (section, offset, target section) of words that get an offset into another section.
    """

    abbreviations: bytes
    information: bytes
    lines: bytes
    program_words: tuple[tuple[str, int, int], ...]
    section_words: tuple[tuple[str, int, str], ...]


def debug_sections(path: str, directory: str, lines: Sequence[tuple[int, int]], size: int) -> DebugSections:
    """Debug sections for a program of ``size`` bytes.

    Args:
        path: the source file, absolute or relative to ``directory``.
        lines: (offset, source line) of each instruction, by offset.
    """
    information, low, abbreviation, table = _information(path, directory, size)
    program, address = _line_program(lines, size)
    header = _line_header(path)
    unit = struct.pack("<HI", VERSION, len(header)) + header + program
    place = 4 + 6 + len(header) + address
    first = lines[0][0] if lines else 0
    return DebugSections(
        abbreviations=_abbreviations(),
        information=information,
        lines=struct.pack("<I", len(unit)) + unit,
        program_words=((".debug_info", low, 0), (".debug_line", place, first)),
        section_words=((".debug_info", abbreviation, ".debug_abbrev"), (".debug_info", table, ".debug_line")),
    )


def _abbreviations() -> bytes:
    pairs = b"".join(_unsigned(attribute) + _unsigned(form) for attribute, form in ATTRIBUTES)
    return _unsigned(1) + _unsigned(COMPILE_UNIT) + b"\0" + pairs + b"\0\0" + b"\0"


def _information(path: str, directory: str, size: int) -> tuple[bytes, int, int, int]:
    """`.debug_info`, and in it the offsets of the lowest address, the abbreviations' and the line table's offset."""
    unit = struct.pack("<HIB", VERSION, 0, ADDRESS_BYTES)
    unit += _unsigned(1) + _string(PRODUCER) + struct.pack("<H", LANGUAGE_ASSEMBLER)
    unit += _string(path) + _string(directory)
    low = 4 + len(unit)
    unit += struct.pack("<III", 0, size, 0)
    return struct.pack("<I", len(unit)) + unit, low, 4 + 2, low + 8


def _line_header(path: str) -> bytes:
    """The header from its instruction length on; no directories, one file."""
    # Instruction length 1, one operation an instruction, statements by default. Special opcodes are not used.
    fixed = struct.pack("<BBBbBB", 1, 1, 1, 0, 1, 1 + len(STANDARD_OPERANDS))
    return fixed + bytes(STANDARD_OPERANDS) + b"\0" + _string(path) + b"\0\0\0" + b"\0"


def _line_program(lines: Sequence[tuple[int, int]], size: int) -> tuple[bytes, int]:
    """The line program, and the offset of its address word."""
    program = bytearray([0, 1 + ADDRESS_BYTES, SET_ADDRESS])
    place = len(program)
    program += bytes(ADDRESS_BYTES)
    position, line = (lines[0][0] if lines else 0), 1
    for offset, number in lines:
        program += _advance(offset - position)
        if number != line:
            program += bytes([ADVANCE_LINE]) + _signed(number - line)
        program.append(COPY)
        position, line = offset, number
    program += _advance(size - position)
    return bytes(program + bytes([0, 1, END_SEQUENCE])), place


def _advance(count: int) -> bytes:
    return bytes([ADVANCE_PC]) + _unsigned(count) if count else b""


def _string(text: str) -> bytes:
    return text.encode() + b"\0"


def _unsigned(value: int) -> bytes:
    """Variable-length encoding: 7 bits a byte, the upper bit says that more follow."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _signed(value: int) -> bytes:
    """Variable-length encoding of a signed value; bit 6 of the last byte is the sign."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)

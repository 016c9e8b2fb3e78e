"""A DWARF 4 line table: which source line each instruction of a program came from.

It is what a C compiler writes for its code, so every debugger and `addr2line` understands it. The program lies
among data, and where data has a symbol, `addr2line` wants a variable: each label is one.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

VERSION = 4
ADDRESS_BYTES = 4
LANGUAGE_ASSEMBLER = 0x8001
PRODUCER = "imnpu asm"

NO_CHILDREN, CHILDREN = 0, 1
ENTRIES = (
    (
        (0x11, CHILDREN),  # compilation unit
        (0x25, 0x08),  # producer: string
        (0x13, 0x05),  # language: 2 bytes
        (0x03, 0x08),  # name: string
        (0x1B, 0x08),  # compilation directory: string
        (0x11, 0x01),  # lowest address
        (0x12, 0x06),  # size: 4 bytes
        (0x10, 0x17),  # offset of the line table
    ),
    (
        (0x34, NO_CHILDREN),  # variable
        (0x03, 0x08),  # name: string
        (0x3A, 0x0B),  # file: 1 byte
        (0x3B, 0x06),  # line: 4 bytes
        (0x02, 0x18),  # location: expression
    ),
)
"""Kinds of entries, numbered from 1: (tag, children), then (attribute, form) of its values in their order."""
UNIT, VARIABLE = 1, 2
ADDRESS_OPERATION = 0x03
"""Operation of a location expression: the address that follows."""

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


def debug_sections(
    path: str, directory: str, lines: Sequence[tuple[int, int]], labels: Mapping[str, int], size: int
) -> DebugSections:
    """Debug sections for a program of ``size`` bytes.

    Args:
        path: the source file, absolute or relative to ``directory``.
        lines: (offset, source line) of each instruction, by offset.
        labels: offset of each label.
    """
    unit, unit_addresses, tables = _unit(path, directory, size)
    variables, variable_addresses = _variables(lines, labels, start=len(unit))
    information = bytearray(unit + variables + b"\0")
    information[:4] = struct.pack("<I", len(information) - 4)
    program, address = _line_program(lines, size)
    header = _line_header(path)
    line_unit = struct.pack("<HI", VERSION, len(header)) + header + program
    first = lines[0][0] if lines else 0
    return DebugSections(
        abbreviations=_abbreviations(),
        information=bytes(information),
        lines=struct.pack("<I", len(line_unit)) + line_unit,
        program_words=(
            *((".debug_info", place, addend) for place, addend in (*unit_addresses, *variable_addresses)),
            (".debug_line", 4 + 6 + len(header) + address, first),
        ),
        section_words=tuple((".debug_info", place, target) for place, target in tables),
    )


def _abbreviations() -> bytes:
    out = b""
    for number, ((tag, children), *attributes) in enumerate(ENTRIES, 1):
        out += _unsigned(number) + _unsigned(tag) + bytes([children])
        out += b"".join(_unsigned(attribute) + _unsigned(form) for attribute, form in (*attributes, (0, 0)))
    return out + b"\0"


Places = list[tuple[int, int]]
"""(offset of a word that gets an address, addend)."""


def _unit(path: str, directory: str, size: int) -> tuple[bytes, Places, list[tuple[int, str]]]:
    """The start of `.debug_info` with the length left 0, its addresses, and its words with section offsets."""
    unit = struct.pack("<IHIB", 0, VERSION, 0, ADDRESS_BYTES)
    unit += _unsigned(UNIT) + _string(PRODUCER) + struct.pack("<H", LANGUAGE_ASSEMBLER)
    unit += _string(path) + _string(directory)
    low = len(unit)
    unit += struct.pack("<III", 0, size, 0)
    return unit, [(low, 0)], [(4 + 2, ".debug_abbrev"), (low + 8, ".debug_line")]


def _variables(lines: Sequence[tuple[int, int]], labels: Mapping[str, int], start: int) -> tuple[bytes, Places]:
    """Entries for the labels of instructions, and their addresses; ``start`` is where they will lie."""
    line_of = dict(lines)
    out, addresses = b"", []
    for name, offset in labels.items():
        if offset in line_of:
            out += _unsigned(VARIABLE) + _string(name) + struct.pack("<BI", 1, line_of[offset])
            out += bytes([1 + ADDRESS_BYTES, ADDRESS_OPERATION])
            addresses.append((start + len(out), offset))
            out += bytes(ADDRESS_BYTES)
    return out, addresses


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

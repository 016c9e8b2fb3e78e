"""Writes relocatable ELF objects for 32-bit little-endian hosts."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

HEADER_BYTES = 52
SECTION_HEADER_BYTES = 40
SYMBOL_BYTES = 16
UNDEFINED = 0
"""Section number of a symbol that another object defines."""
ABSOLUTE_SECTION = 0xFFF1
"""Section number of a symbol that lies in no section."""


class SectionType(IntEnum):
    """What a section holds."""

    null = 0
    data = 1
    symbols = 2
    strings = 3
    rela = 4
    rel = 9


class SectionFlag(IntEnum):
    """How a section is loaded and linked."""

    allocated = 0x2
    link_info = 0x40


class SymbolType(IntEnum):
    """What a symbol stands for."""

    none = 0
    object = 1
    section = 3
    file = 4


@dataclass(frozen=True, slots=True)
class Host:
    """What differs between the hosts' objects.

    Attributes:
        machine: ELF's number of the architecture.
        flags: of the ELF header: ABI.
        word_relocation: type of the relocation that puts an address into a word.
        explicit_addend: linkers take addends from the relocation (RELA), not from the word (REL).
    """

    machine: int
    flags: int
    word_relocation: int
    explicit_addend: bool


HOSTS = {
    "arm": Host(machine=40, flags=0x0500_0000, word_relocation=2, explicit_addend=False),
    "riscv": Host(machine=243, flags=0x1, word_relocation=1, explicit_addend=True),
}
"""Hosts by name: Arm with EABI version 5, RISC-V with compressed instructions and soft-float ABI."""


@dataclass(slots=True)
class Symbol:
    """An entry of the symbol table; `value` is an offset within `section`."""

    name: str
    section: int
    value: int = 0
    size: int = 0
    type: SymbolType = SymbolType.none
    is_global: bool = False


@dataclass(slots=True)
class Section:
    """A section; `relocations` are (offset, symbol, addend)."""

    name: str
    type: SectionType
    data: bytes
    flags: int = 0
    alignment: int = 1
    link: int = 0
    info: int = 0
    entry_bytes: int = 0
    relocations: list[tuple[int, Symbol, int]] = field(default_factory=list)


class ObjectFile:
    """An object that grows section by section; `encode` gives its bytes."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.sections = [Section("", SectionType.null, b"", alignment=0)]
        self.symbols: list[Symbol] = []

    def add_section(self, name: str, data: bytes, *, flags: int = 0, alignment: int = 1) -> Symbol:
        """Adds a section; returns the symbol that stands for its start."""
        self.sections.append(Section(name, SectionType.data, data, flags, alignment))
        symbol = Symbol("", len(self.sections) - 1, type=SymbolType.section)
        self.symbols.append(symbol)
        return symbol

    def add_symbol(self, symbol: Symbol) -> Symbol:
        """Adds a symbol; returns it."""
        self.symbols.append(symbol)
        return symbol

    def relocate(self, section: Symbol, offset: int, symbol: Symbol, addend: int) -> None:
        """Lets the linker put the address of ``symbol`` plus ``addend`` into the word at ``offset``."""
        self.sections[section.section].relocations.append((offset, symbol, addend))

    def encode(self) -> bytes:
        """The object file."""
        symbols = sorted(self.symbols, key=lambda symbol: symbol.is_global)
        numbers = {id(symbol): index for index, symbol in enumerate(symbols, 1)}
        sections = list(self.sections)
        table = len(sections)
        strings = bytearray(b"\0")
        entries = [struct.pack("<IIIBBH", 0, 0, 0, 0, 0, 0)]
        for symbol in symbols:
            info = (symbol.is_global << 4) | symbol.type
            name = _add_string(strings, symbol.name)
            entries.append(struct.pack("<IIIBBH", name, symbol.value, symbol.size, info, 0, symbol.section))
        locals_end = 1 + sum(not symbol.is_global for symbol in symbols)
        sections.append(
            Section(".symtab", SectionType.symbols, b"".join(entries), 0, 4, table + 1, locals_end, SYMBOL_BYTES)
        )
        sections.append(Section(".strtab", SectionType.strings, bytes(strings)))
        for index, section in enumerate(self.sections):
            if section.relocations:
                sections.append(self._relocations(index, section, table, numbers))
        return _layout(self.host, sections, [self._contents(section) for section in sections])

    def _relocations(self, index: int, section: Section, table: int, numbers: dict[int, int]) -> Section:
        data = b""
        for offset, symbol, addend in section.relocations:
            info = (numbers[id(symbol)] << 8) | self.host.word_relocation
            data += struct.pack("<II", offset, info)
            if self.host.explicit_addend:
                data += struct.pack("<I", addend & 0xFFFF_FFFF)
        kind, prefix, size = (
            (SectionType.rela, ".rela", 12) if self.host.explicit_addend else (SectionType.rel, ".rel", 8)
        )
        return Section(prefix + section.name, kind, data, SectionFlag.link_info, 4, table, index, size)

    def _contents(self, section: Section) -> bytes:
        """The section's bytes. Relocated words hold the addend, for readers that do not relocate as well."""
        data = bytearray(section.data)
        for offset, _, addend in section.relocations:
            data[offset : offset + 4] = struct.pack("<I", addend & 0xFFFF_FFFF)
        return bytes(data)


def _layout(host: Host, sections: list[Section], contents: list[bytes]) -> bytes:
    """Header, contents of the sections, section headers."""
    names = bytearray(b"\0")
    offsets = [_add_string(names, section.name) for section in sections]
    offsets.append(_add_string(names, ".shstrtab"))
    sections = [*sections, Section(".shstrtab", SectionType.strings, bytes(names))]
    contents = [*contents, bytes(names)]
    body = bytearray(HEADER_BYTES)
    headers = b""
    for section, data, name in zip(sections, contents, offsets, strict=True):
        body += b"\0" * (-len(body) % max(section.alignment, 1))
        place = 0 if section.type is SectionType.null else len(body)
        fields = (name, section.type, section.flags, 0, place, len(data), section.link, section.info)
        headers += struct.pack("<10I", *fields, section.alignment, section.entry_bytes)
        body += data
    body += b"\0" * (-len(body) % 4)
    body[:HEADER_BYTES] = struct.pack(
        "<4s5B7xHHIIIIIHHHHHH",
        *(b"\x7fELF", 1, 1, 1, 0, 0),  # 32 bit, little endian, version 1, no particular system
        *(1, host.machine, 1, 0, 0, len(body), host.flags),  # relocatable
        *(HEADER_BYTES, 0, 0, SECTION_HEADER_BYTES, len(sections), len(sections) - 1),
    )
    return bytes(body) + headers


def _add_string(table: bytearray, text: str) -> int:
    """Appends ``text`` to a string table; returns its offset."""
    if not text:
        return 0
    offset = len(table)
    table += text.encode() + b"\0"
    return offset

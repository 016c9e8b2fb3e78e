"""Small ELF files made by hand from the format's tables, for tests without a compiler."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

ARM, RISCV, X86_64 = 40, 243, 62
FUNCTION, OBJECT = 0x12, 0x11
"""st_info of a global function and of a global object."""


@dataclass
class ElfFile:
    """What goes into the file; `segments` are (load address, run address, contents, size in memory)."""

    machine: int = ARM
    kind: int = 2
    entry: int = 0x0800_0041
    segments: list[tuple[int, int, bytes, int]] = field(default_factory=list)
    symbols: list[tuple[str, int, int]] = field(default_factory=list)

    def build(self) -> bytes:
        """The bytes: header, program headers, contents, symbol table, strings, section headers."""
        body = bytearray(bytes(52 + 32 * len(self.segments)))
        headers = b""
        for load, run, contents, size in self.segments:
            headers += struct.pack("<8I", 1, len(body), run, load, len(contents), size, 7, 4)
            body += contents
        body[52 : 52 + len(headers)] = headers
        names = b"\0"
        table = bytes(16)
        for name, value, info in self.symbols:
            table += struct.pack("<IIIBBH", len(names), value, 4, info, 0, 0xFFF1)
            names += name.encode() + b"\0"
        section_names = b"\0.symtab\0.strtab\0.shstrtab\0"
        places = []
        for part in (table, names, section_names):
            body += bytes(-len(body) % 4)
            places.append((len(body), len(part)))
            body += part
        body += bytes(-len(body) % 4)
        sections = bytes(40)
        rows = ((1, 2, 2, 1, 16), (9, 3, 0, 0, 0), (17, 3, 0, 0, 0))
        for (offset, size), (name_at, kind, link, info, entry) in zip(places, rows, strict=True):
            sections += struct.pack("<10I", name_at, kind, 0, 0, offset, size, link, info, 4, entry)
        body[:52] = struct.pack(
            "<16sHHIIIIIHHHHHH",
            b"\x7fELF\x01\x01\x01", self.kind, self.machine, 1, self.entry, 52, len(body), 0,
            52, 32, len(self.segments), 40, 4, 3,
        )  # fmt: skip
        return bytes(body) + sections


def small_firmware(machine: int = ARM) -> ElfFile:
    """Code in flash, initialised data that is copied to SRAM, and cleared memory."""
    return ElfFile(
        machine=machine,
        segments=[
            (0x0800_0000, 0x0800_0000, bytes(range(64)), 64),
            (0x0800_0040, 0x2000_0000, b"data", 4),
            (0x2000_0010, 0x2000_0010, b"", 256),
        ],
        symbols=[("main", 0x0800_0021, FUNCTION), ("table", 0x2000_0001, OBJECT)],
    )

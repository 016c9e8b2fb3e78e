"""How much of each memory an ELF file takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}
_REGION = re.compile(r"(\w+)\s*\([rwx]+\)\s*:\s*ORIGIN\s*=\s*(\w+)\s*,\s*LENGTH\s*=\s*(0x[0-9a-fA-F]+|\d+)([KM]?)")


@dataclass(frozen=True)
class Region:
    """A memory of the machine, in bytes."""

    name: str
    origin: int
    length: int


@dataclass(frozen=True)
class Usage:
    """What lies in a memory: bytes by section, in the order of their addresses."""

    region: Region
    sections: dict[str, int]

    @property
    def used(self) -> int:
        """Bytes in all."""
        return sum(self.sections.values())


def read_regions(memory_script: Path) -> list[Region]:
    """The MEMORY block of a linker script."""
    return [
        Region(name, int(origin, 0), int(length, 0) * UNITS[unit])
        for name, origin, length, unit in _REGION.findall(memory_script.read_text(encoding="utf-8"))
    ]


def memory_usage(elf: Path, regions: list[Region]) -> list[Usage]:
    """Sections of ``elf`` by memory. Initial values of variables count in flash too, from where they are copied."""
    placed = list(_placed_sections(elf))
    usage = []
    for region in regions:
        sections: dict[str, int] = {}
        for address, name, size in sorted(placed):
            if region.origin <= address < region.origin + region.length:
                sections[name] = sections.get(name, 0) + size
        usage.append(Usage(region, sections))
    return usage


def _placed_sections(elf: Path) -> Iterator[tuple[int, str, int]]:
    """(address, section, bytes) of all sections in memory, at their run and at their load address."""
    with elf.open("rb") as stream:
        file = ELFFile(stream)
        segments = [segment.header for segment in file.iter_segments("PT_LOAD")]
        for section in file.iter_sections():
            header = section.header
            if not header.sh_flags & SH_FLAGS.SHF_ALLOC or header.sh_size == 0:
                continue
            yield header.sh_addr, section.name, header.sh_size
            if header.sh_type == "SHT_NOBITS":
                continue
            for segment in segments:
                offset = header.sh_addr - segment.p_vaddr
                if 0 <= offset < segment.p_memsz and segment.p_paddr != segment.p_vaddr:
                    yield segment.p_paddr + offset, section.name, header.sh_size

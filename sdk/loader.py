"""Reads firmware from an ELF file and puts it into a machine's memory."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from emu.cpu import CORES

if TYPE_CHECKING:
    from emu.bus import Bus
    from emu.machine import MachineMap, MemoryRegion
    from emu.memory import Memory

HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
"""Elf32_Ehdr: ident, type, machine, version, entry, phoff, shoff, flags, ehsize, phentsize, phnum, shentsize,
shnum, shstrndx."""
PROGRAM_HEADER = struct.Struct("<8I")
"""Elf32_Phdr: type, offset, vaddr, paddr, filesz, memsz, flags, align."""
SECTION_HEADER = struct.Struct("<10I")
"""Elf32_Shdr: name, type, flags, addr, offset, size, link, info, addralign, entsize."""
SYMBOL = struct.Struct("<IIIBBH")
"""Elf32_Sym: name, value, size, info, other, shndx."""
CLASS_32, LITTLE_ENDIAN = 1, 1
EXECUTABLE = 2
PT_LOAD, SHT_SYMTAB, SHF_ALLOC, SHN_UNDEF = 1, 2, 2, 0
STT_NOTYPE, STT_OBJECT, STT_FUNC = 0, 1, 2

ARCHITECTURES = {40: "arm", 243: "riscv"}
"""`Core.architecture` by the file's machine number."""
MACHINES = {"arm": "st18", "riscv": "st18-rv32"}
"""The machine that runs an architecture, unless another is asked for."""
HOST_ARCHITECTURES = {core: "riscv" if core.startswith("rv") else "arm" for core in CORES}
TITLES = {"arm": "Arm", "riscv": "RISC-V"}
FILE_TYPES = {1: "a relocatable object", 3: "a shared object", 4: "a core dump"}
OTHER_MACHINES = {
    3: "x86 (i386)", 8: "MIPS", 20: "PowerPC", 62: "x86-64", 94: "Xtensa", 183: "AArch64",
}  # fmt: skip
"""Machines that people give by mistake."""


class ImageError(Exception):
    """A file is not firmware for the machine: the file, the rule, the value, what to do."""


@dataclass(frozen=True)
class Segment:
    """A piece of the program.

    Attributes:
        address: where the loader puts ``data``.
        run_address: where the program uses it; start-up code copies it there if it differs.
        run_size: bytes in use there, ``data`` and what is cleared behind it.
        headers: bytes at the beginning that are the file's own headers and what aligns the program behind them; a
            linker without a script puts them before the code. They may lie where there is no memory.
    """

    address: int
    data: bytes = field(repr=False)
    run_address: int
    run_size: int
    headers: int = 0


@dataclass(frozen=True)
class Image:
    """Firmware.

    Attributes:
        entry: address of the first instruction, as the file has it.
        architecture: "arm" or "riscv".
        symbols: addresses of functions and objects by name, without the Thumb bit.
        is_elf: it comes from an ELF file, which may have debug information.
    """

    path: Path
    architecture: str
    entry: int
    segments: tuple[Segment, ...]
    symbols: dict[str, int] = field(repr=False)
    is_elf: bool = True

    @property
    def size(self) -> int:
        """Bytes that are loaded."""
        return sum(len(segment.data) for segment in self.segments)


def load_elf(path: str | Path) -> Image:
    """The firmware in an ELF file.

    Raises:
        ImageError: the file cannot be read, is no ELF file, damaged, or for a machine that is not emulated.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_elf(path, data)


def parse_elf(path: Path, data: bytes) -> Image:
    """The firmware in the bytes of an ELF file; ``path`` is for messages. Raises `ImageError`."""
    _check_identification(path, data)
    _, kind, machine, _, entry, phoff, _, _, _, phentsize, phnum, _, _, _ = HEADER.unpack_from(data)
    architecture = ARCHITECTURES[machine]
    if kind != EXECUTABLE:
        what = FILE_TYPES.get(kind, f"of type {kind}")
        raise ImageError(f"{path}: the ELF file is {what}, not an executable: link it first (imnpu build)")
    if phnum and phentsize != PROGRAM_HEADER.size:
        raise ImageError(f"{path}: damaged ELF file: program headers have {phentsize} bytes, not {PROGRAM_HEADER.size}")
    _check_extent(path, data, "the program headers", phoff, phnum * PROGRAM_HEADER.size)
    segments = []
    for index in range(phnum):
        kind, offset, virtual, physical, filesz, memsz, _, _ = PROGRAM_HEADER.unpack_from(
            data, phoff + index * PROGRAM_HEADER.size
        )
        if kind != PT_LOAD or memsz == 0:
            continue
        _check_extent(path, data, f"segment {index}", offset, filesz)
        if memsz < filesz:
            raise ImageError(
                f"{path}: damaged ELF file: segment {index} has {filesz} bytes in the file, {memsz} in memory"
            )
        headers = _size_of_headers(path, data, virtual, filesz) if offset == 0 else 0
        segments.append(Segment(physical, data[offset : offset + filesz], virtual, memsz, headers))
    if not any(segment.data for segment in segments):
        raise ImageError(f"{path}: the ELF file has nothing to load: it has no segment with contents")
    return Image(path, architecture, entry, tuple(segments), _symbols(path, data, architecture))


def _check_identification(path: Path, data: bytes) -> None:
    """The first bytes: an ELF file, 32 bit, little-endian, for a host that exists."""
    if data[:4] != b"\x7fELF":
        seems = (
            "it looks like text" if looks_like_text(data[:256]) else f"it starts with {data[:4].hex(' ') or 'nothing'}"
        )
        raise ImageError(f"{path}: not an ELF file ({seems}): give the firmware that `imnpu build` has linked")
    _check_extent(path, data, "the ELF header", 0, HEADER.size)
    (machine,) = struct.unpack_from("<H", data, 18)
    if machine not in ARCHITECTURES:
        name = OTHER_MACHINES.get(machine, f"machine number {machine}")
        raise ImageError(
            f"{path}: ELF file for {name}, expected Arm or RISC-V: build it for a machine of `imnpu machines`"
        )
    if data[4] != CLASS_32:
        raise ImageError(f"{path}: ELF file for 64 bit {TITLES[ARCHITECTURES[machine]]}, expected 32 bit")
    if data[5] != LITTLE_ENDIAN:
        raise ImageError(f"{path}: big-endian ELF file, expected little-endian")


def looks_like_text(data: bytes) -> bool:
    """Whether these bytes are printable text."""
    return bool(data) and all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in data)


def _check_extent(path: Path, data: bytes, what: str, offset: int, size: int) -> None:
    if offset + size > len(data):
        raise ImageError(
            f"{path}: truncated ELF file: {what} should end at byte {offset + size}, the file has {len(data)} bytes"
        )


def _size_of_headers(path: Path, data: bytes, address: int, size: int) -> int:
    """Bytes of a segment, which holds the beginning of the file, before its first section; 0 without sections."""
    addresses = [section[3] for section in _sections(path, data) if section[2] & SHF_ALLOC]
    return min((start - address for start in addresses if address <= start < address + size), default=0)


def _sections(path: Path, data: bytes) -> list[tuple[int, ...]]:
    """The section headers; none if the file is stripped of them."""
    shoff, shentsize, shnum = struct.unpack_from("<I", data, 32)[0], *struct.unpack_from("<HH", data, 46)
    if shoff == 0 or shnum == 0:
        return []
    if shentsize != SECTION_HEADER.size:
        raise _damaged_symbols(path, f"section headers have {shentsize} bytes, not {SECTION_HEADER.size}")
    size = shnum * SECTION_HEADER.size
    _check_extent(path, data, "the section headers", shoff, size)
    return list(SECTION_HEADER.iter_unpack(data[shoff : shoff + size]))


def _symbols(path: Path, data: bytes, architecture: str) -> dict[str, int]:
    """Functions and objects; empty if the file is stripped. Read here: a library for ELF files takes long to load."""
    sections = _sections(path, data)
    table = next((section for section in sections if section[1] == SHT_SYMTAB), None)
    if table is None:
        return {}
    _, _, _, _, start, size, link, _, _, entry_size = table
    if entry_size != SYMBOL.size or size % SYMBOL.size:
        raise _damaged_symbols(path, "the symbol table has entries of a wrong size")
    _check_extent(path, data, "the symbol table", start, size)
    if link >= len(sections):
        raise _damaged_symbols(path, f"their names are in section {link} of {len(sections)}")
    names_start, names_size = sections[link][4:6]
    _check_extent(path, data, "the names of the symbols", names_start, names_size)
    names = data[names_start : names_start + names_size]
    thumb = 1 if architecture == "arm" else 0
    symbols: dict[str, int] = {}
    for name, value, _, info, _, section in SYMBOL.iter_unpack(data[start : start + size]):
        kind = info & 0xF
        if name and section != SHN_UNDEF and kind in (STT_NOTYPE, STT_OBJECT, STT_FUNC):
            end = names.find(b"\0", name)
            if end < 0:
                raise _damaged_symbols(path, f"a name at byte {name} of {len(names)} has no end")
            symbols[names[name:end].decode(errors="replace")] = value & ~(thumb if kind == STT_FUNC else 0)
    return symbols


def _damaged_symbols(path: Path, reason: str) -> ImageError:
    return ImageError(f"{path}: damaged ELF file: its symbols cannot be read: {reason}")


def machine_for(image: Image) -> str:
    """Name of the machine that runs the image unless another is asked for."""
    return MACHINES[image.architecture]


def check_fits(image: Image, machine: MachineMap) -> None:
    """Check that the image is for the machine's host, lies in its memories, and is where the host starts.

    Raises:
        ImageError: the rule; for a segment its address and size, the memory, and by how much it does not fit.
    """
    expected = HOST_ARCHITECTURES[machine.host]
    if image.architecture != expected:
        raise ImageError(
            f"{image.path}: ELF file for {TITLES[image.architecture]}, but the host of {machine.name} is "
            f"{TITLES[expected]}: use --machine {machine_for(image)}"
        )
    for index, segment in enumerate(image.segments):
        headers = segment.headers
        _check_range(image, machine, index, segment.address + headers, len(segment.data) - headers)
        _check_range(image, machine, index, segment.run_address + headers, segment.run_size - headers)
    start = machine.reset_address
    if not any(segment.address <= start < segment.address + len(segment.data) for segment in image.segments):
        raise ImageError(
            f"{image.path}: nothing is loaded at 0x{start:08x}, where {machine.name} starts: "
            "link it with the machine's memory.ld"
        )


def _check_range(image: Image, machine: MachineMap, index: int, address: int, size: int) -> None:
    if size == 0:
        return
    where = f"{image.path}: segment {index} (0x{address:08x}, {size} bytes) does not fit the memory of {machine.name}:"
    home = _region_at(machine, address)
    if home is None:
        memories = ", ".join(f"{item.name} 0x{item.base:08x} ({item.size} bytes)" for item in machine.memories)
        raise ImageError(f"{where} there is no memory at 0x{address:08x}; memories: {memories}")
    over = address + size - _end_of_memory(machine, home)
    if over > 0:
        raise ImageError(f"{where} {home.name} (0x{home.base:08x}, {home.size} bytes) is too small by {over} bytes")


def _region_at(machine: MachineMap, address: int) -> MemoryRegion | None:
    return next((item for item in machine.memories if item.base <= address < item.base + item.size), None)


def _end_of_memory(machine: MachineMap, region: MemoryRegion) -> int:
    """First address behind the memory and its direct neighbours: firmware sees the tile arrays as one."""
    end = region.base + region.size
    while (following := _region_at(machine, end)) is not None:
        end = following.base + following.size
    return end


def load_into(image: Image, bus: Bus) -> None:
    """Write the segments into memory as a flash programmer does; the image must fit (`check_fits`)."""
    for _, address, data in _parts(image, bus):
        bus.program(address, data)


def check_is_in(image: Image, bus: Bus) -> None:
    """Check that read-only memory holds the image; what lies in other memory, firmware may have changed.

    Raises:
        ImageError: it holds something else.
    """
    for memory, address, data in _parts(image, bus):
        if not memory.writable and bus.read(address, len(data)) != data:
            raise ImageError(
                f"{image.path}: the snapshot is of other firmware: {memory.name} holds something else at "
                f"0x{address:08x}: give the firmware that it was saved with, or make the snapshot again"
            )


def _parts(image: Image, bus: Bus) -> Iterator[tuple[Memory, int, bytes]]:
    """The segments, cut where one memory ends and the next begins; headers only where the program's memory is."""
    for segment in image.segments:
        address, data = segment.address, segment.data
        if bus.find(address) != bus.find(address + segment.headers):
            address, data = address + segment.headers, data[segment.headers :]
        while data:
            found = bus.find(address)
            assert found is not None, "check_fits has passed"
            memory = cast("Memory", found[1])
            part = data[: memory.base + memory.size - address]
            yield memory, address, part
            address, data = address + len(part), data[len(part) :]

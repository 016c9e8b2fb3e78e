"""Reads firmware that is not an ELF file: Intel HEX, UF2, raw bytes. What they contain goes to addresses, no more."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from sdk.loader import HOST_ARCHITECTURES, Image, ImageError, Segment, looks_like_text, parse_elf

if TYPE_CHECKING:
    from emu.machine import MachineMap

ELF_MAGIC = b"\x7fELF"
UF2_MAGIC = b"UF2\n"
UF2_BLOCK = 512
UF2_HEADER = struct.Struct("<8I")
"""First and second magic word, flags, address, payload size, block number, number of blocks, family."""
UF2_SECOND_MAGIC, UF2_END_MAGIC = 0x9E5D5157, 0x0AB16F30
UF2_LARGEST_PAYLOAD = 476
UF2_NOT_FOR_MEMORY = 0x0000_0001
DATA, END, SEGMENT_ADDRESS, SEGMENT_START, LINEAR_ADDRESS, LINEAR_START = range(6)
"""Types of Intel HEX records."""
RECORD_BYTES = {END: 0, SEGMENT_ADDRESS: 2, SEGMENT_START: 4, LINEAR_ADDRESS: 2, LINEAR_START: 4}
ADDRESS_SPACE = 1 << 32


def load_firmware(path: str | Path, machine: MachineMap | None = None, load_address: int | None = None) -> Image:
    """The firmware in a file, whose format its first bytes tell.

    Args:
        machine: what it is for; None if only an ELF file, which says so itself, will do.
        load_address: where raw bytes go, None: where the machine starts. Other files have addresses of their own.

    Raises:
        ImageError: the file cannot be read, is damaged, or does not say what it needs to.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_firmware(path, data, machine, load_address)


def parse_firmware(path: Path, data: bytes, machine: MachineMap | None, load_address: int | None) -> Image:
    """The firmware in the bytes of a file; ``path`` is for messages. Raises `ImageError`."""
    is_hex, is_uf2 = data.lstrip(b"\r\n\t ").startswith(b":"), data.startswith(UF2_MAGIC)
    if not is_hex and not is_uf2 and (data.startswith(ELF_MAGIC) or machine is None or looks_like_text(data[:256])):
        image = parse_elf(path, data)
        if load_address is not None:
            raise ImageError(f"{path}: an ELF file says itself where it goes: leave out --load-address")
        return image
    if machine is None:
        kind = "an Intel HEX file" if is_hex else "a UF2 file"
        raise ImageError(f"{path}: {kind} does not say which CPU it is for: add --machine")
    if load_address is not None and (is_hex or is_uf2):
        raise ImageError(f"{path}: the file says itself where it goes: leave out --load-address")
    if is_hex:
        pieces = parse_intel_hex(path, data)
    elif is_uf2:
        pieces = parse_uf2(path, data)
    else:
        pieces = [(machine.reset_address if load_address is None else load_address, data)]
    segments = tuple(Segment(address, part, address, len(part)) for address, part in _join(path, pieces))
    if not segments:
        raise ImageError(f"{path}: the file has nothing to load")
    return Image(path, HOST_ARCHITECTURES[machine.host], machine.reset_address, segments, {}, is_elf=False)


def _join(path: Path, pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The pieces by address, neighbours in one. Raises `ImageError` where two overlap."""
    joined: list[tuple[int, bytearray]] = []
    for address, part in sorted((piece for piece in pieces if piece[1]), key=lambda piece: piece[0]):
        end = joined[-1][0] + len(joined[-1][1]) if joined else 0
        if joined and address < end:
            raise ImageError(f"{path}: damaged file: two pieces of it go to 0x{address:08x}")
        if address + len(part) > ADDRESS_SPACE:
            raise ImageError(f"{path}: {len(part)} bytes at 0x{address:08x} run past the end of the address space")
        if joined and address == end:
            joined[-1][1].extend(part)
        else:
            joined.append((address, bytearray(part)))
    return [(address, bytes(part)) for address, part in joined]


def parse_intel_hex(path: Path, data: bytes) -> list[tuple[int, bytes]]:
    """Addresses and bytes of an Intel HEX file. Raises `ImageError` with the line that is wrong."""
    pieces: list[tuple[int, bytes]] = []
    base = 0
    for number, line in enumerate(data.splitlines(), 1):
        text = line.strip()
        if not text:
            continue
        kind, address, content = _hex_record(f"{path}, line {number}", text)
        if kind == END:
            return pieces
        if kind == DATA:
            pieces.append((base + address, content))
        elif kind == LINEAR_ADDRESS:
            base = int.from_bytes(content, "big") << 16
        elif kind == SEGMENT_ADDRESS:
            base = int.from_bytes(content, "big") << 4
    raise ImageError(f"{path}: truncated Intel HEX file: it has no end record (:00000001FF)")


def _hex_record(place: str, text: bytes) -> tuple[int, int, bytes]:
    """Type, address and content of one line."""
    try:
        record = bytes.fromhex(text.decode("ascii")[1:]) if text.startswith(b":") else None
    except ValueError:
        record = None
    if record is None:
        raise ImageError(f"{place}: damaged Intel HEX file: a line is ':' and pairs of hexadecimal digits")
    if len(record) < 5 or len(record) != record[0] + 5:
        expected = f"{record[0] + 5} bytes" if record else "at least 5 bytes"
        raise ImageError(f"{place}: damaged Intel HEX file: the record should have {expected}, it has {len(record)}")
    if sum(record) & 0xFF:
        right = -sum(record[:-1]) & 0xFF
        raise ImageError(f"{place}: damaged Intel HEX file: the checksum is 0x{record[-1]:02x}, not 0x{right:02x}")
    kind = record[3]
    if kind != DATA and RECORD_BYTES.get(kind) != record[0]:
        raise ImageError(f"{place}: damaged Intel HEX file: there is no record of type {kind} with {record[0]} bytes")
    return kind, int.from_bytes(record[1:3], "big"), record[4:-1]


def parse_uf2(path: Path, data: bytes) -> list[tuple[int, bytes]]:
    """Addresses and bytes of a UF2 file. Raises `ImageError` with the block that is wrong."""
    if len(data) % UF2_BLOCK:
        raise ImageError(f"{path}: truncated UF2 file: {len(data)} bytes are not whole blocks of {UF2_BLOCK}")
    pieces: list[tuple[int, bytes]] = []
    count = len(data) // UF2_BLOCK
    for index in range(count):
        block = data[index * UF2_BLOCK : (index + 1) * UF2_BLOCK]
        first, second, flags, address, size, number, blocks, _ = UF2_HEADER.unpack_from(block)
        (end,) = struct.unpack_from("<I", block, UF2_BLOCK - 4)
        place = f"{path}, block {index}: damaged UF2 file:"
        if (first, second, end) != (int.from_bytes(UF2_MAGIC, "little"), UF2_SECOND_MAGIC, UF2_END_MAGIC):
            raise ImageError(f"{place} the magic numbers are wrong")
        if size > UF2_LARGEST_PAYLOAD:
            raise ImageError(f"{place} the payload has {size} bytes, at most {UF2_LARGEST_PAYLOAD} fit")
        if (number, blocks) != (index, count):
            raise ImageError(f"{place} it says block {number} of {blocks}, it is block {index} of {count}")
        if not flags & UF2_NOT_FOR_MEMORY:
            pieces.append((address, block[UF2_HEADER.size : UF2_HEADER.size + size]))
    return pieces

"""From the bytes of a blob to its instructions."""

from __future__ import annotations

import struct

from asm import isa
from asm.errors import BlobError


def check_header(blob: bytes) -> int:
    """The length in bytes that the header of ``blob`` says; what follows it does not belong to the program.

    Raises:
        BlobError: no header, wrong magic, another version, or cut short.
    """
    if len(blob) < isa.HEADER_BYTES:
        raise BlobError(f"a program has a header of {isa.HEADER_BYTES} bytes; there are {len(blob)} bytes")
    magic, version, length, reserved = (int(word) for word in struct.unpack_from("<4I", blob))
    if magic != isa.MAGIC:
        raise BlobError(f"a program starts with the magic word 0x{isa.MAGIC:08x}, not 0x{magic:08x}")
    if version >> 16 != isa.VERSION >> 16 or version > isa.VERSION:
        raise BlobError(
            f"the program is for version {_version(version)} of the instruction set; this is {_version(isa.VERSION)}"
        )
    if length % 4 or length < isa.HEADER_BYTES:
        raise BlobError(f"the header says {length} bytes; a program has whole words and a header")
    if length > len(blob):
        raise BlobError(f"the program is cut short: its header says {length} bytes, there are {len(blob)}")
    if reserved:
        raise BlobError(f"the last word of the header is reserved and must be 0, not 0x{reserved:08x}")
    return length


def decode(blob: bytes) -> list[tuple[int, isa.Instruction]]:
    """The instructions of ``blob`` with their offsets.

    Raises:
        BlobError: not a program, unknown opcode, reserved bits set, or an instruction that is cut short.
    """
    length = check_header(blob)
    words = struct.unpack_from(f"<{length // 4}I", blob)
    instructions = []
    offset = isa.HEADER_BYTES
    while offset < length:
        header = words[offset // 4]
        try:
            kind = isa.instruction_class(header)
        except ValueError as error:
            raise BlobError(f"at offset 0x{offset:x}: {error}") from None
        payload = words[offset // 4 + 1 : offset // 4 + 1 + len(kind.payload)]
        if len(payload) < len(kind.payload):
            raise BlobError(f"at offset 0x{offset:x}: the program ends within {kind.mnemonic}")
        for index, (layout, word) in enumerate(zip(kind.payload, payload, strict=True), 1):
            if word & ~layout.mask():
                raise BlobError(
                    f"at offset 0x{offset + 4 * index:x}: {kind.mnemonic} has reserved bits set: "
                    f"0x{word & ~layout.mask():08x} ({layout.__name__})"
                )
        instructions.append((offset, kind(isa.Header.immediate.extract(header), payload)))
        offset += instructions[-1][1].size
    return instructions


def _version(version: int) -> str:
    return f"{version >> 16}.{version & 0xFFFF}"

"""Intel HEX, UF2 and raw firmware: what is read, and what is said about damaged files."""

from __future__ import annotations

import shutil
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.machine import MachineMap
from emu.machines import machine_map
from sdk.firmware_formats import load_firmware, parse_firmware
from sdk.loader import Image, ImageError
from tests.sdk.elf_files import small_firmware

MACHINE: MachineMap = machine_map("virt")
PATH = Path("fw")


def image_of(data: bytes, load_address: int | None = None) -> Image:
    return parse_firmware(PATH, data, MACHINE, load_address)


def placed(image: Image) -> list[tuple[int, bytes]]:
    return [(segment.address, segment.data) for segment in image.segments]


def message(data: bytes, machine: MachineMap | None = MACHINE, load_address: int | None = None) -> str:
    with pytest.raises(ImageError) as caught:
        parse_firmware(PATH, data, machine, load_address)
    return str(caught.value)


def record(kind: int, address: int, content: bytes) -> str:
    body = bytes([len(content)]) + address.to_bytes(2, "big") + bytes([kind]) + content
    return ":" + (body + bytes([-sum(body) & 0xFF])).hex().upper() + "\n"


def uf2_block(index: int, count: int, address: int, payload: bytes, flags: int = 0) -> bytes:
    header = struct.pack("<8I", 0x0A324655, 0x9E5D5157, flags, address, len(payload), index, count, 0)
    return header + payload.ljust(476, b"\0") + struct.pack("<I", 0x0AB16F30)


END = record(1, 0, b"")
AT_RAM = record(4, 0, bytes([0x80, 0x00]))


def test_hex_records_are_joined_and_sorted() -> None:
    text = AT_RAM + record(0, 4, b"5678") + record(0, 0, b"1234") + record(0, 0x100, b"far") + END + "anything"
    assert placed(image_of(text.encode())) == [(0x8000_0000, b"12345678"), (0x8000_0100, b"far")]
    assert image_of(text.encode()).architecture == "riscv"


def test_hex_segment_addresses_are_paragraphs() -> None:
    text = record(2, 0, bytes([0x12, 0x34])) + record(0, 0x10, b"x") + END
    assert placed(image_of(text.encode())) == [(0x12350, b"x")]


@pytest.mark.parametrize("tool", ["arm-none-eabi-objcopy", "riscv64-unknown-elf-objcopy"])
def test_hex_files_of_the_gnu_tools(tmp_path: Path, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"needs binutils: install {tool}")
    data, path = bytes(range(256)) * 300, tmp_path / "fw.hex"
    (tmp_path / "fw.bin").write_bytes(data)
    command = [tool, "-I", "binary", "-O", "ihex", "--change-addresses", "0x8000fff0", "fw.bin", "fw.hex"]
    subprocess.run(command, check=True, cwd=tmp_path)
    assert placed(load_firmware(path, MACHINE)) == [(0x8000_FFF0, data)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (AT_RAM, "fw: truncated Intel HEX file: it has no end record (:00000001FF)"),
        (":0g\n", "fw, line 1: damaged Intel HEX file: a line is ':' and pairs of hexadecimal digits"),
        (AT_RAM + "hello", "fw, line 2: damaged Intel HEX file: a line is ':' and pairs of hexadecimal digits"),
        (":0401", "fw, line 1: damaged Intel HEX file: the record should have 9 bytes, it has 2"),
        (":", "fw, line 1: damaged Intel HEX file: the record should have at least 5 bytes, it has 0"),
        (":00000001FE", "fw, line 1: damaged Intel HEX file: the checksum is 0xfe, not 0xff"),
        (record(9, 0, b"x"), "fw, line 1: damaged Intel HEX file: there is no record of type 9 with 1 bytes"),
        (record(4, 0, b"x"), "fw, line 1: damaged Intel HEX file: there is no record of type 4 with 1 bytes"),
        (END, "fw: the file has nothing to load"),
        (record(0, 0, b"ab") + record(0, 1, b"c") + END, "fw: damaged file: two pieces of it go to 0x00000001"),
        (
            record(4, 0, b"\xff\xff") + record(0, 0xFFFF, b"ab") + END,
            "fw: 2 bytes at 0xffffffff run past the end of the address space",
        ),
    ],
)
def test_damaged_hex_files(text: str, expected: str) -> None:
    assert message(text.encode()) == expected


def test_uf2_blocks() -> None:
    data = (
        uf2_block(0, 3, 0x8000_0000, b"a" * 256)
        + uf2_block(1, 3, 0x9000_0000, b"comment", flags=1)
        + uf2_block(2, 3, 0x8000_0100, b"b" * 256)
    )
    assert placed(image_of(data)) == [(0x8000_0000, b"a" * 256 + b"b" * 256)]


def test_damaged_uf2_files() -> None:
    good = uf2_block(0, 1, 0x8000_0000, b"code")
    assert message(good[:-1]) == "fw: truncated UF2 file: 511 bytes are not whole blocks of 512"
    assert message(good[:-1] + b"x") == "fw, block 0: damaged UF2 file: the magic numbers are wrong"
    size = good[:16] + struct.pack("<I", 477) + good[20:]
    assert message(size) == "fw, block 0: damaged UF2 file: the payload has 477 bytes, at most 476 fit"
    assert message(uf2_block(0, 2, 0, b"x") * 2) == (
        "fw, block 1: damaged UF2 file: it says block 0 of 2, it is block 1 of 2"
    )


def test_raw_bytes_go_to_the_start_of_the_machine_or_to_the_address() -> None:
    assert placed(image_of(b"\x13\0\0\0")) == [(0x8000_0000, b"\x13\0\0\0")]
    assert placed(image_of(b"\x13\0\0\0", 0x8000_1000)) == [(0x8000_1000, b"\x13\0\0\0")]
    assert message(b"") == "fw: the file has nothing to load"


def test_what_a_file_cannot_say_must_be_said() -> None:
    assert message(END.encode(), None) == "fw: an Intel HEX file does not say which CPU it is for: add --machine"
    assert message(uf2_block(0, 1, 0, b"x"), None) == ("fw: a UF2 file does not say which CPU it is for: add --machine")
    assert message(b"\x13\0\0\0", None).startswith("fw: not an ELF file (it starts with 13 00 00 00)")
    assert message(b"hello", MACHINE).startswith("fw: not an ELF file (it looks like text)")


def test_an_address_is_for_raw_bytes_only() -> None:
    elf = small_firmware().build()
    assert message(elf, MACHINE, 0) == "fw: an ELF file says itself where it goes: leave out --load-address"
    assert message(END.encode(), MACHINE, 0) == "fw: the file says itself where it goes: leave out --load-address"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"absent: cannot be read: No such file or directory$"):
        load_firmware(tmp_path / "absent")


HEX = (AT_RAM + record(0, 0, bytes(range(32))) + record(0, 0x40, b"tail") + END).encode()
UF2 = uf2_block(0, 2, 0x8000_0000, bytes(256)) + uf2_block(1, 2, 0x8000_0100, bytes(200))
mutations = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8)


@given(
    original=st.sampled_from([HEX, UF2, small_firmware().build()]),
    changes=mutations,
    cut=st.none() | st.integers(0, 2000),
)
def test_mutated_files_give_an_image_or_an_error(
    original: bytes, changes: list[tuple[int, int]], cut: int | None
) -> None:
    data = bytearray(original)
    for place, value in changes:
        data[place % len(data)] = value
    with suppress(ImageError):
        image = image_of(bytes(data[:cut]))
        ends = [segment.address + len(segment.data) for segment in image.segments]
        assert ends == sorted(ends) or image.is_elf
        assert max(ends) <= 1 << 32 or image.is_elf


@given(st.binary(max_size=600), st.sampled_from([b"", b":", b"UF2\n", b"\x7fELF"]))
def test_random_files_give_an_image_or_an_error(data: bytes, start: bytes) -> None:
    with suppress(ImageError):
        assert image_of(start + data).size > 0

"""Firmware files: what is read, and what is said about wrong ones."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.bus import Bus
from emu.machines import machine_map
from emu.memory import Memory
from sdk.loader import Image, ImageError, check_fits, load_elf, load_into, machine_for, parse_elf
from tests.sdk.elf_files import RISCV, X86_64, ElfFile, small_firmware


def image_of(elf: ElfFile) -> Image:
    return parse_elf(Path("fw.elf"), elf.build())


def message(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        parse_elf(Path("fw.elf"), data)
    return str(caught.value)


def fit_message(elf: ElfFile, machine: str, clusters: int = 8) -> str:
    with pytest.raises(ImageError) as caught:
        check_fits(image_of(elf), machine_map(machine, clusters))
    return str(caught.value)


def test_segments_symbols_and_entry(tmp_path: Path) -> None:
    path = tmp_path / "fw.elf"
    path.write_bytes(small_firmware().build())
    image = load_elf(path)
    assert (image.path, image.architecture, image.entry) == (path, "arm", 0x0800_0041)
    assert [(item.address, item.data, item.run_address, item.run_size) for item in image.segments] == [
        (0x0800_0000, bytes(range(64)), 0x0800_0000, 64),
        (0x0800_0040, b"data", 0x2000_0000, 4),
        (0x2000_0010, b"", 0x2000_0010, 256),
    ]
    assert image.symbols == {"main": 0x0800_0020, "table": 0x2000_0001}
    assert image.size == 68
    check_fits(image, machine_map("st18"))


def test_the_architecture_chooses_the_machine() -> None:
    assert machine_for(image_of(small_firmware())) == "st18"
    assert machine_for(image_of(small_firmware(RISCV))) == "st18-rv32"


def test_loading_writes_flash_and_leaves_cleared_memory_alone() -> None:
    bus = Bus()
    for region in machine_map("st18").memories:
        bus.add_memory(Memory(region.name, region.base, region.size, region.access))
    bus.write(0x2000_0010, b"old")
    elf = small_firmware()
    across_tiles = bytes(range(256)) * 130
    elf.segments.append((0x3800_0000, 0x3800_0000, across_tiles, len(across_tiles)))
    image = image_of(elf)
    check_fits(image, machine_map("st18"))
    load_into(image, bus)
    assert bus.read(0x0800_0000, 68) == bytes(range(64)) + b"data"
    assert bus.read(0x2000_0010, 3) == b"old"
    assert bus.read(0x3800_0000, 0x8000) + bus.read(0x3800_8000, 512) == across_tiles


def test_a_text_file() -> None:
    assert message(b"int main(void)\n{\n}\n") == (
        "fw.elf: not an ELF file (it looks like text): give the firmware that `imnpu build` has linked"
    )


def test_an_empty_file_and_random_bytes() -> None:
    assert message(b"").startswith("fw.elf: not an ELF file (it starts with nothing)")
    assert message(b"\x00\x01\x02\x03\x04").startswith("fw.elf: not an ELF file (it starts with 00 01 02 03)")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.elf: cannot be read: No such file or directory$"):
        load_elf(tmp_path / "none.elf")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"cannot be read: Is a directory$"):
        load_elf(tmp_path)


def test_a_file_for_the_computer_itself() -> None:
    assert message(small_firmware(X86_64).build()) == (
        "fw.elf: ELF file for x86-64, expected Arm or RISC-V: build it for a machine of `imnpu machines`"
    )


def test_this_python_is_for_another_machine() -> None:
    import sys

    data = Path(sys.executable).resolve().read_bytes()
    if data[:4] != b"\x7fELF":
        pytest.skip("this computer's programs are not ELF files")
    assert "expected Arm or RISC-V" in message(data) or "64 bit" in message(data)


def test_64_bit_and_big_endian() -> None:
    data = bytearray(small_firmware(RISCV).build())
    data[4] = 2
    assert message(bytes(data)) == "fw.elf: ELF file for 64 bit RISC-V, expected 32 bit"
    data[4:6] = 1, 2
    assert message(bytes(data)) == "fw.elf: big-endian ELF file, expected little-endian"


def test_an_object_file() -> None:
    assert message(ElfFile(kind=1).build()) == (
        "fw.elf: the ELF file is a relocatable object, not an executable: link it first (imnpu build)"
    )


def test_nothing_to_load() -> None:
    assert message(ElfFile().build()) == "fw.elf: the ELF file has nothing to load: it has no segment with contents"


def test_a_file_cut_short_at_any_byte_is_named() -> None:
    data = small_firmware().build()
    assert message(data[:30]) == (
        "fw.elf: truncated ELF file: the ELF header should end at byte 52, the file has 30 bytes"
    )
    assert message(data[:100]) == (
        "fw.elf: truncated ELF file: the program headers should end at byte 148, the file has 100 bytes"
    )
    assert message(data[:200]) == (
        "fw.elf: truncated ELF file: segment 0 should end at byte 212, the file has 200 bytes"
    )
    for size in range(4, len(data)):
        assert "truncated ELF file" in message(data[:size])


def test_the_wrong_host_names_the_right_machine() -> None:
    assert fit_message(small_firmware(RISCV), "st18") == (
        "fw.elf: ELF file for RISC-V, but the host of st18 is Arm: use --machine st18-rv32"
    )
    assert fit_message(small_firmware(), "st18-rv32") == (
        "fw.elf: ELF file for Arm, but the host of st18-rv32 is RISC-V: use --machine st18"
    )


def test_too_much_code() -> None:
    elf = small_firmware()
    elf.segments[0] = (0x081F_FFF0, 0x081F_FFF0, bytes(64), 64)
    assert fit_message(elf, "st18") == (
        "fw.elf: segment 0 (0x081ffff0, 64 bytes) does not fit the memory of st18: "
        "flash (0x08000000, 2097152 bytes) is too small by 48 bytes"
    )


def test_too_much_cleared_memory() -> None:
    elf = small_firmware()
    elf.segments[2] = (0x2000_0010, 0x2000_0010, b"", 256 << 10)
    assert fit_message(elf, "st18") == (
        "fw.elf: segment 2 (0x20000010, 262144 bytes) does not fit the memory of st18: "
        "sram (0x20000000, 262144 bytes) is too small by 16 bytes"
    )


def test_no_memory_there() -> None:
    elf = small_firmware()
    elf.segments[1] = (0x1000_0000, 0x2000_0000, b"data", 4)
    text = fit_message(elf, "st18", clusters=1)
    assert text == (
        "fw.elf: segment 1 (0x10000000, 4 bytes) does not fit the memory of st18: there is no memory at 0x10000000; "
        "memories: flash 0x08000000 (2097152 bytes), sram 0x20000000 (262144 bytes), "
        "sysmem 0x30000000 (2097152 bytes), extmem 0x60000000 (16777216 bytes), tiles0 0x38000000 (32768 bytes)"
    )


def test_nothing_where_the_host_starts() -> None:
    elf = small_firmware()
    elf.segments[0] = (0x2000_1000, 0x2000_1000, bytes(64), 64)
    assert fit_message(elf, "st18") == (
        "fw.elf: nothing is loaded at 0x08000000, where st18 starts: link it with the machine's memory.ld"
    )


@given(st.data())
def test_damaged_files_give_an_image_or_an_image_error(data: st.DataObject) -> None:
    elf = bytearray(small_firmware(data.draw(st.sampled_from([40, 243]))).build())
    places = st.integers(0, len(elf) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=8)):
        elf[place] = value
    with suppress(ImageError):
        image = parse_elf(Path("fw.elf"), bytes(elf))
        check_fits(image, machine_map(machine_for(image), 1))


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_magic_number_give_an_image_error(data: bytes) -> None:
    assert message(b"\x7fELF" + data).startswith("fw.elf: ")


@pytest.mark.parametrize("address", [0x0800_0000, 0x0801_2340])
def test_a_linked_program_is_what_gnu_tools_see(tmp_path: Path, address: int) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed: apt install gcc-arm-none-eabi")
    (tmp_path / "p.c").write_text("int value = 7; int cleared[9]; int main(void) { return value + cleared[1]; }\n")
    (tmp_path / "p.ld").write_text(
        f"MEMORY {{ f : ORIGIN = {address:#x}, LENGTH = 4K\n r : ORIGIN = 0x20000000, LENGTH = 4K }}\n"
        "SECTIONS { .text : { *(.text*) } > f .data : { *(.data*) } > r AT > f .bss : { *(.bss*) } > r }\n"
    )
    flags = ["-mcpu=cortex-m4", "-mthumb", "-nostdlib", "-Wl,-Tp.ld", "-Wl,-emain", "-Wl,--build-id=none"]
    subprocess.run(["arm-none-eabi-gcc", *flags, "p.c", "-o", "p.elf"], cwd=tmp_path, check=True)
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", "p.elf", "p.bin"], cwd=tmp_path, check=True)
    names = subprocess.run(["arm-none-eabi-nm", "p.elf"], cwd=tmp_path, check=True, capture_output=True, text=True)
    expected = {line.split()[2]: int(line.split()[0], 16) for line in names.stdout.splitlines()}
    image = load_elf(tmp_path / "p.elf")
    memory = Memory("f", address & ~0xFFF, 0x2000, "rx")
    bus = Bus()
    bus.add_memory(memory)
    load_into(image, bus)
    binary = (tmp_path / "p.bin").read_bytes()
    assert bus.read(address, len(binary)) == binary
    assert {name: image.symbols[name] for name in ("main", "value", "cleared")} == {
        name: expected[name] for name in ("main", "value", "cleared")
    }
    assert image.entry == expected["main"] | 1


def test_headers_that_a_linker_puts_before_memory_are_left_out(tmp_path: Path) -> None:
    if shutil.which("riscv64-unknown-elf-gcc") is None:
        pytest.skip("riscv64-unknown-elf-gcc is not installed: apt install gcc-riscv64-unknown-elf")
    (tmp_path / "p.s").write_text(".globl _start\n_start: li a0, 7\n ret\n")
    flags = ["-march=rv32i", "-mabi=ilp32", "-nostdlib", "-Wl,-Ttext=0x80000000", "-Wl,-z,max-page-size=0x1000"]
    subprocess.run(["riscv64-unknown-elf-gcc", *flags, "p.s", "-o", "p.elf"], cwd=tmp_path, check=True)
    subprocess.run(["riscv64-unknown-elf-objcopy", "-O", "binary", "p.elf", "p.bin"], cwd=tmp_path, check=True)
    image, machine = load_elf(tmp_path / "p.elf"), machine_map("virt")
    assert image.segments[0].address < machine.reset_address, "the linker has put the headers elsewhere"
    check_fits(image, machine)
    bus = Bus()
    for region in machine.memories:
        bus.add_memory(Memory(region.name, region.base, region.size, region.access))
    load_into(image, bus)
    binary = (tmp_path / "p.bin").read_bytes()
    assert bus.read(machine.reset_address, len(binary)) == binary
    roomy = Bus()
    roomy.add_memory(Memory("ram", 0x7FFF_0000, 0x2_0000, "rwx"))
    load_into(image, roomy)
    assert roomy.read(image.segments[0].address, 4) == b"\x7fELF"

"""The header as compilers see it: offsets, masks and addresses, against the declarations."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from emu.machine import MachineMap
from emu.machines import NAMES, machine_map
from emu.registers import RegisterArray
from sdk.export.c_header import header

COMPILERS = {
    "st18": ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb"],
    "st18-rv32": ["riscv64-unknown-elf-gcc", "-march=rv32imc", "-mabi=ilp32"],
}
FLAGS = ["-std=c11", "-ffreestanding", "-Wall", "-Wextra", "-pedantic", "-Werror", "-c"]


def compile_words(machine: str, folder: Path, expressions: list[str]) -> list[int]:
    """Values that the compiler gives to constant expressions which use the header."""
    compiler = COMPILERS[machine]
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed: apt install gcc-{compiler[0].removesuffix('-gcc')}")
    (folder / "imnpu_machine.h").write_text(header(machine_map(machine)))
    source = folder / "words.c"
    values = ",\n    ".join(f"(uint32_t)({expression})" for expression in expressions)
    source.write_text(
        '#include "imnpu_machine.h"\nextern const uint32_t words[];\n'
        f'__attribute__((section(".words"))) const uint32_t words[] = {{\n    {values}\n}};\n'
    )
    subprocess.run([*compiler, *FLAGS, "-o", str(folder / "words.o"), str(source)], check=True)
    with open(folder / "words.o", "rb") as file:
        data = ELFFile(file).get_section_by_name(".words").data()
    return list(struct.unpack(f"<{len(expressions)}I", data))


def declared_offsets(machine: MachineMap) -> dict[str, int]:
    """Offset of the last element of every register, by the C expression for it."""
    names = {item.device: item.name.rstrip("0123456789").upper() for item in machine.peripherals}
    expected: dict[str, int] = {}
    for device, kind in names.items():
        for register in device.registers:
            member = register.name
            if isinstance(register, RegisterArray):
                last = register.count - 1
                member = f"{member}[{last}]"
                if register.group:
                    member = f"{register.group}[{last}].{register.name.removeprefix('COPY_')}"
            expected[f"offsetof({kind}_Type, {member})"] = list(register.offsets())[-1]
    return expected


@pytest.mark.parametrize("name", NAMES)
def test_offsets(name: str, tmp_path: Path) -> None:
    expected = declared_offsets(machine_map(name))
    assert dict(zip(expected, compile_words(name, tmp_path, list(expected)), strict=True)) == expected
    assert expected["offsetof(CLUSTER_Type, COPY_LOOP[3].DESTINATION_STRIDE)"] == 0x1A0


@pytest.mark.parametrize("name", NAMES)
def test_constants(name: str, tmp_path: Path) -> None:
    expected = {
        "IMNPU_CLOCK_HZ": 600_000_000,
        "IMNPU_CLUSTERS": 8,
        "IMNPU_IRQ_UART0": 0,
        "IMNPU_IRQ_TIMER0": 1,
        "IMNPU_IRQ_STREAM0": 2,
        "IMNPU_IRQ_CLUSTER7": 15,
        "IMNPU_SRAM_BASE": 0x2000_0000,
        "IMNPU_SRAM_SIZE": 0x4_0000,
        "IMNPU_TILES7_BASE": 0x3803_8000,
        "(uintptr_t)UART0": 0x4000_0000,
        "(uintptr_t)CLUSTER7": 0x5000_7000,
        "UART_STATUS_RX_READY_Pos": 1,
        "UART_STATUS_RX_READY_Msk": 2,
        "CLUSTER_KERNEL_SHAPE_STRIDE_X_Pos": 20,
        "CLUSTER_KERNEL_SHAPE_STRIDE_X_Msk": 0x00F0_0000,
        "CLUSTER_KERNEL_FORMAT_WEIGHTS_S4": 5,
        "CLUSTER_COMMAND_CODE_CONVOLVE": 2,
    }
    assert dict(zip(expected, compile_words(name, tmp_path, list(expected)), strict=True)) == expected


def test_a_read_only_register_cannot_be_written(tmp_path: Path) -> None:
    compiler = COMPILERS["st18"]
    if shutil.which(compiler[0]) is None:
        pytest.skip("arm-none-eabi-gcc is not installed: apt install gcc-arm-none-eabi")
    (tmp_path / "imnpu_machine.h").write_text(header(machine_map("st18")))
    (tmp_path / "bad.c").write_text('#include "imnpu_machine.h"\nvoid f(void) { UART0->STATUS = 1; }\n')
    command = [*compiler, "-ffreestanding", "-fsyntax-only", str(tmp_path / "bad.c")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "read-only" in result.stderr


def test_the_header_is_valid_cpp(tmp_path: Path) -> None:
    if shutil.which("arm-none-eabi-g++") is None:
        pytest.skip("arm-none-eabi-g++ is not installed: apt install gcc-arm-none-eabi")
    (tmp_path / "machine.cpp").write_text(header(machine_map("st18")))
    flags = ["-std=c++17", "-ffreestanding", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    subprocess.run(["arm-none-eabi-g++", *flags, str(tmp_path / "machine.cpp")], check=True)

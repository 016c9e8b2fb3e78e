"""The same firmware prints the same and ends with the same code here and on QEMU's machine of that name."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.cpu import ENGINES
from tests.boards.firmware import build, like_qemu

MPS2 = ("mps2-an385", "mps2-an386", "mps2-an500")


@pytest.mark.parametrize("compiler", ["zig", "gcc"])
@pytest.mark.parametrize("program", ["mps2_devices.c", "mps2_watchdog.c"])
@pytest.mark.parametrize("machine", MPS2)
def test_mps2(tmp_path: Path, machine: str, program: str, compiler: str) -> None:
    defines = ["PSRAM=0x60000000u"] if machine == "mps2-an500" else []
    elf = build(tmp_path, machine, program, *defines, compiler=compiler)
    printed, _ = like_qemu(elf, machine, count=program == "mps2_watchdog.c")
    assert printed


@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_both_addresses_of_everything(tmp_path: Path, compiler: str) -> None:
    elf = build(tmp_path, "mps2-an505", "mps2_an505.c", "SECURE", compiler=compiler)
    printed, _ = like_qemu(elf, "mps2-an505", count=True)
    assert printed.startswith("secure\n")


@pytest.mark.parametrize("machine", ["mps2-an385", "mps2-an386"])
def test_bit_bands_and_aligned_frames(tmp_path: Path, machine: str) -> None:
    elf = build(tmp_path, machine, "mps2_bit_band.c")
    printed, _ = like_qemu(elf, machine, count=True)
    assert printed.startswith("bit 00000001\n")


@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_microbit(tmp_path: Path, compiler: str) -> None:
    elf = build(tmp_path, "microbit", "microbit_devices.c", compiler=compiler)
    printed, _ = like_qemu(elf, "microbit", b"received")
    assert printed.startswith("hello from the micro:bit\n")


@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_timers_pins_and_random_numbers_of_the_microbit(tmp_path: Path, compiler: str) -> None:
    elf = build(tmp_path, "microbit", "microbit_timers.c", compiler=compiler)
    printed, _ = like_qemu(elf, "microbit", count=True)
    assert printed.endswith("stops by itself ready=00000000\n")


@pytest.mark.parametrize(("finish", "code"), [("0x5555", 0), ("0x3333", 0), ("0x2a3333", 42), ("0x7777", 9)])
@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_virt(tmp_path: Path, finish: str, code: int, compiler: str) -> None:
    elf = build(tmp_path, "virt", "virt_devices.c", f"FINISH={finish}", compiler=compiler)
    assert like_qemu(elf, "virt")[1] == code


@pytest.mark.parametrize("compiler", ["zig", "gcc"])
@pytest.mark.parametrize("program", ["virt_pmp.c", "virt_atomics.c"])
def test_privileges_and_extensions_of_virt(tmp_path: Path, program: str, compiler: str) -> None:
    elf = build(tmp_path, "virt", program, compiler=compiler)
    printed, _ = like_qemu(elf, "virt", engines=ENGINES)
    assert printed.count("\n") > 150


def test_received_bytes_interrupt_through_the_plic(tmp_path: Path) -> None:
    elf = build(tmp_path, "virt", "virt_devices.c", "FINISH=0x5555", "INPUT")
    printed, _ = like_qemu(elf, "virt", b"input")
    assert printed.endswith("input\n")


def test_the_m3_has_no_fpu_and_the_others_have_one(tmp_path: Path) -> None:
    endings = {}
    for machine in MPS2:
        elf = build(tmp_path, machine, "mps2_fpu.c", compiler="gcc")
        _, endings[machine] = like_qemu(elf, machine)
    assert endings == {"mps2-an385": 99, "mps2-an386": 0, "mps2-an500": 0}

"""One program as ELF, Intel HEX and raw bytes, by the command line: the same output and exit code."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sdk.cli.main import main
from tests.boards.firmware import build, run_here

OBJCOPY = {"mps2-an385": "arm-none-eabi-objcopy", "virt": "riscv64-unknown-elf-objcopy"}
PROGRAM = {"mps2-an385": "mps2_devices.c", "virt": "virt_devices.c"}


@pytest.mark.parametrize("form", ["ihex", "binary"])
@pytest.mark.parametrize("machine", OBJCOPY)
def test_the_same_firmware(tmp_path: Path, machine: str, form: str, capfd: pytest.CaptureFixture[str]) -> None:
    tool = OBJCOPY[machine]
    if shutil.which(tool) is None:
        pytest.skip(f"needs binutils: install {tool}")
    elf, copy = build(tmp_path, machine, PROGRAM[machine], "FINISH=0x2a3333"), tmp_path / "copy"
    subprocess.run([tool, "-O", form, str(elf), str(copy)], check=True)
    expected = run_here(elf, machine)
    capfd.readouterr()
    code = main(["run", "--quiet", "--machine", machine, str(copy)])
    assert (capfd.readouterr().out, code) == expected == (expected[0], 42)


def test_a_fault_of_firmware_without_symbols(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """0x9002 is c.ebreak at the reset address of virt; mtvec is 0 there, where nothing is."""
    path = tmp_path / "fw.bin"
    path.write_bytes(b"\x02\x90" * 2)
    assert main(["run", "--machine", "virt", str(path)]) == 121
    error = capfd.readouterr().err
    assert "imnpu: the CPU is locked up: a fault inside a fault handler, at 0x00000000" in error
    assert "imnpu: instruction access fault: execute at 0x00000000: nothing is mapped at 0x00000000" in error


@pytest.mark.parametrize("address", ["0x100000000", "-1", "here"])
def test_addresses_that_are_none(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", f"--load-address={address}", "fw.bin"])
    assert caught.value.code == 2
    assert f"argument --load-address: must be a whole number, 0..0xffffffff, not '{address}'" in capfd.readouterr().err


def test_a_stream_for_a_board_without_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fw.bin"
    path.write_bytes(b"\x13\0\0\0")
    assert main(["run", "--machine", "virt", "--stream", str(path), str(path)]) == 1
    assert capfd.readouterr().err == "imnpu: virt has no input stream: leave out --stream\n"

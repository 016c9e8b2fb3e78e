"""Machines from a Python file of the user's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emu.machines import UnknownMachineError
from sdk.cli.main import main
from sdk.custom_machine import find_machine

PAGE = Path(__file__).parents[2] / "docs" / "custom-machines.md"


def firmware() -> bytes:
    """Vectors, code and constants, assembled by hand; checked by what it prints."""
    halfwords = [
        0x2001,  # movs r0, #1
        0x4904,  # ldr r1, [pc, #16]    uart
        0x6088,  # str r0, [r1, #8]     CTRL
        0x4A04,  # ldr r2, [pc, #16]    oracle
        0x6810,  # ldr r0, [r2]         ANSWER
        0x6008,  # str r0, [r1]         DATA
        0x2020,  # movs r0, #0x20
        0x4903,  # ldr r1, [pc, #12]    exit block
        0xBEAB,  # bkpt 0xab
        0xE7FE,  # b .
    ]
    code = b"".join(value.to_bytes(2, "little") for value in halfwords)
    words = [0x4000_4000, 0x5000_0000, 8 + len(code) + 12, 0x20026, 3]
    vectors = [0x2000_1000, 8 | 1]
    pack = [value.to_bytes(4, "little") for value in (*vectors, *words)]
    return b"".join(pack[:2]) + code + b"".join(pack[2:])


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """The example of the documentation."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    path = tmp_path / "board.py"
    path.write_text(found[1])
    return path


def test_the_documented_machine_runs_firmware(
    board: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = tmp_path / "fw.bin"
    path.write_bytes(firmware())
    assert main(["run", "--quiet", "--machine", str(board), str(path)]) == 3
    assert capfdbinary.readouterr().out == bytes([42])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1", "MACHINE is missing: it must be an emu.machine.MachineMap"),
        ("MACHINE = 5", "MACHINE is a int: it must be an emu.machine.MachineMap"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_files_that_describe_no_machine(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "board.py"
    path.write_text(text)
    with pytest.raises(UnknownMachineError) as caught:
        find_machine(str(path))
    assert str(caught.value) == f"{path}: {expected}"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("cortex-m3", "z80", "MACHINE makes no machine: KeyError: 'z80'"),
        ("0x5000_0000", "0x4000_4000", "MACHINE makes no machine: ValueError: oracle at 0x40004000, 0x1000 bytes, "),
        ('"uart0"', '"serial"', "MACHINE needs a peripheral uart0 that is a serial port"),
    ],
)
def test_maps_that_make_no_machine(board: Path, old: str, new: str, expected: str) -> None:
    board.write_text(board.read_text().replace(old, new))
    with pytest.raises(UnknownMachineError) as caught:
        find_machine(str(board))
    assert str(caught.value).startswith(f"{board}: {expected}")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnknownMachineError, match=r"absent\.py: cannot be read: No such file or directory$"):
        find_machine(str(tmp_path / "absent.py"))

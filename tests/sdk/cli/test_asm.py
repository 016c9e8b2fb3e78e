"""`imnpu asm` and `imnpu disasm`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

import asm
from sdk.cli.main import main

ROOT = Path(__file__).parents[3]
SOURCE = """\
program small
start: load at extern weights, count=4
       jump start
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source file, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("prog.imn")
    path.write_text(SOURCE)
    Path("folder.imn").mkdir()
    return path


def assemble(*arguments: str | Path) -> int:
    """Runs ``imnpu asm``."""
    return main(["asm", *(str(argument) for argument in arguments)])


def disassemble(*arguments: str | Path) -> int:
    """Runs ``imnpu disasm``."""
    return main(["disasm", *(str(argument) for argument in arguments)])


def test_blob_and_back(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert assemble(source, "--define", "weights=0x3000_0000") == 0
    blob = Path("prog.bin").read_bytes()
    assert blob == asm.assemble(SOURCE).blob({"weights": 0x3000_0000})
    assert disassemble("prog.bin") == 0
    assert capsys.readouterr().out == (
        "0x0010  20024210 30000000 00000004  at_10: load at 0x30000000, count=4\n"
        "0x001c  03010000 00000010           jump at_10\n"
    )
    assert disassemble("prog.bin", "--source") == 0
    Path("again.imn").write_text(capsys.readouterr().out)
    assert assemble("again.imn", "-o", "again.bin") == 0
    assert Path("again.bin").read_bytes() == blob


@pytest.mark.parametrize(("host", "machine"), [("arm", "EM_ARM"), ("riscv", "EM_RISCV")])
def test_object(source: Path, host: str, machine: str) -> None:
    assert assemble(source, "-o", "out.o", "--host", host, "--debug-path", "src/prog.imn") == 0
    with open("out.o", "rb") as file:
        elf = ELFFile(file)
        assert elf["e_machine"] == machine
        (unit,) = elf.get_dwarf_info(relocate_dwarf_sections=False).iter_CUs()
        assert unit.get_top_DIE().attributes["DW_AT_name"].value == b"src/prog.imn"


def test_header(source: Path) -> None:
    assert assemble(source, "-o", "out.h") == 0
    assert "static const uint32_t small[9]" in Path("out.h").read_text()


def test_list(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert assemble(source, "--list") == 0
    assert not Path("prog.bin").exists()
    assert capsys.readouterr().out == (
        "0x0000  504e4d49 00010000 00000024  ; header\n"
        "0x000c  00000000\n"
        "0x0010  20024210 00000000 00000004     2  start: load at extern weights, count=4\n"
        "0x001c  03010000 00000010              3         jump start\n"
    )


def test_all_errors_of_a_file_are_printed(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source.write_text("set r1 5\ntopology chain=9\njump nowhere\n")
    assert assemble(source) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "prog.imn:1:8: error: expected '=', ',', '[', '}' or the end of the line, but found '5'\n"
        "    set r1 5\n"
        "           ^\n"
        "prog.imn:2:1: error: chain must be 1..8, not 9\n"
        "    topology chain=9\n"
        "    ^~~~~~~~~~~~~~~~\n"
        "prog.imn:3:6: error: there is no label nowhere\n"
        "    jump nowhere\n"
        "         ^~~~~~~\n"
    )
    assert not Path("prog.bin").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["prog.imn"],
            "small needs the addresses of weights: link it as an object, or define them (NAME=ADDRESS)",
        ),
        (["prog.imn", "--define", "wieghts=1"], "small uses no extern called wieghts; did you mean weights?"),
        (
            ["prog.imn", "--define", "weights"],
            "--define weights: write NAME=ADDRESS, for example --define weights=0x30000000",
        ),
        (["prog.imn", "-o", "out.elf"], "out.elf: the output must end in .bin, .h, .o, which chooses its format"),
        (["missing.imn"], "missing.imn: No such file or directory"),
        (["folder.imn"], "folder.imn: Is a directory"),
        (["prog.imn", "-o", "no/out.h"], "no/out.h: No such file or directory"),
    ],
)
def test_asm_refuses(source: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert assemble(*arguments) == 1
    assert capsys.readouterr().err == f"imnpu: {message}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "prog.bin: No such file or directory"),
        (b"short", "prog.bin: a program has a header of 16 bytes; there are 5 bytes"),
        (b"\x7fELF" + bytes(60), "prog.bin: a program starts with the magic word 0x504e4d49, not 0x464c457f"),
    ],
)
def test_disasm_refuses(source: Path, content: bytes | None, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    if content is not None:
        Path("prog.bin").write_bytes(content)
    assert disassemble("prog.bin") == 1
    assert capsys.readouterr().err == f"imnpu: {message}\n"


def test_what_is_no_text_does_not_reach_the_terminal(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source.write_bytes(b"set \x1b[2J\x07 \xff\n")
    assert assemble(source) == 1
    assert capsys.readouterr().err == (
        "prog.imn:1:11: error: byte 0xff is not UTF-8 text: this is no assembly source\n"
        "    set \ufffd[2J\ufffd \ufffd\n"
        "              ^\n"
    )


def test_of_a_long_line_the_place_is_shown(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source.write_bytes(b"a" * 1000 + b"\xff" + b"b" * 1000)
    assert assemble(source) == 1
    assert capsys.readouterr().err == (
        "prog.imn:1:1001: error: byte 0xff is not UTF-8 text: this is no assembly source\n"
        f"    {'a' * 100}\ufffd{'b' * 99}\n"
        f"    {' ' * 100}^\n"
    )


def test_the_command_modules_import_nothing_heavy() -> None:
    heavy = "[name for name in ('lark', 'numpy', 'asm.isa') if name in sys.modules]"
    code = f"import sys, sdk.cli.asm, sdk.cli.disasm; print({heavy})"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"

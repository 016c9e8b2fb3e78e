"""`imnpu debug` without a terminal, and with wrong input."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdk.cli.main import main
from tests.sdk.firmware_builds import build_firmware


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("debug")
    (folder / "empty.c").write_text("int main(void)\n{\n    return 0;\n}\n")
    return build_firmware(folder / "empty.c", "st18", folder / "empty.elf")


def test_without_a_terminal_it_says_so(elf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["debug", str(elf)]) == 1
    assert capsys.readouterr().err == (
        "imnpu: the debugger needs a terminal for its screen, and stdin or stdout is none: "
        f"use it in a terminal, or `imnpu run {elf}`\n"
    )


def test_wrong_input_is_named_first(elf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["debug", "--break", "nain", str(elf)]) == 1
    assert "there is no function or accelerator program 'nain': did you mean 'main'?" in capsys.readouterr().err
    assert main(["debug", "--machine", "st18-rv32", str(elf)]) == 1
    assert "use --machine st18" in capsys.readouterr().err
    assert main(["debug", "--machine", str(tmp_path / "board.py"), str(elf)]) == 1
    assert "board.py: cannot be read: No such file or directory" in capsys.readouterr().err
    assert main(["debug", str(tmp_path / "missing.elf")]) == 1
    assert "missing.elf: cannot be read: No such file or directory" in capsys.readouterr().err

"""The committed files are what the declarations give, and a stale one is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdk.export import outputs
from sdk.export.__main__ import main


def test_the_committed_files_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--check"])
    assert code == 0, capsys.readouterr().out


def test_a_stale_file_is_reported_and_rewritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ["--root", str(tmp_path)]
    assert main(root) == 0
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(outputs())
    assert main([*root, "--check"]) == 0
    script = tmp_path / "firmware/machines/st18/memory.ld"
    script.write_text(script.read_text().replace("256K", "128K", 1))
    capsys.readouterr()
    assert main([*root, "--check"]) == 1
    shown = capsys.readouterr()
    assert "-    sram   (rwx) : ORIGIN = 0x20000000, LENGTH = 128K\n" in shown.out
    assert "+    sram   (rwx) : ORIGIN = 0x20000000, LENGTH = 256K\n" in shown.out
    assert shown.err == "1 generated files are out of date: run `python -m sdk.export`\n"
    assert "128K" in script.read_text()
    assert main(root) == 0
    assert main([*root, "--check"]) == 0


def test_generated_text_is_the_same_every_time() -> None:
    assert outputs() == outputs()

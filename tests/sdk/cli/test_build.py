"""``imnpu build`` and ``imnpu new`` as people use them: output, exit codes, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdk.cli.main import main


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "hello"
    assert main(["new", str(folder)]) == 0
    return folder


def test_new_says_what_is_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", str(tmp_path / "hello"), "--machine", "st18-rv32"]) == 0
    printed = capsys.readouterr().out
    assert "imnpu build" in printed
    assert "imnpu run --machine st18-rv32 build/st18-rv32/hello.elf" in printed


def test_build_prints_sizes_and_the_elf(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(project), "--verbose"]) == 0
    printed = capsys.readouterr().err
    assert "flash" in printed
    assert "sysmem" in printed
    assert "1 files compiled" in printed
    assert f"compile commands: {project / 'build' / 'st18' / 'compile_commands.json'}" in printed
    assert printed.splitlines()[-1] == str(project / "build" / "st18" / "hello.elf")
    assert main(["build", str(project)]) == 0
    assert "hello.elf is up to date" in capsys.readouterr().err


def test_warnings_are_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = project / "src" / "main.c"
    source.write_text(source.read_text() + "static int unused;\n")
    assert main(["build", str(project)]) == 0
    assert "warning: unused variable 'unused'" in capsys.readouterr().err


def test_errors(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def error_of(*arguments: str) -> str:
        assert main(list(arguments)) == 1
        return capsys.readouterr().err

    assert "did you mean 'st18'" in error_of("build", str(project), "--machine", "sd18")
    assert "has no imnpu.toml" in error_of("build", str(project / "src"))
    assert "is not empty" in error_of("new", str(project))
    (project / "src" / "main.c").write_text("int main(void) { return x; }\n")
    assert "there is no firmware library for virt" in error_of("build", str(project), "--machine", "virt")
    assert error_of("build", str(project)).startswith("src/main.c:1:25: error: use of undeclared identifier 'x'")
    (project / "program.imn").write_text("    mood compute 0..7\n    halt 3\n")
    printed = error_of("build", str(project))
    assert printed.startswith(f"{project / 'program.imn'}:1:5: error: there is no instruction mood")
    assert "program.imn:2:" in printed
    monkeypatch.setenv("PATH", "")
    assert "arm-none-eabi-gcc is not on PATH" in error_of("build", str(project), "--toolchain", "gcc")

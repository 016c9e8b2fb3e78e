"""The command around its subcommands: start-up, help, errors, exit codes."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.machines import UnknownMachineError
from sdk.cli import parsers
from sdk.cli.main import main
from sdk.cli.parsers import SUBCOMMANDS, Subcommand, subcommand_parser

HEAVY = {"numpy", "numba", "unicorn", "capstone", "lark", "elftools", "textual"}


def imnpu(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sdk.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Runs a subcommand that raises the given exception; returns the exit code."""

    def run(error: BaseException) -> int:
        module = types.ModuleType("failing_subcommand")

        def fail(args: argparse.Namespace) -> int:
            raise error

        module.configure = lambda parser: None  # type: ignore[attr-defined]
        module.main = fail  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "failing_subcommand", module)
        monkeypatch.setitem(parsers.SUBCOMMANDS, "fail", Subcommand("failing_subcommand", "fails"))
        return main(["fail"])

    return run


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom sdk.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as stop:\n    assert stop.code == 0\n"
        f"print('heavy:', sorted({HEAVY!r} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.endswith("heavy: []\n")


def help_of(*words: str) -> str:
    """What `--help` shows; nothing heavy may be imported for that, or it would be slow."""
    code = (
        "import sys\nfrom sdk.cli.main import main\n"
        f"try:\n    main({[*words, '--help']!r})\nexcept SystemExit as stop:\n    assert stop.code == 0\n"
        f"print('heavy:', sorted({HEAVY!r} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("heavy: []\n")
    return result.stdout


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_the_help_of_a_subcommand_imports_nothing_heavy_and_has_examples(name: str) -> None:
    shown = help_of(name)
    assert "examples:" in shown
    assert f"imnpu {name}" in shown


def test_the_help_of_all_imports_nothing_heavy() -> None:
    assert "imnpu" in help_of()


def test_help_lists_every_subcommand() -> None:
    shown = imnpu("--help").stdout
    for name, command in SUBCOMMANDS.items():
        assert any(line.split() == [name, *command.summary.split()] for line in shown.splitlines())
    assert imnpu().stdout == shown


def test_an_unknown_subcommand_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["machnes"]) == 2
    assert capsys.readouterr().err == "imnpu: there is no command 'machnes': did you mean 'machines'?\n"
    assert main(["zzz"]) == 2
    assert capsys.readouterr().err == f"imnpu: there is no command 'zzz': commands: {', '.join(SUBCOMMANDS)}\n"


def test_an_unknown_option_is_a_usage_error() -> None:
    result = imnpu("--frobnicate")
    assert result.returncode == 2
    assert "unrecognized arguments: --frobnicate" in result.stderr


def test_version() -> None:
    result = imnpu("--version")
    assert result.returncode == 0
    assert result.stdout.startswith("imnpu")


def test_errors_of_the_project_are_one_message(
    failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(UnknownMachineError("there is no machine 'x'")) == 1
    assert capsys.readouterr().err == "imnpu: there is no machine 'x'\n"


def test_errors_of_the_file_system_name_the_file(
    failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(FileNotFoundError(2, "No such file or directory", "a.bin")) == 1
    assert capsys.readouterr().err == "imnpu: a.bin: No such file or directory\n"


def test_defects_are_one_line_and_say_how_to_get_the_traceback(
    failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMNPU_DEBUG", raising=False)
    assert failing(ZeroDivisionError("division\nby zero")) == 70
    expected = "internal error: ZeroDivisionError: division by zero (set IMNPU_DEBUG=1 for the traceback)"
    assert capsys.readouterr().err == f"imnpu: {expected}\n"
    monkeypatch.setenv("IMNPU_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError())


def test_interruption(failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(("options", "code"), [(["--json"], 141), ([], 1)])
def test_a_reader_that_goes_away_is_met_with_silence(options: list[str], code: int) -> None:
    """Tables end with rich's own exit code, 1."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "sdk.cli.main", "machines", "st18", *options]
    with os.fdopen(write, "wb") as pipe:
        result = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert (result.stderr, result.returncode) == ("", code)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, as Linux has it")
@pytest.mark.parametrize("options", [["--json"], []])
def test_a_full_disk_is_no_defect(options: list[str]) -> None:
    command = [sys.executable, "-m", "sdk.cli.main", "machines", *options]
    with open("/dev/full", "wb") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.stderr == "imnpu: the output cannot be written: No space left on device\n"
    assert result.returncode == 1


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_streams_are_like_empty_ones(closed: int) -> None:
    command = f"{shlex.quote(sys.executable)} -m sdk.cli.main machines {closed}>&-"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert ("st18" in result.stdout) == (closed != 1)


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_subcommands_describe_themselves(name: str) -> None:
    parser = subcommand_parser(name)
    assert parser.description
    assert parser.epilog is not None
    assert parser.epilog.startswith("examples:\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_know_all_subcommands(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in SUBCOMMANDS)
    assert "mps2-an505" in script  # what --machine may be
    if subprocess.run(["which", shell], capture_output=True, check=False).returncode:
        pytest.skip(f"{shell} is not installed, the script is not parsed")
    subprocess.run([shell, "-n"], input=script, text=True, check=True)

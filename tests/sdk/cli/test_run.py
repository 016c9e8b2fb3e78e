"""`imnpu run` from end to end, on both hosts, with a firmware that does what its first UART byte says."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sdk.build import BuildOptions, build
from sdk.project import open_project

SOURCE = Path(__file__).parents[1] / "programs" / "scenarios.c"
Finished = subprocess.CompletedProcess[bytes]
Run = Callable[..., Finished]


@pytest.fixture(scope="module", params=["st18", "st18-rv32"])
def firmware(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("firmware") / f"{request.param}.elf"
    build(open_project(SOURCE), BuildOptions(request.param, output=output))
    return output


def command(firmware: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "sdk.cli.main", "run", "--uart-input", "-", *options, str(firmware)]


@pytest.fixture
def run(firmware: Path) -> Run:
    def run_scenario(scenario: bytes, *options: str) -> Finished:
        return subprocess.run(command(firmware, *options), input=scenario, capture_output=True, check=False)

    return run_scenario


def test_the_uart_goes_to_stdout_and_everything_else_to_stderr(run: Run) -> None:
    result = run(b"ehello\n\xff\x00")
    assert result.stdout == b"hello\n\xff\x00"
    assert result.returncode == 0
    lines = result.stderr.decode().splitlines()
    assert [line.split(":")[1].strip() for line in lines] == [lines[0].split(":")[1].strip(), "host", "NPU"]
    assert "exit code 0, " in lines[0]
    assert lines[0].endswith(" at 600 MHz")


def test_quiet_leaves_stderr_empty(run: Run) -> None:
    result = run(b"ehello", "--quiet")
    assert (result.stdout, result.stderr) == (b"hello", b"")


def test_semihosting_goes_to_stderr(run: Run) -> None:
    result = run(b"p", "--quiet")
    assert (result.stdout, result.stderr) == (b"to the UART\n", b"to the console\n")


def test_files_and_the_command_line_by_semihosting(run: Run, tmp_path: Path) -> None:
    result = run(b"h", "--quiet", "--semihosting-directory", str(tmp_path), "--command-line", "one two")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    assert (tmp_path / "answer").read_bytes() == b"one two"
    refused = run(b"h")
    assert refused.returncode == 3
    assert b"semihosting SYS_OPEN is refused: only the console ':tt' can be opened" in refused.stderr
    assert not Path("answer").exists()


def test_the_directory_for_semihosting_must_exist(run: Run, tmp_path: Path) -> None:
    result = run(b"h", "--semihosting-directory", str(tmp_path / "none"))
    assert result.returncode == 2
    assert f"{str(tmp_path / 'none')!r} is not a directory: give one that exists".encode() in result.stderr


def test_stimulus_ports_are_shown(run: Run, firmware: Path) -> None:
    """Text as it is, other ports in a line each."""
    result = run(b"i")
    shown = (
        b"HTI\nimnpu: ITM port 1: 0x002a\nimnpu: st18: exit code 0, "
        if firmware.stem == "st18"
        else b"imnpu: st18-rv32"
    )
    assert result.stderr.startswith(shown)
    assert run(b"i", "--quiet").stderr == (b"HTI\n" if firmware.stem == "st18" else b"")


@pytest.mark.parametrize(("scenario", "code"), [(b"x", 7), (b"X", 1), (b"m", 255), (b"?", 99)])
def test_the_exit_code_is_the_firmwares(run: Run, scenario: bytes, code: int) -> None:
    assert run(scenario).returncode == code


def test_the_input_stream(run: Run, tmp_path: Path) -> None:
    data = bytes(range(100))
    (tmp_path / "frames").write_bytes(data)
    result = run(b"s", "--stream", str(tmp_path / "frames"))
    assert result.stdout == f"6 frames, sum {sum(data[:96])}\n".encode()
    assert result.returncode == 0


@pytest.mark.parametrize(
    ("scenario", "address", "function"),
    [(b"f", "0x08000000", "store"), (b"u", "0x90000000", "store"), (b"j", "0xfffffff0", None)],
)
def test_a_fault_is_reported_with_registers_and_backtrace(
    run: Run, scenario: bytes, address: str, function: str | None
) -> None:
    result = run(scenario, "--quiet")
    assert result.returncode == 120
    text = result.stderr.decode()
    assert text.startswith("imnpu: firmware reported a run-time error, at 0x")
    report = text.splitlines()[1]
    assert address in report
    assert re.search(r"\bsp 2000[0-9a-f]{4}\b", text)
    backtrace = [line.split(" in ")[1] for line in text.splitlines() if line.startswith("  #")]
    assert backtrace[0].startswith(f"{function} at scenarios.c:" if function else "?")
    assert backtrace[1].startswith("main")
    assert any("scenarios.c:" in line for line in backtrace)


def test_a_lockup_is_reported(run: Run) -> None:
    result = run(b"k", "--quiet", "--max-cycles", "1_000_000")
    assert result.returncode == 121
    text = result.stderr.decode()
    assert text.startswith("imnpu: the CPU is locked up: a fault inside a fault handler, at 0x")
    assert re.search(r"\bsp [0-9a-f]{8}\b", text)


def test_a_failed_assertion(run: Run) -> None:
    result = run(b"a", "--quiet")
    assert result.returncode == 120
    assert b"imnpu_uart_get() == 'b'" in result.stdout
    assert " in main" in result.stderr.decode()


def test_a_warning_of_the_machine(run: Run) -> None:
    result = run(b"r")
    assert result.returncode == 0
    assert b"uart0: write of 0x1 to reserved offset 0xffc is ignored\n" in result.stderr


def test_the_limit(run: Run) -> None:
    result = run(b"l", "--max-cycles", "1_000_000")
    assert result.returncode == 124
    assert result.stdout == b"looping\n"
    text = result.stderr.decode()
    assert text.startswith("imnpu: the cycle limit is reached, at 0x")
    assert " in main at " in text


def test_asleep_for_ever(run: Run) -> None:
    result = run(b"z", "--quiet")
    assert result.returncode == 122
    assert result.stderr.startswith(b"imnpu: the CPU sleeps and nothing is going to wake it, at 0x")


def test_the_report(run: Run, tmp_path: Path) -> None:
    reports = []
    for name in ("a.json", "b.json"):
        result = run(b"n", "--clusters", "2", "--json", str(tmp_path / name))
        assert result.returncode == 0, result.stderr
        reports.append(json.loads((tmp_path / name).read_text()))
    wall_clock = [report.pop("wall_clock") for report in reports]
    assert set(wall_clock[0]) == {"seconds", "host_mips", "npu_commands_per_second"}
    assert reports[0] == reports[1]
    report = reports[0]
    assert (report["outcome"], report["exit_code"], report["npu_commands"]) == ("exit", 0, 1)
    assert report["seconds"] == report["cycles"] / 600_000_000
    first, second = report["clusters"]
    assert (first["commands"], first["copy_cycles"], second["commands"]) == (1, 8, 0)
    assert report["npu_energy_pj"] == first["energy_pj"]


def test_what_takes_long_to_import_is_not_imported(run: Run, firmware: Path) -> None:
    """Where the hooks are compiled already. `numba`, for the NPU, alone takes longer than all the rest of a start."""
    run(b"ehello")
    code = "import sys; from sdk.cli.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    result = subprocess.run(
        [sys.executable, "-c", code, "run", "--quiet", "--uart-input", "-", str(firmware)],
        input=b"ehello",
        capture_output=True,
        check=True,
    )
    assert result.stdout == b"hello"
    packages = {name.partition(".")[0] for name in result.stderr.decode().split()}
    assert {"numpy", "unicorn", "emu"} <= packages
    assert not packages & {"numba", "elftools", "capstone", "lark", "rich", "textual", "email"}


def test_strict_timing(run: Run, tmp_path: Path) -> None:
    """The command of the firmware costs the same beats; the fetches of a program would cost more."""
    for timing in ("published", "strict"):
        result = run(b"n", "--timing", timing, "--json", str(tmp_path / "report.json"))
        assert result.returncode == 0, result.stderr
        report = json.loads((tmp_path / "report.json").read_text())
        assert report["timing"] == timing
        assert report["clusters"][0]["copy_cycles"] == 8
    result = run(b"n", "--timing", "fast")
    assert result.returncode == 2
    assert b"--timing" in result.stderr


def test_ctrl_c_stops_native_code_with_a_summary(firmware: Path) -> None:
    process = subprocess.Popen(command(firmware), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"l")
    process.stdin.close()
    assert process.stdout.readline() == b"looping\n"
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(30) == 130
    finally:
        process.kill()
    assert process.stderr is not None
    text = process.stderr.read().decode()
    assert text.startswith("imnpu: stopped on request, at 0x")
    assert "MIPS" in text


def test_a_reader_that_goes_away_ends_the_run_quietly(firmware: Path, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        result = subprocess.run(
            command(firmware), input=b"e" + bytes(1000), stdout=pipe, stderr=subprocess.PIPE, check=False
        )
    assert (result.returncode, result.stderr) == (141, b"")


def test_the_other_machine_is_suggested(firmware: Path) -> None:
    other = {"st18": "st18-rv32", "st18-rv32": "st18"}[firmware.stem]
    result = subprocess.run(command(firmware, "--machine", other), input=b"", capture_output=True, check=False)
    assert result.returncode == 1
    assert result.stderr.endswith(f": use --machine {firmware.stem}\n".encode())


def test_wrong_inputs(tmp_path: Path, firmware: Path) -> None:
    text = tmp_path / "fw.elf"
    text.write_text("hello\n")
    for options, message in (
        ([str(text)], f"imnpu: {text}: not an ELF file (it looks like text)"),
        (["--machine", "st81", str(firmware)], "imnpu: there is no machine 'st81': did you mean 'st18'?"),
        (["--json", str(tmp_path), str(firmware)], f"imnpu: {tmp_path}: cannot be written: it is a folder"),
        (["--stream", "/none", str(firmware)], "imnpu: /none: No such file or directory"),
        (["--uart-input", "/none", str(firmware)], "imnpu: /none: No such file or directory"),
    ):
        result = subprocess.run(
            [sys.executable, "-m", "sdk.cli.main", "run", *options], capture_output=True, text=True, check=False
        )
        assert result.returncode == 1
        assert message in result.stderr
        assert "Traceback" not in result.stderr
        assert result.stdout == ""


def test_the_interpreter_gives_the_same_figures_on_rv32_and_is_refused_on_arm(
    run: Run, firmware: Path, tmp_path: Path
) -> None:
    result = run(b"n", "--engine", "interpreter", "--quiet", "--json", str(tmp_path / "interpreted"))
    if firmware.stem == "st18":
        assert result.returncode == 1
        assert result.stderr == (
            b"imnpu: cortex-m4f has no engine 'interpreter': use unicorn, or a machine with an RV32 host\n"
        )
        return
    native = run(b"n", "--quiet", "--json", str(tmp_path / "native"))
    assert (result.returncode, result.stdout) == (native.returncode, native.stdout)
    reports = [json.loads((tmp_path / name).read_text()) for name in ("interpreted", "native")]
    assert all(report.pop("wall_clock") for report in reports)
    assert reports[0] == reports[1]


def test_the_cpu_timing_changes_cycles_and_nothing_else(run: Run, tmp_path: Path) -> None:
    reports = {}
    for name, options in {
        "default": (),
        "single": ("--cpu-timing", "single", "--flash-wait-states", "0"),
        "core": ("--cpu-timing", "core"),
        "waiting": ("--cpu-timing", "core", "--flash-wait-states", "3"),
    }.items():
        result = run(b"n", *options, "--quiet", "--json", str(tmp_path / name))
        reports[name] = json.loads((tmp_path / name).read_text()) | {"stdout": result.stdout}
        assert reports[name].pop("wall_clock")
    assert reports["single"] == reports["default"]
    assert reports["default"]["cycles"] < reports["core"]["cycles"] < reports["waiting"]["cycles"]
    assert (reports["waiting"]["cpu_timing"], reports["waiting"]["flash_wait_states"]) == ("core", 3)
    assert len({(report["stdout"], report["exit_code"]) for report in reports.values()}) == 1


def test_wrong_cpu_timings_are_named(run: Run) -> None:
    result = run(b"n", "--cpu-timing", "fast")
    assert result.returncode == 1
    assert b"has no CPU timing 'fast': known are single, core, " in result.stderr
    result = run(b"n", "--flash-wait-states", "256")
    assert result.returncode == 2
    assert result.stderr == (
        b"imnpu run: argument --flash-wait-states: must be a whole number, 0..255, not '256'\n"
        b"imnpu run --help shows the arguments\n"
    )


@pytest.mark.parametrize("cycles", ["0", "-5", "1e6", "many"])
def test_limits_that_are_none(run: Run, cycles: str) -> None:
    result = run(b"n", f"--max-cycles={cycles}")
    assert result.returncode == 2
    assert f"argument --max-cycles: must be a whole number, 1 or more, not '{cycles}'\n".encode() in result.stderr

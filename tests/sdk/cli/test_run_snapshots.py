"""`imnpu run` with snapshots and state hashes: two runs, the second from a snapshot, do what one does."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sdk import paths
from sdk.cli.main import main
from tests.sdk.firmware_builds import MACHINES, build_firmware

SCENARIOS = Path(__file__).parents[1] / "programs" / "scenarios.c"
HEADER_BYTES = 52


@dataclass(frozen=True)
class Finished:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def state_hash(self) -> str:
        found = re.search(r"^imnpu: state hash ([0-9a-f]{64})$", self.err, re.MULTILINE)
        assert found, self.err
        return found[1]


Run = Callable[..., Finished]


@pytest.fixture(scope="module", params=MACHINES)
def firmware(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example `interrupts`, in a file with the machine's name."""
    folder = tmp_path_factory.mktemp("interrupts") / "project"
    shutil.copytree(paths.examples() / "interrupts", folder, ignore=shutil.ignore_patterns("build"))
    return build_firmware(folder, request.param, folder / f"{request.param}.elf")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_quietly(*options: str | Path) -> Finished:
        capfd.readouterr()
        code = main(["run", "--quiet", *map(str, options)])
        return Finished(code, *capfd.readouterr())

    return run_quietly


def test_two_runs_do_what_one_does(run: Run, firmware: Path, tmp_path: Path) -> None:
    middle, report, whole_report = tmp_path / "middle", tmp_path / "report.json", tmp_path / "whole.json"
    whole = run("--state-hash", "--json", whole_report, firmware)
    assert (whole.code, whole.err.count("\n")) == (0, 1)
    cycles = json.loads(whole_report.read_text())["cycles"]
    first = run("--max-cycles", str(cycles // 2), "--save-snapshot", middle, firmware)
    assert first.code == 124
    second = run("--load-snapshot", middle, "--state-hash", "--json", report, firmware)
    assert second.code == 0
    assert first.out + second.out == whole.out
    assert "" not in (first.out, second.out)
    assert second.state_hash == whole.state_hash
    figures, whole_figures = json.loads(report.read_text()), json.loads(whole_report.read_text())
    assert (figures["cycles"], figures["uart_bytes"]) == (cycles, len(second.out))
    assert figures["host_instructions"] == whole_figures["host_instructions"]


def test_a_snapshot_does_not_depend_on_the_engine(run: Run, firmware: Path, tmp_path: Path) -> None:
    if firmware.stem == "st18":
        pytest.skip("only RV32 hosts have a second engine")
    middle = tmp_path / "middle"
    run("--engine", "interpreter", "--max-cycles", "5000", "--save-snapshot", middle, firmware)
    from_middle = {
        run("--load-snapshot", middle, "--state-hash", "--engine", engine, firmware).state_hash
        for engine in ("unicorn", "interpreter")
    }
    assert from_middle == {run("--state-hash", firmware).state_hash}


def test_the_end_of_a_run_can_be_saved_too(run: Run, firmware: Path, tmp_path: Path) -> None:
    end = run("--state-hash", "--save-snapshot", tmp_path / "end", firmware)
    again = run("--load-snapshot", tmp_path / "end", "--state-hash", firmware)
    assert (again.code, again.out) == (0, "")
    assert again.state_hash == end.state_hash


def test_the_limit_counts_from_the_snapshot(run: Run, firmware: Path, tmp_path: Path) -> None:
    cycles = []
    for source, limit in (((), 3000), (("--load-snapshot", tmp_path / "saved"), 2000)):
        options = ("--max-cycles", str(limit), "--save-snapshot", tmp_path / "saved", "--json", tmp_path / "report")
        assert run(*source, *options, firmware).code == 124
        cycles.append(json.loads((tmp_path / "report").read_text())["cycles"])
    assert 3000 <= cycles[0] < 3100
    assert 2000 <= cycles[1] - cycles[0] < 2100


def test_exact_runs_stop_at_the_cycle(run: Run, firmware: Path, tmp_path: Path) -> None:
    for limit in (2001, 2002, 2003):
        result = run("--exact", "--max-cycles", str(limit), "--json", tmp_path / "report", firmware)
        assert result.code == 124
        assert json.loads((tmp_path / "report").read_text())["cycles"] == limit


def test_skipping_what_only_waits_changes_nothing(run: Run, firmware: Path) -> None:
    assert run("--state-hash", "--no-loop-skip", firmware) == run("--state-hash", firmware)


def test_new_input_comes_behind_what_the_snapshot_holds(run: Run, tmp_path: Path) -> None:
    elf = build_firmware(SCENARIOS, "st18", tmp_path / "scenarios.elf")
    saved, frames, scenario = tmp_path / "saved", [tmp_path / "one", tmp_path / "two"], tmp_path / "scenario"
    for path, value in zip(frames, (1, 2), strict=True):
        path.write_bytes(bytes([value]) * 32)
    scenario.write_text("s")
    run("--max-cycles", "10", "--stream", frames[0], "--save-snapshot", saved, elf)
    result = run("--load-snapshot", saved, "--stream", frames[1], "--uart-input", scenario, elf)
    assert result.out == "4 frames, sum 96\n"


def test_what_does_not_fit_is_refused_with_one_message(run: Run, firmware: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    run("--max-cycles", "1000", "--save-snapshot", saved, firmware)
    good = saved.read_bytes()
    assert zlib.decompress(good[HEADER_BYTES:])
    other = build_firmware(SCENARIOS, firmware.stem, tmp_path / "other.elf")
    bad = {name: tmp_path / name for name in ("version", "damaged", "short", "text")}
    bad["version"].write_bytes(good[:16] + b"\x63\0\0\0" + good[20:])
    bad["damaged"].write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    bad["short"].write_bytes(good[:40])
    bad["text"].write_text("a text")
    for path, message in (
        (bad["version"], "a snapshot of version 99, this imnpu reads version 2: make it again"),
        (bad["damaged"], "damaged: its contents do not have the checksum that it states: make it again"),
        (bad["short"], "damaged: 40 bytes, the header alone has 52: make it again"),
        (bad["text"], "not a snapshot: its first bytes are not b'IMNPU snapshot\\r\\n'"),
        (tmp_path / "none", "No such file or directory"),
    ):
        assert run("--load-snapshot", path, firmware) == Finished(1, "", f"imnpu: {path}: {message}\n")
    assert run("--load-snapshot", saved, "--clusters", "2", firmware) == Finished(
        1,
        "",
        f"imnpu: {saved}: the snapshot is of another machine: its number of clusters is 8, here it is 2: choose the "
        "same machine and options, or make the snapshot again\n",
    )
    refused = run("--load-snapshot", saved, other)
    assert (refused.code, refused.out) == (1, "")
    assert re.fullmatch(
        rf"imnpu: {other}: the snapshot is of other firmware: flash holds something else at 0x0800[0-9a-f]{{4}}: give "
        "the firmware that it was saved with, or make the snapshot again\n",
        refused.err,
    )


def test_a_snapshot_that_cannot_be_written(run: Run, firmware: Path) -> None:
    """Before the run, which may take long."""
    result = run("--max-cycles", "1000", "--save-snapshot", "/none/here", firmware)
    assert (result.code, result.out) == (1, "")
    assert result.err == "imnpu: /none/here: cannot be written: there is no folder /none: make it, or name another\n"


def test_completion_knows_the_options(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capfd.readouterr().out
    for option in ("--load-snapshot", "--save-snapshot", "--state-hash"):
        assert option in script

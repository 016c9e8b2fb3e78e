"""Runs without a user interface: what is kept, and that it is the same every time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emu.machines import machine_map
from sdk.build import BuildOptions, build
from sdk.loader import Image, ImageError, load_elf
from sdk.project import open_project
from sdk.runner import Outcome, Runner, RunResult

SOURCE = Path(__file__).parent / "programs" / "scenarios.c"


@pytest.fixture(scope="module", params=["st18", "st18-rv32"])
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Image:
    output = tmp_path_factory.mktemp("firmware") / f"{request.param}.elf"
    build(open_project(SOURCE), BuildOptions(request.param, output=output))
    return load_elf(output)


def runner(image: Image, scenario: bytes, stream: bytes = b"") -> Runner:
    return Runner(image, machine_map(image.path.stem, 2), stream=stream, uart_input=scenario)


def timeless(result: RunResult) -> RunResult:
    return replace(result, wall_seconds=0.0)


@pytest.mark.parametrize("scenario", [b"s", b"n", b"ehello", b"u"])
def test_two_runs_are_equal(image: Image, scenario: bytes) -> None:
    first, second = (runner(image, scenario, bytes(range(200))) for _ in range(2))
    assert timeless(first.run()) == timeless(second.run())


@pytest.mark.parametrize("slice_cycles", [50, 333])
def test_a_run_in_slices_sends_the_same_bytes(image: Image, slice_cycles: int) -> None:
    whole = runner(image, b"s", bytes(range(200))).run()
    sliced = runner(image, b"s", bytes(range(200)))
    result = sliced.run(slice_cycles)
    slices = 1
    while result.outcome is Outcome.LIMIT:
        result = sliced.run(slice_cycles)
        slices += 1
    assert slices > 10
    assert (result.uart, result.exit_code) == (whole.uart, whole.exit_code)
    assert whole.uart == f"12 frames, sum {sum(range(192))}\n".encode()


def test_commands_and_counters(image: Image) -> None:
    result = runner(image, b"n").run()
    assert (result.outcome, result.exit_code) == (Outcome.EXIT, 0)
    (command,) = result.commands
    assert (command.cluster, command.cycles.copy, command.end - command.start, command.pc) == (0, 8, 8, None)
    assert [item.commands for item in result.counters] == [1, 0]
    assert result.energy_pj == command.energy_fj // 1000
    assert result.seconds == result.cycles / 600_000_000


@pytest.mark.parametrize(("scenario", "code"), [(b"x", 7), (b"m", -1), (b"X", 256)])
def test_exit_codes_are_c_integers(image: Image, scenario: bytes, code: int) -> None:
    assert runner(image, scenario).run().exit_code == code


def test_a_fault_is_kept(image: Image) -> None:
    result = runner(image, b"u").run()
    assert (result.outcome, result.exit_code) == (Outcome.ABNORMAL, None)
    assert result.faults[-1].address == 0x9000_0000


def test_the_image_must_fit(image: Image) -> None:
    other = {"st18": "st18-rv32", "st18-rv32": "st18"}[image.path.stem]
    with pytest.raises(ImageError, match=f"use --machine {image.path.stem}$"):
        Runner(image, machine_map(other))

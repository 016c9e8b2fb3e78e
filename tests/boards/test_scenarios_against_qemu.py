"""Random scenarios of exceptions show firmware the same on our Cortex-M cores as on QEMU's.

A test's name has the core and the seeds of its scenarios; each scenario begins with a reset, so that any one can be run
alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.boards.scenario_runs import build_firmware, run_here, run_qemu
from tests.boards.scenarios import CORES

FAST, SLOW = 40, 2_000
"""Scenarios of each core."""
AT_ONCE = 40
"""Scenarios in one test."""


@pytest.fixture(scope="module")
def firmware(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware of a core."""
    return build_firmware(tmp_path_factory.mktemp("scenarios"), CORES[request.param])


def compare(firmware: Path, name: str, seeds: Sequence[str], natives: Sequence[bool]) -> None:
    """Run scenarios on QEMU and here, with native exceptions and without."""
    expected = run_qemu(firmware, CORES[name], seeds)
    for native in natives:
        printed = run_here(firmware, CORES[name], seeds, native=native)
        for seed, lines, expected_lines in zip(seeds, printed, expected, strict=True):
            assert lines == expected_lines, (seed, native)


@pytest.mark.parametrize(("firmware", "name"), [(name, name) for name in CORES], indirect=["firmware"])
def test_the_same_lines(firmware: Path, name: str) -> None:
    compare(firmware, name, [f"{name}-{number}" for number in range(FAST)], (True, False))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FAST, SLOW, AT_ONCE))
@pytest.mark.parametrize(("firmware", "name"), [(name, name) for name in CORES], indirect=["firmware"])
def test_many(firmware: Path, name: str, first: int) -> None:
    compare(firmware, name, [f"{name}-{number}" for number in range(first, first + AT_ONCE)], (True,))

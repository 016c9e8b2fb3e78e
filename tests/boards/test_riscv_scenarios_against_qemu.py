"""Random scenarios of traps, PMP and interrupts show firmware the same on both RV32 engines as on QEMU's `virt`.

A test's name has the first seed of its scenarios; each scenario begins with a reset, so that any one can be run alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.cpu import ENGINES
from tests.boards.riscv_scenarios import build_firmware, run_here, run_qemu

FAST, SLOW = 40, 2_000
"""Scenarios."""
LOCKED, MANY_LOCKED = 5, 200
"""Scenarios with locked entries, each on a QEMU of its own, which keeps them locked at reset."""
AT_ONCE = 40
"""Scenarios in one test."""


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware that carries scripts out."""
    return build_firmware(tmp_path_factory.mktemp("scenarios"))


def compare(firmware: Path, seeds: list[str], *, locks: bool = False) -> None:
    """Run scenarios on QEMU and here, on both engines."""
    expected = run_qemu(firmware, seeds, locks=locks)
    for engine in ENGINES:
        printed = run_here(firmware, seeds, engine, locks=locks)
        for seed, lines, expected_lines in zip(seeds, printed, expected, strict=True):
            assert lines == expected_lines, (seed, engine)


def several(first: int) -> list[str]:
    """Seeds of one test."""
    return [f"rv-{number}" for number in range(first, first + AT_ONCE)]


def test_the_same_lines(firmware: Path) -> None:
    compare(firmware, several(0))


@pytest.mark.parametrize("number", range(LOCKED))
def test_locked_entries(firmware: Path, number: int) -> None:
    compare(firmware, [f"rv-locked-{number}"], locks=True)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FAST, SLOW, AT_ONCE))
def test_many(firmware: Path, first: int) -> None:
    compare(firmware, several(first))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(LOCKED, MANY_LOCKED))
def test_many_locked_entries(firmware: Path, number: int) -> None:
    compare(firmware, [f"rv-locked-{number}"], locks=True)

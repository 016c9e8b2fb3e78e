"""Tables, names and messages of the cycle models."""

from __future__ import annotations

import re

import pytest

from emu.cpu import CORES
from emu.cpu.timing import riscv, thumb
from emu.cpu.timing.costs import CORE, SINGLE, CpuTiming, UnknownTimingError, find_model, models
from emu.cpu.timing.model import TableError, parse_rows
from emu.machine import Machine
from tests.emu.cpu.arm_board import MAP
from tests.emu.cpu.timing.measure import timed


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("cortex-m0", ["cortex-m0"]),
        ("cortex-m3", ["cortex-m3"]),
        ("cortex-m4f", ["cortex-m4"]),
        ("cortex-m7", ["cortex-m7"]),
        ("cortex-m33", ["cortex-m33"]),
        ("rv32imc", ["four-stage", "two-stage"]),
    ],
)
def test_every_core_has_its_models(host: str, names: list[str]) -> None:
    assert host in CORES
    assert [model.name for model in models(host)] == names
    assert find_model(host, CORE).name == names[0]
    assert find_model(host, names[-1]).name == names[-1]
    assert find_model(host, SINGLE).rows == ()
    assert all("Inaccuracies" in model.doc for model in models(host))


def test_unknown_timings_are_named() -> None:
    text = "cortex-m4f has no CPU timing 'two-stage': known are single, core, cortex-m4"
    with pytest.raises(UnknownTimingError, match=re.escape(text)):
        Machine(timed(MAP, CpuTiming("two-stage")))


@pytest.mark.parametrize("line", ["0101 | ADD | | 1", "0101 0101 0101 0101 | ADD |"])
def test_rows_that_are_none_are_named(line: str) -> None:
    with pytest.raises(TableError, match=re.escape(f"a row needs 16 or 32 bits and cycles for each core: {line!r}")):
        parse_rows(line, 0)


def test_cycles_that_are_none_are_named() -> None:
    (row,) = parse_rows("0101 0101 0101 0101 | ADD | | two", 0)
    with pytest.raises(TableError, match=re.escape("cycles must be like 2, 1+N or 1/1+N, not 'two'")):
        row.integers()


@pytest.mark.parametrize("module", [thumb, riscv])
def test_no_row_hides_a_later_one(module: object) -> None:
    """The first row that fits counts: one that fits all that a later one fits would leave nothing to it."""
    lines = str(vars(module)["TABLE"]).strip().splitlines()
    patterns = [line.split("|")[0].replace(" ", "") for line in lines]
    for index, later in enumerate(patterns):
        for earlier in patterns[:index]:
            covers = len(earlier) == len(later) and all(
                one not in "01" or one == other for one, other in zip(earlier, later, strict=True)
            )
            assert not covers, f"{earlier} is in front of {later}"

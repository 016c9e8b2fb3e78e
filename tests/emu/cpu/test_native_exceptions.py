"""Native exception entry and return against their definition in Python: the same states, cycle for cycle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emu.cpu.exceptions import Exceptions
from emu.cpu.timing.costs import CORE, CpuTiming
from emu.cpu.timing.model import FlashTiming
from emu.machine import StopReason
from tests.emu.cpu.arm_board import MAP, Board, build

PROGRAM = (Path(__file__).parent / "programs" / "exception_traffic.c").read_text()
SCRIPT, WORDS = 0x2002_0000, 700
LONGEST_RUN = 2_000_000
TIMED = replace(MAP, cpu_timing=CpuTiming(CORE, FlashTiming(wait_states=2)))


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("traffic"), PROGRAM, ".c")


@pytest.fixture
def in_python(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Entries and returns that were carried out in Python."""
    done: list[str] = []
    for name in ("take", "leave"):
        original = getattr(Exceptions, name)

        def counted(self: Exceptions, value: int, name: str = name, original: object = original) -> None:
            done.append(name)
            original(self, value)  # type: ignore[operator]

        monkeypatch.setattr(Exceptions, name, counted)
    return done


def traffic_board(elf: Path, seed: int, *, native: bool) -> Board:
    """A machine with a random script; cores of odd seeds have a cycle model."""
    board = Board(elf, TIMED if seed % 2 else MAP)
    board.core.native_exceptions = native
    script = np.random.default_rng(seed).integers(0, 1 << 32, WORDS, dtype=np.uint32)
    board.machine.bus.write(SCRIPT, script.tobytes())
    return board


def states(elf: Path, seed: int, *, native: bool, slice_cycles: int) -> list[tuple[int, int, str]]:
    """Time, instructions and state hash after every slice of a run to the program's end."""
    board = traffic_board(elf, seed, native=native)
    found = []
    while board.machine.clock.now < LONGEST_RUN:
        stop = board.machine.run(slice_cycles)
        found.append((stop.time, board.core.instructions, board.machine.state_hash()))
        if stop.reason is StopReason.EXIT:
            assert stop.exit_code == 0
            return found
        assert stop.reason is StopReason.LIMIT
    raise AssertionError("the program does not come to its end")


@pytest.mark.parametrize("seed", range(8))
def test_native_and_python_exceptions_give_the_same_states(traffic: Path, in_python: list[str], seed: int) -> None:
    slice_cycles = 1009 + 517 * seed
    expected = states(traffic, seed, native=False, slice_cycles=slice_cycles)
    carried_out = len(in_python)
    in_python.clear()
    assert states(traffic, seed, native=True, slice_cycles=slice_cycles) == expected
    assert len(in_python) < carried_out // 3


def stops(elf: Path, *, native: bool) -> list[tuple[int, int, int, str]]:
    """Time, instructions, place and state hash at breakpoints, and after some steps from each."""
    board = traffic_board(elf, seed=3, native=native)
    board.core.add_breakpoint(board.symbols["supervisor_handler"])
    board.core.add_breakpoint(board.symbols["act"])
    found = []
    while True:
        stop = board.machine.run(LONGEST_RUN)
        for _ in range(len(found) % 4):
            if stop.reason is StopReason.EXIT:
                break
            stop = board.machine.step()
        found.append((stop.time, board.core.instructions, stop.pc, board.machine.state_hash()))
        if stop.reason is StopReason.EXIT:
            return found
        assert stop.reason in (StopReason.BREAKPOINT, StopReason.STEP)


def test_breakpoints_and_steps_stop_at_the_same_states(traffic: Path) -> None:
    expected = stops(traffic, native=False)
    assert len(expected) > 50
    assert stops(traffic, native=True) == expected

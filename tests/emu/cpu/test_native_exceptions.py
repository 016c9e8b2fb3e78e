"""Native exception entry and return against their definition in Python: the same states, cycle for cycle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from emu.cpu.arm.exceptions import Exceptions
from emu.cpu.timing.costs import CORE, CpuTiming
from emu.cpu.timing.model import FlashTiming
from emu.machine import StopReason
from tests.emu.cpu.arm_board import MAP, Board, build

PROGRAM = (Path(__file__).parent / "programs" / "exception_traffic.c").read_text()
SCRIPT, WORDS = 0x2002_0000, 700
LONGEST_RUN = 1_000_000
TIMING = CpuTiming(CORE, FlashTiming(wait_states=2))


@dataclass(frozen=True)
class Variant:
    """What is different.

    Attributes:
        defines: for the program.
        host: core of the machine.
        native: so many entries and returns of all must be native at least.
    """

    defines: str = ""
    host: str = "cortex-m4f"
    native: float = 2 / 3


VARIANTS = {
    "plain": Variant(),
    "protected": Variant("#define PROTECTED\n", native=0.5),
    "limited": Variant("#define LIMITED 0x7c00\n", "cortex-m33"),
}


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS)
def variant(request: pytest.FixtureRequest) -> Variant:
    found = request.param
    assert isinstance(found, Variant)
    return found


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory, variant: Variant) -> Path:
    return build(tmp_path_factory.mktemp("traffic"), variant.defines + PROGRAM, ".c")


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


def traffic_board(elf: Path, variant: Variant, seed: int, *, native: bool) -> Board:
    """A machine with a random script; cores of odd seeds have a cycle model."""
    machine_map = replace(MAP, host=variant.host)
    board = Board(elf, replace(machine_map, cpu_timing=TIMING) if seed % 2 else machine_map)
    board.core.native_exceptions = native
    script = np.random.default_rng(seed).integers(0, 1 << 32, WORDS, dtype=np.uint32)
    board.machine.bus.write(SCRIPT, script.tobytes())
    return board


def states(elf: Path, variant: Variant, seed: int, *, native: bool, slice_cycles: int) -> list[tuple[int, int, str]]:
    """Time, instructions and state hash after every slice of a run to the program's end."""
    board = traffic_board(elf, variant, seed, native=native)
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
def test_native_and_python_exceptions_give_the_same_states(
    traffic: Path, variant: Variant, in_python: list[str], seed: int
) -> None:
    slice_cycles = 1009 + 517 * seed
    expected = states(traffic, variant, seed, native=False, slice_cycles=slice_cycles)
    carried_out = len(in_python)
    in_python.clear()
    assert states(traffic, variant, seed, native=True, slice_cycles=slice_cycles) == expected
    assert len(in_python) < (1 - variant.native) * carried_out


def stops(elf: Path, variant: Variant, *, native: bool) -> list[tuple[int, int, int, str]]:
    """Time, instructions, place and state hash at breakpoints, and after some steps from each."""
    board = traffic_board(elf, variant, seed=3, native=native)
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


def test_breakpoints_and_steps_stop_at_the_same_states(traffic: Path, variant: Variant) -> None:
    expected = stops(traffic, variant, native=False)
    assert len(expected) > 50
    assert stops(traffic, variant, native=True) == expected

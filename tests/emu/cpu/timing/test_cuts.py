"""Cycles do not depend on how a run is cut: slices, steps, snapshots, breakpoints, exact stops; nor on the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.cpu import ENGINES
from emu.cpu.lockstep import lockstep
from emu.cpu.timing.costs import CORE, CpuTiming
from emu.cpu.timing.model import FlashTiming
from emu.machine import Machine, StopReason
from emu.snapshot import SnapshotError
from tests.emu.cpu import arm_board, riscv_board
from tests.emu.cpu.random_streams import SMALL, Streams
from tests.emu.cpu.timing.measure import timed
from tests.emu.relay import relay, sliced, straight

ARM_TORTURE = Path(__file__).parents[3] / "boards" / "programs" / "exceptions.c"
RISCV_TORTURE = Path(__file__).parents[1] / "riscv_torture.S"
CYCLES = 3_000_000
FLASH = FlashTiming(3, 16, prefetch=True)
TIMINGS = (CpuTiming(CORE), CpuTiming(CORE, FLASH))
MODELS = (CpuTiming("two-stage", FLASH), CpuTiming("four-stage"))
ARM_LOOP = """
reset:
    movs r0, #0
    movs r1, #60
    ldr r4, =0x20001000
loop:
    adds r0, #3
    cmp r0, #100
    itt gt
    subgt r0, #100
    strgt r0, [r4]
    ldr r2, [r4]
    ldr r3, [r4, #4]
    udiv r3, r2, r1
    push {r0-r3}
    bl part
    pop {r0-r3}
    subs r1, #1
    bne loop
    finish 7
part:
    tst r1, #1
    beq 1f
    mul r0, r0, r1
1:  bx lr
"""
RISCV_LOOP = """
    li a0, 0
    li a1, 60
    li a4, RAM + 0x8000
loop:
    addi a0, a0, 3
    sw a0, 0(a4)
    lw a2, 0(a4)
    mul a3, a2, a0
    divu a5, a3, a1
    la t0, 1f
    jr t0
    nop
1:  csrr a6, mcycle
    addi a1, a1, -1
    bnez a1, loop
    exit 7
"""


@pytest.fixture(scope="module")
def arm_torture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return arm_board.build(tmp_path_factory.mktemp("arm"), ARM_TORTURE.read_text(), ".c")


@pytest.fixture(scope="module")
def riscv_torture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return riscv_board.assemble(RISCV_TORTURE.read_text(), tmp_path_factory.mktemp("riscv"))


@pytest.mark.parametrize("timing", TIMINGS, ids=str)
def test_a_cortex_m_in_slices_and_by_snapshots(arm_torture: Path, timing: CpuTiming) -> None:
    def make() -> Machine:
        return arm_board.Board(arm_torture, timed(arm_board.MAP, timing)).machine

    hashes = sliced(make, CYCLES, 333)
    assert len(hashes) > 100
    assert straight(make, CYCLES) == hashes[-1:]
    assert relay(make, CYCLES, 333) == hashes


@pytest.mark.parametrize("timing", MODELS, ids=str)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_hart_in_slices_and_by_snapshots(riscv_torture: Path, timing: CpuTiming, engine: str) -> None:
    def make() -> Machine:
        return riscv_board.load(riscv_torture, timed(riscv_board.MAP, timing), engine)

    hashes = sliced(make, CYCLES, 333)
    assert len(hashes) > 20
    assert straight(make, CYCLES) == hashes[-1:]
    assert relay(make, CYCLES, 333) == hashes


@pytest.mark.parametrize("timing", MODELS, ids=str)
@pytest.mark.parametrize("slice_cycles", [1, 333])
def test_engines_agree(riscv_torture: Path, timing: CpuTiming, slice_cycles: int) -> None:
    machines: list[Machine] = []

    def make(engine: str) -> Machine:
        machines.append(riscv_board.load(riscv_torture, timed(riscv_board.MAP, timing), engine))
        return machines[-1]

    assert lockstep(make, CYCLES, slice_cycles=slice_cycles) is None
    first, second = machines
    assert first.core.exit_code == second.core.exit_code == 42
    assert first.clock.now == second.clock.now > first.core.instructions == second.core.instructions


@pytest.mark.parametrize("timing", MODELS, ids=str)
def test_engines_agree_on_random_streams(timing: CpuTiming) -> None:
    streams = Streams(*ENGINES, machine_map=timed(SMALL, timing))
    for seed in range(150):
        assert streams.run(seed) is None, f"seed {seed}"
    assert streams.overwritten < 10


def step_through(machine: Machine) -> None:
    while machine.step().reason is StopReason.STEP:
        pass


def stop_at_every_instruction(machine: Machine) -> None:
    """With breakpoints, each of which cuts a block."""
    memory = machine.bus.memories[0]
    for offset in range(0, 128, 2):
        machine.core.add_breakpoint(memory.base + offset)
    while machine.run().reason is StopReason.BREAKPOINT:
        pass


@pytest.mark.parametrize("timing", TIMINGS, ids=str)
@pytest.mark.parametrize("cut", [step_through, stop_at_every_instruction])
def test_a_cortex_m_step_by_step(tmp_path: Path, timing: CpuTiming, cut: object) -> None:
    elf = arm_board.build(tmp_path, arm_board.PRELUDE + ARM_LOOP)
    whole, cut_up = (arm_board.Board(elf, timed(arm_board.MAP, timing)).machine for _ in range(2))
    assert whole.run().exit_code == 7
    assert callable(cut)
    cut(cut_up)
    assert cut_up.core.exit_code == 7
    assert (cut_up.clock.now, cut_up.core.instructions) == (whole.clock.now, whole.core.instructions)


@pytest.mark.parametrize("timing", MODELS, ids=str)
@pytest.mark.parametrize("cut", [step_through, stop_at_every_instruction])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_hart_step_by_step(tmp_path: Path, timing: CpuTiming, cut: object, engine: str) -> None:
    elf = riscv_board.assemble(RISCV_LOOP, tmp_path)
    whole, cut_up = (riscv_board.load(elf, timed(riscv_board.MAP, timing), engine) for _ in range(2))
    assert whole.run().exit_code == 7
    assert callable(cut)
    cut(cut_up)
    assert cut_up.core.exit_code == 7
    assert (cut_up.clock.now, cut_up.core.instructions) == (whole.clock.now, whole.core.instructions)


@pytest.mark.parametrize("timing", TIMINGS, ids=str)
def test_an_exact_machine_stops_at_the_instruction(tmp_path: Path, timing: CpuTiming) -> None:
    """A run of n cycles ends behind the first instruction that ends n cycles or more after its beginning."""
    elf = arm_board.build(tmp_path, arm_board.PRELUDE + ARM_LOOP)
    stepped, exact = (arm_board.Board(elf, timed(arm_board.MAP, timing), exact=True).machine for _ in range(2))
    times = [(0, stepped.core.pc)]
    while len(times) < 300:
        stop = stepped.step()
        times.append((stop.time, stop.pc))
    while exact.clock.now < times[-2][0]:
        end = exact.clock.now + 5
        stop = exact.run(5)
        assert (stop.time, stop.pc) == next(place for place in times if place[0] >= end)


def test_snapshots_of_another_timing_are_refused(arm_torture: Path) -> None:
    one, other = (arm_board.Board(arm_torture, timed(arm_board.MAP, timing)).machine for timing in TIMINGS)
    one.run(1_000)
    with pytest.raises(SnapshotError, match="its CPU timing is"):
        other.restore(one.snapshot())

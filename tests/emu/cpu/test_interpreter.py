"""The interpreter against Unicorn: same firmware, same states, at the same time; and against its own plain source."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.cpu import UnknownEngineError, make_core
from emu.cpu.lockstep import lockstep
from emu.machine import Machine, StopReason
from emu.machines import machine_map
from sdk import paths
from sdk.build import BuildOptions, build
from sdk.loader import load_elf
from sdk.project import open_project
from sdk.runner import Runner
from tests.emu.cpu.random_streams import Streams
from tests.emu.cpu.riscv_board import MAP, RAM, assemble, load, output, symbols

ENGINES = ("unicorn", "interpreter")
TORTURE = Path(__file__).with_name("riscv_torture.S").read_text()
EXAMPLES = ("hello", "interrupts", "tile_by_hand", "conv_program")
Program = Callable[[str, str], Machine]


@pytest.fixture(scope="module")
def torture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemble(TORTURE, tmp_path_factory.mktemp("torture"))


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return lambda source, engine: load(assemble(source, tmp_path), engine=engine)


# Whole programs


@pytest.mark.parametrize("slice_cycles", [1, 333])
def test_the_torture_program_is_the_same_at_every_slice(torture: Path, slice_cycles: int) -> None:
    machines: list[Machine] = []

    def make(engine: str) -> Machine:
        machines.append(load(torture, engine=engine))
        return machines[-1]

    assert lockstep(make, 1_000_000, slice_cycles=slice_cycles) is None
    first, second = machines
    assert first.core.exit_code == second.core.exit_code == 42
    assert output(first) == output(second)
    assert first.clock.now == second.clock.now > 10_000


def test_single_steps_are_the_same(torture: Path) -> None:
    first, second = (load(torture, engine=engine) for engine in ENGINES)
    for _ in range(3000):
        assert first.step() == second.step()
        assert first.core.read_register("a0") == second.core.read_register("a0")
    assert first.core.instructions == second.core.instructions > 2000


@pytest.mark.parametrize("name", [*EXAMPLES, "digits"])
def test_examples_are_the_same(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(paths.examples() / name, folder, ignore=shutil.ignore_patterns("build"))
    made = build(open_project(folder), BuildOptions(machine="st18-rv32"))
    stream = (folder / "images.bin").read_bytes() if name == "digits" else b""
    outcomes = []
    for engine in ENGINES:
        runner = Runner(load_elf(made.elf), machine_map("st18-rv32", clusters=1), stream=stream, engine=engine)
        result = runner.run(100_000_000)
        host = runner.machine.core
        registers = {register: host.read_register(register) for register in host.register_names}
        memories = [memory.data.tobytes() for memory in runner.machine.bus.memories]
        outcomes.append(
            (result.exit_code, result.uart, runner.machine.clock.now, host.instructions, registers, memories)
        )
    assert outcomes[0][:2] == outcomes[1][:2]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == 0


# Random programs


def agree(streams: Streams, seeds: range) -> None:
    """Run the streams of the seeds; at most one in ten may overwrite itself."""
    for seed in seeds:
        assert streams.run(seed) is None, f"seed {seed}"
    assert streams.overwritten <= len(seeds) // 10 + 1


def test_random_streams_are_the_same() -> None:
    agree(Streams(*ENGINES), range(300))


def test_random_streams_are_the_same_without_a_compiler() -> None:
    agree(Streams("interpreter", "plain"), range(40))


def test_an_instruction_that_the_hart_carries_out_leaves_x0_alone() -> None:
    """The stream has an atomic instruction whose result goes to x0."""
    agree(Streams(*ENGINES), range(353, 354))


@pytest.mark.parametrize("seed", [1_007_693, 1_039_260])
def test_a_fault_behind_a_native_return_is_where_it_happened(seed: int) -> None:
    """Unicorn gave the beginning of the block after its register function had set the pc in a trap."""
    agree(Streams(*ENGINES), range(seed, seed + 1))


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(8))
def test_many_random_streams_are_the_same(part: int) -> None:
    agree(Streams(*ENGINES), range(1_000_000 + 25_000 * part, 1_025_000 + 25_000 * part))


def step_compressed(words: range) -> None:
    """Execute single compressed instructions on both engines, where all their jumps end in memory."""
    place = RAM + 0x4000
    machines = [load_nothing(engine) for engine in ENGINES]
    for word in words:
        if word & 3 == 3:
            continue
        states = []
        for machine in machines:
            machine.reset()
            machine.bus.program(place, word.to_bytes(2, "little"))
            machine.core.pc = place
            for number in range(1, 32):
                machine.core.write_register(f"x{number}", RAM + 0x8000 + 4 * number)
            machine.core.write_register("mtvec", RAM + 0x800)
            machine.step()
            host = machine.core
            states.append([host.read_register(name) for name in host.register_names])
            states[-1].append(host.instructions)
        assert states[0] == states[1], f"0x{word:04x}"


def load_nothing(engine: str) -> Machine:
    """A machine with empty memory."""
    machine = Machine(MAP, engine)
    machine.reset()
    return machine


def test_an_illegal_instruction_that_unicorn_passes_over_traps(program: Program) -> None:
    for engine in ENGINES:
        machine = program(
            "la t0, 1f\n csrw mtvec, t0\n .word 0x23930153\n .balign 4\n 1: csrr s0, mcause\n exit 0", engine
        )
        assert machine.run(1000).reason is StopReason.EXIT
        assert machine.core.read_register("s0") == 2


def test_compressed_instructions_are_the_same() -> None:
    step_compressed(range(0, 1 << 16, 41))


@pytest.mark.slow
def test_all_compressed_instructions_are_the_same() -> None:
    step_compressed(range(1 << 16))


# What makes blocks


def test_code_that_is_overwritten_runs_from_the_next_block_on(program: Program) -> None:
    for engine in ENGINES:
        machine = program(
            """
            la t0, patch
            la t1, new
            lhu t1, 0(t1)
            li s0, 0
        again:
            addi s2, s2, 1
            sh t1, 0(t0)
        patch:
            c.addi s0, 1            # the block that overwrites it still executes the old one
            li t2, 2
            blt s2, t2, again
            exit 0
        new:
            c.addi s0, 16
            """,
            engine,
        )
        assert machine.run(1000).reason is StopReason.EXIT
        assert machine.core.read_register("s0") == 17


def test_a_breakpoint_ends_a_block_and_stops_before_it(torture: Path) -> None:
    place = symbols(torture)["newline"]
    stops = []
    for engine in ENGINES:
        machine = load(torture, engine=engine)
        machine.core.add_breakpoint(place)
        stops.append([(stop.reason, stop.pc, stop.time) for stop in (machine.run(100_000) for _ in range(12))])
    assert stops[0] == stops[1]
    assert stops[0][-1][:2] == (StopReason.BREAKPOINT, place)


def test_the_longest_block_has_512_instructions(program: Program) -> None:
    times = []
    for engine in ENGINES:
        machine = program(".rept 900\n addi s0, s0, 1\n .endr\n exit 0", engine)
        times.append([machine.run(1).time for _ in range(3)])
    assert times[0] == times[1]
    assert times[0][0] == 512


# The checker


def test_lockstep_names_the_first_difference(tmp_path: Path) -> None:
    elf = assemble("li s0, 0\n j 1f\n 1: addi s0, s0, 1\n j 2f\n 2: li s1, 5\n j 1b", tmp_path)

    def make(engine: str) -> Machine:
        machine = load(elf, engine=engine)
        if engine == "interpreter":
            machine.bus.write(RAM + 6, (0x0449).to_bytes(2, "little"))  # c.addi s0, 18
        return machine

    difference = lockstep(make, 10_000)
    assert difference is not None
    assert str(difference) == (
        "after the block at 0x80000000, cycle 0: 0x80000006 in ram is 0x09 on unicorn, 0x49 on interpreter"
    )


def test_lockstep_names_pc_and_register(tmp_path: Path) -> None:
    elf = assemble("li s0, 0\n j 1f\n 1: addi s0, s0, 1\n j 1b", tmp_path)

    def make(engine: str) -> Machine:
        machine = load(elf, engine=engine)
        if engine == "interpreter":
            event = machine.clock.event("flip", lambda: machine.core.write_register("s0", 0xBAD))
            event.at(5000)
        return machine

    difference = lockstep(make, 10_000)
    assert difference is not None
    assert difference.what == "s0"
    assert difference.pc == RAM + 4
    assert 4990 < difference.time < 5000
    assert difference.values[1] == "0x00000bad"


# Choosing


def test_unknown_engines_are_named() -> None:
    board = Machine(MAP).board
    with pytest.raises(UnknownEngineError, match=r"^rv32imc has no engine 'qemu': engines: unicorn, interpreter$"):
        make_core("rv32imc", board, RAM, "qemu")
    message = "^cortex-m4f has no engine 'interpreter': use unicorn, or a machine with an RV32 host$"
    with pytest.raises(UnknownEngineError, match=message):
        make_core("cortex-m4f", board, RAM, "interpreter")

"""Passages of programs are repeated where nothing has changed, and nobody can tell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from asm import isa, parameters
from emu.memory import PAGE
from emu.npu.passages import LONGEST, Passage
from emu.npu.timing import TimingModel
from emu.snapshot import Snapshot
from tests.emu.npu.small_machine import NO_BASE, ROM, SYSTEM, SmallMachine, blob, kernel_words, tensor_words

INPUT, OUTPUT, KEPT_AT = SYSTEM, SYSTEM + 0x1_0000, SYSTEM + 0x2_0000
WEIGHTS, TABLE = ROM + 0x4000, ROM + 0x8000
SHAPE = (6, 6, 8)
KERNELS = 4
ROUNDS = 13
"""Register that counts the rounds of a jump."""
ENTRY = (5, 3, 2, 1)
"""Bias, multiplier, shift, offset of each kernel."""


def program(shift: int = 0) -> bytes:
    """A convolution, one that is repeated in a jump and leaves its rounds in r0, and the counters of each."""
    wiring = parameters.Topology.pack(chain=1, parallel=1, stripes=1)
    setup: list[isa.Instruction] = [
        isa.SetMode(0, (0xFF,)),
        isa.SetTopology(0, (wiring,)),
        isa.SetKernel(0, kernel_words((KERNELS, 3, 3, SHAPE[2]), "s4", "u4", 1, (1, 1, 1, 1))),
        isa.SetActivation(NO_BASE, (0, TABLE, 0x8000_0000, 0x7FFF_FFFF)),
    ]
    convolve = [
        isa.Load(NO_BASE, (WEIGHTS, parameters.LoadCount.pack(kernels=KERNELS))),
        isa.Conv(NO_BASE, tensor_words(INPUT, "u4", SHAPE) + tensor_words(OUTPUT, "u4", (*SHAPE[:2], KERNELS))),
    ]
    pack = isa.RegisterImmediate.pack
    keep = isa.KeepCounters(NO_BASE, (KEPT_AT,))
    before: list[isa.Instruction] = [*setup, keep, *convolve, keep]
    start = isa.HEADER_BYTES + sum(instruction.size for instruction in before)
    rounds = [
        *convolve,
        isa.Add(pack(destination=0, source=0), (1 + shift,)),
        isa.Add(pack(destination=ROUNDS, source=ROUNDS), (0xFFFF_FFFF,)),
        isa.JumpNZ(pack(destination=ROUNDS), (start,)),
    ]
    return blob(*before, *rounds, keep, isa.Halt())


class Run:
    """A machine with that program in it, started again and again.

    Args:
        rests: whether the host sleeps; if not, nothing is ever repeated.
        at: where the program lies.
    """

    def __init__(self, *, rests: bool, at: int = ROM, timing: TimingModel = TimingModel.PUBLISHED) -> None:
        self.machine = SmallMachine(timing=timing)
        self.machine.clock.at_rest = lambda: rests
        self.at, self.rounds, self.started = at, 2, 0
        self.looks: list[tuple[int, ...]] = []
        self.look = self.machine.clock.event("look", self._look)
        self.fill(0)
        generator = np.random.default_rng(1)
        self.machine.bus.program(WEIGHTS, generator.integers(0, 256, 0x1000, np.uint8).tobytes())
        self.machine.bus.program(TABLE, np.array([ENTRY] * KERNELS, "<i4").tobytes())
        self.machine.bus.program(at, program())
        self.machine.set("PROGRAM_BASE", at)
        self.machine.cluster.on_command.append(self.machine.records.append)

    def fill(self, seed: int) -> None:
        """Other features."""
        self.machine.bus.write(INPUT, np.random.default_rng(seed).integers(0, 256, 0x1000, np.uint8))

    def _look(self) -> None:
        """The host looks at what it can see of a program that is running."""
        machine = self.machine
        names = ("STATUS", "PROGRAM_PC", "R", "LOAD_COUNT")
        counted = tuple(machine.counter(name) for name in ("BUSY_CYCLES", "COMMANDS", "ENERGY_PJ"))
        self.looks.append((machine.clock.now, *map(machine.get, names), *counted))

    def go(self) -> None:
        """Run the program to its end, with the registers that the host sets as they always are."""
        self.machine.set("INTERRUPT_STATUS", 7)
        self.machine.set("R", *[0] * ROUNDS, self.rounds)
        self.started = self.machine.clock.now
        self.machine.set("CONTROL", 1)
        self.machine.run()
        sequencer = self.machine.cluster.sequencer
        while sequencer.held:
            sequencer.resume()
            self.machine.run()

    @property
    def seen(self) -> tuple[object, ...]:
        """All that there is to see."""
        machine = self.machine
        memories = {memory.name: memory.get_state() for memory in machine.bus.memories}
        state = Snapshot({}, {"cluster": machine.cluster.get_state(), "clock": machine.clock.get_state(), **memories})
        return state.hash, machine.cluster.counters, tuple(machine.records), machine.messages, tuple(self.looks)


@pytest.fixture
def repeated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Commands of each passage that was repeated."""
    found: list[int] = []
    repeat = Passage.repeat

    def counting(passage: Passage, *arguments: object) -> None:
        found.append(len(passage.steps))
        repeat(passage, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Passage, "repeat", counting)
    return found


def nothing(run: Run) -> None:
    """What was before."""


def other_features(run: Run) -> None:
    run.fill(2)


def another_round(run: Run) -> None:
    run.rounds = 3


def another_program(run: Run) -> None:
    run.machine.bus.program(run.at, program(shift=4))


def another_table(run: Run) -> None:
    run.machine.bus.program(TABLE, np.array([(9, 3, 2, 1)] * KERNELS, "<i4").tobytes())


def slower(run: Run) -> None:
    run.machine.set("CLOCK_KHZ", 333_000)


def colder(run: Run) -> None:
    run.machine.set("BODY_BIAS_MV", 1_400)
    run.machine.set("CLOCK_KHZ", 500_000)


def cleared(run: Run) -> None:
    run.machine.set("COUNTER_CONTROL", 1)


def input_is_taken_away(run: Run) -> None:
    run.machine.bus.memory("system").block(0, 1, True)


def output_is_taken_away(run: Run) -> None:
    run.machine.bus.memory("system").block((OUTPUT - SYSTEM) // PAGE, 1, True)


def a_look_in_between(run: Run) -> None:
    """In the midst of the first convolution, as the last run tells."""
    convolution = run.machine.records[-5]
    run.look.after((convolution.start + convolution.end) // 2 - run.started)


def a_breakpoint(run: Run) -> None:
    run.machine.cluster.sequencer.breakpoints = {run.at + isa.HEADER_BYTES + 4 * 20}


def unobserved(run: Run) -> None:
    run.machine.cluster.on_command.clear()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (nothing, [2, 4]),
        (other_features, [2, 4]),
        (another_round, []),
        (another_program, []),
        (another_table, []),
        (slower, []),
        (colder, []),
        (cleared, [2, 4]),
        (input_is_taken_away, []),
        (output_is_taken_away, []),
        (a_look_in_between, [4]),
        (a_breakpoint, []),
        (unobserved, [2, 4]),
    ],
)
def test_what_happens_between_two_runs(change: Callable[[Run], None], expected: list[int], repeated: list[int]) -> None:
    """The same is seen as without repeating anything."""
    resting, awake = Run(rests=True), Run(rests=False)
    for run in (resting, awake):
        run.go()
        run.go()  # Now registers begin with what the first run left in them.
    repeated.clear()
    for run in (awake, resting):
        change(run)
        run.go()
    assert resting.seen == awake.seen
    assert repeated == expected


def test_what_a_program_can_change_is_not_repeated(repeated: list[int]) -> None:
    run = Run(rests=True, at=SYSTEM + 0xF_0000)
    for _ in range(3):
        run.go()
    assert run.machine.messages == repeated == []
    assert run.machine.cluster.R[0] == run.rounds


def test_strict_timing_is_not_repeated(repeated: list[int]) -> None:
    run = Run(rests=True, timing=TimingModel.STRICT)
    for _ in range(3):
        run.go()
    assert run.machine.messages == repeated == []


def test_a_long_passage_is_repeated_in_parts(repeated: list[int]) -> None:
    resting, awake = Run(rests=True), Run(rests=False)
    for run in (resting, awake):
        run.rounds = LONGEST
        for _ in range(3):
            run.go()
    assert repeated[-3:] == [2, LONGEST, LONGEST]
    assert resting.seen == awake.seen

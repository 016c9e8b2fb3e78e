"""Random programs: the same counters, energy, records and state however a program is run and watched."""

from __future__ import annotations

import random
from dataclasses import fields

import numpy as np
import pytest

from asm import isa, parameters
from asm.isa import Instruction
from emu.npu.counters import KEPT, Counters
from emu.npu.energy import Energy
from emu.npu.timing import Cycles, TimingModel
from emu.snapshot import Snapshot
from tests.emu.npu.small_machine import EXTERNAL, ROM, SYSTEM, SmallMachine, blob, kernel_words, tensor_words

PROGRAM = SYSTEM + 0xF_0000
WEIGHTS, INPUT, TABLE, OUTPUT, KEPT_AT = (SYSTEM + number * 0x1_0000 for number in range(5))
PROGRAM_IN_ROM, TABLE_IN_ROM = ROM, ROM + 0x8000
"""Of every other program: nothing of it needs to be looked at again."""
LAYER_BASE, COPY_BASE = 14, 15
"""Registers that hold what is added to addresses."""
ROUNDS = 13
"""Register that counts the rounds of a jump."""
PIECE = 97
"""Cycles after which a run in pieces stops."""
BOTH = pytest.mark.parametrize("timing", TimingModel)


class Programmer:
    """Writes a random program that comes to its end without an error, or with one in its last instruction."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.table = TABLE_IN_ROM if seed % 2 else TABLE

    def program(self) -> list[Instruction]:
        """Set-up of the registers that hold bases, some pieces, the end."""
        parts: list[Instruction] = [
            isa.Set(isa.RegisterImmediate.pack(destination=LAYER_BASE), (0x400,)),
            isa.Set(isa.RegisterImmediate.pack(destination=COPY_BASE), (SYSTEM,)),
        ]
        for _ in range(self.random.randint(2, 7)):
            parts += self.piece(isa.HEADER_BYTES + size(parts), depth=0)
        wrong = isa.SetTopology(0, (0xFFFF_FFFF,))
        return [*parts, self.random.choice([isa.Halt(), isa.Halt(), wrong])]

    def piece(self, offset: int, depth: int) -> list[Instruction]:
        """Instructions that begin ``offset`` bytes behind the start of the program."""
        kinds = [self.layer, self.layer, self.copies, self.registers, self.events, self.counters]
        nested = [lambda: self.loop(offset, depth), lambda: self.rounds(offset)] if depth < 2 else []
        return self.random.choice([*kinds, *nested])()

    def base(self, register: int, address: int, origin: int = 0) -> tuple[int, int]:
        """A base register and what to add to it for an address; ``origin`` is what it holds."""
        return self.random.choice([(isa.ABSOLUTE, address), (register, (address - origin) & 0xFFFF_FFFF)])

    def layer(self) -> list[Instruction]:
        """Set-up, and loads and convolutions that repeat."""
        choose = self.random
        channels, kernels, topology = choose.choice([(8, 4, 0x111), (24, 20, 0x312), (16, 40, 0x122), (5, 3, 0x211)])
        pooled, bypass = choose.random() < 0.4, choose.random() < 0.3
        wiring = parameters.Topology.pack(chain=topology & 15, parallel=topology >> 4 & 15, stripes=topology >> 8)
        window = 2 if pooled else 1
        pooling = parameters.Pooling.pack(
            mode=parameters.PoolingMode.max if pooled else parameters.PoolingMode.none,
            height=window, width=window, stride_y=window, stride_x=window,
        )  # fmt: skip
        table_base, table = self.base(LAYER_BASE, self.table, 0x400)
        setup: list[Instruction] = [
            isa.SetMode(0, (0xFF,)),
            isa.SetTopology(0, (wiring,)),
            isa.SetKernel(0, kernel_words((kernels, 3, 3, channels), "s4", "u4", 1, (1, 1, 1, 1))),
            isa.SetPooling(0, (pooling,)),
            isa.SetPartition(0, (parameters.Partition.pack(unshared=choose.random() < 0.2),)),
            isa.SetActivation(
                isa.BaseImmediate.pack(first=table_base, second=0, third=0),
                (parameters.ActivationControl.pack(bypass=bypass, relu=1), table, 0x8000_0000, 0x7FFF_FFFF),
            ),
        ]
        element, side = "s32" if bypass else "u4", 6 // window
        convolution = tensor_words(INPUT, "u4", (6, 6, channels)) + tensor_words(OUTPUT, element, (side, side, kernels))
        commands: list[Instruction] = []
        for _ in range(choose.randint(1, 3)):
            base, address = self.base(LAYER_BASE, choose.choice([WEIGHTS, EXTERNAL]), 0x400)
            count = parameters.LoadCount.pack(kernels=kernels, overlap=choose.random() < 0.3)
            commands.append(isa.Load(isa.BaseImmediate.pack(first=base), (address, count)))
            base = isa.BaseImmediate.pack(first=isa.ABSOLUTE, second=isa.ABSOLUTE)
            commands += [isa.Conv(base, convolution)] * choose.randint(1, 2)
        return setup + commands

    def copies(self) -> list[Instruction]:
        """Copies and fills, between fast and slow memory."""
        choose = self.random
        made: list[Instruction] = []
        for _ in range(choose.randint(1, 3)):
            place = choose.choice([OUTPUT + 0x8000, EXTERNAL + 0x8000]) + 8 * choose.randint(0, 9)
            base, address = self.base(COPY_BASE, place, SYSTEM)
            loops = (choose.randint(1, 3), choose.choice([8, 24]), 80) + (1, 0, 0) * (parameters.COPY_LOOPS - 1)
            length = choose.randint(1, 80)
            if choose.random() < 0.5:
                bases = isa.BaseImmediate.pack(first=isa.ABSOLUTE, second=base)
                made.append(isa.Copy(bases, (choose.choice([INPUT, EXTERNAL]), address, length, *loops)))
            else:
                bases = isa.BaseImmediate.pack(first=base)
                made.append(isa.Fill(bases, (choose.randint(0, 255), address, length, *loops)))
        return made

    def registers(self) -> list[Instruction]:
        """Sums in r0..r7, and instructions that do nothing, perhaps more than are executed in one go."""
        pack = isa.RegisterImmediate.pack
        made: list[Instruction] = [isa.Nop()] * self.random.choice([1, 3, 90])
        for _ in range(self.random.randint(1, 4)):
            destination, source, value = self.random.randrange(8), self.random.randrange(8), self.random.getrandbits(32)
            made.append(isa.Add(pack(destination=destination, source=source), (value,)))
        return made

    def events(self) -> list[Instruction]:
        """An event that the cluster signals to itself."""
        event = self.random.randrange(32)
        signal = isa.Signal(isa.EventImmediate.pack(event=event, clusters=1))
        return [signal, isa.Wait(isa.EventImmediate.pack(event=event))]

    def counters(self) -> list[Instruction]:
        """The counters into memory."""
        base, address = self.base(COPY_BASE, KEPT_AT + 0x100 * self.random.randrange(8), SYSTEM)
        return [isa.KeepCounters(isa.BaseImmediate.pack(first=base), (address,))]

    def loop(self, offset: int, depth: int) -> list[Instruction]:
        """A hardware loop around other pieces."""
        head = isa.Loop(0, (self.random.randint(0, 3), 0))
        body = self.body(offset + head.size, depth)
        return [isa.Loop(0, (head.words[0], offset + head.size + size(body))), *body]

    def rounds(self, offset: int) -> list[Instruction]:
        """A jump back that is taken some times; it is not nested, for there is one register that counts."""
        pack = isa.RegisterImmediate.pack
        start = isa.Set(pack(destination=ROUNDS), (self.random.randint(1, 3),))
        body = self.body(offset + start.size, depth=2)
        back = isa.JumpNZ(pack(destination=ROUNDS), (offset + start.size,))
        return [start, *body, isa.Add(pack(destination=ROUNDS, source=ROUNDS), (0xFFFF_FFFF,)), back]

    def body(self, offset: int, depth: int) -> list[Instruction]:
        """One or two pieces."""
        body: list[Instruction] = []
        for _ in range(self.random.randint(1, 2)):
            body += self.piece(offset + size(body), depth + 1)
        return body


def size(instructions: list[Instruction]) -> int:
    """Bytes."""
    return sum(instruction.size for instruction in instructions)


class Run:
    """A machine with a program, a clock of its cluster, and random bytes in its memories; observers see each command.

    Args:
        rests: whether the host sleeps, so that time may be skipped.
    """

    def __init__(self, seed: int, timing: TimingModel, *, rests: bool) -> None:
        self.machine = SmallMachine(timing=timing)
        self.machine.clock.at_rest = lambda: rests
        generator = np.random.default_rng(seed)
        for start in (WEIGHTS, INPUT, EXTERNAL):
            self.machine.bus.write(start, generator.integers(0, 256, 0x8000, np.uint8))
        columns = ((-500, 500), (0, 2**12), (8, 20), (-3, 4))
        table = np.stack([generator.integers(*bounds, 64) for bounds in columns], axis=1)
        programmer, self.program = Programmer(seed), PROGRAM_IN_ROM if seed % 2 else PROGRAM
        self.machine.bus.program(programmer.table, table.astype("<i4").tobytes())
        self.machine.set("CLOCK_KHZ", int(generator.choice([600_000, 333_000])))
        self.machine.cluster.on_command.append(self.machine.records.append)
        self.data = blob(*programmer.program())
        self.machine.bus.program(self.program, self.data)
        self.machine.set("PROGRAM_BASE", self.program)

    def start(self) -> None:
        """Start the program."""
        self.machine.set("CONTROL", 1)

    def straight(self) -> Run:
        """To the end."""
        self.start()
        self.machine.run()
        return self

    def in_pieces(self) -> Run:
        """To the end, with a limit every few cycles."""
        self.start()
        clock = self.machine.clock
        while self.machine.cluster.sequencer.running:
            clock.limit = clock.now + PIECE
            self.machine.run(clock.limit)
            clock.advance_to(clock.limit)
        return self

    def held_everywhere(self) -> Run:
        """To the end, held before every instruction."""
        sequencer = self.machine.cluster.sequencer
        sequencer.breakpoints = set(range(self.program, self.program + len(self.data), 4))
        self.start()
        self.machine.run()
        while sequencer.running:
            sequencer.resume()
            self.machine.run()
        return self

    @property
    def state(self) -> dict[str, object]:
        """All but the time, which goes on behind the end of a program that is run in pieces."""
        bus = self.machine.bus
        return {
            "cluster": self.machine.cluster.get_state(),
            "memories": {memory.name: memory.get_state() for memory in bus.memories},
        }

    @property
    def seen(self) -> tuple[object, ...]:
        """What must not depend on how the program was run."""
        return Snapshot({}, self.state).hash, self.machine.cluster.counters, tuple(self.machine.records), self.effects

    @property
    def effects(self) -> tuple[object, ...]:
        """The same without the energy, which is rounded each time that a program is held."""
        machine = self.machine
        times = [(record.pc, record.start, record.end, record.cycles) for record in machine.records]
        return Snapshot({}, {"": self.state["memories"]}).hash, list(machine.cluster.R), machine.messages, times


@BOTH
@pytest.mark.parametrize("seed", range(25))
def test_the_same_by_events_and_at_rest_and_in_pieces_and_held(seed: int, timing: TimingModel) -> None:
    by_events = Run(seed, timing, rests=False).straight()
    expected = by_events.seen
    assert Run(seed, timing, rests=True).straight().seen == expected
    assert Run(seed, timing, rests=True).in_pieces().seen == expected
    assert Run(seed, timing, rests=False).in_pieces().seen == expected
    assert Run(seed, timing, rests=True).held_everywhere().effects == by_events.effects


@BOTH
@pytest.mark.parametrize("seed", range(25))
def test_the_second_run_on_a_machine_is_like_the_first(seed: int, timing: TimingModel) -> None:
    """Commands and instructions that are known already change nothing; only the log says everything once."""
    run = Run(seed, timing, rests=True)
    machine = run.machine
    before = run.state, machine.clock.get_state(), machine.cluster.counters
    first = run.straight().seen[:3]
    assert isinstance(before[0]["memories"], dict)
    for _ in range(2):
        machine.cluster.set_state(before[0]["cluster"])  # type: ignore[arg-type]
        for memory in machine.bus.memories:
            if memory.writable:
                memory.set_state(before[0]["memories"][memory.name])
        machine.clock.set_state(before[1])
        machine.records.clear()
        assert machine.cluster.counters == before[2]
        assert run.straight().seen[:3] == first


@BOTH
@pytest.mark.parametrize("seed", range(25))
def test_counters_are_the_sums_of_the_records(seed: int, timing: TimingModel) -> None:
    """And what a program keeps in memory, and the registers show, are the counters."""
    run = Run(seed, timing, rests=True).straight()
    machine, counted = run.machine, run.machine.cluster.counters
    for cause in [item.name for item in fields(Cycles)]:
        assert getattr(counted, f"{cause}_cycles") == sum(getattr(one.cycles, cause) for one in machine.records)
    assert counted.commands == len(machine.records)
    assert counted.row_bits == sum(one.cost.macs * one.cost.bits for one in machine.records)
    for name, cost in (("kernel_port", "load"), ("operand_port", "psum"), ("output_port", "output")):
        assert getattr(counted, f"{name}_bytes") == sum(getattr(one.cost, f"{cost}_bytes") for one in machine.records)
    for part in [item.name for item in fields(Energy) if item.name != "leakage"]:
        assert getattr(counted.energy, part) == sum(getattr(one.energy, part) for one in machine.records)
    since = counted.leakage - sum(one.energy.leakage for one in machine.records)
    assert since >= 0
    for name in KEPT:
        assert machine.counter(name.upper()) == getattr(counted, name)
    assert counted + Counters() == counted


def test_a_program_that_overwrites_itself() -> None:
    """A loop of two rounds sets r5 and then copies another number over the one in that instruction."""
    machine = SmallMachine()
    machine.clock.at_rest = lambda: True
    loop, number = isa.Loop(0, (2, 0)), isa.Set(isa.RegisterImmediate.pack(destination=5), (1,))
    inside = PROGRAM + isa.HEADER_BYTES + loop.size + 4
    bases = isa.BaseImmediate.pack(first=isa.ABSOLUTE, second=isa.ABSOLUTE)
    copy = isa.Copy(bases, (INPUT, inside, 4, *(1, 0, 0) * parameters.COPY_LOOPS))
    total = isa.Add(isa.RegisterImmediate.pack(destination=6, source=5), (0,))
    end = isa.HEADER_BYTES + size([loop, number, copy])
    machine.bus.write(INPUT, (77).to_bytes(4, "little"))
    machine.run_program(isa.Loop(0, (2, end)), number, copy, total, isa.Halt())
    assert machine.messages == []
    assert machine.cluster.R[6] == 77

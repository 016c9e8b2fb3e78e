"""`published` and `strict`: stalls by cause, ports, the external memory, unshared streams, overlapped loads."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asm import isa, parameters
from asm.isa import Instruction
from asm.parameters import CommandCode
from emu.npu.demand import Demand
from emu.npu.record import CommandRecord
from emu.npu.timeline import Timeline
from emu.npu.timing import Cost, TimingModel
from tests.emu.npu.small_machine import EXTERNAL, NO_BASE, SYSTEM, TILES, SmallMachine, kernel_words, tensor_words

TABLE = Path(__file__).parents[2] / "data" / "vgg16_published.csv"
BOTH = pytest.mark.parametrize("model", TimingModel)
PUBLISHED, STRICT = TimingModel.PUBLISHED, TimingModel.STRICT
INPUT, OUTPUT = SYSTEM + 0x1_0000, SYSTEM + 0x4_0000


def copy(source: int, destination: int, count: int) -> isa.Copy:
    return isa.Copy(NO_BASE, (source, destination, count, *(1, 0, 0) * parameters.COPY_LOOPS))


def layer(
    height: int = 6,
    width: int = 5,
    channels: int = 24,
    kernels: int = 20,
    topology: tuple[int, int, int] = (2, 1, 3),
    weights: int = SYSTEM,
    source: int = INPUT,
    destination: int = OUTPUT,
) -> list[Instruction]:
    """A 3 x 3 convolution of 4-bit operands: set-up, load, convolution, end."""
    chain, parallel, stripes = topology
    return [
        isa.SetTopology(0, (parameters.Topology.pack(chain=chain, parallel=parallel, stripes=stripes),)),
        isa.SetMode(0, (0xFF,)),
        isa.SetKernel(0, kernel_words((kernels, 3, 3, channels), "s4", "u4", 1, (1, 1, 1, 1))),
        isa.Load(NO_BASE, (weights, kernels)),
        isa.Conv(
            NO_BASE,
            tensor_words(source, "u4", (height, width, channels))
            + tensor_words(destination, "s32", (height, width, kernels)),
        ),
        isa.Halt(),
    ]


def ran(instructions: list[Instruction], model: TimingModel) -> tuple[SmallMachine, list[CommandRecord]]:
    machine = SmallMachine(timing=model)
    machine.cluster.on_command.append(machine.records.append)
    machine.run_program(*instructions)
    assert machine.messages == []
    return machine, machine.records


def accounted(record: CommandRecord) -> int:
    """All cycles of a command's causes."""
    stalls = record.cycles.stall_input + record.cycles.stall_output + record.cycles.stall_port
    return record.cycles.load + record.cycles.work + record.cycles.copy + stalls


def elapsed(machine: SmallMachine, cluster: int = 0) -> int:
    """What the counters of a cluster that never idled add up to."""
    return sum(machine.counter(f"{name}_CYCLES", cluster) for name in ("BUSY", "WAIT", "CONTROL"))


def test_strict_cycles_by_hand() -> None:
    """3 stripes: the largest has 2 of 6 rows. A slice of 3 x 3 x 12 x 4 = 432 bits takes a cycle a kernel and pixel."""
    machine, (load, convolution) = ran(layer(), STRICT)
    slice_bytes = -(-432 // 64) * 8
    assert load.cycles.load == 20 * 2 * slice_bytes // 8
    assert convolution.cycles.work == 2 * 5 * 20
    output_beats = 6 * 5 * 20 * 4 // 8
    assert convolution.cycles.stall_input == 0
    assert convolution.cycles.stall_output == output_beats - 200
    assert machine.counter("KERNEL_PORT_BYTES") == 20 * 2 * slice_bytes
    assert machine.counter("INPUT_PORT_BYTES") == 6 * 5 * 24 // 2
    assert machine.counter("OUTPUT_PORT_BYTES") == 6 * 5 * 20 * 4
    assert machine.counter("STALL_OUTPUT_CYCLES") == output_beats - 200
    assert machine.counter("STALL_INPUT_CYCLES") == machine.counter("STALL_PORT_CYCLES") == 0
    fetched = [-(-item.size // 8) for item in layer()]
    assert machine.counter("CONTROL_CYCLES") == sum(fetched)


def test_strict_input_stall_and_table() -> None:
    """One kernel of 1 x 1: the input of 400 beats takes longer than the work, and the table comes first."""
    machine = SmallMachine(timing=STRICT)
    machine.set("TILE_MODE", 1)
    machine.set("KERNEL_SHAPE", *kernel_words((1, 1, 1, 64), "s4", "u4", 1, (0, 0, 0, 0)))
    machine.set("ACTIVATION_CONTROL", 0, SYSTEM + 0x100, -8, 7)
    machine.set("LOAD_ADDRESS", SYSTEM, 1)
    machine.command(CommandCode.load)
    machine.set("INPUT_ADDRESS", *tensor_words(INPUT, "u4", (10, 10, 64)), *tensor_words(OUTPUT, "s4", (10, 10, 1)))
    before = machine.clock.now
    machine.command(CommandCode.convolve)
    assert machine.messages == []
    assert machine.counter("WORK_CYCLES") == 100
    assert machine.counter("STALL_INPUT_CYCLES") == 300 + 16 // 8
    assert machine.clock.now - before == 402


@BOTH
@pytest.mark.parametrize("topology", [(8, 1, 1), (2, 2, 2), (1, 1, 1), (3, 1, 2)])
def test_causes_add_up(model: TimingModel, topology: tuple[int, int, int]) -> None:
    """Of every command, and of the whole program, to the elapsed cycles. Both totals are recorded in either run."""
    kernels = 32 * topology[1] - 5
    channels = 9 * topology[0]
    program = layer(7, 5, channels, kernels, topology)
    machine, records = ran(program, model)
    for record in records:
        assert accounted(record) == record.end - record.start
        assert accounted(record) == (record.published_cycles if model is PUBLISHED else record.strict_cycles)
        assert record.published_cycles <= record.strict_cycles
    assert elapsed(machine) == machine.clock.now
    assert sum(record.control_cycles for record in records) < machine.counter("CONTROL_CYCLES")
    other = ran(program, STRICT if model is PUBLISHED else PUBLISHED)[1]
    for here, there in zip(records, other, strict=True):
        assert (here.published_cycles, here.strict_cycles) == (there.published_cycles, there.strict_cycles)


@given(
    height=st.integers(1, 12), width=st.integers(1, 12), channels=st.integers(8, 40), kernels=st.integers(1, 32),
    chain=st.integers(4, 8),
)  # fmt: skip
def test_strict_is_never_faster(height: int, width: int, channels: int, kernels: int, chain: int) -> None:
    program = layer(height, width, channels, kernels, (chain, 1, 8 // chain))
    fast, slow = ran(program, PUBLISHED)[0], ran(program, STRICT)[0]
    assert fast.clock.now <= slow.clock.now
    assert fast.bus.read(SYSTEM, 0x8_0000) == slow.bus.read(SYSTEM, 0x8_0000)


def test_the_unshared_layer_of_the_published_table() -> None:
    """C1_1 on eight clusters: each makes an eighth of the rows, the whole input passes over one 64-bit stream."""
    with TABLE.open() as file:
        row = next(row for row in csv.DictReader(file) if row["layer"] == "C1_1")
    size, kernels, channels = int(row["h"]), int(row["kernels"]), int(row["c"])
    machine = SmallMachine(8, system_bytes=2 << 20)
    programs = []
    for cluster in range(8):
        band = size // 8
        partition = isa.SetPartition(0, (parameters.Partition.pack(first_row=band * cluster, unshared=1),))
        output = tensor_words(SYSTEM + 0x10_0000 + cluster * 0x1_0000, "u4", (band, size, kernels))
        whole = tensor_words(INPUT, "u4", (size, size, channels))
        head = layer(channels=channels, kernels=kernels, topology=(1, 1, 8))
        activation = isa.SetActivation(NO_BASE, (0, SYSTEM + 0x2000, 0, 15))
        programs.append([*head[:3], activation, partition, head[3], isa.Conv(NO_BASE, whole + output), isa.Halt()])
    machine.run_programs(*programs)
    assert machine.messages == []
    for cluster in range(8):
        assert abs(machine.counter("BUSY_CYCLES", cluster) - int(row["cycles_8clusters"])) <= 1
        assert machine.counter("LOAD_CYCLES", cluster) == int(row["weight_bytes"]) // 8
        work = machine.counter("WORK_CYCLES", cluster)
        assert abs(work - (int(row["cycles_1cluster"]) - 54) / 8) <= 1
        assert machine.counter("STALL_INPUT_CYCLES", cluster) == 2352 - 54 - work


def test_time_between_counts_for_an_unshared_stream() -> None:
    """The stream began with the load; what passes between load and convolution is not waited for again."""
    timeline = Timeline(PUBLISHED)
    load, work = Demand(Cost(kernel_bits=64 * 10)), Demand(Cost(macs=1024 * 20, unshared_bytes=8 * 100))
    timeline.take(load)
    timeline.pass_cycles(30)
    assert timeline.take(work).stall_input == 100 - 10 - 30 - 20
    assert timeline.take(work).stall_input == 0
    timeline.take(load)
    assert timeline.take(work).stall_input == 70


@BOTH
def test_overlapped_loads(model: TimingModel) -> None:
    """A load that overlaps costs what is longer than the work before it; that work hides nothing twice."""
    timeline = Timeline(model)
    work = Demand(Cost(macs=1024 * 25, rows=25, columns=1, kernels=1, slice_bits=1024))
    load = Demand(Cost(kernel_bits=64 * 10, load_bytes=80, overlap=True))
    assert timeline.take(load).total == 10
    timeline.take(work)
    assert [timeline.take(load).load for _ in range(4)] == [0, 0, 5, 10]
    timeline.take(work)
    assert timeline.take(Demand(replace(load.cost, overlap=False))).load == 10


@BOTH
def test_the_external_memory_is_slow(model: TimingModel) -> None:
    """A hundred cycles, then a byte a cycle, in both models; what the command itself needs is not counted twice."""
    machine, (to, back) = ran([copy(SYSTEM, EXTERNAL, 800), copy(EXTERNAL, SYSTEM + 800, 800), isa.Halt()], model)
    assert (to.cycles.copy, to.cycles.stall_output, to.cycles.stall_input) == (100, 800, 0)
    assert (back.cycles.copy, back.cycles.stall_output, back.cycles.stall_input) == (100, 0, 800)
    assert elapsed(machine) == machine.clock.now


@BOTH
def test_kernels_and_features_from_the_external_memory(model: TimingModel) -> None:
    _, (load, convolution) = ran(layer(weights=EXTERNAL, source=EXTERNAL + 0x4000), model)
    assert load.cycles.load + load.cycles.stall_input == 100 + 20 * 2 * 56
    assert convolution.cycles.work + convolution.cycles.stall_input == max(100 + 360, convolution.cycles.work)
    near = ran(layer(), model)[0].bus.read(OUTPUT, 100)
    assert ran(layer(weights=EXTERNAL, source=EXTERNAL + 0x4000), model)[0].bus.read(OUTPUT, 100) == near


@pytest.mark.parametrize(("ports", "waits"), [(1, [0, 200, 400, 600]), (2, [0, 100, 200, 300]), (8, [0, 0, 0, 0])])
def test_clusters_queue_for_ports(ports: int, waits: list[int]) -> None:
    """Copies of 100 beats read and write the system memory: two streams each, 100 cycles a stream."""
    machine = SmallMachine(4, timing=STRICT, system_ports=ports)
    machine.run_programs(*[[copy(SYSTEM, SYSTEM + 0x1000 * (cluster + 1), 800), isa.Halt()] for cluster in range(4)])
    assert machine.messages == []
    first = 100 if ports == 1 else 0
    assert [machine.counter("STALL_PORT_CYCLES", cluster) for cluster in range(4)] == [first + wait for wait in waits]
    ends = [elapsed(machine, cluster) for cluster in range(4)]
    assert max(ends) == machine.clock.now
    again = SmallMachine(4, timing=PUBLISHED, system_ports=ports)
    again.run_programs(*[[copy(SYSTEM, SYSTEM + 0x1000 * (cluster + 1), 800), isa.Halt()] for cluster in range(4)])
    assert again.clock.now == 101


def test_broadcast_features_use_one_port() -> None:
    """The lowest cluster of the set pays for the stream of features; the others only listen."""
    stalls = []
    for clusters in (0, 0b11):
        machine = SmallMachine(2, timing=STRICT, system_ports=1)
        partition = isa.SetPartition(0, (parameters.Partition.pack(clusters=clusters),))
        programs = []
        for cluster in range(2):
            head = layer(8, 8, 64, 1, (4, 1, 1), EXTERNAL + 0x1000 * cluster, INPUT, OUTPUT + cluster * 0x1000)
            programs.append([*head[:4], partition, *head[4:]])
        machine.run_programs(*programs)
        assert machine.messages == []
        stalls.append(machine.counter("STALL_PORT_CYCLES", 1))
    assert stalls[1] < stalls[0]


def test_a_cluster_copies_into_another_cluster() -> None:
    """Tile arrays in memory mode are memory like any other; in compute mode they are not."""
    machine = SmallMachine(2)
    machine.bus.write(TILES + 0x1000, bytes(range(128)))
    machine.run_program(copy(TILES + 0x1000, TILES + 0x8000 + 0x3000, 128), isa.Halt())
    assert machine.messages == []
    assert machine.bus.read(TILES + 0x8000 + 0x3000, 128) == bytes(range(128))
    machine.set("TILE_MODE", 0b1000, cluster=1)
    machine.run_program(copy(TILES + 0x1000, TILES + 0x8000 + 0x3000, 128), isa.Halt())
    assert "the tile is in compute mode" in machine.messages[0]


def test_the_end_of_a_program_does_not_leak_into_the_next() -> None:
    """`halt` of the first run is no control cycle of the second one's first command."""
    machine = SmallMachine()
    machine.cluster.on_command.append(machine.records.append)
    program = (isa.Nop(), copy(SYSTEM, SYSTEM + 0x1000, 64), isa.Nop(), isa.Nop(), isa.Halt())
    machine.run_program(*program)
    machine.run_program(*program)
    first, second = machine.records
    assert (first.control_cycles, second.control_cycles) == (1, 1)
    assert first.energy == second.energy
    assert machine.counter("CONTROL_CYCLES") == 8


def test_totals_survive_clear_and_reset() -> None:
    """Firmware sees what it counted since it cleared; tools see everything."""
    machine = SmallMachine()
    for control in ("COUNTER_CONTROL", "CONTROL"):
        machine.run_program(copy(SYSTEM, SYSTEM + 0x1000, 64), isa.Halt())
        assert machine.counter("COPY_CYCLES") == 8
        machine.set(control, 1 if control == "COUNTER_CONTROL" else 4)
        assert machine.counter("COPY_CYCLES") == machine.counter("ENERGY_PJ") == 0
    machine.cluster.reset()
    assert machine.cluster.counters.copy_cycles == 16
    assert machine.cluster.counters.commands == 2
    assert machine.cluster.counters.energy_fj == 2 * (8 + 1) * 9000

"""Cycles and energy against the published tables."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import pytest

from asm import isa, parameters
from asm.rules import KERNEL_ROWS, ElementFormat, KernelGeometry
from emu.npu import energy
from emu.npu.power import PowerState
from emu.npu.timing import UNITS, Cost, whole_cycles
from emu.npu.topology import Topology
from tests.emu.npu.small_machine import NO_BASE, SYSTEM, SmallMachine, kernel_words, tensor_words

TABLE = Path(__file__).parents[2] / "data" / "vgg16_published.csv"
CLOCK_HZ = 600_000_000


def layers() -> list[dict[str, str]]:
    """Rows of the published table."""
    with TABLE.open() as file:
        return list(csv.DictReader(file))


def numbers(layer: dict[str, str]) -> dict[str, int]:
    """The columns that are whole numbers."""
    return {name: int(value) for name, value in layer.items() if value.isdigit()}


def macs(row: dict[str, int]) -> int:
    return row["h"] * row["w"] * row["kernels"] * row["kernel_hw"] ** 2 * row["c"]


def costs(layer: dict[str, str]) -> list[Cost]:
    """The commands of a layer: kernels come in rounds of as many as the tiles hold."""
    row = numbers(layer)
    tiles = row["stripes"] * row["chain"] * row["parallel"]
    commands, left = [], row["kernels"]
    while left:
        count = min(left, KERNEL_ROWS * row["parallel"])
        left -= count
        kernel_bits = count * row["kernel_hw"] ** 2 * row["c"] * row["weight_bits"]
        commands.append(Cost(kernel_bits=kernel_bits, tiles=tiles))
        share = macs(row) * count // row["kernels"]
        commands.append(Cost(macs=share, bits=max(row["weight_bits"], row["feature_bits"]), tiles=tiles))
    return commands


@pytest.mark.parametrize("layer", layers(), ids=lambda layer: layer["layer"])
def test_published_cycles_of_one_cluster(layer: dict[str, str]) -> None:
    total, carried = 0, 0
    for cost in costs(layer):
        for units in (cost.load_units, cost.work_units):
            cycles, carried = whole_cycles(units, carried)
            total += cycles
    assert abs(total - int(layer["cycles_1cluster"])) <= 1


def test_published_total() -> None:
    """The sum of the table, 865214 cycles, is published too."""
    total = sum(Fraction(cost.load_units + cost.work_units, UNITS) for layer in layers() for cost in costs(layer))
    assert abs(total - 865_214) <= 13


@pytest.mark.parametrize(("name", "topology"), [("C5_1", (8, 1, 1)), ("C3_3", (4, 2, 1))])
def test_a_layer_as_a_program(name: str, topology: tuple[int, int, int]) -> None:
    """The whole layer runs: rounds of load and convolution, each writing its slice of the output's channels."""
    layer = next(layer for layer in layers() if layer["layer"] == name)
    row = numbers(layer)
    chain, parallel, stripes = topology
    machine = SmallMachine(system_bytes=4 << 20)
    weights, source, destination = SYSTEM, SYSTEM + 0x10_0000, SYSTEM + 0x20_0000
    size, channels, kernels = row["h"], row["c"], row["kernels"]
    side = row["kernel_hw"]
    words = kernel_words((kernels, side, side, channels), "s4", "u4", 1, (1, 1, 1, 1))
    program: list[isa.Instruction] = [
        isa.SetTopology(0, (parameters.Topology.pack(chain=chain, parallel=parallel, stripes=stripes),)),
        isa.SetMode(0, (0xFF,)),
        isa.SetKernel(0, words),
    ]
    held = KERNEL_ROWS * parallel
    for start in range(0, kernels, held):
        count = min(held, kernels - start)
        program.append(isa.Load(NO_BASE, (weights, count)))
        output = tensor_words(destination + 4 * start, "s32", (size, size, count), pixel_channels=kernels)
        program.append(isa.Conv(NO_BASE, tensor_words(source, "u4", (size, size, channels)) + output))
    program.append(isa.Halt())
    machine.cluster.on_command.append(machine.records.append)
    machine.run_program(*program)
    assert machine.messages == []
    assert machine.get("INTERRUPT_STATUS") == 1
    published = int(layer["cycles_1cluster"])
    assert abs(machine.counter("LOAD_CYCLES") + machine.counter("WORK_CYCLES") - published) <= 1
    assert machine.counter("CONTROL_CYCLES") == 4
    assert machine.clock.now == machine.counter("BUSY_CYCLES") + 4
    assert machine.counter("KERNEL_WORDS") * 8 == row["weight_bytes"]
    assert machine.counter("TILE_CYCLES") == macs(row) * 4 // 1024
    assert machine.counter("COMMANDS") == 2 * row["kernel_rounds"] == len(machine.records)
    works = [record for record in machine.records if record.cycles.work]
    assert {round(100 * record.cost.utilisation) for record in works} == {row["utilization_pct"]}
    assert sum(record.cost.macs for record in works) == macs(row)
    assert sum(record.energy_fj for record in machine.records) // 1000 <= machine.counter("ENERGY_PJ")
    assert machine.records[0].start == 3
    assert all(after.start == before.end for before, after in zip(machine.records, machine.records[1:], strict=False))


@pytest.mark.parametrize("layer", layers(), ids=lambda layer: layer["layer"])
def test_published_mapping(layer: dict[str, str]) -> None:
    """Every layer fits its published topology in its published number of rounds."""
    row = numbers(layer)
    topology = Topology(row["chain"], row["parallel"], row["stripes"])
    topology.check()
    weights = ElementFormat.s4
    KernelGeometry(row["kernel_hw"], row["kernel_hw"], row["c"], weights, row["chain"]).check()
    assert -(-row["kernels"] // topology.kernels) == row["kernel_rounds"]


@pytest.mark.parametrize("tiles", range(1, 9))
def test_no_cycle_is_lost(tiles: int) -> None:
    """Cut into single outputs, a convolution takes as long as in one go."""
    whole = Cost(macs=1000 * 37, bits=4, tiles=tiles)
    carried = total = 0
    for _ in range(1000):
        cycles, carried = whole_cycles(Cost(macs=37, bits=4, tiles=tiles).work_units, carried)
        total += cycles
    assert total == whole.work_units // UNITS == 37 * 1000 * 4 // (1024 * tiles)


def test_published_efficiency_of_vgg16() -> None:
    """46.8 TOPS/W, inputs and outputs of each layer streamed once."""
    spent = 0
    for layer in layers():
        row = numbers(layer)
        carried = cycles = 0
        for cost in costs(layer):
            for units in (cost.load_units, cost.work_units):
                passed, carried = whole_cycles(units, carried)
                cycles += passed
            spent += energy.work_energy(cost, PowerState()).total
        output_bytes = row["h"] * row["w"] * row["kernels"] * row["feature_bits"] // 8
        spent += energy.work_energy(Cost(activation_bytes=row["activation_bytes"] + output_bytes), PowerState()).total
        spent += energy.leakage(cycles, CLOCK_HZ, PowerState())
    operations = 2 * sum(macs(numbers(layer)) for layer in layers())
    assert operations / spent * 1e15 / 1e12 == pytest.approx(46.8, abs=0.1)


@pytest.mark.parametrize(("bits", "tile", "cluster"), [(4, 176, 76.5), (1, 770, 310)])
def test_published_peak_efficiency(bits: int, tile: float, cluster: float) -> None:
    """TOPS/W of a tile's array, and of a cluster whose eight tiles work all the time."""
    cycles = 1000
    operations = 2 * 1024 // bits * 8 * cycles
    array = energy.ARRAY_FJ[bits] * 8 * cycles
    work = Cost(macs=1024 // bits * 8 * cycles, bits=bits, array_bits=bits, tiles=8)
    assert operations / array * 1000 == pytest.approx(tile, rel=0.01)
    without_leakage = energy.work_energy(work, PowerState()).total
    assert operations / without_leakage * 1000 == pytest.approx(cluster, rel=0.02)

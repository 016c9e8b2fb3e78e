"""The memory map of `st18` and `st18-rv32`: the addresses that firmware relies on."""

from __future__ import annotations

import pytest

from emu.bus import Bus
from emu.clock import Clock
from emu.device import Board
from emu.log import Log
from emu.machine import MachineMap
from emu.machines import NAMES, UnknownMachineError, machine_map
from emu.memory import Memory


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def bus_of(machine: MachineMap) -> Bus:
    """The bus of the machine without its CPU; placing things fails if two overlap."""
    board = Board(Clock(machine.clock_hz), Bus(), Log())
    for region in machine.memories:
        board.bus.add_memory(Memory(region.name, region.base, region.size, region.access))
    for item in machine.peripherals:
        board.bus.add_device(item.base, item.device(item.name, board, **item.options))
    return board.bus


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (0x0800_0000, "flash"), (0x081F_FFFF, "flash"), (0x2000_0000, "sram"), (0x2003_FFFF, "sram"),
        (0x3000_0000, "sysmem"), (0x301F_FFFF, "sysmem"), (0x3800_0000, "tiles0"), (0x3800_8000, "tiles1"),
        (0x3803_FFFF, "tiles7"), (0x4000_0000, "uart0"), (0x4000_1000, "timer0"), (0x4000_2000, "stream0"),
        (0x5000_0000, "cluster0"), (0x5000_7000, "cluster7"),
    ],
)  # fmt: skip
def test_what_is_at_an_address(name: str, address: int, expected: str) -> None:
    found = bus_of(machine_map(name)).find(address)
    assert found is not None
    assert found[1].name == expected


@pytest.mark.parametrize("address", [0, 0xFFF, 0x0820_0000, 0x2004_0000, 0x3804_0000, 0x5000_8000])
def test_nothing_is_mapped_there(name: str, address: int) -> None:
    assert bus_of(machine_map(name)).find(address) is None


@pytest.mark.parametrize("clusters", range(1, 9))
def test_the_number_of_clusters_is_a_parameter(name: str, clusters: int) -> None:
    machine = machine_map(name, clusters)
    assert machine.clusters == clusters
    assert [item.name for item in machine.peripherals if item.name.startswith("cluster")] == [
        f"cluster{index}" for index in range(clusters)
    ]
    assert bus_of(machine).find(0x5000_0000 + clusters * 0x1000) is None


def test_interrupts(name: str) -> None:
    numbers = {item.name: item.interrupt for item in machine_map(name).peripherals if item.interrupt is not None}
    expected = {"uart0": 0, "timer0": 1, "stream0": 2} | {f"cluster{index}": 8 + index for index in range(8)}
    assert numbers == expected


def test_hosts_differ_only_in_their_interrupt_controllers() -> None:
    arm, riscv = machine_map("st18"), machine_map("st18-rv32")
    assert (arm.host, riscv.host) == ("cortex-m4f", "rv32imc")
    assert arm.memories == riscv.memories
    own = {item.name: item.base for item in riscv.peripherals if item not in arm.peripherals}
    assert own == {"clint": 0x0200_0000, "plic": 0x0C00_0000}
    assert {arm.clock_hz, riscv.clock_hz} == {600_000_000}
    assert {arm.reset_address, riscv.reset_address} == {0x0800_0000}


@pytest.mark.parametrize("timing", ["published", "strict"])
def test_timing_and_ports(name: str, timing: str) -> None:
    """The clusters get the model, the system memory its ports; the external memory is the slow one."""
    made = machine_map(name, 2, timing, system_ports=3)
    assert made.timing == timing
    models = [item.options["timing"].value for item in made.peripherals if item.name.startswith("cluster")]
    assert models == [timing] * 2
    timings = {region.name: region.timing for region in made.memories}
    assert timings["sysmem"] is not None
    assert timings["sysmem"].ports == 3
    external = timings["extmem"]
    assert external is not None
    assert (external.ports, external.bytes_per_cycle) == (1, 1)
    assert external.latency > 0


@pytest.mark.parametrize(
    ("timing", "ports", "text"),
    [
        ("fast", 4, "there is no timing 'fast': known are published, strict"),
        ("strict", 0, "the system memory must have at least 1 port, not 0"),
    ],
)
def test_refused_timing_and_ports(timing: str, ports: int, text: str) -> None:
    with pytest.raises(UnknownMachineError, match=text):
        machine_map("st18", 1, timing, ports)

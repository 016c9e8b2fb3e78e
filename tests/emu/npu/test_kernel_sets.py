"""Kernels that change behind the back of what was unpacked: whoever changes them, the arithmetic sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
import pytest

from asm import parameters
from asm.parameters import CommandCode
from asm.rules import ElementFormat
from emu.machine import Machine
from emu.machines import machine_map
from emu.memory import Memory
from emu.npu.cluster import Cluster
from emu.npu.tile import TILE_BYTES, Contents, TileArray
from tests.emu.npu.small_machine import kernel_words, tensor_words
from tests.reference import integer

SRAM, FLASH, SYSTEM, TILES = 0x2000_0000, 0x0800_0000, 0x3000_0000, 0x3800_0000
INPUT, OUTPUT, SPARE = SYSTEM + 0x1000, SYSTEM + 0x2000, SYSTEM + 0x3000
CODE, IN_FLASH, IN_SRAM, IN_SYSTEM = SRAM + 0x100, FLASH + 0x4000, SRAM + 0x4000, SYSTEM + 0x4000
SHAPE = (3, 1, 1, 16)
STORE = bytes.fromhex("0160fee7")
"""str r1, [r0]; b . in Thumb."""
LOAD = bytes.fromhex("0168fee7")
"""ldr r1, [r0]; b . in Thumb."""
COMPUTE, MEMORY = 0b11, 0


class Rig:
    """A machine whose cluster multiplies a pixel of ones with kernels of one tile, in both tiles of two stripes."""

    def __init__(self, timing: str = "published") -> None:
        self.machine = Machine(machine_map("st18", 2, timing))
        self.clusters = [self.machine.devices[f"cluster{index}"] for index in range(2)]
        self.machine.bus.program(FLASH, (SRAM + 0x1000).to_bytes(4, "little") + (CODE | 1).to_bytes(4, "little"))
        self.machine.bus.program(CODE, STORE)
        self.machine.reset()
        self.machine.bus.write(INPUT, b"\x11" * SHAPE[3])
        for cluster in range(2):
            self.set("TILE_MODE", COMPUTE, cluster)
            self.set("TOPOLOGY", parameters.Topology.pack(chain=1, parallel=1, stripes=2), cluster)
            for name, word in zip(
                ("KERNEL_SHAPE", "KERNEL_FORMAT"), kernel_words(SHAPE, "s4", "u4", 1, [0] * 4), strict=False
            ):
                self.set(name, word, cluster)
        words = *tensor_words(INPUT, "u4", (2, 1, SHAPE[3])), *tensor_words(OUTPUT, "s32", (2, 1, SHAPE[0]))
        for place, word in enumerate(words):
            self.cluster().write(Cluster.INPUT_ADDRESS.offset + 4 * place, 4, word)
        self.set("ACTIVATION_CONTROL", parameters.ActivationControl.pack(bypass=1))

    def cluster(self, index: int = 0) -> Cluster:
        cluster = self.clusters[index]
        assert isinstance(cluster, Cluster)
        return cluster

    def set(self, name: str, value: int, cluster: int = 0) -> None:
        """Write a register as the host does."""
        self.cluster(cluster).write(getattr(Cluster, name).offset, 4, value)

    def command(self, code: CommandCode) -> None:
        """Start a command and wait for its end."""
        self.set("COMMAND", code)
        self.machine.clock.advance_to(self.machine.clock.next_event)
        self.machine.clock.dispatch()
        assert not self.machine.log.messages

    def load(self, address: int, clusters: int = 0) -> None:
        self.set("LOAD_ADDRESS", address)
        self.set("LOAD_COUNT", parameters.LoadCount.pack(kernels=SHAPE[0], clusters=clusters))
        self.command(CommandCode.load)

    def sums(self) -> list[int]:
        """What the convolution of ones gives: the sum of the weights of each kernel, for the pixel of each stripe."""
        self.command(CommandCode.convolve)
        return [int(value) for value in np.frombuffer(self.machine.bus.read(OUTPUT, 8 * SHAPE[0]), "<i4")]

    def cpu_store(self, address: int, word: int) -> None:
        """Let the host execute a store."""
        core = self.machine.core
        core.pc = CODE
        core.write_register("r0", address)
        core.write_register("r1", word)
        self.machine.run(50)
        assert core.pc == CODE + 2

    def copy(self, source: int, target: int, count: int) -> None:
        """Let the cluster copy."""
        self.set("COPY_SOURCE", source)
        self.set("COPY_DESTINATION", target)
        self.set("COPY_BYTES", count)
        for loop in range(parameters.COPY_LOOPS):
            self.cluster().COPY_COUNT[loop] = 1
        self.command(CommandCode.copy)


def packed(seed: int) -> bytes:
    """Kernels whose first one is always the same."""
    weights = np.random.default_rng(seed).integers(-8, 8, SHAPE)
    weights[0] = 1
    return integer.pack_kernels(weights, "s4", 1)


def expected(data: bytes) -> list[int]:
    """Sums of the weights of each kernel, in both stripes."""
    size = len(data) // SHAPE[0]
    rows = (data[start : start + size] for start in range(0, len(data), size))
    return [sum(integer.unpack(row, SHAPE[3], "s4")) for row in rows] * 2


FIRST, SECOND = packed(1), packed(2)


@pytest.fixture
def rig() -> Iterator[Rig]:
    return Rig()


def by_cpu(rig: Rig, address: int) -> None:
    for place in range(0, len(SECOND), 4):
        rig.cpu_store(address + place, int.from_bytes(SECOND[place : place + 4], "little"))


def by_copy(rig: Rig, address: int) -> None:
    rig.machine.bus.write(SPARE, SECOND)
    rig.copy(SPARE, address, len(SECOND))


def by_bus(rig: Rig, address: int) -> None:
    rig.machine.bus.write(address, SECOND)


def by_loader(rig: Rig, address: int) -> None:
    rig.machine.bus.program(address, SECOND)


def by_snapshot(rig: Rig, address: int) -> None:
    other = Rig()
    other.machine.bus.program(address, SECOND)
    rig.machine.restore(other.machine.snapshot())


WAYS = [
    *((way, place) for way in (by_cpu, by_copy, by_bus, by_loader, by_snapshot) for place in (IN_SRAM, IN_SYSTEM)),
    (by_loader, IN_FLASH),
    (by_snapshot, IN_FLASH),
]


@pytest.mark.parametrize(("change", "address"), WAYS)
def test_kernels_that_change_between_two_loads(rig: Rig, change: Callable[[Rig, int], None], address: int) -> None:
    rig.machine.bus.program(address, FIRST)
    for _ in range(2):
        rig.load(address)
        assert rig.sums() == expected(FIRST)
    change(rig, address)
    assert rig.machine.bus.read(address, len(SECOND)) == SECOND
    for _ in range(2):
        rig.load(address)
        assert rig.sums() == expected(SECOND)


@pytest.mark.parametrize("how", ["cpu", "bus", "loader"])
def test_kernels_that_change_in_the_tiles(rig: Rig, how: str) -> None:
    size = len(SECOND) // SHAPE[0]
    rig.machine.bus.program(IN_FLASH, FIRST)
    rig.load(IN_FLASH)
    assert rig.sums() == expected(FIRST)
    if how != "loader":
        rig.set("TILE_MODE", MEMORY)
    for tile in range(2):
        for row in range(SHAPE[0]):
            place, part = TILES + tile * TILE_BYTES + row * 128, SECOND[row * size : (row + 1) * size]
            if how == "cpu":
                for start in range(0, size, 4):
                    rig.cpu_store(place + start, int.from_bytes(part[start : start + 4], "little"))
            else:
                (rig.machine.bus.write if how == "bus" else rig.machine.bus.program)(place, part)
    rig.set("TILE_MODE", COMPUTE)
    assert rig.sums() == expected(SECOND)
    rig.load(IN_FLASH)
    assert rig.sums() == expected(FIRST)


def test_one_stripe_of_two_changes(rig: Rig) -> None:
    rig.machine.bus.program(IN_FLASH, FIRST)
    rig.load(IN_FLASH)
    rig.set("TILE_MODE", MEMORY)
    rig.cpu_store(TILES + TILE_BYTES + 128, 0)
    rig.cpu_store(TILES + TILE_BYTES + 128 + 4, 0)
    rig.set("TILE_MODE", COMPUTE)
    first, second = expected(FIRST)[:3], expected(FIRST)[3:]
    assert rig.sums() == [*first, second[0], 0, second[2]]


def test_kernels_loaded_in_memory_mode_and_changed_there(rig: Rig) -> None:
    """The kernel port is not the bus: tiles may be in memory mode, and firmware may write to what was loaded."""
    rig.machine.bus.program(IN_FLASH, FIRST)
    rig.load(IN_FLASH)
    assert rig.sums() == expected(FIRST)
    rig.set("TILE_MODE", MEMORY)
    rig.load(IN_FLASH)
    for tile in range(2):
        rig.cpu_store(TILES + tile * TILE_BYTES, 0x0000_0002)
        rig.cpu_store(TILES + tile * TILE_BYTES + 4, 0)
    rig.set("TILE_MODE", COMPUTE)
    first = expected(FIRST)
    assert rig.sums() == [2, *first[1:3]] * 2


def test_a_snapshot_between_load_and_convolution(rig: Rig) -> None:
    rig.machine.bus.program(IN_FLASH, FIRST)
    rig.machine.bus.program(IN_SYSTEM, SECOND)
    rig.load(IN_FLASH)
    loaded_first = rig.machine.snapshot()
    rig.load(IN_SYSTEM)
    assert rig.sums() == expected(SECOND)
    rig.machine.restore(loaded_first)
    assert rig.sums() == expected(FIRST)


def test_other_kernels_in_the_same_tiles(rig: Rig) -> None:
    """A set is known only as long as it was the last one, whatever the registers say afterwards."""
    rig.machine.bus.program(IN_FLASH, FIRST)
    rig.load(IN_FLASH)
    assert rig.sums() == expected(FIRST)
    rig.set("TOPOLOGY", parameters.Topology.pack(chain=1, parallel=1, stripes=1))
    rig.machine.bus.write(IN_SYSTEM, SECOND)
    rig.load(IN_SYSTEM)
    rig.set("TOPOLOGY", parameters.Topology.pack(chain=1, parallel=1, stripes=2))
    rig.set("LOAD_COUNT", SHAPE[0])
    assert rig.sums() == [*expected(SECOND)[:3], *expected(FIRST)[3:]]


def test_after_a_reset_the_tiles_decide(rig: Rig) -> None:
    rig.machine.bus.program(IN_FLASH, FIRST)
    rig.load(IN_FLASH)
    words = dict(rig.cluster().words)
    rig.machine.reset()
    for tile in range(2):
        rig.machine.bus.write(TILES + tile * TILE_BYTES, bytes(8))
    for offset in sorted(words):
        if Cluster.TILE_MODE.offset <= offset < Cluster.COMMAND.offset:
            rig.cluster().write(offset, 4, words[offset])
    first = expected(FIRST)
    assert rig.sums() == [0, *first[1:3]] * 2


def test_a_broadcast_that_another_load_follows(rig: Rig) -> None:
    rig.machine.bus.program(IN_FLASH, FIRST)
    rig.machine.bus.program(IN_SYSTEM, SECOND)
    rig.load(IN_FLASH, clusters=0b11)
    rig.load(IN_SYSTEM)
    assert rig.sums() == expected(SECOND)
    rig.clusters.reverse()
    for register in rig.cluster(1).registers:
        if Cluster.INPUT_ADDRESS.offset <= register.offset <= Cluster.OUTPUT_PIXEL_STRIDE.offset:
            rig.cluster().write(register.offset, 4, rig.cluster(1).words[register.offset])
    rig.set("ACTIVATION_CONTROL", parameters.ActivationControl.pack(bypass=1))
    assert rig.sums() == expected(FIRST)


def write_at_once(tiles: TileArray, contents: Contents, _: int) -> None:
    """Store kernels without any shortcut."""
    contents.write(tiles.array)


def tile_rows(data: bytes) -> list[bytes]:
    """What the first rows of a tile hold."""
    size = len(data) // SHAPE[0]
    return [data[start : start + size] for start in range(0, len(data), size)]


def seen_by_state(rig: Rig) -> bytes:
    other = Machine(rig.machine.map)
    other.restore(rig.machine.snapshot())
    return other.bus.memory("tiles0").data.tobytes()


def seen_by_memory(rig: Rig) -> bytes:
    return rig.machine.bus.memory("tiles0").data.tobytes()


def seen_by_bus(rig: Rig) -> bytes:
    rig.set("TILE_MODE", MEMORY)
    return rig.machine.bus.read(TILES, 8 * TILE_BYTES)


def seen_by_copy(rig: Rig) -> bytes:
    rig.set("TILE_MODE", MEMORY)
    rig.copy(TILES, SPARE, 2 * TILE_BYTES)
    return rig.machine.bus.read(SPARE, 2 * TILE_BYTES)


def seen_by_cpu(rig: Rig) -> bytes:
    rig.machine.bus.program(CODE, LOAD)
    rig.set("TILE_MODE", MEMORY)
    seen = bytearray(2 * TILE_BYTES)
    for tile in range(2):
        for row in range(SHAPE[0]):
            for place in range(tile * TILE_BYTES + row * 128, tile * TILE_BYTES + row * 128 + 8, 4):
                rig.cpu_store(TILES + place, 0)
                seen[place : place + 4] = rig.machine.core.read_register("r1").to_bytes(4, "little")
    return bytes(seen)


@pytest.mark.parametrize("look", [seen_by_state, seen_by_memory, seen_by_bus, seen_by_copy, seen_by_cpu])
def test_whoever_looks_sees_what_was_loaded(rig: Rig, look: Callable[[Rig], bytes]) -> None:
    """The kernels in the first tile are loaded before and after those in both tiles."""
    rig.machine.bus.program(IN_FLASH, FIRST)
    rig.machine.bus.program(IN_SYSTEM, SECOND)
    for stripes, address in ((1, IN_FLASH), (2, IN_FLASH), (1, IN_SYSTEM)):
        rig.set("TOPOLOGY", parameters.Topology.pack(chain=1, parallel=1, stripes=stripes))
        rig.load(address)
    seen = look(rig)
    for tile, data in enumerate((SECOND, FIRST)):
        for row, part in enumerate(tile_rows(data)):
            place = tile * TILE_BYTES + row * 128
            assert seen[place : place + len(part)] == part


def test_many_layouts_before_anybody_looks(rig: Rig) -> None:
    """Kernels of 128, 120, 112 ... bytes: each leaves of the one before it what reaches further."""
    rig.set("TOPOLOGY", parameters.Topology.pack(chain=1, parallel=1, stripes=1))
    longest, byte = 16, ElementFormat.s8
    for channels in range(longest, 0, -1):
        rig.set("KERNEL_FORMAT", parameters.KernelFormat.pack(weights=byte, features=byte, channels=8 * channels))
        rig.machine.bus.program(IN_FLASH, bytes([channels]) * 8 * channels)
        rig.set("LOAD_ADDRESS", IN_FLASH)
        rig.set("LOAD_COUNT", 1)
        rig.command(CommandCode.load)
    seen = rig.machine.bus.memory("tiles0").data[: 8 * longest].tobytes()
    assert seen == b"".join(bytes([channels]) * 8 for channels in range(1, longest + 1))


def test_states_are_the_same_without_shortcuts() -> None:
    hashes = []
    for short in (True, False):
        with mock.patch.object(TileArray, "store", TileArray.store if short else write_at_once):
            rig = Rig()
            for memory in rig.machine.bus.memories:
                memory.constant &= short
            rig.machine.bus.program(IN_FLASH, FIRST)
            rig.machine.bus.write(IN_SYSTEM, SECOND)
            for address in (IN_FLASH, IN_SYSTEM, IN_FLASH):
                rig.load(address)
                rig.sums()
                hashes.append(rig.machine.state_hash())
    assert hashes[:3] == hashes[3:]
    assert len(set(hashes)) == 3


def test_a_memory_that_is_seen_twice_is_not_constant() -> None:
    ram, alias = Memory("ram", 0, 0x1000, "rw"), Memory("alias", 0x1000, 0x1000, "rx")
    rom = Memory("rom", 0x2000, 0x1000, "rx")
    assert [memory.constant for memory in (ram, alias, rom)] == [False, True, True]
    alias.mirror(ram)
    assert [memory.constant for memory in (ram, alias, rom)] == [False, False, True]

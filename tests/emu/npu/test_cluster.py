"""The register block: what is refused and why, interrupts, counters, abort, reset, modes."""

from __future__ import annotations

import numpy as np
import pytest

from asm import isa, parameters
from asm.parameters import CommandCode
from asm.rules import Cause, ElementFormat
from emu.bus import BusError
from emu.device import Board
from emu.npu.cluster import Cluster
from emu.npu.energy import Energy
from emu.npu.record import CommandRecord
from emu.npu.timing import Cost, Cycles
from tests.emu.npu.small_machine import (
    DONE,
    ERROR,
    NO_BASE,
    ROM,
    SYSTEM,
    TILES,
    SmallMachine,
    kernel_words,
    tensor_words,
)

INPUT, OUTPUT = SYSTEM + 0x1_0000, SYSTEM + 0x2_0000
RESET_VALUES = {
    "ID": 0x0801_504E,
    "TOPOLOGY": 0x111,
    "KERNEL_SHAPE": 0x0011_0101,
    "KERNEL_FORMAT": 0x0001_0000,
    "ACTIVATION_CONTROL": 1,
    "CLAMP_LOW": 0x8000_0000,
    "CLAMP_HIGH": 0x7FFF_FFFF,
    "VOLTAGE_MV": 525,
    "BODY_BIAS_MV": 1500,
    "CLOCK_KHZ": 600_000,
    "POOLING": 0x0001_1110,
    "OPERAND_SCALE": 0x0001_0001,
}


OTHERS = "2 (convolve), 3 (copy), 4 (fill), 5 (accumulate), 6 (sum), 7 (product)"


def ready(machine: SmallMachine) -> None:
    """Four kernels of 3 x 3 x 8 (s4) for an input of 5 x 5 x 8 (u4) and psums of 5 x 5 x 4."""
    machine.bus.write(SYSTEM, bytes(range(256)) * 4)
    machine.bus.write(INPUT, bytes(range(100)))
    machine.set("TILE_MODE", 0xFF)
    machine.set("KERNEL_SHAPE", *kernel_words((4, 3, 3, 8), "s4", "u4", 1, (1, 1, 1, 1)))
    machine.set("LOAD_ADDRESS", SYSTEM, 4)
    machine.set("INPUT_ADDRESS", *tensor_words(INPUT, "u4", (5, 5, 8)), *tensor_words(OUTPUT, "s32", (5, 5, 4)))


def test_names_and_offsets() -> None:
    """The layout that firmware is compiled against."""
    offsets = {register.name: register.offset for register in Cluster.registers}
    assert offsets["CONTROL"] == 0x004
    assert offsets["R"] == 0x040
    assert offsets["TILE_MODE"] == 0x100
    assert offsets["INPUT_ADDRESS"] == 0x12C
    assert offsets["COMMAND"] == 0x1BC
    assert offsets["ENERGY_PJ_HIGH"] == 0x24C


@pytest.mark.parametrize("kind", [kind for kind in isa.INSTRUCTIONS.values() if kind.register])
def test_payloads_have_the_layout_of_the_registers(kind: type[isa.Instruction]) -> None:
    """Word by word: the register at each place of a payload has the payload's fields."""
    by_offset = {offset: register for register in Cluster.registers for offset in register.offsets()}
    start = getattr(Cluster, kind.register).offset
    for place, layout in enumerate(kind.payload):
        register = by_offset[start + 4 * place].layout
        assert layout is register or (layout is isa.Immediate32 and register.mask() == layout.mask())


def test_reset_values() -> None:
    machine = SmallMachine()
    machine.set("INTERRUPT_ENABLE", 0)
    for register in Cluster.registers:
        assert machine.get(register.name) == RESET_VALUES.get(register.name, 0), register.name


@pytest.mark.parametrize(
    ("registers", "cause", "text"),
    [
        (
            {"TOPOLOGY": 0x333, "LOAD_COUNT": 4},
            Cause.illegal_topology,
            "chain 3 x parallel 3 x stripes 3 needs 27 tiles",
        ),
        ({"TOPOLOGY": 0x011, "LOAD_COUNT": 4}, Cause.illegal_topology, "stripes must be 1..8, not 0"),
        ({"KERNEL_FORMAT": 0x0040_0045, "LOAD_COUNT": 4}, Cause.kernel_too_large, "needs 2304 bits a tile"),
        (
            {"KERNEL_FORMAT": 0x0008_0048, "LOAD_COUNT": 4},
            Cause.bad_field,
            "weights must be u1, s1, u2, s2, u4, s4, u8",
        ),
        (
            {"KERNEL_FORMAT": 0x0008_0085, "LOAD_COUNT": 4},
            Cause.bad_field,
            "features must be u1, s1, u2, s2, u4, s4, u8",
        ),
        ({"KERNEL_FORMAT": 0x0008_004F, "LOAD_COUNT": 4}, Cause.bad_field, "15 is not an element format"),
        ({"KERNEL_FORMAT": 0x0008_0055, "LOAD_COUNT": 4}, Cause.bad_field, "must be that of the features, s4, not u4"),
        ({"KERNEL_SHAPE": 0x0001_0303, "LOAD_COUNT": 4}, Cause.bad_field, "stride must be at least 1, not 0"),
        ({"KERNEL_SHAPE": 0x0021_0303, "LOAD_COUNT": 4}, Cause.shape_mismatch, "the output's width must be 3"),
        (
            {"KERNEL_SHAPE": 0x0011_0308, "PADDING": 0, "LOAD_COUNT": 4},
            Cause.shape_mismatch,
            "kernel's height 8 is larger than",
        ),
        ({"PADDING": 0}, Cause.shape_mismatch, "the output's height must be at most 3"),
        ({"INPUT_SHAPE": 0x0005_0000}, Cause.shape_mismatch, "the input must be at least 1 x 1 x 1, not 0 x 5 x 8"),
        (
            {"INPUT_FORMAT": 0x0007_0004},
            Cause.shape_mismatch,
            "input's channels must be those of the kernels, 8, not 7",
        ),
        (
            {"OUTPUT_FORMAT": 0x0003_0008},
            Cause.shape_mismatch,
            "output's channels must be the loaded kernels, 4, not 3",
        ),
        ({"OUTPUT_FORMAT": 0x0004_0007}, Cause.bad_field, "with bypass the output must be s32 or psum64, not s8"),
        ({"OUTPUT_FORMAT": 0x0004_000A}, Cause.bad_field, "10 is not an element format"),
        ({"INPUT_PIXEL_STRIDE": 33}, Cause.bad_field, "input's pixel stride must be a multiple of 4 bits (u4), not 33"),
        ({"OUTPUT_PIXEL_STRIDE": 96}, Cause.shape_mismatch, "pixel stride must be at least 128 bits, not 96"),
        ({"OUTPUT_LINE_STRIDE": 79}, Cause.shape_mismatch, "line stride must be at least 80 bytes, not 79"),
        ({"TOPOLOGY": 0x111}, Cause.kernels_not_loaded, "LOAD_COUNT is 0"),
        ({"LOAD_COUNT": 33}, Cause.bad_field, "1 parallel chains hold at most 32 kernels, not 33"),
        ({"TOPOLOGY": 0x111, "ACTIVATION_CONTROL": 0}, Cause.kernels_not_loaded, "LOAD_COUNT is 0"),
        ({"LOAD_COUNT": 65535, "ACTIVATION_CONTROL": 0}, Cause.bad_field, "hold at most 32 kernels, not 65535"),
        ({"TILE_MODE": 0xFE}, Cause.tile_mode, "tile 0 is in memory mode; set its bit in TILE_MODE"),
        ({"TOPOLOGY": 0x114, "TILE_MODE": 0xF7, "LOAD_COUNT": 4}, Cause.tile_mode, "tile 3 is in memory mode"),
        ({"INPUT_ADDRESS": 0x1000}, Cause.bus_error, "read of 100 bytes at 0x00001000: nothing is mapped there"),
        ({"INPUT_ADDRESS": TILES}, Cause.bus_error, "the tile is in compute mode"),
        ({"OUTPUT_ADDRESS": ROM}, Cause.bus_error, "write of 400 bytes at 0x08000000: rom is read-only"),
        ({"OUTPUT_LINE_STRIDE": 0x4000_0000}, Cause.bus_error, "it runs past the end of system"),
        ({"ACTIVATION_CONTROL": 0, "ACTIVATION_TABLE": 2}, Cause.misaligned, "at a multiple of 4, not at 0x00000002"),
        ({"ACTIVATION_CONTROL": 0, "ACTIVATION_TABLE": 0}, Cause.bus_error, "read of 64 bytes at 0x00000000"),
    ],
)
def test_refused_convolutions(registers: dict[str, int], cause: Cause, text: str) -> None:
    machine = SmallMachine()
    ready(machine)
    for name, value in registers.items():
        machine.set(name, value)
    machine.command(CommandCode.convolve)
    assert machine.get("ERROR_CAUSE") == cause
    assert text in machine.messages[0]
    assert machine.get("INTERRUPT_STATUS") == ERROR
    assert machine.get("STATUS") == 0b1000
    assert machine.clock.now == 0
    assert machine.counter("COMMANDS") == 0
    assert machine.bus.read(OUTPUT, 512) == bytes(512)


def test_the_convolution_that_they_spoil_is_good() -> None:
    machine = SmallMachine()
    ready(machine)
    machine.command(CommandCode.load)
    machine.command(CommandCode.convolve)
    assert machine.messages == []
    assert machine.bus.read(OUTPUT, 400) != bytes(400)


@pytest.mark.parametrize(
    ("registers", "cause", "text"),
    [
        ({"LOAD_ADDRESS": SYSTEM + 4}, Cause.misaligned, "kernels must lie at a multiple of 8, not at 0x30000004"),
        ({"LOAD_ADDRESS": SYSTEM + (1 << 20) - 8}, Cause.bus_error, "read of 160 bytes"),
        ({"LOAD_COUNT": 0}, Cause.bad_field, "LOAD_COUNT must be at least 1, not 0"),
        ({"LOAD_COUNT": 33}, Cause.bad_field, "1 parallel chains hold at most 32 kernels, not 33"),
    ],
)
def test_refused_loads(registers: dict[str, int], cause: Cause, text: str) -> None:
    """The tiles stay as they are, and no kernels count as loaded."""
    machine = SmallMachine()
    ready(machine)
    for name, value in registers.items():
        machine.set(name, value)
    machine.command(CommandCode.load)
    assert machine.get("ERROR_CAUSE") == cause
    assert text in machine.messages[0]
    assert machine.get("LOAD_COUNT") == 0
    machine.set("TILE_MODE", 0)
    assert machine.bus.read(TILES, 0x8000) == bytes(0x8000)


@pytest.mark.parametrize("code", [0, 100, 255])
def test_unknown_commands(code: int) -> None:
    machine = SmallMachine()
    machine.set("COMMAND", code)
    assert machine.get("ERROR_CAUSE") == Cause.bad_field
    assert f"{code} is not a command; commands are 1 (load), {OTHERS} (" in machine.messages[0]


def test_load_goes_to_its_rows_only() -> None:
    """Chunks go to parallel chains, slices to tiles of the chain, copies to stripes; other bytes stay."""
    machine = SmallMachine()
    ready(machine)
    before = np.full(0x8000, 0xEE, np.uint8)
    machine.set("TILE_MODE", 0)
    machine.bus.write(TILES, before)
    machine.set("TOPOLOGY", parameters.Topology.pack(chain=2, parallel=2, stripes=2))
    machine.set("KERNEL_SHAPE", *kernel_words((33, 1, 1, 3), "s4", "u4", 1, (0, 0, 0, 0)))
    machine.set("LOAD_ADDRESS", SYSTEM, 33)
    machine.command(CommandCode.load)
    source = (bytes(range(256)) * 4)[: 33 * 2 * 8]
    expected = before.reshape(8, 32, 128).copy()
    slices = np.frombuffer(source, np.uint8)
    for stripe in range(2):
        expected[4 * stripe + 0, :, :8] = slices[:256].reshape(32, 8)
        expected[4 * stripe + 1, :, :8] = slices[256:512].reshape(32, 8)
        expected[4 * stripe + 2, :1, :8] = slices[512:520].reshape(1, 8)
        expected[4 * stripe + 3, :1, :8] = slices[520:528].reshape(1, 8)
    assert machine.bus.read(TILES, 0x8000) == expected.tobytes()
    tiles = machine.cluster.tiles.tiles
    assert [(tile.weights, tile.rows_used, tile.bits_used) for tile in tiles[:4]] == [
        (ElementFormat.s4, 32, 8),
        (ElementFormat.s4, 32, 4),
        (ElementFormat.s4, 1, 8),
        (ElementFormat.s4, 1, 4),
    ]
    assert tiles[0].occupancy == 8 / 1024


@pytest.mark.parametrize("register", ["TOPOLOGY", "KERNEL_SHAPE", "KERNEL_FORMAT"])
def test_changes_forget_kernels(register: str) -> None:
    machine = SmallMachine()
    machine.set("LOAD_COUNT", 4)
    machine.set("PADDING", 1)
    assert machine.get("LOAD_COUNT") == 4
    machine.set(register, machine.get(register))
    assert machine.get("LOAD_COUNT") == 0


def test_compute_mode_takes_a_tile_from_the_bus() -> None:
    machine = SmallMachine()
    machine.bus.write(TILES, b"kept")
    machine.set("TILE_MODE", 0b0000_0101)
    for tile in range(8):
        if tile in (0, 2):
            with pytest.raises(BusError, match="clear its bit in TILE_MODE"):
                machine.bus.read(TILES + 0x1000 * tile, 4)
        else:
            machine.bus.read(TILES + 0x1000 * tile, 4)
    with pytest.raises(BusError):
        machine.bus.read(TILES + 0x1FFE, 4)
    machine.set("TILE_MODE", 0)
    assert machine.bus.read(TILES, 4) == b"kept"


def test_effects_happen_at_the_end() -> None:
    """Nothing is in the output while the command runs; inputs that change meanwhile are used."""
    machine = SmallMachine()
    ready(machine)
    machine.command(CommandCode.load)
    start = machine.clock.now
    machine.set("COMMAND", CommandCode.convolve)
    duration = 5 * 5 * 4 * 72 * 4 // 1024
    machine.run(limit=start + duration)
    assert machine.get("STATUS") == 0b0001
    assert machine.bus.read(OUTPUT, 400) == bytes(400)
    machine.bus.write(INPUT, bytes(100))
    machine.run()
    assert machine.get("STATUS") == 0
    assert machine.bus.read(OUTPUT, 400) == bytes(400)
    assert duration <= machine.clock.now - start <= duration + 1


def test_later_writes_do_not_change_a_running_command() -> None:
    machine = SmallMachine()
    ready(machine)
    machine.command(CommandCode.load)
    machine.set("COMMAND", CommandCode.convolve)
    machine.set("OUTPUT_ADDRESS", OUTPUT + 0x1000)
    machine.run()
    assert machine.bus.read(OUTPUT, 400) != bytes(400)
    assert machine.bus.read(OUTPUT + 0x1000, 400) == bytes(400)


def test_busy() -> None:
    """A second command, a program, a change of modes: refused, and the first command goes on."""
    machine = SmallMachine()
    ready(machine)
    machine.command(CommandCode.load)
    machine.set("INTERRUPT_STATUS", DONE)
    machine.set("COMMAND", CommandCode.convolve)
    for name, value in (("COMMAND", CommandCode.load), ("CONTROL", 1), ("TILE_MODE", 0)):
        machine.set(name, value)
        assert machine.get("ERROR_CAUSE") == Cause.busy
        assert machine.get("STATUS") == 0b1001
        machine.set("INTERRUPT_STATUS", ERROR)
    assert machine.get("TILE_MODE") == 0xFF
    machine.run()
    assert machine.get("INTERRUPT_STATUS") == DONE
    assert machine.bus.read(OUTPUT, 400) != bytes(400)
    assert len(machine.messages) == 3


def test_abort_a_command() -> None:
    machine = SmallMachine()
    ready(machine)
    machine.command(CommandCode.load)
    machine.set("COMMAND", CommandCode.convolve)
    machine.set("CONTROL", 2)
    assert machine.error() == (Cause.aborted, 0, 0)
    machine.run()
    assert machine.bus.read(OUTPUT, 400) == bytes(400)
    assert machine.counter("COMMANDS") == 1
    machine.command(CommandCode.convolve)
    assert machine.get("STATUS") == 0


def test_abort_a_load_forgets_kernels_and_abort_of_nothing_does_nothing() -> None:
    machine = SmallMachine()
    ready(machine)
    machine.set("CONTROL", 2)
    assert machine.get("INTERRUPT_STATUS") == 0
    machine.set("COMMAND", CommandCode.load)
    machine.set("CONTROL", 2)
    assert machine.get("LOAD_COUNT") == 0


def test_interrupt_line() -> None:
    """High while an enabled cause is set, whichever of the two changes."""
    machine = SmallMachine()
    machine.set("INTERRUPT_ENABLE", 0)
    machine.set("COMMAND", 99)
    assert not machine.cluster.irq.level
    machine.set("INTERRUPT_ENABLE", DONE)
    assert not machine.cluster.irq.level
    machine.set("INTERRUPT_ENABLE", ERROR)
    assert machine.cluster.irq.level
    machine.set("INTERRUPT_STATUS", DONE)
    assert machine.cluster.irq.level
    machine.set("INTERRUPT_STATUS", ERROR)
    assert not machine.cluster.irq.level


@pytest.mark.parametrize("by_host", [True, False])
def test_reset(by_host: bool) -> None:
    machine = SmallMachine()
    ready(machine)
    machine.command(CommandCode.load)
    machine.set("COMMAND", CommandCode.convolve)
    machine.set("EVENT_SET", 1)
    if by_host:
        machine.set("CONTROL", 4)
    else:
        machine.cluster.reset()
    machine.run()
    assert not machine.cluster.irq.level
    for register in Cluster.registers:
        assert machine.get(register.name) == RESET_VALUES.get(register.name, 0), register.name
    assert machine.bus.read(OUTPUT, 400) == bytes(400)
    assert machine.bus.read(TILES, 36) == bytes(range(36))


def test_counters() -> None:
    """Kernel bits, multiply-accumulates and bytes counted by hand."""
    machine = SmallMachine()
    machine.cluster.on_command.append(machine.records.append)
    ready(machine)
    machine.command(CommandCode.load)
    machine.command(CommandCode.convolve)
    weight_bits, macs, activation = 4 * 72 * 4, 5 * 5 * 4 * 72, 100 + 400
    assert machine.counter("KERNEL_WORDS") == weight_bits // 64
    assert machine.counter("LOAD_CYCLES") == weight_bits // 64
    assert machine.counter("TILE_CYCLES") == macs * 4 // 1024
    assert machine.counter("WORK_CYCLES") == macs * 4 // 1024
    assert machine.counter("ACTIVATION_BYTES") == activation
    assert machine.counter("COMMANDS") == 2
    cycles = weight_bits // 64 + macs * 4 // 1024
    assert machine.counter("BUSY_CYCLES") == cycles == machine.clock.now
    tiles = macs * 4 * 2910 // 1024 + macs * 4 * 3850 // 1024
    femtojoules = weight_bits * 56_000 // 64 + tiles + activation * 630 + cycles * 9000
    assert machine.counter("ENERGY_PJ") == femtojoules // 1000
    first, second = machine.records
    assert first == CommandRecord(
        cluster=0, kind=CommandCode.load, pc=None, start=0, end=18, cycles=Cycles(load=18),
        published_cycles=18, strict_cycles=20, control_cycles=0, wait_cycles=0,
        cost=Cost(kernel_bits=weight_bits, load_bytes=160),
        work_energy=Energy(kernels=18 * 56_000), leakage=18 * 9_000,
    )  # fmt: skip
    assert (second.start, second.end, second.cost.macs, second.cost.tiles) == (18, cycles, macs, 1)
    assert second.cost.utilisation == 72 * 4 / 8192
    assert first.energy_fj + second.energy_fj == femtojoules
    machine.set("COUNTER_CONTROL", 1)
    assert machine.counter("BUSY_CYCLES") == machine.counter("ENERGY_PJ") == machine.counter("COMMANDS") == 0


def test_the_high_half_is_latched() -> None:
    machine = SmallMachine()
    machine.cluster.counted.load_cycles = (7 << 32) + 5
    assert machine.get("LOAD_CYCLES_LOW") == 5
    machine.cluster.counted.load_cycles = 8 << 32
    assert machine.get("LOAD_CYCLES_HIGH") == 7
    assert machine.counter("LOAD_CYCLES") == 8 << 32


def test_observers_change_nothing() -> None:
    watched, alone = SmallMachine(), SmallMachine()
    watched.cluster.on_command.append(watched.records.append)
    for machine in (watched, alone):
        ready(machine)
        convolve = isa.Conv(NO_BASE, tensor_words(INPUT, "u4", (5, 5, 8)) + tensor_words(OUTPUT, "s32", (5, 5, 4)))
        machine.run_program(isa.Load(NO_BASE, (SYSTEM, 4)), convolve, isa.Halt())
    assert len(watched.records) == 2
    assert watched.cluster.words == alone.cluster.words
    assert watched.cluster.counters == alone.cluster.counters
    assert watched.clock.now == alone.clock.now
    assert watched.bus.read(OUTPUT, 400) == alone.bus.read(OUTPUT, 400)


def test_a_late_clock_does_not_slow_programs() -> None:
    """The host's CPU stops at the end of a basic block, some cycles after an event is due."""
    on_time, late = SmallMachine(), SmallMachine()
    convolve = isa.Conv(NO_BASE, tensor_words(INPUT, "u4", (5, 5, 8)) + tensor_words(OUTPUT, "s32", (5, 5, 4)))
    program = (isa.Nop(), isa.Load(NO_BASE, (SYSTEM, 4)), isa.Nop(), convolve, isa.Load(NO_BASE, (SYSTEM, 4)))
    for machine in (on_time, late):
        ready(machine)
        machine.cluster.on_command.append(machine.records.append)
        machine.program(*program, isa.Halt())
        machine.set("CONTROL", 1)
    on_time.run()
    late.clock.dispatch()
    while late.get("STATUS"):
        late.clock.advance_to(late.clock.next_event + 5)
        late.clock.dispatch()
    assert len(late.records) == 3
    assert late.records == on_time.records


def test_the_same_bits_in_another_format() -> None:
    """Kernels that were unpacked before are not taken for those of another format."""
    machine = SmallMachine()
    machine.bus.write(TILES, bytes([0x0F]))
    machine.bus.write(INPUT, bytes([1]))
    machine.set("TILE_MODE", 1)
    for name, weight in (("u4", 15), ("s4", -1), ("u2", 3), ("s2", -1), ("u1", 1)):
        machine.set("KERNEL_SHAPE", *kernel_words((1, 1, 1, 1), name, "u4", 1, (0, 0, 0, 0)))
        machine.set("LOAD_COUNT", 1)
        machine.set("INPUT_ADDRESS", *tensor_words(INPUT, "u4", (1, 1, 1)), *tensor_words(OUTPUT, "s32", (1, 1, 1)))
        machine.command(CommandCode.convolve)
        assert int.from_bytes(machine.bus.read(OUTPUT, 4), "little", signed=True) == weight


def test_writes_are_announced() -> None:
    """CPUs may hold translated code of executable memory that a cluster writes, and only of that."""
    machine = SmallMachine()
    machine.bus.memory("system").executable = True
    written: list[tuple[int, int]] = []
    machine.bus.on_write.append(lambda address, count: written.append((address, count)))
    ready(machine)
    written.clear()
    machine.command(CommandCode.load)
    machine.command(CommandCode.convolve)
    machine.set("COPY_SOURCE", SYSTEM, OUTPUT + 64, 8)
    machine.set("COPY_COUNT", 3, 1, 1, 1)
    machine.set("COPY_DESTINATION_STRIDE", -16)
    machine.command(CommandCode.copy)
    machine.bus.memory("system").executable = False
    machine.command(CommandCode.copy)
    assert written == [(OUTPUT, 400), (OUTPUT + 32, 40)]


def test_tiles_need_their_memory() -> None:
    machine = SmallMachine()
    board = Board(machine.clock, machine.bus, machine.log)
    with pytest.raises(ValueError, match="memory system must have 32768 bytes for tiles, not 1048576"):
        Cluster("cluster9", board, index=1, tiles="system")

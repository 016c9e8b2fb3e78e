"""Programs: control flow, timing, events between clusters, refused blobs."""

from __future__ import annotations

import re
import struct

import pytest

from asm import isa, parameters
from asm.isa import Instruction
from asm.rules import Cause
from emu.npu.counters import KEPT
from emu.npu.sequencer import BURST
from sdk import paths
from tests.emu.npu.small_machine import (
    DONE,
    ERROR,
    NO_BASE,
    PROGRAM,
    ROM,
    SYSTEM,
    SmallMachine,
    blob,
)

BASE = SYSTEM + 0xF_0000
COUNTER, TOTAL = 0, 1


def copy(count: int, source_base: int = isa.ABSOLUTE, destination_base: int = isa.ABSOLUTE) -> isa.Copy:
    """Copies ``count`` bytes from the start of the system memory to its half."""
    bases = isa.BaseImmediate.pack(first=source_base, second=destination_base)
    return isa.Copy(bases, (SYSTEM, SYSTEM + 0x8_0000, count, *(1, 0, 0) * parameters.COPY_LOOPS))


def set_register(register: int, value: int) -> isa.Set:
    return isa.Set(isa.RegisterImmediate.pack(destination=register), (value & 0xFFFF_FFFF,))


def add(destination: int, source: int, value: int) -> isa.Add:
    return isa.Add(isa.RegisterImmediate.pack(destination=destination, source=source), (value & 0xFFFF_FFFF,))


def wait(event: int) -> isa.Wait:
    return isa.Wait(isa.EventImmediate.pack(event=event))


def signal(event: int, clusters: int) -> isa.Signal:
    return isa.Signal(isa.EventImmediate.pack(event=event, clusters=clusters))


def loop(count: int, end: int) -> isa.Loop:
    return isa.Loop(0, (count, end))


def offsets(*instructions: Instruction) -> list[int]:
    """Offset of each instruction, and of the byte behind the last."""
    places = [isa.HEADER_BYTES]
    for instruction in instructions:
        places.append(places[-1] + instruction.size)
    return places


def test_a_program_of_control_instructions() -> None:
    machine = SmallMachine()
    machine.run_program(isa.Nop(), set_register(3, 7), add(4, 3, -9), isa.Halt())
    assert machine.get("INTERRUPT_STATUS") == DONE
    assert machine.cluster.irq.level
    assert machine.cluster.R[4] == 0xFFFF_FFFE
    assert machine.clock.now == 4
    assert machine.counter("CONTROL_CYCLES") == 4
    assert machine.counter("BUSY_CYCLES") == 0
    assert machine.counter("ENERGY_PJ") == 4 * 9
    assert machine.get("STATUS") == 0


def test_runs_beside_the_host() -> None:
    """START only starts: the program is done when its time has passed."""
    machine = SmallMachine()
    machine.program(*[isa.Nop()] * 200, isa.Halt())
    machine.set("CONTROL", 1)
    machine.run(limit=100)
    assert machine.get("STATUS") == 0b0010
    machine.run()
    assert machine.get("STATUS") == 0
    assert machine.clock.now == 201


def test_the_host_passes_arguments() -> None:
    machine = SmallMachine()
    machine.bus.write(SYSTEM + 0x100, b"argument")
    machine.cluster.write(0x40 + 4 * 5, 4, 0x100)
    machine.run_program(copy(8, source_base=5), isa.Halt())
    assert machine.bus.read(SYSTEM + 0x8_0000, 8) == b"argument"


def test_four_loops_deep() -> None:
    """The body of loops of 2, 3, 4 and 5 runs 120 times; all end at the same place."""
    body = [add(TOTAL, TOTAL, 1)]
    places = offsets(*[loop(1, 0)] * 4, *body)
    machine = SmallMachine()
    machine.run_program(*[loop(count, places[-1]) for count in (2, 3, 4, 5)], *body, isa.Halt())
    assert machine.messages == []
    assert machine.cluster.R[TOTAL] == 120
    assert machine.counter("CONTROL_CYCLES") == 1 + 2 + 6 + 24 + 120 + 1


def test_five_loops_deep() -> None:
    places = offsets(*[loop(1, 0)] * 5, isa.Nop())
    machine = SmallMachine()
    machine.run_program(*[loop(2, places[-1])] * 5, isa.Nop(), isa.Halt())
    assert machine.error() == (Cause.loop_depth, BASE + places[4], isa.Loop(0, (0, 0)).encode()[0])
    assert "loops nest 4 deep at most" in machine.messages[0]


def test_a_loop_of_commands_by_register() -> None:
    """Each turn copies 8 bytes further on; a count of 0 skips the second loop."""
    step = copy(8, destination_base=2)
    body = [step, add(2, 2, 8)]
    counted = isa.Loop(isa.LoopImmediate.pack(register=7, by_register=1), (0, offsets(loop(0, 0), *body)[-1]))
    rest = offsets(counted, *body)[-1]
    skipped = isa.Loop(isa.LoopImmediate.pack(register=8, by_register=1), (9, rest + counted.size + 8))
    machine = SmallMachine()
    machine.bus.write(SYSTEM, b"abcdefgh")
    machine.cluster.R[7] = 3
    machine.run_program(counted, *body, skipped, set_register(9, 1), isa.Halt())
    assert machine.messages == []
    assert machine.bus.read(SYSTEM + 0x8_0000, 32) == b"abcdefgh" * 3 + bytes(8)
    assert machine.cluster.R[9] == 0
    assert machine.counter("COPY_CYCLES") == 3
    assert machine.counter("CONTROL_CYCLES") == 1 + 3 + 1 + 1


def test_jumps_leave_loops() -> None:
    """A jump out of a loop ends it: eight turns of an outer jump do not nest eight loops."""
    start = offsets(set_register(COUNTER, 8))[-1]
    loop_size, jump_size = loop(0, 0).size, isa.Jump(0, (0,)).size
    after = start + loop_size + jump_size + 4
    back = isa.JumpNZ(isa.RegisterImmediate.pack(destination=COUNTER), (start,))
    machine = SmallMachine()
    machine.run_program(
        set_register(COUNTER, 8),
        loop(100, after),
        isa.Jump(0, (after,)),
        isa.Nop(),
        add(COUNTER, COUNTER, -1),
        back,
        isa.Halt(),
    )
    assert machine.messages == []
    assert machine.cluster.R[COUNTER] == 0
    assert machine.counter("CONTROL_CYCLES") == 1 + 8 * 4 + 1


def test_an_endless_jump_lets_time_pass_and_can_be_aborted() -> None:
    machine = SmallMachine()
    machine.program(isa.Jump(0, (isa.HEADER_BYTES,)))
    machine.set("CONTROL", 1)
    machine.run(limit=10_000)
    assert 10_000 - 2 * BURST <= machine.clock.now <= 10_000
    assert machine.get("STATUS") == 0b0010
    machine.set("CONTROL", 2)
    machine.run()
    assert machine.error()[:2] == (Cause.aborted, BASE + 16)
    assert machine.get("STATUS") == 0b1000
    assert machine.get("INTERRUPT_STATUS") == ERROR


def test_abort_while_waiting_and_while_a_command_runs() -> None:
    machine = SmallMachine()
    machine.bus.write(SYSTEM, b"never!!!")
    for instruction, state in ((wait(1), 0b0110), (copy(8000), 0b0011)):
        machine.program(isa.Nop(), instruction, isa.Halt())
        machine.set("CONTROL", 1)
        machine.run(limit=machine.clock.now + 100)
        assert machine.get("STATUS") == state
        machine.set("CONTROL", 2)
        assert machine.get("STATUS") == 0b1000
        assert machine.error() == (Cause.aborted, BASE + 20, 0)
        machine.set("EVENT_SET", 2)
        machine.run()
        assert machine.get("INTERRUPT_STATUS") == ERROR
    assert machine.bus.read(SYSTEM + 0x8_0000, 8) == bytes(8)


def test_interrupt_goes_on() -> None:
    machine = SmallMachine()
    machine.program(isa.Interrupt(isa.InterruptImmediate.pack(code=42)), *[isa.Nop()] * 100, isa.Halt())
    machine.set("CONTROL", 1)
    machine.run(limit=50)
    assert machine.get("INTERRUPT_STATUS") == PROGRAM
    assert machine.get("PROGRAM_CODE") == 42
    machine.set("INTERRUPT_STATUS", PROGRAM)
    assert not machine.cluster.irq.level
    machine.run()
    assert machine.get("INTERRUPT_STATUS") == DONE


def test_clusters_signal_each_other() -> None:
    machine = SmallMachine(clusters=2)
    first = blob(*[isa.Nop()] * 10, signal(3, 0b10), wait(5), isa.Halt())
    second = blob(wait(3), copy(80), signal(5, 0b01), isa.Halt())
    for index, data in enumerate((first, second)):
        machine.bus.write(BASE + 0x1000 * index, data)
        machine.set("PROGRAM_BASE", BASE + 0x1000 * index, cluster=index)
        machine.set("CONTROL", 1, cluster=index)
    machine.run(limit=10)
    assert machine.get("STATUS", cluster=1) == 0b0110
    assert machine.get("PROGRAM_PC", cluster=1) == BASE + 0x1000 + isa.HEADER_BYTES
    machine.run()
    assert [machine.get("INTERRUPT_STATUS", cluster=index) for index in (0, 1)] == [DONE, DONE]
    assert [cluster.EVENTS for cluster in machine.clusters] == [0, 0]
    # 10 nops, signal; the copy's 10 cycles, signal; halt.
    assert machine.clock.now == 11 + 10 + 1 + 1


def test_an_event_that_came_before_is_not_lost() -> None:
    machine = SmallMachine()
    machine.set("EVENT_SET", 1 << 31)
    assert machine.get("EVENTS") == 1 << 31
    machine.run_program(wait(31), isa.Halt())
    assert machine.clock.now == 2
    assert machine.get("EVENTS") == 0


def test_the_host_sets_an_event() -> None:
    machine = SmallMachine()
    machine.program(wait(0), isa.Halt())
    machine.set("CONTROL", 1)
    machine.run()
    assert machine.get("STATUS") == 0b0110
    machine.clock.advance_to(1000)
    machine.set("EVENT_SET", 2)
    machine.run()
    assert machine.get("STATUS") == 0b0110
    machine.set("EVENT_SET", 1)
    machine.run()
    assert machine.get("STATUS") == 0
    assert machine.clock.now == 1001


def test_a_signal_to_a_cluster_that_is_not_there() -> None:
    machine = SmallMachine()
    machine.run_program(signal(1, 0b100), isa.Halt())
    assert machine.messages == ["signal of event 1 to cluster 2, which this machine does not have"]
    assert machine.get("INTERRUPT_STATUS") == DONE


def counters(address: int, base: int = isa.ABSOLUTE) -> isa.KeepCounters:
    return isa.KeepCounters(isa.BaseImmediate.pack(first=base), (address,))


def test_a_program_keeps_the_counters() -> None:
    machine = SmallMachine()
    machine.set("R", SYSTEM)
    machine.run_program(copy(80), counters(SYSTEM + 0x100), counters(0x200, base=0), copy(16), isa.Halt())
    kept = [
        dict(zip(KEPT, struct.unpack("<18Q", machine.bus.read(SYSTEM + place, 8 * len(KEPT))), strict=True))
        for place in (0x100, 0x200)
    ]
    expected = {"busy_cycles": 10, "copy_cycles": 10, "control_cycles": 1, "commands": 1}
    expected |= {"input_port_bytes": 80, "output_port_bytes": 80}
    for name in KEPT:
        assert name == "energy_pj" or kept[0][name] == expected.get(name, 0)
    assert kept[0]["energy_pj"] == 11 * 9  # leakage: 5.4 mW at 600 MHz
    assert kept[1] == kept[0] | {"control_cycles": 2, "energy_pj": 12 * 9}
    assert machine.get("INTERRUPT_STATUS") == DONE


def test_the_driver_library_has_the_counters_in_the_same_order() -> None:
    header = (paths.firmware() / "include" / "imnpu" / "counters.h").read_text()
    assert tuple(re.findall(r"uint64_t (\w+);", header)) == KEPT


@pytest.mark.parametrize(
    ("address", "cause", "text"),
    [
        (SYSTEM + 4, Cause.misaligned, "counters must be kept at a multiple of 8, not at 0x30000004"),
        (ROM, Cause.bus_error, "rom is read-only"),
        (SYSTEM + 0xF_FFF8, Cause.bus_error, "it runs past the end of system"),
    ],
)
def test_counters_that_cannot_be_kept(address: int, cause: Cause, text: str) -> None:
    machine = SmallMachine()
    before = machine.bus.read(SYSTEM, 0xF_0000)
    machine.run_program(counters(address), isa.Halt())
    assert machine.get("INTERRUPT_STATUS") == ERROR
    assert machine.error()[:2] == (cause, BASE + isa.HEADER_BYTES)
    assert text in machine.messages[0]
    assert machine.bus.read(SYSTEM, 0xF_0000) == before


def test_programs_run_from_rom() -> None:
    machine = SmallMachine()
    machine.program(isa.Halt(), address=ROM)
    machine.set("CONTROL", 1)
    machine.run()
    assert machine.get("INTERRUPT_STATUS") == DONE


GOOD = blob(isa.Nop(), isa.Halt())


@pytest.mark.parametrize(
    ("data", "provided", "cause", "text"),
    [
        (b"ELF\x7f" + GOOD[4:], 0, Cause.bad_magic, "starts with 0x504e4d49, not 0x7f464c45"),
        (
            GOOD[:4] + struct.pack("<I", 0x2_0000) + GOOD[8:],
            0,
            Cause.bad_version,
            "version 1, the program has version 2",
        ),
        (GOOD[:8] + struct.pack("<I", 7) + GOOD[12:], 0, Cause.bad_field, "multiple of 4 and at least 16, not 7"),
        (
            GOOD[:12] + b"\1\0\0\0" + GOOD[16:],
            0,
            Cause.bad_field,
            "reserved word of the header must be 0, not 0x00000001",
        ),
        (GOOD, len(GOOD) - 4, Cause.truncated, "the header says 24 bytes, PROGRAM_LENGTH is 20"),
        (GOOD, 8, Cause.truncated, "the header alone has 16 bytes, PROGRAM_LENGTH is 8"),
        (GOOD[:8] + struct.pack("<I", 1 << 20) + GOOD[12:], 0, Cause.bus_error, "it runs past the end of system"),
    ],
)
def test_refused_blobs(data: bytes, provided: int, cause: Cause, text: str) -> None:
    machine = SmallMachine()
    machine.bus.write(BASE, data)
    machine.set("PROGRAM_BASE", BASE)
    machine.set("PROGRAM_LENGTH", provided)
    machine.set("CONTROL", 1)
    machine.run()
    assert machine.error()[:2] == (cause, BASE)
    assert machine.get("INTERRUPT_STATUS") == ERROR
    assert text in machine.messages[0]
    assert machine.counter("CONTROL_CYCLES") == 0


def test_a_newer_minor_version_is_run() -> None:
    machine = SmallMachine()
    machine.bus.write(BASE, GOOD[:4] + struct.pack("<I", isa.VERSION + 3) + GOOD[8:])
    machine.set("PROGRAM_BASE", BASE)
    machine.set("CONTROL", 1)
    machine.run()
    assert machine.get("INTERRUPT_STATUS") == DONE


@pytest.mark.parametrize(
    ("address", "cause", "text"),
    [
        (BASE + 2, Cause.misaligned, "a program must lie at a multiple of 4, not at 0x300f0002"),
        (0x7000_0000, Cause.bus_error, "nothing is mapped there"),
    ],
)
def test_programs_at_impossible_addresses(address: int, cause: Cause, text: str) -> None:
    machine = SmallMachine()
    machine.set("PROGRAM_BASE", address)
    machine.set("CONTROL", 1)
    assert machine.get("ERROR_CAUSE") == cause
    assert text in machine.messages[0]


@pytest.mark.parametrize(
    ("words", "cause", "text"),
    [
        ((0xFF00_0000,), Cause.bad_instruction, "0xff is not an opcode"),
        ((0x0001_0000, 0), Cause.bad_instruction, "nop has 0 payload words, the header says 1"),
        ((0x0000_0001,), Cause.bad_instruction, "nop has reserved bits set: 0x0001"),
        ((0x0301_0000, 0), Cause.ran_past_end, "0x300f0000 is not in the code of the program, 0x300f0010..0x300f001b"),
        ((0x0301_0000, 0x1000), Cause.ran_past_end, "0x300f1000 is not in the code"),
        ((0x0301_0000, 0x15), Cause.ran_past_end, "0x300f0015 is not in the code"),
        ((0x0301_0000,), Cause.ran_past_end, "the program ends inside the last instruction, jump"),
        ((0x0000_0000,), Cause.ran_past_end, "0x300f0018 is not in the code"),
        ((0x1001_0000, 0x2000), Cause.bad_field, "topology has reserved bits 0x00002000 of Topology set"),
        ((0x2002_0011, SYSTEM, 1), Cause.bad_field, "a base register must be 0..15, or 16 for none, not 17"),
        ((0x0502_0000, 3, 0x10), Cause.bad_field, "a loop must end behind its first instruction"),
        ((0x0502_0000, 3, 0x100), Cause.bad_field, "inside the program, not at offset 0x100"),
    ],
)
def test_refused_instructions(words: tuple[int, ...], cause: Cause, text: str) -> None:
    machine = SmallMachine()
    machine.run_program(isa.Nop(), words)
    assert machine.get("ERROR_CAUSE") == cause
    assert machine.get("INTERRUPT_STATUS") == ERROR
    assert machine.get("STATUS") == 0b1000
    assert text in machine.messages[0]


def test_an_error_names_instruction_and_place() -> None:
    machine = SmallMachine()
    machine.run_program(isa.Nop(), isa.Nop(), isa.SetTopology(0, (0x999,)), isa.Load(NO_BASE, (SYSTEM, 1)), isa.Halt())
    place = BASE + isa.HEADER_BYTES + 8 + 8
    assert machine.error() == (Cause.illegal_topology, place, isa.Load(NO_BASE, (0, 0)).encode()[0])
    assert machine.get("PROGRAM_PC") == place
    assert machine.messages == [
        "illegal_topology: the tiles cannot be wired like that: chain must be 1..8, not 9 (instruction at 0x300f0020)"
    ]


def test_a_program_after_an_error() -> None:
    machine = SmallMachine()
    machine.run_program((0xFF00_0000,))
    machine.set("INTERRUPT_STATUS", ERROR)
    machine.run_program(isa.Halt())
    assert machine.get("STATUS") == 0
    assert machine.get("INTERRUPT_STATUS") == DONE


def test_same_program_same_time() -> None:
    """Fractions of cycles are not carried from one run of a program to the next."""
    machine = SmallMachine()
    weights = parameters.KernelFormat.pack(weights=4, features=4, channels=3)
    program = (
        isa.SetKernel(0, (parameters.KernelShape.pack(height=1, width=1, stride_y=1, stride_x=1), weights, 0)),
        isa.Load(NO_BASE, (SYSTEM, 7)),
        isa.Halt(),
    )
    ends = []
    for _ in range(5):
        machine.run_program(*program)
        ends.append(machine.clock.now)
    assert ends == [3, 6, 9, 12, 15]

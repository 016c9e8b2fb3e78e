"""Loops that copy or fill memory: carried out many rounds at once, and nothing tells."""

from __future__ import annotations

import ctypes
import operator
import random
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emu.clock import SKIPS
from emu.cpu.arm.cortex_m import CortexM
from emu.cpu.copying.slots import WALK_SLOTS
from emu.cpu.copying.steps import Order
from emu.cpu.copying.walk import ROUNDS, compare, jump_back
from emu.cpu.engine import Engine
from emu.cpu.hook_state import Slot
from emu.cpu.riscv.hart import RiscV
from emu.cpu.riscv.unicorn_engine import UnicornHart
from emu.cpu.timing.costs import CORE, CpuTiming
from emu.cpu.timing.model import FlashTiming
from emu.machine import Machine, StopReason
from tests.emu.cpu import arm_board, riscv_board
from tests.emu.cpu.copy_loops import ROOM, arm_loop, riscv_loop

Make = Callable[[], Machine]
MOVES = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_int64)
LOOK_ONLY, IS_NONE = 0xFFFF_FFFF_FFFF_FFFF, -1
LOOPS = 60
PLACE = {"arm": arm_board.RAM + 0x10000, "riscv": riscv_board.RAM + 0x40000}
"""Where the loops copy; the code is elsewhere."""
SLOW = CpuTiming(CORE, FlashTiming(wait_states=2))


def maker(folder: Path, host: str, source: str, timing: CpuTiming | None = None) -> Make:
    """Makes machines with a program on Unicorn."""
    if host == "arm":
        elf = arm_board.build(folder, arm_board.PRELUDE + source)
        arm = replace(arm_board.MAP, cpu_timing=timing) if timing else arm_board.MAP
        return lambda: arm_board.Board(elf, arm).machine
    elf = riscv_board.assemble(source, folder)
    riscv = replace(riscv_board.MAP, cpu_timing=timing) if timing else riscv_board.MAP
    return lambda: riscv_board.load(elf, riscv, "unicorn")


def engine_of(machine: Machine) -> Engine:
    core = machine.core
    if isinstance(core, CortexM):
        return core.engine
    assert isinstance(core, RiscV)
    assert isinstance(core._engine, UnicornHart)
    return core._engine._engine


def watch_moves(machine: Machine) -> list[int]:
    """Results of all attempts to carry out rounds from now on."""
    state = engine_of(machine).state
    moves, results = MOVES(int(state[Slot.MOVES_FUNCTION])), []

    def note(uc: int, most: int, length: int, user: int) -> int:
        result = moves(uc, most, length, user)
        if most != LOOK_ONLY:
            results.append(result)
        return result

    watch_moves.kept = callback = MOVES(note)  # type: ignore[attr-defined]
    state[Slot.MOVES_FUNCTION] = ctypes.cast(callback, ctypes.c_void_p).value
    return results


def fill(machine: Machine, seed: int = 1) -> None:
    """Random bytes where the loops copy."""
    machine.bus.write(PLACE[machine.core.architecture], random.Random(seed).randbytes(4 * ROOM))


def record(machine: Machine, period: int) -> list[tuple[int, int, int]]:
    """Time, instructions and memory at events that come again and again, and that change what is copied."""
    seen: list[tuple[int, int, int]] = []
    place = PLACE[machine.core.architecture]

    def act() -> None:
        memory = machine.bus.read(place, 4 * ROOM)
        seen.append((machine.clock.now, machine.core.instructions, zlib.crc32(memory)))
        machine.bus.write(place + len(seen) * 97 % (4 * ROOM), bytes([len(seen) & 0xFF]))
        event.after(period)

    event = machine.clock.event("record", act)
    event.at(period)
    return seen


def run_all(make: Make, *, exact: bool, skips: bool, seed: int) -> tuple[object, ...]:
    """Everything that a run in random pieces shows."""
    machine, chance = make(), random.Random(seed)
    machine.clock.state[SKIPS], machine.clock.exact = skips, exact
    fill(machine)
    seen = record(machine, 4001)
    hashes = []
    stop = machine.run(chance.randrange(20_000))
    while stop.reason is StopReason.LIMIT:
        hashes.append(machine.state_hash())
        stop = machine.run(chance.randrange(20_000))
    assert stop.reason is StopReason.EXIT
    return machine.state_hash(), stop, seen, hashes


@pytest.mark.parametrize("timing", [None, SLOW])
@pytest.mark.parametrize("host", PLACE)
def test_random_loops_leave_the_same(tmp_path: Path, host: str, timing: CpuTiming | None) -> None:
    """Registers, memory, counts and time, at every stop and at every event."""
    chance = random.Random(f"{host} {timing}")
    loop = arm_loop if host == "arm" else riscv_loop
    lines = [loop(chance, PLACE[host]) for _ in range(LOOPS)]
    if host == "arm":
        source = "reset:\n" + "\n b 2f\n .ltorg\n 2:\n".join(lines) + "\nfinish 0\n"
    else:
        source = "\n".join(lines) + "\nexit 0\n"
    make = maker(tmp_path, host, source, timing)
    for exact in (False, True):
        assert run_all(make, exact=exact, skips=True, seed=1) == run_all(make, exact=exact, skips=False, seed=1)
    machine = make()
    fill(machine)
    results = watch_moves(machine)
    assert machine.run().reason is StopReason.EXIT
    assert sum(result > 0 for result in results) > LOOPS // 6
    assert IS_NONE in results or 0 in results


ARM_COPY = """
reset:
    ldr r0, ={target:#x}
    ldr r1, ={source:#x}
    ldr r2, ={rounds}
1:  ldr r3, [r1], #4
    str r3, [r0], #4
    subs r2, #1
    bne 1b
"""
RISCV_COPY = """
    li a0, {target:#x}
    li a1, {source:#x}
    li a2, {rounds}
1:  lw a3, 0(a1)
    sw a3, 0(a0)
    addi a1, a1, 4
    addi a0, a0, 4
    addi a2, a2, -1
    bnez a2, 1b
"""


def copier(host: str, target: int, source: int, rounds: int) -> str:
    """Code that copies words."""
    return (ARM_COPY if host == "arm" else RISCV_COPY).format(target=target, source=source, rounds=rounds)


def end(host: str) -> str:
    """Code that ends the run."""
    return "finish 0\n" if host == "arm" else "exit 0\n"


@pytest.mark.parametrize("host", PLACE)
def test_one_copy_is_carried_out_at_once(tmp_path: Path, host: str) -> None:
    place, rounds = PLACE[host], ROOM // 4
    machine = maker(tmp_path, host, copier(host, place + 2 * ROOM, place, rounds) + end(host))()
    fill(machine)
    expected = machine.bus.read(place, ROOM)
    results = watch_moves(machine)
    assert machine.run().reason is StopReason.EXIT
    assert machine.bus.read(place + 2 * ROOM, ROOM) == expected
    assert len(results) == 1
    assert results[0] > rounds - 100


@pytest.mark.parametrize("host", PLACE)
def test_code_that_was_executed_is_overwritten_by_stores(tmp_path: Path, host: str) -> None:
    """Twice the same function is called, at an address to which others are copied; the second is what counts."""
    if host == "arm":
        source = (
            copier(host, arm_board.RAM + 0x20000, arm_board.RAM + 0x10000, 256)
            + "ldr r5, =0x20020201\n blx r5\n mov r6, r4\n"
            + copier(host, arm_board.RAM + 0x20000, arm_board.RAM + 0x12000, 256).replace("reset:", "")
            + "dsb\n isb\n blx r5\n add r0, r4, r6\n cmp r0, #7\n beq 3f\n finish 1\n3: finish 0\n"
        )
        codes = [(0x4770_2400 | value).to_bytes(4, "little") for value in (3, 4)]  # movs r4, #value; bx lr
    else:
        source = (
            copier(host, riscv_board.RAM + 0x60000, PLACE[host], 256)
            + "fence.i\n li t0, RAM + 0x60200\n jalr t0\n mv t1, t2\n"
            + copier(host, riscv_board.RAM + 0x60000, PLACE[host] + 0x2000, 256)
            + "fence.i\n jalr t0\n add t1, t1, t2\n li t3, 7\n beq t1, t3, 3f\n exit 1\n3: exit 0\n"
        )
        # c.li t2, value; c.jr ra
        codes = [(0x8082_0000 | 0x4381 | value << 2).to_bytes(4, "little") for value in (3, 4)]
    machine = maker(tmp_path, host, source)()
    for index, code in enumerate(codes):
        machine.bus.write(PLACE[host] + 0x2000 * index + 0x200, code)
    results = watch_moves(machine)
    stop = machine.run()
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 0)
    # The first copy, to where no code was executed yet; then up to the page that holds the function.
    assert results[0] > 150
    assert results[1] < 256 - 64


@pytest.mark.parametrize("host", PLACE)
def test_a_blocked_page_faults_at_its_first_byte(tmp_path: Path, host: str) -> None:
    place = PLACE[host]
    make = maker(tmp_path, host, copier(host, place + 0x4000, place, 0x800) + end(host))
    hashes = set()
    for skips in (True, False):
        machine = make()
        machine.clock.state[SKIPS] = skips
        fill(machine)
        memory = machine.bus.memory("ram")
        memory.block((place + 0x5000 - memory.base) // 4096, 1, True)
        machine.run(20_000)
        register = machine.core.read_register("r0" if host == "arm" else "a0")
        assert register == place + 0x5000
        hashes.add(machine.state_hash())
    assert len(hashes) == 1


def test_a_watched_word_is_stored_by_the_core(tmp_path: Path) -> None:
    """A comparator of the DWT sees the store in the middle of a copy."""
    place = PLACE["arm"]
    source = (
        "reset:\n ldr r0, =0xe000edfc\n ldr r1, =0x01000000\n str r1, [r0]\n ldr r0, =0xe0001020\n"
        f"ldr r1, ={place + 0x4800:#x}\n str r1, [r0]\n movs r1, #6\n str r1, [r0, #8]\n"
        + copier("arm", place + 0x4000, place, 0x800).replace("reset:", "")
        + "ldr r0, =0xe0001028\n ldr r7, [r0]\n finish 0\n"
    )
    machine = maker(tmp_path, "arm", source)()
    results = watch_moves(machine)
    assert machine.run().reason is StopReason.EXIT
    assert machine.core.read_register("r7") >> 24 & 1 == 1
    assert results == []


@pytest.mark.parametrize("host", PLACE)
def test_a_breakpoint_in_the_loop_stops_every_round(tmp_path: Path, host: str) -> None:
    place = PLACE[host]
    machine = maker(tmp_path, host, copier(host, place + 0x4000, place, 0x400) + end(host))()
    counter = "r2" if host == "arm" else "a2"
    while machine.core.read_register(counter) != 0x400:
        machine.step()
    machine.step()
    start = machine.core.pc
    machine.core.add_breakpoint(start)
    for left in range(0x3FF, 0x300, -1):
        assert machine.run().reason is StopReason.BREAKPOINT
        assert machine.core.pc == start
        assert machine.core.read_register(counter) == left


def test_a_protected_page_is_not_written(tmp_path: Path) -> None:
    """The MPU makes 1 KiB of the target read-only; the handler stores the address that was refused."""
    place = PLACE["arm"]
    source = (
        '.section .vectors, "a"\n .word 0, fault + 1, fault + 1\n .text\n'
        "fault: ldr r0, =0xe000ed34\n ldr r7, [r0]\n finish 0\n"
        "reset:\n ldr r0, =0xe000ed98\n movs r1, #0\n str r1, [r0]\n"
        f"ldr r1, ={place + 0x4800:#x}\n str r1, [r0, #4]\n ldr r1, =0x06000013\n str r1, [r0, #8]\n"
        "ldr r0, =0xe000ed94\n movs r1, #5\n str r1, [r0]\n dsb\n isb\n"
        + copier("arm", place + 0x4000, place, 0x800).replace("reset:", "")
        + "finish 1\n"
    )
    make = maker(tmp_path, "arm", source)
    hashes = set()
    for skips in (True, False):
        machine = make()
        machine.clock.state[SKIPS] = skips
        fill(machine)
        results = watch_moves(machine)
        stop = machine.run()
        assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 0)
        assert machine.core.read_register("r7") == place + 0x4800
        assert (sum(results) > 300) == skips
        hashes.add(machine.state_hash())
    assert len(hashes) == 1


ORDERS: dict[Order, Callable[[int, int], bool]] = {
    Order.EQUAL: operator.eq,
    Order.UNEQUAL: operator.ne,
    Order.LESS: operator.lt,
    Order.NOT_GREATER: operator.le,
    Order.GREATER: operator.gt,
    Order.NOT_LESS: operator.ge,
    Order.LESS_SIGNED: lambda left, right: signed(left) < signed(right),
    Order.NOT_GREATER_SIGNED: lambda left, right: signed(left) <= signed(right),
    Order.GREATER_SIGNED: lambda left, right: signed(left) > signed(right),
    Order.NOT_LESS_SIGNED: lambda left, right: signed(left) >= signed(right),
    Order.NEGATIVE: lambda left, right: signed(left - right) < 0,
    Order.NOT_NEGATIVE: lambda left, right: signed(left - right) >= 0,
}


def signed(word: int) -> int:
    return (word + (1 << 31)) % (1 << 32) - (1 << 31)


@pytest.mark.parametrize("order", ORDERS)
def test_no_more_rounds_jump_back_than_the_comparison_says(order: Order) -> None:
    """Against plain counting, near all limits; and most of the rounds are found."""
    chance = random.Random(str(order))
    walk = np.zeros(WALK_SLOTS, np.int64)
    found = counted = 0
    for _ in range(3000):
        middle = chance.choice((0, 1 << 31, chance.getrandbits(32)))
        left, right = ((middle + chance.randrange(-300, 300)) % (1 << 32) for _ in range(2))
        left_stride, right_stride = chance.randrange(-40, 40), chance.choice((0, 0, chance.randrange(-40, 40)))
        compare(walk, True, left, left_stride, right, right_stride)
        assert jump_back(walk, int(order))
        rounds = 0
        while rounds < 100 and ORDERS[order](
            (left + rounds * left_stride) % (1 << 32), (right + rounds * right_stride) % (1 << 32)
        ):
            rounds += 1
        assert min(int(walk[ROUNDS]), 100) <= rounds
        found, counted = found + min(int(walk[ROUNDS]), 100), counted + rounds
    assert found > 0.5 * counted

"""Firmware overwrites code in RAM by other code of the same size: counts and skips are those of the new code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emu.cpu.timing.costs import CORE, CpuTiming
from emu.machine import Machine, StopReason
from tests.emu.cpu import arm_board
from tests.emu.cpu.arm_board import PRELUDE, RAM, Board, build

ROUNDS = 300
PLACE, TARGET, SOURCE, TICKS = RAM + 0x10000, RAM + 0x20000, RAM + 0x28000, RAM + 0x30000
LOOPS = {
    "copies": "ldr r3, [r1], #4\n str r3, [r0], #4",
    "fills": "str r3, [r0], #4\n add.w r1, r1, #4",
    "adds": "ldr r3, [r1], #4\n add.w r4, r4, r3",
    "copies bytes": "ldrb r3, [r1]\n strb r3, [r0]\n adds r1, #1\n adds r0, #1",
    "counts": "adds r4, #1\n adds r4, #2\n add.w r4, r4, #4",
}
"""What is done in a round: always eight bytes of code."""
WAITS = "ldr.w r3, [r7]\n cmp.w r3, r8\n nop\n beq 1b"
"""A loop of the same size that waits for SysTick's handler."""
ORDERS = [
    ("copies", "fills", "copies bytes", "adds", "copies"),
    ("waits", "counts", "waits", "copies", "waits", "copies bytes"),
    ("counts", "waits", "fills", "adds", "counts", "copies bytes", "copies"),
]
TIMED = replace(arm_board.MAP, cpu_timing=CpuTiming(CORE))


def firmware(order: tuple[str, ...], barrier: str) -> str:
    """Assembly that runs these loops, one after the other, at the same place in RAM."""
    calls = "".join(f" adr.w r9, code_{number}\n bl install\n" for number in range(len(order)))
    codes = ""
    for number, name in enumerate(order):
        body = WAITS if name == "waits" else f"{LOOPS[name]}\n subs r2, #1\n bne 1b"
        codes += f".balign 4\ncode_{number}:\n1: {body}\n bx lr\n nop\n"
    return f"""
    .space 52
    .word tick + 1
    .text
reset:
    ldr r0, =0xe000e010
    movw r1, #2999
    str r1, [r0, #4]
    movs r1, #7
    str r1, [r0]
    ldr r0, ={TARGET:#x}
    ldr r1, ={SOURCE:#x}
    ldr r7, ={TICKS:#x}
    movs r4, #0
{calls}
    finish 0
install:                        @ what R9 points to, and call it
    ldr r10, ={PLACE:#x}
    ldm r9, {{r2, r3, r11, r12}}
    stm r10, {{r2, r3, r11, r12}}
    {barrier}
    ldr r3, =0x01234567
    movw r2, #{ROUNDS}
    ldr r8, [r7]
    orr r10, #1
    bx r10
    .ltorg
tick:
    ldr r0, [sp]
    ldr r3, [r7]
    adds r3, #1
    str r3, [r7]
    bx lr
{codes}
"""


def data() -> bytes:
    return bytes(number * 37 + (number >> 8) & 0xFF for number in range(0x4000))


def run(board: Board, *, skips: bool, exact: bool, slice_cycles: int) -> tuple[Machine, int]:
    machine = board.machine
    machine.clock.state[3], machine.clock.exact = skips, exact
    machine.bus.write(SOURCE, data())
    stop = machine.run(slice_cycles)
    while stop.reason is StopReason.LIMIT:
        stop = machine.run(slice_cycles)
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 0)
    return machine, board.core.read_register("r4")


def expected(order: tuple[str, ...]) -> tuple[bytes, int]:
    """What is at the target in the end, and R4, by plain loops."""
    memory, source, total, to, read = bytearray(0x4000), data(), 0, 0, 0
    for name in order:
        for _ in range(ROUNDS if name != "waits" else 0):
            word = source[read : read + 4]
            if name == "copies":
                memory[to : to + 4], to, read = word, to + 4, read + 4
            elif name == "fills":
                memory[to : to + 4], to, read = bytes.fromhex("67452301"), to + 4, read + 4
            elif name == "adds":
                total, read = total + int.from_bytes(word, "little"), read + 4
            elif name == "copies bytes":
                memory[to], to, read = word[0], to + 1, read + 1
            else:
                total += 7
    return bytes(memory), total & 0xFFFF_FFFF


@pytest.mark.parametrize("barrier", ["dsb\n isb", ""], ids=["barrier", "none"])
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_skipped_rounds_are_those_of_the_new_loop(tmp_path: Path, order: tuple[str, ...], barrier: str) -> None:
    elf = build(tmp_path, PRELUDE + firmware(order, barrier))
    for machine_map in (arm_board.MAP, TIMED):
        for exact in (False, True):
            hashes = set()
            for skips, slice_cycles in ((False, 1_000_000), (True, 1_000_000), (True, 777)):
                machine, total = run(Board(elf, machine_map), skips=skips, exact=exact, slice_cycles=slice_cycles)
                memory = machine.bus.read(TARGET, 0x4000)
                assert (memory, total) == expected(order)
                hashes.add((machine.state_hash(), machine.clock.now))
            assert len(hashes) == 1, (exact, machine_map.cpu_timing)


COUNTED = """
reset:
    ldr r0, =0xe000edfc
    ldr r1, =0x01000000
    str r1, [r0]
    ldr r5, =0xe0001000
    movs r1, #1
    str r1, [r5]
    ldr r0, ={place:#x}
    adr.w r1, one
    bl measure
    mov r8, r7
    adr.w r1, two
    bl measure
    mov r9, r7
    adr.w r1, one
    bl measure
    finish 0
measure:
    mov r10, lr
    ldm r1, {{r2, r3}}
    stm r0, {{r2, r3}}
    {barrier}
    add r4, r0, #1
    ldr r6, [r5, #4]
    blx r4
    ldr r7, [r5, #4]
    subs r7, r6
    bx r10
    .balign 4
one: adds r3, #1
    adds r3, #2
    bx lr
    nop
two: add.w r3, r3, #1
    bx lr
    nop
"""


@pytest.mark.parametrize("barrier", ["dsb\n isb", ""], ids=["barrier", "none"])
def test_instructions_are_those_of_the_new_code(tmp_path: Path, barrier: str) -> None:
    """Two instructions, then one in as many bytes, then two; one cycle each."""
    board = Board(build(tmp_path, PRELUDE + COUNTED.format(place=PLACE, barrier=barrier)))
    stop = board.machine.run(1000)
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 0)
    first, second, third = (board.core.read_register(name) for name in ("r8", "r9", "r7"))
    assert first - second == 1
    assert third == first

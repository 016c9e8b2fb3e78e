"""Counts are exact at every stop, and slices, steps and breakpoints change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.cpu.core import Pause
from emu.machine import StopReason
from tests.boards.firmware import PROGRAMS
from tests.emu.cpu.arm_board import Board, assemble, build

LOOP = """
reset:
    movs r0, #0
    ldr r1, =1000
loop:
    adds r0, #3
    cmp r0, #100
    it gt
    subgt r0, #100
    subs r1, #1
    bne loop
last:
    finish 7
"""
BEFORE_LOOP, PER_ROUND, AFTER_LOOP = 2, 6, 3


def final_state(board: Board) -> tuple[object, ...]:
    """Everything that must not depend on how the run was cut."""
    registers = {name: board.core.read_register(name) for name in board.core.register_names}
    memory = board.machine.bus.memory("ram").data.tobytes()
    return board.machine.clock.now, board.core.instructions, registers, memory, bytes(board.printed)


def test_instructions_are_counted_one_by_one(tmp_path: Path) -> None:
    board = assemble(tmp_path, LOOP)
    stop = board.machine.run()
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 7)
    assert board.core.instructions == BEFORE_LOOP + 1000 * PER_ROUND + AFTER_LOOP
    assert board.machine.clock.now == board.core.instructions


def test_steps_count_like_a_run(tmp_path: Path) -> None:
    stepped, straight = assemble(tmp_path, LOOP), assemble(tmp_path, LOOP)
    straight.machine.run()
    steps = 0
    while (stop := stepped.machine.step()).reason is StopReason.STEP:
        steps += 1
        assert stepped.core.instructions == steps
        if steps == 400:  # the rest takes too long this way
            stepped.machine.run()
            break
    assert stop.reason is StopReason.STEP
    assert final_state(stepped) == final_state(straight)


def test_steps_follow_the_program(tmp_path: Path) -> None:
    source = "reset: movs r0, #1\n cmp r0, #1\n ite eq\n addeq r0, #4\n addne r0, #8\n b next\n nop\n next: wfi\n nop\n"
    board = assemble(tmp_path, source)
    start = board.symbols["reset"]
    assert board.core.pc == start
    places = [board.machine.step().pc - start for _ in range(6)]
    assert places == [2, 4, 6, 8, 10, 14]
    assert board.core.read_register("r0") == 5
    assert board.core.step() is Pause.STEP
    assert board.core.step() is Pause.SLEEP


@pytest.mark.parametrize("piece", [1, 7, 97, 1009])
def test_slices_change_nothing(tmp_path: Path, piece: int) -> None:
    elf = build(tmp_path, (PROGRAMS / "exceptions.c").read_text(), ".c")
    straight, sliced = Board(elf), Board(elf)
    stop = straight.machine.run()
    slices = 0
    while sliced.machine.run(piece).reason is StopReason.LIMIT:
        slices += 1
    assert slices > 10
    assert (stop.reason, sliced.core.exit_code) == (StopReason.EXIT, stop.exit_code)
    assert final_state(sliced) == final_state(straight)


def test_a_run_after_reset_is_the_same_run(tmp_path: Path) -> None:
    board = Board(build(tmp_path, (PROGRAMS / "exceptions.c").read_text(), ".c"))
    board.machine.run()
    first, instructions = bytes(board.printed), board.core.instructions
    board.printed.clear()
    board.machine.bus.memory("ram").data[:] = 0
    board.machine.reset()
    board.machine.run()
    assert (bytes(board.printed), board.core.instructions) == (first, instructions)


def test_breakpoints_stop_before_the_instruction(tmp_path: Path) -> None:
    board = assemble(tmp_path, LOOP)
    loop, last = board.symbols["loop"], board.symbols["last"]
    board.core.add_breakpoint(loop)
    for round_ in range(3):
        stop = board.machine.run()
        assert (stop.reason, stop.pc) == (StopReason.BREAKPOINT, loop)
        assert board.core.instructions == BEFORE_LOOP + PER_ROUND * round_
    board.core.remove_breakpoint(loop)
    board.core.add_breakpoint(last)
    stop = board.machine.run()
    assert (stop.reason, stop.pc) == (StopReason.BREAKPOINT, last)
    assert board.core.instructions == BEFORE_LOOP + 1000 * PER_ROUND
    assert board.machine.run().reason is StopReason.EXIT


def test_a_breakpoint_inside_a_block_and_a_step_from_it(tmp_path: Path) -> None:
    board = assemble(tmp_path, LOOP)
    inside = board.symbols["loop"] + 2
    board.core.add_breakpoint(inside)
    assert board.machine.run().pc == inside
    assert board.core.instructions == BEFORE_LOOP + 1
    assert board.machine.step().pc == inside + 2
    assert board.machine.run().pc == inside
    assert board.core.instructions == BEFORE_LOOP + 1 + PER_ROUND


def test_a_request_stops_an_endless_loop(tmp_path: Path) -> None:
    board = assemble(tmp_path, "reset: 1: b 1b\n")
    event = board.machine.clock.event("stop", board.core.request_stop)
    event.at(5_000)
    stop = board.machine.run()
    assert stop.reason is StopReason.REQUEST
    assert 5_000 <= stop.time < 5_010


TICKS = """
.section .vectors, "a"
.word 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, tick + 1
.text
reset:
    ldr r0, =0xE000E010
    movw r1, #999
    str r1, [r0, #4]
    str r1, [r0, #8]
    movs r1, #7
    str r1, [r0]
    movs r4, #0
1:  wfi
    cmp r4, #10
    bne 1b
    finish 0
tick:
    adds r4, #1
    bx lr
"""


def test_systick_does_not_drift(tmp_path: Path) -> None:
    """Ten periods of 1,000 cycles from the write of CSR on, whatever the handler costs."""
    board = assemble(tmp_path, TICKS)
    stop = board.machine.run()
    assert stop.reason is StopReason.EXIT
    assert 10_000 < stop.time < 10_060


def test_sleep_without_any_event_is_reported(tmp_path: Path) -> None:
    board = assemble(tmp_path, "reset: movs r0, #1\n wfi\n movs r0, #2\n wfi\n")
    assert board.machine.run().reason is StopReason.ASLEEP
    assert board.core.read_register("r0") == 1


def test_the_cycle_counter(tmp_path: Path) -> None:
    source = """
reset:
    ldr r0, =0xE000EDFC
    ldr r1, =0x01000000
    str r1, [r0]
    ldr r0, =0xE0001000
    movs r1, #0
    str r1, [r0, #4]
    ldr r2, [r0, #4]
    movs r1, #1
    str r1, [r0]
    b here
here:
    ldr r3, [r0, #4]
    b on
on: nop
    nop
    nop
    ldr r4, [r0, #4]
    finish 0
"""
    board = assemble(tmp_path, source)
    board.machine.run()
    assert board.core.read_register("r2") == 0
    # Devices see the time of the end of a block: "on" ends with the bkpt, 3 + 1 + 3 instructions after "here".
    assert board.core.read_register("r4") - board.core.read_register("r3") == 7


def test_firmware_can_reset_the_machine(tmp_path: Path) -> None:
    source = """
reset:
    ldr r0, =0x20001000
    ldr r1, [r0]
    adds r1, #1
    str r1, [r0]
    cmp r1, #3
    beq done
    ldr r0, =0xE000ED0C
    ldr r1, =0x05FA0004
    str r1, [r0]
    dsb
1:  b 1b
done:
    finish 3
"""
    board = assemble(tmp_path, source)
    stop = board.machine.run(100_000)
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 3)
    assert board.machine.bus.read(0x2000_1000, 4) == b"\3\0\0\0"

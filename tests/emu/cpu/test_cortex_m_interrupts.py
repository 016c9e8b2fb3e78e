"""Interrupt lines of devices, masks that are lifted natively, code that changes under the core."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.machine import StopReason
from tests.emu.cpu.arm_board import RAM, Board, assemble

VECTORS = """
.section .vectors, "a"
.word 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
.word 0, 0, 0, 0, 0, knock + 1
.text
"""
LEVEL = 0x4800_0000
ENABLE = f"""
reset:
    ldr r7, ={LEVEL:#x}
    ldr r0, =0xE000E100
    movs r1, #32
    str r1, [r0]
    movs r4, #0
    movs r5, #1
"""


def run(folder: Path, source: str) -> Board:
    board = assemble(folder, VECTORS + ENABLE + source)
    assert board.machine.run(100_000).reason is StopReason.EXIT
    return board


def test_a_level_interrupt_comes_back_until_the_line_falls(tmp_path: Path) -> None:
    source = """
    str r5, [r7]
    b 1f
1:  finish 0
knock:
    adds r4, #1
    cmp r4, #4
    bne 2f
    movs r0, #0
    str r0, [r7]
2:  bx lr
"""
    assert run(tmp_path, source).core.read_register("r4") == 4


@pytest.mark.parametrize(
    ("mask", "unmask"),
    [("cpsid i", "cpsie i"), ("cpsid f", "cpsie f"), ("msr basepri, r6", "msr basepri, r2")],
)
def test_unmasking_takes_the_pending_interrupt_at_once(tmp_path: Path, mask: str, unmask: str) -> None:
    source = f"""
    movs r6, #0x10
    movs r2, #0
    movs r3, #0x80
    ldr r0, =0xE000E405
    strb r3, [r0]
    {mask}
    str r5, [r7]
    ldr r3, =1000
1:  subs r3, #1
    bne 1b
    mov r8, r4
    {unmask}
    isb
    mov r9, r4
    finish 0
knock:
    movs r0, #0
    str r0, [r7]
    adds r4, #1
    bx lr
"""
    board = run(tmp_path, source)
    assert [board.core.read_register(name) for name in ("r8", "r9")] == [0, 1]


def test_an_interrupt_from_outside_wakes_the_core(tmp_path: Path) -> None:
    source = """
    wfi
    finish 0
knock:
    movs r4, #1
    ldr r0, =0xE000E180
    movs r1, #32
    str r1, [r0]
    bx lr
"""
    board = assemble(tmp_path, VECTORS + ENABLE + source)
    event = board.machine.clock.event("knock", lambda: board.core.set_interrupt(5, True))
    event.at(7_000)
    stop = board.machine.run(100_000)
    assert stop.reason is StopReason.EXIT
    assert board.core.read_register("r4") == 1
    assert 7_000 < stop.time < 7_100


def test_an_input_that_does_not_exist(tmp_path: Path) -> None:
    board = assemble(tmp_path, "reset: b .\n")
    with pytest.raises(ValueError, match=r"the NVIC has external inputs 0\.\.31, not 32"):
        board.core.set_interrupt(32, True)


def test_a_breakpoint_behind_a_jump_that_has_one_is_met(tmp_path: Path) -> None:
    """To leave the jump, the core executes it alone; what that has translated of the target must not stay."""
    board = assemble(tmp_path, "reset: nop\n jump: b target\n nop\n target: nop\n inside: nop\n stay: b stay\n")
    places = [board.symbols[name] for name in ("jump", "inside", "stay")]
    for place in places:
        board.core.add_breakpoint(place)
    assert [board.machine.run(1000).pc for _ in places] == places


def test_code_that_a_bus_master_replaces_is_executed(tmp_path: Path) -> None:
    """RAM code runs, is overwritten from outside, and runs again with its own count of instructions."""
    board = assemble(tmp_path, f"reset: ldr r0, ={RAM + 0x100 | 1:#x}\n 1: blx r0\n nop\n b 1b\n")
    add_1_return, nop_add_2_return = bytes.fromhex("0134 7047"), bytes.fromhex("00bf 0234 7047")
    board.machine.bus.write(RAM + 0x100, add_1_return)
    start = board.symbols["reset"]
    board.core.add_breakpoint(start + 4)
    board.machine.run()
    assert (board.core.read_register("r4"), board.core.instructions) == (1, 4)
    board.machine.bus.write(RAM + 0x100, nop_add_2_return)
    board.machine.step()
    board.machine.run()
    assert (board.core.read_register("r4"), board.core.instructions) == (3, 4 + 6)


def test_registers_can_be_read_and_written(tmp_path: Path) -> None:
    board = assemble(tmp_path, "reset: b .\n")
    core = board.core
    for name in core.register_names:
        if name not in ("pc", "xpsr", "control", "sp"):
            value = {"primask": 1, "faultmask": 1, "basepri": 0x40, "fpscr": 0xA000_0000}.get(name, 0x1234_5678)
            core.write_register(name, value)
            assert core.read_register(name) == value, name
    assert core.read_register("sp") == core.read_register("msp") == 0x1234_5678
    with pytest.raises(KeyError, match="r13"):
        core.read_register("r13")


def test_unprivileged_code_hides_nothing_from_tools(tmp_path: Path) -> None:
    board = assemble(tmp_path, "reset: cpsid i\n movs r0, #3\n msr control, r0\n isb\n mrs r2, primask\n finish 0\n")
    board.machine.run(1_000)
    core = board.core
    assert core.read_register("r2") == 0
    assert (core.read_register("primask"), core.read_register("msp")) == (1, 0x2000_4000)
    core.write_register("psp", 0x2000_1000)
    assert core.read_register("sp") == 0x2000_1000
    assert core.read_register("control") == 3

"""Sleep: SLEEPONEXIT, SEVONPEND and the event register. QEMU's cores know none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.machine import StopReason
from tests.emu.cpu.arm_board import assemble

INPUT = 5
SETUP = f"""
.section .vectors, "a"
.space 4 * 14
.rept {INPUT}
.word 0
.endr
.word knock + 1
.text
reset:
    ldr r7, =0xE000ED10
    ldr r6, =0xE000E100
    movs r4, #0
"""


def test_sleep_on_exit_keeps_thread_mode_asleep_until_a_handler_clears_it(tmp_path: Path) -> None:
    board = assemble(
        tmp_path,
        SETUP
        + f"""
    movs r0, #{1 << INPUT}
    str r0, [r6]
    movs r0, #2
    str r0, [r7]
    movs r5, #0
    wfi
    movs r5, #1
    finish 3
knock:
    adds r4, #1
    cmp r4, #3
    bne 1f
    movs r0, #0
    str r0, [r7]
1:  bx lr
""",
    )
    machine, core = board.machine, board.core
    assert machine.run().reason is StopReason.ASLEEP
    for knocks in (1, 2):
        core.set_interrupt(INPUT, True)
        core.set_interrupt(INPUT, False)
        assert machine.run().reason is StopReason.ASLEEP
        assert (core.read_register("r4"), core.read_register("r5")) == (knocks, 0)
    core.set_interrupt(INPUT, True)
    core.set_interrupt(INPUT, False)
    stop = machine.run()
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 3)
    assert (core.read_register("r4"), core.read_register("r5")) == (3, 1)


@pytest.mark.parametrize(("control", "reason"), [(0x10, StopReason.EXIT), (0, StopReason.ASLEEP)])
def test_a_disabled_interrupt_is_an_event_with_sevonpend_only(tmp_path: Path, control: int, reason: StopReason) -> None:
    board = assemble(
        tmp_path,
        SETUP + f"movs r0, #{control}\n str r0, [r7]\n wfe\n movs r4, #1\n finish 4\n knock: b .",
    )
    assert board.machine.run().reason is StopReason.ASLEEP
    board.core.set_interrupt(INPUT, True)
    assert board.machine.run().reason is reason
    assert board.core.read_register("r4") == (1 if control else 0)


def test_an_event_that_came_before_is_not_lost(tmp_path: Path) -> None:
    board = assemble(tmp_path, SETUP + "sev\n wfe\n movs r4, #1\n wfe\n finish 4\n knock: b .")
    assert board.machine.run().reason is StopReason.ASLEEP
    assert board.core.read_register("r4") == 1


def test_the_return_from_a_handler_is_an_event(tmp_path: Path) -> None:
    source = f"movs r0, #{1 << INPUT}\n str r0, [r6]\n str r0, [r6, #0x100]\n dsb\n isb\n wfe\n finish 4\n"
    board = assemble(tmp_path, SETUP + source + "knock: adds r4, #1\n bx lr")
    stop = board.machine.run()
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 4)
    assert board.core.read_register("r4") == 1


@pytest.mark.parametrize(("mask", "wakes"), [("cpsid i", True), ("cpsid f", False)])
def test_wfi_wakes_under_primask_only(tmp_path: Path, mask: str, wakes: bool) -> None:
    source = f"{mask}\n movs r0, #{1 << INPUT}\n str r0, [r6]\n wfi\n movs r4, #1\n finish 4\n knock: b ."
    board = assemble(tmp_path, SETUP + source)
    assert board.machine.run().reason is StopReason.ASLEEP
    board.core.set_interrupt(INPUT, True)
    assert board.machine.run().reason is (StopReason.EXIT if wakes else StopReason.ASLEEP)
    assert board.core.read_register("r4") == int(wakes)

"""An exact machine stops, and takes events, at the very instruction; the default one, at the end of its block."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from emu.cpu import ENGINES
from emu.cpu.core import FaultReport
from emu.machine import Machine, StopReason
from tests.emu.cpu import arm_board, riscv_board

Make = Callable[[], Machine]
ARM_LOOP = """
reset:
    movs r0, #0
    ldr r1, =1000
    ldr r4, =0x20001000
loop:
    adds r0, #3
    cmp r0, #100
    itt gt
    subgt r0, #100
    strgt r0, [r4]
    ldr r2, [r4]
    add r3, r2, r0, lsl #3
    push {r0-r3}
    pop {r0-r3}
    subs r1, #1
    bne loop
    finish 7
"""
RISCV_LOOP = """
    li a0, 0
    li a1, 1000
    li a4, RAM + 0x8000
loop:
    addi a0, a0, 3
    sw a0, 0(a4)
    lw a2, 0(a4)
    mul a3, a2, a0
    divu a5, a3, a1
    xor a6, a5, a2
    addi a1, a1, -1
    bnez a1, loop
    exit 7
"""
ARM_TICKS = """
.section .vectors, "a"
.word 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, tick + 1
.text
reset:
    ldr r0, =0xE000E010
    movw r1, #96
    str r1, [r0, #4]
    str r1, [r0, #8]
    movs r1, #7
    str r1, [r0]
    movs r6, #0
1:  adds r2, #1
    adds r2, #3
    eor r3, r2, r3
    adds r3, #1
    add r4, r3, r2
    adds r4, #1
    cmp r6, #50
    bne 1b
    finish 0
tick:
    adds r6, #1
    ldr r5, [r0, #8]            // the counter: what time it is
    add r7, r7, r5
    bx lr
"""
RISCV_TICKS = """
    la t0, tick
    csrw mtvec, t0
    li s0, MTIMECMP
    li s1, MTIME
    li s2, 0
    lw t1, 0(s1)
    addi t1, t1, 13
    sw t1, 0(s0)
    sw zero, 4(s0)
    li t0, 0x80
    csrw mie, t0
    csrsi mstatus, 8
    li s3, 50
1:  addi t2, t2, 1
    xor t3, t3, t2
    addi t3, t3, 1
    add t4, t3, t2
    addi t4, t4, 1
    addi t5, t4, 1
    bne s2, s3, 1b
    exit 0
    .balign 4
tick:
    addi s2, s2, 1
    lw t1, 0(s1)                # what time it is
    add s4, s4, t1
    addi t1, t1, 13
    sw t1, 0(s0)
    mret
"""
KINDS = ("arm", *(f"riscv-{engine}" for engine in ENGINES))


def maker(folder: Path, kind: str, arm: str, riscv: str, *, exact: bool = True) -> Make:
    """Makes machines with a program, of one host and engine."""
    host, _, engine = kind.partition("-")
    elf = arm_board.build(folder, arm_board.PRELUDE + arm) if host == "arm" else riscv_board.assemble(riscv, folder)

    def make() -> Machine:
        machine = arm_board.Board(elf).machine if host == "arm" else riscv_board.load(elf, engine=engine)
        machine.clock.exact = exact
        return machine

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_is_met_exactly_and_is_a_single_stepped_run(tmp_path: Path, kind: str) -> None:
    make = maker(tmp_path, kind, ARM_LOOP, RISCV_LOOP)
    stepped = make()
    for limit in range(1, 60):
        stepped.step()
        machine = make()
        stop = machine.run(limit)
        assert (stop.reason, stop.time, machine.core.instructions) == (StopReason.LIMIT, limit, limit)
        assert machine.state_hash() == stepped.state_hash()


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_is_late_by_less_than_a_block(tmp_path: Path, kind: str) -> None:
    make = maker(tmp_path, kind, ARM_LOOP, RISCV_LOOP, exact=False)
    late = [make().run(limit).time - limit for limit in range(20, 60)]
    assert min(late) == 0 < max(late) < 11
    assert late == [make().run(limit).time - limit for limit in range(20, 60)]


def lateness(make: Make) -> list[int]:
    """Cycles by which the actions of all events of a run were late."""
    machine, late = make(), []
    for event in machine.clock.events.values():

        def act(event=event, action=event.action) -> None:
            late.append(machine.clock.now - event.due)
            action()

        event.action = act
    assert machine.run(100_000).reason is StopReason.EXIT
    assert len(late) >= 49
    return late


@pytest.mark.parametrize("kind", KINDS)
def test_events_come_at_the_very_instruction(tmp_path: Path, kind: str) -> None:
    assert set(lateness(maker(tmp_path, kind, ARM_TICKS, RISCV_TICKS))) == {0}
    assert 0 < max(lateness(maker(tmp_path, kind, ARM_TICKS, RISCV_TICKS, exact=False))) < 10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("piece", [1, 7])
def test_slices_change_nothing(tmp_path: Path, kind: str, piece: int) -> None:
    make = maker(tmp_path, kind, ARM_TICKS, RISCV_TICKS)
    straight, cut = make(), make()
    end = straight.run(100_000)
    slices = 0
    while (stop := cut.run(piece)).reason is StopReason.LIMIT:
        slices += 1
    assert slices > 100
    assert (stop, cut.state_hash()) == (end, straight.state_hash())


def test_the_engines_agree(tmp_path: Path) -> None:
    machines = [maker(tmp_path, f"riscv-{engine}", "", RISCV_TICKS)() for engine in ENGINES]
    for _ in range(100):
        hashes = set()
        for machine in machines:
            machine.run(17)
            hashes.add(machine.state_hash())
        assert len(hashes) == 1


def test_a_step_traps_where_a_run_does(tmp_path: Path) -> None:
    """The FPU is off after reset; Unicorn would execute the instruction."""
    board = arm_board.assemble(tmp_path, "reset: nop\n vmov s0, r0\n nop\n")
    faults: list[FaultReport] = []
    board.core.on_fault.append(faults.append)
    for _ in range(2):
        board.machine.step()
    (fault,) = faults
    assert fault.text.startswith("floating-point instruction while CPACR disables the FPU")

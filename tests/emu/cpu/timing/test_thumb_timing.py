"""Cycles of Thumb code against sums by hand from the tables of Arm's manuals.

Cortex-M0: DDI 0432, table 3-1. Cortex-M3: DDI 0337, table 3-1, "Load/store timings". Cortex-M4: the same two of 100166,
and table 7-1 for floating point. P, the refill of the pipeline, is 1 where the target is in the instruction and 3 where
it comes from a register or memory; of ranges, the largest value counts.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.cpu.timing.costs import CORE, CpuTiming, find_model
from emu.machine import MachineMap
from tests.emu.cpu.arm_board import MAP, assemble
from tests.emu.cpu.timing.measure import Piece, measure_arm, timed

SETUP = """
    ldr r0, =0xE000ED88
    ldr r1, =0x00F00000
    str r1, [r0]
    dsb
    isb
    ldr r4, =0x20001000
    ldr r5, =0x20001100
    str r5, [r4]
    movs r6, #0
    movs r7, #7
    movs r1, #3
    movs r2, #9
"""
SETUP_M0 = """
    ldr r4, =0x20001000
    ldr r5, =0x20001100
    str r5, [r4]
    movs r6, #0
    movs r7, #7
    movs r1, #3
    movs r2, #9
"""
# On Cortex-M0, M3, M4.
SMALL_PIECES = [
    Piece("movs r0, #1; adds r0, #2; muls r0, r1, r0; lsls r0, r0, #2; cmp r0, #4; uxtb r0, r0", (6, 6, 6)),
    Piece("ldr r0, [r4]", (2, 2, 2)),
    Piece("ldrb r0, [r4, r6]", (2, 2, 2)),
    Piece("str r0, [r5, #4]", (2, 1, 1)),
    Piece("strh r0, [r5, r6]", (2, 2, 2)),
    # A load in front of a load or store is pipelined on M3 and M4: the manuals' own examples, and their exception.
    Piece("ldr r0, [r4]; ldr r1, [r5]", (4, 3, 3)),
    Piece("ldr r0, [r4, r6]; str r0, [r5, #20]", (4, 3, 3)),
    Piece("ldr r0, [r4, r6]; str r1, [r5, r6]", (4, 3, 3)),
    Piece("ldr r0, [r4, r6]; ldr r1, [r5]; ldr r2, [r4, #4]", (6, 4, 4)),
    Piece("ldr r5, [r4]; ldr r0, [r5]", (4, 4, 4)),
    Piece("ldr r0, [r4]; adds r0, #1", (3, 3, 3)),
    # 1 + N
    Piece("ldm r4!, {r0-r2}", (4, 4, 4)),
    Piece("stm r4!, {r0-r3}", (5, 5, 5)),
    Piece("push {r0-r2, lr}; pop {r0-r3}", (10, 10, 10)),
    # 4 + N with PC in N; 1 + N + P. LDR, ADDS and PUSH before it.
    Piece("ldr r1, =1f; adds r1, #1; push {r0, r1}; pop {r0, pc}; nop; 1:", (12, 12, 12)),
    # Not taken, taken, taken backwards: 1 / 3 and 1 / 1 + P
    Piece("cmp r6, r6; bne 1f; nop; 1:", (3, 3, 3)),
    Piece("cmp r6, r6; beq 1f; nop; 1:", (4, 3, 3)),
    Piece("movs r0, #3; 1: subs r0, #1; bne 1b", (1 + 3 + 2 * 3 + 1, 1 + 3 + 2 * 2 + 1, 1 + 3 + 2 * 2 + 1)),
    Piece("b 1f; nop; 1:", (3, 2, 2)),
    Piece("bl 1f; b 2f; 1: bx lr; 2:", (4 + 3 + 3, 2 + 4 + 2, 2 + 4 + 2)),
    Piece("mrs r0, primask; msr primask, r6", (8, 4, 4)),
    Piece("cpsid i; cpsie i", (2, 4, 4)),
    Piece("dsb; dmb; isb", (12, 4, 4)),
]
# On Cortex-M3, M4.
PIECES = [
    Piece("cmp r6, r6; it eq; moveq r0, #1", (3, 3)),
    Piece("cmp r6, r6; ite ne; addne r0, #2; addeq r0, #3", (4, 4)),
    Piece("cbz r7, 1f; nop; 1:", (2, 2)),
    Piece("cbz r6, 1f; nop; 1:", (2, 2)),
    Piece("sdiv r0, r2, r1; udiv r0, r2, r1", (24, 24)),
    Piece("mul r0, r1, r2", (1, 1)),
    Piece("mla r0, r1, r2, r0; mls r0, r1, r2, r0", (4, 2)),
    Piece("umull r0, r3, r1, r2; smull r0, r3, r1, r2", (10, 2)),
    Piece("umlal r0, r3, r1, r2; smlal r0, r3, r1, r2", (14, 2)),
    Piece("movw r0, #1234; movt r0, #5678; ubfx r0, r0, #2, #3; clz r0, r0; ssat r0, #3, r0", (5, 5)),
    Piece("ldrd r0, r3, [r4]; strd r0, r3, [r5]", (6, 6)),
    Piece("ldr r0, [r4, #-4]; ldr r3, [r5, r6, lsl #2]", (3, 3)),
    Piece("str.w r0, [r5, #256]", (1, 1)),
    Piece("str.w r0, [r5, r6, lsl #2]", (2, 2)),
    Piece("ldrex r0, [r4]; strex r3, r0, [r4]", (3, 3)),
    Piece("ldmia.w r4, {r0-r3, r8}", (6, 6)),
    Piece("tbb [pc, r6]; .byte 1, 0; 1:", (6, 6)),
    Piece("adr.w r0, 1f; adds r0, #1; str r0, [r4]; ldr.w pc, [r4]; nop; .balign 4; 1:", (1 + 1 + 1 + 5,) * 2),
]
# On Cortex-M4.
FLOAT_PIECES = [
    Piece("vadd.f32 s0, s1, s2; vmul.f32 s0, s1, s2; vneg.f32 s0, s1; vcvt.s32.f32 s0, s1", (4,)),
    Piece("vmla.f32 s0, s1, s2; vfma.f32 s0, s1, s2; vnmls.f32 s0, s1, s2; vfnma.f32 s0, s1, s2", (12,)),
    Piece("vdiv.f32 s0, s1, s2; vsqrt.f32 s0, s1", (28,)),
    Piece("vldr s0, [r4]; vldr d1, [r4]; vstr s0, [r5]; vstr d1, [r5]", (2 + 3 + 2 + 3,)),
    Piece("vldm r4, {s0-s3}; vpush {d8-d9}; vpop {d8-d9}", (5 + 5 + 5,)),
    Piece("vmov s0, s1; vmov s0, r1; vmov r0, s0; vmov r0, r3, s0, s1; vmov s0, s1, r0, r3", (1 + 2 + 2 + 2 + 2,)),
    Piece("vcmp.f32 s0, s1; vmrs APSR_nzcv, fpscr", (2,)),
]


def check(folder: Path, setup: str, pieces: list[Piece], column: int, machine_map: MachineMap) -> None:
    measured = measure_arm(folder, setup, pieces, machine_map)
    wrong = [
        f"{piece.code}: {cycles} cycles, by hand {piece.cycles[column]}"
        for piece, cycles in zip(pieces, measured, strict=True)
        if cycles != piece.cycles[column]
    ]
    assert not wrong


@pytest.mark.parametrize(("column", "host"), [(0, "cortex-m0"), (1, "cortex-m3"), (2, "cortex-m4f")])
def test_small_instructions(tmp_path: Path, column: int, host: str) -> None:
    check(tmp_path, SETUP_M0, SMALL_PIECES, column, timed(MAP, host=host))


@pytest.mark.parametrize(("column", "host"), [(0, "cortex-m3"), (1, "cortex-m4f")])
def test_wide_instructions(tmp_path: Path, column: int, host: str) -> None:
    check(tmp_path, SETUP, PIECES, column, timed(MAP, host=host))


def test_floating_point(tmp_path: Path) -> None:
    check(tmp_path, SETUP, FLOAT_PIECES, 0, timed(MAP))


@pytest.mark.parametrize("host", ["cortex-m7", "cortex-m33"])
def test_cores_without_published_timing_say_so_and_overlap_loads(tmp_path: Path, host: str) -> None:
    assert "Arm publishes no instruction timing" in find_model(host, CORE).doc
    pieces = [Piece("ldr r0, [r4]; ldr r1, [r5]; adds r2, r2, r2", (3,)), Piece("mul r0, r1, r2", (1,))]
    check(tmp_path, SETUP, pieces, 0, timed(MAP, host=host))


def test_the_default_is_one_cycle_an_instruction(tmp_path: Path) -> None:
    ones = [Piece(piece.code, (4,)) for piece in FLOAT_PIECES[:2]] + [Piece("sdiv r0, r2, r1", (1,))]
    check(tmp_path, SETUP, ones, 0, MAP)
    check(tmp_path, SETUP, ones, 0, timed(MAP, CpuTiming()))


COUNTED = """
reset:
    ldr r0, =0xE000EDFC
    ldr r1, =0x01000000
    str r1, [r0]
    ldr r4, =0xE0001000
    movs r1, #1
    str r1, [r4]
    movs r0, #100
    b 1f
    nop
1:  ldr r2, [r4, #4]
    b 2f
    nop
2:  sdiv r3, r1, r1
    subs r0, #1
    bne 2b
    ldr r3, [r4, #4]
    b 3f
    nop
3:  subs r3, r2
    wfi
"""


def test_the_cycle_counter_counts_cycles_and_not_instructions(tmp_path: Path) -> None:
    """The counter is read at the end of a block, without its jump: P, 100 rounds of 12 + 1 + 1, 99 times P, LDR, B."""
    board = assemble(tmp_path, COUNTED, timed(MAP))
    board.machine.run(10_000)
    assert board.core.read_register("r3") == 1 + 100 * 14 + 99 + 2 + 1
    assert board.core.instructions == 8 + 2 + 300 + 2 + 2

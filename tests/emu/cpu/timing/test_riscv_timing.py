"""Cycles of RV32 code against sums by hand from the tables of two cores' manuals, on every engine.

Two stages: *Ibex Reference Guide*, "Pipeline Details", stalls plus one cycle. Four stages: *CV32E40P User Manual*,
"Pipeline Details".
"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.cpu import ENGINES
from emu.cpu.timing.costs import CpuTiming
from tests.emu.cpu.riscv_board import MAP, assemble, core, load
from tests.emu.cpu.timing.measure import Piece, measure_riscv, timed

SETUP = "li a4, RAM + 0x1000\n li a5, RAM + 0x1100\n sw a5, 0(a4)\n li a2, 3\n li a3, 9"
PIECES = [
    Piece("addi a0, a2, 1; add a0, a0, a3; sll a0, a0, a2; lui a0, 7; sltu a0, a2, a3", (5, 5)),
    Piece("lw a0, 0(a4)", (2, 1)),
    Piece("sw a0, 0(a5); sb a0, 4(a5)", (4, 2)),
    # A load in front of what uses the loaded register
    Piece("lw a0, 0(a4); nop; addi a1, a0, 1", (4, 3)),
    Piece("lw a0, 0(a4); addi a1, a0, 1", (3, 3)),
    Piece("lw a0, 0(a4); sw a0, 0(a5)", (4, 3)),
    Piece("lw t0, 0(a4); lw a0, 0(t0)", (4, 3)),
    Piece("lw x0, 0(a4); addi a1, x0, 1", (3, 2)),
    Piece("mul a0, a2, a3", (3, 1)),
    Piece("mulh a0, a2, a3; mulhu a0, a2, a3; mulhsu a0, a2, a3", (12, 15)),
    Piece("div a0, a3, a2; remu a0, a3, a2", (76, 70)),
    # Not taken, taken, taken backwards
    Piece("bne a2, a2, 1f; nop; 1:", (2, 2)),
    Piece("beq a2, a2, 1f; nop; 1:", (3, 3)),
    Piece("li a0, 3; 1: addi a0, a0, -1; bnez a0, 1b", (1 + 3 + 2 * 3 + 1,) * 2),
    Piece("j 1f; nop; 1:", (2, 2)),
    # A jump to an address that the instruction before it computes
    Piece("la t0, 1f; jr t0; nop; 1:", (4, 5)),
    Piece("la t0, 1f; nop; jr t0; nop; 1:", (5, 5)),
    Piece("csrr a0, mcycle; csrr a0, minstret", (2, 8)),
    Piece("csrw mepc, a0; csrr a0, mstatus; csrr a0, mtvec; csrr a0, mcause", (4, 16)),
    Piece("csrw mscratch, a0", (1, 1)),
    Piece("fence.i", (2, 2)),
    Piece("fence", (1, 1)),
]


@pytest.mark.parametrize(("column", "model"), [(0, "two-stage"), (1, "four-stage")])
@pytest.mark.parametrize("engine", ENGINES)
def test_instructions(tmp_path: Path, column: int, model: str, engine: str) -> None:
    measured = measure_riscv(tmp_path, SETUP, PIECES, timed(MAP, CpuTiming(model)), engine)
    wrong = [
        f"{piece.code}: {cycles} cycles, by hand {piece.cycles[column]}"
        for piece, cycles in zip(PIECES, measured, strict=True)
        if cycles != piece.cycles[column]
    ]
    assert not wrong


COUNTED = """
    li a3, 100
    csrr s0, mcycle
    csrr s1, minstret
1:  mulh a0, a3, a3
    addi a3, a3, -1
    bnez a3, 1b
    csrr s3, minstret
    csrr s2, mcycle
    sub s2, s2, s0
    sub s3, s3, s1
2:  j 2b
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_mcycle_counts_cycles_and_minstret_instructions(tmp_path: Path, engine: str) -> None:
    """100 rounds of 5 + 1 + 1 cycles, 99 jumps of 2 more, and the instructions that read the other counters, 4 each."""
    machine = load(assemble(COUNTED, tmp_path), timed(MAP, CpuTiming("four-stage")), engine)
    machine.run(2_000)
    assert core(machine).read_register("s2") == 100 * 7 + 99 * 2 + 3 * 4
    assert core(machine).read_register("s3") == 300 + 1

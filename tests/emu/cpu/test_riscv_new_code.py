"""Code that firmware replaces by other code of the same size, behind fence.i: both engines, and QEMU."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from emu.cpu import ENGINES
from emu.machine import StopReason
from tests.emu.cpu.riscv_board import assemble, load, run_in_qemu

FINISH = """
finish:                         # with the code in s1
    la a1, 8f
    sw s1, 4(a1)
    li a0, 0x20
    host
7:  j 7b
    .balign 4
8:  .word 0x20026, 0
"""

COUNTED = f"""
    la s0, patched
    call measure
    mv s1, a0
    li t0, 0x00168693           # addi a3, a3, 1
    sw t0, 0(s0)
    fence.i
    call measure
    slli s1, s1, 4
    or s1, s1, a0
    j finish
measure:
    csrr t0, minstret
    jalr t2, s0
    csrr t1, minstret
    sub a0, t1, t0
    ret
    .balign 4
patched:
    c.addi a3, 1
    c.addi a3, 1
    jr t2
{FINISH}
"""
"""Two instructions are replaced by one."""

ALLOWED = f"""
    la t0, handler
    csrw mtvec, t0
    open_memory
    csrw mcounteren, zero
    li s1, 1
    call as_user
    la t0, patched
    li t1, 0xc0002573           # csrr a0, cycle
    sw t1, 0(t0)
    fence.i
    slli s1, s1, 1
    call as_user
    j finish
as_user:
    mv s2, ra
    li t0, 0x1800
    csrc mstatus, t0
    la t0, patched
    csrw mepc, t0
    mret
    .balign 4
patched:
    .option push
    .option norvc
    j 1f                        # a block of four bytes, as is a read of a CSR
1:  ecall
    .option pop
    .balign 4
handler:
    csrr t0, mcause
    li t1, 2
    bne t0, t1, 1f
    addi s1, s1, 16             # an illegal instruction: go on behind it
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    mret
1:  jr s2
{FINISH}
"""
"""A jump is replaced by a read that users may not make."""

PROGRAMS = {"counted": (COUNTED, 5 << 4 | 4), "allowed": (ALLOWED, 2 + 16)}
"""Programs by name, and the exit codes that the specification asks for."""


@pytest.mark.parametrize("cycles", [1, 1_000_000])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_new_code_of_the_same_size_is_looked_at_anew(tmp_path: Path, name: str, engine: str, cycles: int) -> None:
    source, code = PROGRAMS[name]
    machine = load(assemble(source, tmp_path), engine=engine)
    stop = machine.run(cycles)
    while stop.reason is StopReason.LIMIT and machine.clock.now < 10_000:
        stop = machine.run(cycles)
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, code)


@pytest.mark.skipif(shutil.which("qemu-system-riscv32") is None, reason="needs QEMU: apt install qemu-system-misc")
@pytest.mark.parametrize("name", PROGRAMS)
def test_qemu_ends_with_the_same_code(tmp_path: Path, name: str) -> None:
    source, code = PROGRAMS[name]
    assert run_in_qemu(assemble(source, tmp_path))[1] == code

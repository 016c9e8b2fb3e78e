"""Wait states of the memory that the CPU starts from, counted by hand: one cycle an instruction, and what is waited."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.cpu import ENGINES
from emu.cpu.timing.costs import CORE, SINGLE, CpuTiming
from emu.cpu.timing.model import FlashTiming
from tests.emu.cpu import arm_board, riscv_board
from tests.emu.cpu.timing.measure import Piece, measure_arm, measure_riscv, timed

SETUP = "ldr r4, =0x20001000"
TWO_LINES = "nop; " * 16
"""Of 16 bytes."""
LOOP = "movs r0, #3; nop; 1: subs r0, #1; nop; bne 1b; nop; nop; nop"


@pytest.mark.parametrize(
    ("flash", "code", "cycles"),
    [
        # Both lines wait: one is jumped to, the other follows.
        (FlashTiming(3, 16), TWO_LINES, 16 + 3 + 3),
        # Each of the four cycles of the first line but one hides a wait state of the second one.
        (FlashTiming(3, 16, prefetch=True), TWO_LINES, 16 + 3),
        (FlashTiming(5, 16, prefetch=True), TWO_LINES, 16 + 5 + 2),
        (FlashTiming(1, 4), TWO_LINES, 16 + 8),
        # An instruction that crosses into a line waits for it.
        (FlashTiming(2, 4), "nop; movw r0, #1234; nop", 3 + 2 + 2),
        # Jumps back into the line wait each time.
        (FlashTiming(4, 16), LOOP, 2 + 3 * 3 + 3 + 4 + 2 * 4),
    ],
)
def test_a_cortex_m_waits(tmp_path: Path, flash: FlashTiming, code: str, cycles: int) -> None:
    machine_map = timed(arm_board.MAP, CpuTiming(SINGLE, flash))
    assert measure_arm(tmp_path, SETUP, [Piece(code, (cycles,))], machine_map) == [cycles]


def test_loads_from_beside_the_code_wait(tmp_path: Path) -> None:
    """For the line of the code, two cycles of the load, and again two, but not where the data is in RAM."""
    pieces = [Piece("ldr r0, =0x12345678; nop", (2 + 2 + 1 + 2,)), Piece("ldr r0, [r4]; nop", (2 + 2 + 1,))]
    machine_map = timed(arm_board.MAP, CpuTiming(CORE, FlashTiming(2, 16)))
    assert measure_arm(tmp_path, SETUP, pieces, machine_map) == [piece.cycles[0] for piece in pieces]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_hart_waits(tmp_path: Path, engine: str) -> None:
    """Eight instructions of two bytes in a line; three rounds of two, two jumps back, in the second one."""
    pieces = [Piece("nop; " * 16, (16 + 3 + 3,)), Piece("li a0, 3; 1: addi a0, a0, -1; bnez a0, 1b", (7 + 3 + 2 * 3,))]
    measured = measure_riscv(
        tmp_path, "nop", pieces, timed(riscv_board.MAP, CpuTiming(SINGLE, FlashTiming(3, 16))), engine
    )
    assert measured == [piece.cycles[0] for piece in pieces]


def test_code_in_other_memory_does_not_wait(tmp_path: Path) -> None:
    """The same program, once where the machine starts, once with the flash memory elsewhere."""
    piece = Piece(TWO_LINES, (16,))
    machine_map = timed(arm_board.MAP, CpuTiming(SINGLE, FlashTiming(3, 16)))
    elf_folder = tmp_path / "ram"
    elf_folder.mkdir()
    copied = f"""
    ldr r0, =begin_copy
    ldr r1, =0x20002000
    movs r2, #40
1:  ldrb r3, [r0]
    strb r3, [r1]
    adds r0, #1
    adds r1, #1
    subs r2, #1
    bne 1b
    ldr r5, =0x20002001
    b over
    .balign 16
begin_copy:
    {piece.code.replace(";", chr(10))}
    bx lr
over:
    nop
    """
    # BLX to the copy, 16 instructions, BX back to the flash memory, which waits for the line of the last instruction.
    measured = measure_arm(elf_folder, copied, [Piece("blx r5; nop", ())], machine_map)
    assert measured == [1 + 3 + 16 + 1 + 1 + 3]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((-1, 16), "flash memory can have 0..255 wait states, not -1"),
        ((256, 16), "flash memory can have 0..255 wait states, not 256"),
        ((1, 12), "a line of flash memory must have 4, 8, 16, ... bytes, not 12"),
        ((1, 2), "a line of flash memory must have 4, 8, 16, ... bytes, not 2"),
    ],
)
def test_impossible_flash_memories_are_refused(arguments: tuple[int, int], text: str) -> None:
    with pytest.raises(ValueError, match=text.replace(".", r"\.")):
        FlashTiming(*arguments)

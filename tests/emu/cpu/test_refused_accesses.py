"""Bus faults that software of a priority below 0 ignores with CCR.BFHFNMIGN.

QEMU does not implement the bit. What is expected is what the ARMv7-M Architecture Reference Manual says of CCR: the
handler goes on behind the instruction, BFSR and BFAR tell of it; without the bit the core locks up.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.machine import StopReason
from tests.emu.cpu.arm_board import PRELUDE, RAM, Board, assemble, build

NOWHERE, RAM_END, FLASH = 0x7000_0000, RAM + (1 << 18), 0x0800_0100
PRECISE = 0x8200
"""PRECISERR and BFARVALID."""
VECTORS = """
.word nmi + 1, hard_fault + 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
.text
.macro ignore_faults
    ldr r5, =0xe000ed14
    ldr r6, [r5]
    orr r6, #0x100
    str r6, [r5]
.endm
"""
PLACES = {
    "NMI": "hard_fault:\n b .\nreset:\n ldr r5, =0xe000ed04\n mov r6, #1 << 31\n str r6, [r5]\n isb\n b .\nnmi:\n",
    "HardFault": "reset:\n udf #1\n b .\nnmi:\n b .\nhard_fault:\n",
    "FAULTMASK": "nmi:\nhard_fault:\n b .\nreset:\n cpsid f\n",
}
"""Where a piece of code runs at a negative priority."""


def run(folder: Path, place: str, code: str, *, ignore: bool = True) -> tuple[Board, StopReason]:
    """Run code up to `finish`, or to the lockup; it may use all registers but R5 and R6."""
    begin = "ignore_faults" if ignore else ""
    board = assemble(folder, f"{VECTORS}{PLACES[place]}{begin}\n{code}\nend: nop\n finish 0\n")
    board.core.add_breakpoint(board.symbols["end"])
    stop = board.machine.run(10_000)
    return board, stop.reason


def registers(board: Board, *names: str) -> tuple[int, ...]:
    return tuple(board.core.read_register(name) for name in names)


@pytest.mark.parametrize("place", PLACES)
def test_a_load_gives_0_and_is_noted(tmp_path: Path, place: str) -> None:
    board, reason = run(tmp_path, place, f"ldr r0, ={NOWHERE + 8:#x}\n movs r1, #7\n ldr r1, [r0], #4\n movs r2, #9")
    assert reason is StopReason.BREAKPOINT
    assert registers(board, "r0", "r1", "r2") == (NOWHERE + 12, 0, 9)
    assert board.core.system_control.CFSR & 0xFFFF == PRECISE
    assert board.core.system_control.BFAR == NOWHERE + 8


@pytest.mark.parametrize("place", PLACES)
def test_without_the_bit_the_core_locks_up(tmp_path: Path, place: str) -> None:
    board, reason = run(tmp_path, place, f"ldr r0, ={NOWHERE:#x}\n ldr r1, [r0]", ignore=False)
    assert reason is StopReason.LOCKUP
    assert board.core.system_control.CFSR & 0xFFFF == PRECISE


def test_at_other_priorities_the_bit_does_nothing(tmp_path: Path) -> None:
    code = f"""
    nmi:
        b .
    reset:
        ignore_faults
        ldr r0, ={NOWHERE:#x}
    bad: ldr r1, [r0]
        b .
    hard_fault:
        finish 5
    """
    board = assemble(tmp_path, VECTORS + code)
    stop = board.machine.run(10_000)
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 5)
    report = board.core.last_fault
    assert report is not None
    assert report.pc == board.symbols["bad"]


@pytest.mark.parametrize("address", [NOWHERE, FLASH])
def test_a_store_is_lost(tmp_path: Path, address: int) -> None:
    code = f"ldr r0, ={address:#x}\n ldr r1, =0x12345678\n str r1, [r0]\n ldr r2, [r0]\n strd r1, r1, [r0, #8]"
    board, reason = run(tmp_path, "HardFault", code)
    assert reason is StopReason.BREAKPOINT
    assert registers(board, "r2") == (0,)
    assert board.machine.bus.read(FLASH, 16) == bytes(16)


def test_an_access_that_begins_in_memory(tmp_path: Path) -> None:
    code = f"""
    ldr r0, ={RAM_END - 8:#x}
    ldr r1, =0x11111111
    ldr r2, =0x22222222
    movs r3, #3
    movs r4, #4
    stm r0!, {{r1-r4}}
    sub r0, #16
    ldm r0!, {{r7-r10}}
    """
    board, reason = run(tmp_path, "NMI", code)
    assert reason is StopReason.BREAKPOINT
    assert registers(board, "r0", "r7", "r8", "r9", "r10") == (RAM_END + 8, 0x1111_1111, 0x2222_2222, 0, 0)
    assert board.core.system_control.BFAR == RAM_END
    assert board.machine.bus.read(RAM_END - 8, 8) == bytes.fromhex("1111111122222222")


def test_an_access_to_several_pages(tmp_path: Path) -> None:
    code = f"ldr r0, ={NOWHERE + 0xFF8:#x}\n ldm r0, {{r1-r4}}\n ldr r7, [r0, #6]\n movs r8, #8"
    board, reason = run(tmp_path, "FAULTMASK", code)
    assert reason is StopReason.BREAKPOINT
    assert registers(board, "r1", "r2", "r3", "r4", "r7", "r8") == (0, 0, 0, 0, 0, 8)


def test_inside_an_it_block(tmp_path: Path) -> None:
    code = f"""
    ldr r0, ={NOWHERE:#x}
    movs r1, #1
    movs r2, #2
    movs r3, #3
    cmp r1, #1
    ittee eq
    ldreq r1, [r0]
    addeq r2, r2, #10
    ldrne r3, [r0]
    addne r3, r3, #10
    add r4, r2, r3
    """
    board, reason = run(tmp_path, "HardFault", code)
    assert reason is StopReason.BREAKPOINT
    assert registers(board, "r1", "r2", "r3", "r4") == (0, 12, 3, 15)


def test_the_mpu_is_not_ignored(tmp_path: Path) -> None:
    """With HFNMIENA, a region without rights."""
    code = f"""
    ldr r0, =0xe000ed94
    ldr r1, ={RAM + 0x1000:#x}
    str r1, [r0, #8]
    movw r1, #0x17
    str r1, [r0, #12]
    movs r1, #7
    str r1, [r0]
    dsb
    isb
    ldr r0, ={RAM + 0x1000:#x}
    ldr r1, [r0]
    """
    board, reason = run(tmp_path, "FAULTMASK", code)
    assert reason is StopReason.LOCKUP
    assert board.core.system_control.CFSR & 0xFFFF == 0x82


def test_fetches_are_not_ignored(tmp_path: Path) -> None:
    board, reason = run(tmp_path, "HardFault", f"ldr r0, ={NOWHERE + 1:#x}\n bx r0")
    assert reason is StopReason.LOCKUP
    assert board.core.system_control.CFSR & 0xFFFF == 0x100


LOOP = """
nmi:
hard_fault:
    b .
reset:
    cpsid f
    ignore_faults
    ldr r0, ={place:#x}
    movs r4, #50
1:  adds r1, r4, #3
    ldr r2, [r0, #4]
    adds r3, r1, r2
    stm r0, {{r1, r3}}
    strb r1, [r0, #9]
    ldrd r1, r3, [r0, #16]
    subs r4, #1
    bne 1b
    finish 0
"""


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("slice_cycles", [1, 7, 10_000])
def test_time_and_instructions_are_those_of_accesses_that_succeed(
    tmp_path: Path, slice_cycles: int, exact: bool
) -> None:
    found = []
    for place in (RAM + 0x1000, NOWHERE):
        board = Board(build(tmp_path, PRELUDE + VECTORS + LOOP.format(place=place)), exact=exact)
        stop = board.machine.run(slice_cycles)
        stops = [stop.time]
        while stop.reason is StopReason.LIMIT:
            stop = board.machine.run(slice_cycles)
            stops.append(stop.time)
        assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 0)
        found.append((board.core.instructions, stops if exact else stops[-1]))
    assert found[0] == found[1]

"""Comparators of the DWT and the debug monitor, as far as firmware can see them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from emu.cpu.core import FaultReport
from emu.machine import Machine, StopReason
from emu.machines import machine_map
from tests.emu.cpu.arm_board import Board, assemble

VECTORS = """
.section .vectors, "a"
.word 0, hard_fault + 1, 0, 0, 0, 0, 0, 0, 0, 0, monitor + 1, 0, 0, 0
.text
hard_fault:
    finish 99
monitor:                        @ r7 counts; r6 has where the first one came from
    adds r7, #1
    cmp r7, #1
    it eq
    ldreq r6, [sp, #24]
    bx lr
reset:
    ldr r0, =0xE000EDFC         @ DEMCR
    ldr r1, =0x01010000         @ TRCENA, MON_EN
    str r1, [r0]
    ldr r4, =0xE0001020         @ COMP0
    ldr r5, =0x20001000
    movs r7, #0
    movs r6, #0
"""
READ, WRITE, ACCESS, EXECUTE = 5, 6, 7, 4
MATCHED = 1 << 24


def watch(function: int, mask: int = 0, address: str = "r5") -> str:
    """Sets comparator 0 up."""
    return f"str {address}, [r4]\n movs r0, #{mask}\n str r0, [r4, #4]\n movs r0, #{function}\n str r0, [r4, #8]\n"


def run(folder: Path, source: str) -> Board:
    """Run to the label `last`."""
    board = assemble(folder, VECTORS + source + "\n last: b .\n")
    board.core.add_breakpoint(board.symbols["last"])
    assert board.machine.run(100_000).reason is StopReason.BREAKPOINT
    return board


def taken(board: Board) -> int:
    """How often the debug monitor ran."""
    return board.core.read_register("r7")


@pytest.mark.parametrize(
    ("function", "mask", "access", "matches"),
    [
        (WRITE, 0, "str r1, [r5]", 1),
        (WRITE, 0, "strb r1, [r5]", 1),
        (WRITE, 0, "strb r1, [r5, #1]", 0),
        (WRITE, 0, "strb r1, [r5, #-1]", 0),
        (WRITE, 2, "strb r1, [r5, #3]", 1),
        (WRITE, 2, "strb r1, [r5, #4]", 0),
        (WRITE, 0, "ldr r1, [r5]", 0),
        (READ, 0, "ldr r1, [r5]", 1),
        (READ, 0, "str r1, [r5]", 0),
        (ACCESS, 0, "ldr r1, [r5]\n b 1f\n 1: str r1, [r5]", 2),
        (WRITE, 2, "subs r5, #4\n strd r0, r1, [r5]", 1),
        (WRITE, 2, "subs r5, #8\n stm r5, {r0-r3}", 1),
        (WRITE, 12, "ldr r2, =0x20001ffc\n str r1, [r2]", 1),
        (WRITE, 12, "ldr r2, =0x20002000\n str r1, [r2]", 0),
        (0, 0, "str r1, [r5]\n ldr r1, [r5]", 0),
    ],
)
def test_data_addresses(tmp_path: Path, function: int, mask: int, access: str, matches: int) -> None:
    board = run(
        tmp_path, watch(function, mask) + f" b go\n go: {access}\n b 2f\n 2: ldr r8, [r4, #8]\n ldr r9, [r4, #8]"
    )
    assert taken(board) == matches
    flags = [board.core.read_register(name) for name in ("r8", "r9")]
    assert flags == [function | (MATCHED if matches else 0), function]
    status = board.core.system_control.DFSR
    assert status == (4 if matches else 0)


DATA = {1: 0x5A5A_5A5A, 2: 0xC35A_C35A, 4: 0x9EF1_C35A}
"""Values of COMP1 for bytes, half-words and words: repeated, as the manual asks for."""
ENABLE_FLOATS = "ldr r0, =0xE000ED88\n ldr r3, =0x00F00000\n str r3, [r0]\n dsb\n isb\n"
LINKED, ANYWHERE = 0 << 12 | 0 << 16, 1 << 12 | 1 << 16


@pytest.mark.parametrize(
    ("function", "size", "links", "mask", "access", "matches"),
    [
        (WRITE, 4, LINKED, 0, "str r1, [r5]", 1),
        (WRITE, 4, LINKED, 0, "str r2, [r5]", 0),
        (WRITE, 4, LINKED, 0, "str r1, [r5, #4]", 0),
        (WRITE, 4, LINKED, 3, "str r1, [r5, #4]", 1),
        (WRITE, 4, LINKED, 3, "strh r1, [r5, #4]", 0),
        (WRITE, 4, ANYWHERE, 0, "str r1, [r5, #64]", 1),
        (WRITE, 4, LINKED, 0, "ldr r3, [r5]", 0),
        (READ, 4, LINKED, 0, "str r1, [r5]\n b 1f\n 1: ldr r3, [r5]", 1),
        (READ, 4, LINKED, 0, "str r2, [r5]\n b 1f\n 1: ldr r3, [r5]", 0),
        (READ, 4, ANYWHERE, 0, "str r1, [r5, #64]\n b 1f\n 1: ldr r3, [r5, #64]", 1),
        (ACCESS, 4, LINKED, 0, "str r1, [r5]\n b 1f\n 1: ldr r3, [r5]", 2),
        (WRITE, 2, LINKED, 0, "strh r1, [r5]", 1),
        (WRITE, 2, LINKED, 1, "strh r2, [r5]", 0),
        (READ, 2, LINKED, 0, "str r1, [r5]\n b 1f\n 1: ldrsh r3, [r5]", 1),
        (WRITE, 1, LINKED, 2, "strb r1, [r5, #3]", 1),
        (WRITE, 1, LINKED, 2, "str r1, [r5]", 0),
        (WRITE, 4, LINKED, 2, "subs r5, #4\n strd r2, r1, [r5]", 1),
        (WRITE, 4, LINKED, 2, "subs r5, #4\n strd r1, r2, [r5]", 0),
        (WRITE, 4, LINKED, 2, "subs r5, #4\n stm r5, {r0-r2}", 1),
        (WRITE, 4, LINKED, 2, ENABLE_FLOATS + "subs r5, #4\n vmov d0, r2, r1\n vstr d0, [r5]", 1),
        (WRITE, 4, LINKED, 2, ENABLE_FLOATS + "subs r5, #4\n vmov d0, r1, r2\n vstr d0, [r5]", 0),
        (EXECUTE, 4, ANYWHERE, 0, "str r1, [r5]", 0),
        (WRITE, 4, 2 << 12 | 3 << 16, 0, "str r1, [r5]\n str r1, [r5, #16]\n b 1f\n 1: str r1, [r5, #32]", 2),
    ],
)
def test_data(tmp_path: Path, function: int, size: int, links: int, mask: int, access: str, matches: int) -> None:
    """ARMv7-M, "Comparator Function registers": comparator 1 with DATAVMATCH, addresses from those linked to it."""
    word = function | 1 << 8 | {1: 0, 2: 1, 4: 2}[size] << 10 | links
    source = f"""
    str r5, [r4]
    movs r0, #{mask}
    str r0, [r4, #4]
    add r0, r5, #16
    str r0, [r4, #32]
    add r0, r5, #32
    str r0, [r4, #48]
    ldr r1, ={DATA[4]:#x}
    ldr r2, =0x12345678
    movs r3, #0
    str r3, [r5]
    ldr r0, ={DATA[size]:#x}
    str r0, [r4, #16]
    ldr r0, ={word:#x}
    str r0, [r4, #24]
    b go
go: {access}
    b 2f
2:  ldr r8, [r4, #24]
    ldr r9, [r4, #24]
    """
    board = run(tmp_path, source)
    assert taken(board) == matches
    flags = [board.core.read_register(name) for name in ("r8", "r9")]
    assert flags == [word | 1 << 9 | (MATCHED if matches else 0), word | 1 << 9]


@pytest.mark.parametrize(("machine", "number"), [("mps2-an385", 0), ("mps2-an385", 2), ("mps2-an505", 1)])
def test_comparators_that_do_not_compare_data(machine: str, number: int) -> None:
    running = Machine(machine_map(machine))
    running.reset()
    unit = next(device for base, device in running.bus.devices if base == 0xE000_1000)
    unit.write(0x28 + 16 * number, 4, 0x0001_1B00)
    assert unit.read(0x28 + 16 * number, 4) == 0x800


def test_an_instruction_address(tmp_path: Path) -> None:
    """Each time it is executed, and the monitor sees a place behind it in the same block."""
    source = "ldr r3, =place\n" + watch(EXECUTE, address="r3")
    board = run(tmp_path, source + " movs r2, #3\n b place\n place: subs r2, #1\n bne place\n b after\n after: nop")
    assert taken(board) == 3
    assert board.core.read_register("r6") == board.symbols["place"]


def test_without_trace_nothing_is_watched(tmp_path: Path) -> None:
    source = watch(WRITE) + "ldr r0, =0xE000EDFC\n ldr r1, =0x00010000\n str r1, [r0]\n b 1f\n 1: str r1, [r5]\n"
    board = run(tmp_path, source + "b 2f\n 2: ldr r8, [r4, #8]")
    assert (taken(board), board.core.read_register("r8")) == (0, WRITE)


def test_a_comparator_that_is_cleared_watches_no_more(tmp_path: Path) -> None:
    store = "b 1f\n 1: str r1, [r5]\n b 2f\n 2:\n"
    board = run(tmp_path, watch(WRITE) + store + "movs r0, #0\n str r0, [r4, #8]\n" + store)
    assert taken(board) == 1


@pytest.mark.parametrize("mask", ["cpsid i", "movs r0, #32\n msr basepri, r0"])
def test_what_cannot_preempt_is_lost(tmp_path: Path, mask: str) -> None:
    """A match is noted, but asks for nothing later; BKPT becomes a HardFault (see the last test)."""
    priority = "ldr r0, =0xE000ED20\n movs r1, #64\n strb r1, [r0]\n"
    source = (
        priority
        + watch(WRITE)
        + mask
        + "\n b 1f\n 1: str r1, [r5]\n b 2f\n 2: cpsie i\n movs r0, #0\n msr basepri, r0\n"
    )
    board = run(tmp_path, source + "b 3f\n 3: ldr r8, [r4, #8]")
    assert (taken(board), board.core.read_register("r8")) == (0, WRITE | MATCHED)


def test_without_the_monitor_a_match_is_only_noted(tmp_path: Path) -> None:
    source = "ldr r0, =0xE000EDFC\n ldr r1, =0x01000000\n str r1, [r0]\n" + watch(WRITE)
    board = run(tmp_path, source + "b 1f\n 1: str r1, [r5]\n b 2f\n 2: ldr r8, [r4, #8]")
    assert (taken(board), board.core.read_register("r8")) == (0, WRITE | MATCHED)


def test_firmware_makes_the_monitor_pending(tmp_path: Path) -> None:
    source = "ldr r0, =0xE000EDFC\n ldr r1, =0x01030000\n cpsid i\n str r1, [r0]\n b 1f\n 1: ldr r8, [r0]\n cpsie i\n"
    board = run(tmp_path, source + "b 2f\n 2: ldr r9, [r0]")
    assert taken(board) == 1
    assert [board.core.read_register(name) for name in ("r8", "r9")] == [0x0103_0000, 0x0101_0000]


def test_bkpt_takes_the_monitor(tmp_path: Path) -> None:
    """With the address of the BKPT, which a handler has to step over."""
    board = assemble(
        tmp_path,
        VECTORS.replace("bx lr", "ldr r0, [sp, #24]\n adds r0, #2\n str r0, [sp, #24]\n bx lr")
        + "here: bkpt #1\n last: b .",
    )
    board.core.add_breakpoint(board.symbols["last"])
    reports: list[FaultReport] = []
    board.core.on_fault.append(reports.append)
    assert board.machine.run(1000).reason is StopReason.BREAKPOINT
    assert (taken(board), board.core.read_register("r6"), reports) == (1, board.symbols["here"], [])
    control = board.core.system_control
    status = control.DFSR, control.HFSR
    assert status == (2, 0)


def test_bkpt_where_the_monitor_cannot_preempt_is_a_hard_fault(tmp_path: Path) -> None:
    board = assemble(tmp_path, VECTORS + "cpsid i\n bkpt #1\n")
    stop = board.machine.run(1000)
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 99)
    status = board.core.system_control.HFSR
    assert status == 1 << 31


def test_slices_steps_and_snapshots_change_nothing(tmp_path: Path) -> None:
    source = (
        watch(ACCESS)
        + "movs r2, #20\n again: b 1f\n 1: str r2, [r5]\n ldr r3, [r5]\n subs r2, #1\n bne again\n b 2f\n 2: nop"
    )
    straight = run(tmp_path, source)
    other = assemble(tmp_path, VECTORS + source + "\n last: b .\n")
    other.core.add_breakpoint(other.symbols["last"])
    while other.machine.run(3).reason is StopReason.LIMIT:
        snapshot = other.machine.snapshot()
        other.machine.reset()
        other.machine.restore(snapshot)
    assert other.machine.state_hash() == straight.machine.state_hash()
    assert taken(straight) == 20


@pytest.mark.parametrize(("machine", "comparators"), [("microbit", 0), ("mps2-an385", 4), ("mps2-an505", 4)])
def test_how_many_comparators_there_are(machine: str, comparators: int) -> None:
    running = Machine(machine_map(machine))
    running.reset()
    unit = next(device for base, device in running.bus.devices if base == 0xE000_1000)
    assert unit.read(0, 4) >> 28 == comparators


STEPPING = """
.section .vectors, "a"
.word 0, hard_fault + 1, 0, 0, 0, 0, 0, 0, 0, supervisor + 1, monitor + 1, 0, 0, 0
.text
hard_fault:
    finish 99
supervisor:
    adds r9, #1
    nop
    nop
    bx lr
monitor:                        @ r4 DEMCR, r5 where the addresses go, r6 how many steps
    ldr r1, [sp, #24]
    str r1, [r5], #4
    ldr r0, [r4]
    orr r0, #0x40000            @ MON_STEP
    subs r6, #1
    it eq
    biceq r0, #0x40000
    bic r0, #0x20000            @ MON_PEND
    str r0, [r4]
    bx lr
reset:
    ldr r4, =0xE000EDFC
    ldr r5, =0x20010000
    movs r6, #12
    mov r9, #0
    ldr r0, =0x01030000         @ TRCENA, MON_EN, MON_PEND
    str r0, [r4]
    isb
first: nop
    movs r2, #2
again:
    subs r2, #1
    bne again
    svc #0
behind:
    cmp r2, #0
    ite eq
    moveq r3, #5
    movne r3, #6
    wfe
    nop
last: b .
"""


@pytest.mark.parametrize("sliced", [False, True])
def test_the_monitor_steps(tmp_path: Path, sliced: bool) -> None:
    """ARMv7-M, "Debug monitor stepping": one instruction, then the monitor; handlers like it are not stepped."""
    board = assemble(tmp_path, STEPPING)
    board.core.add_breakpoint(board.symbols["last"])
    while board.machine.run(7 if sliced else 10_000).reason is StopReason.LIMIT:
        pass
    first, again, behind = (board.symbols[name] for name in ("first", "again", "behind"))
    steps = [first, first + 2, again, again + 2, again, again + 2, behind - 2, behind]
    steps += [behind + 2, behind + 4, behind + 6, behind + 8]
    found = struct.unpack("<12I", board.machine.bus.read(0x2001_0000, 48))
    assert list(found) == steps
    assert board.core.read_register("r9") == 1
    assert board.core.read_register("r3") == 5
    assert board.core.system_control.DFSR & 1

"""Trace ports of the Cortex-M: firmware prints as CMSIS does, and sees what a debugger's probe would leave it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from emu.cpu.arm.cortex_m import INSTRUMENTATION_BASE, TRACE_PORT_BASE
from emu.cpu.arm.instrumentation import Instrumentation
from emu.machine import Machine, StopReason
from emu.machines import machine_map
from tests.emu.cpu.arm_board import Board, assemble, build

CMSIS = """
typedef unsigned int u32;
#define AT(address) (*(volatile u32 *)(address))
#define DEMCR AT(0xE000EDFC)
#define TER AT(0xE0000E00)
#define TCR AT(0xE0000E80)
#define LAR AT(0xE0000FB0)

__attribute__((section(".vectors"), used)) static const u32 stack = 0x20004000;
void reset(void);
__attribute__((section(".vectors"), used)) static void (*const start)(void) = reset;

/* As in CMSIS: only if somebody has enabled it, and only when there is room. */
static void send(char character)
{
    if ((TCR & 1) && (TER & 1)) {
        while (AT(0xE0000000) == 0) {
        }
        *(volatile unsigned char *)0xE0000000 = (unsigned char)character;
    }
}

static void print(const char *text)
{
    while (*text) {
        send(*text++);
    }
}

void reset(void)
{
    print("too early\\n");
    DEMCR |= 1 << 24;
    TCR = 1;
    TER = 1;
    print("locked\\n");
    LAR = 0xC5ACCE55;
    AT(0xE0040010) = 7;
    AT(0xE00400F0) = 2;
    TCR = 0x00010005;
    TER = 0x80000003;
    print("hello\\n");
    AT(0xE0000000) = 0x21646E65;
    *(volatile unsigned short *)0xE0000004 = 0xBEEF;
    AT(0xE000007C) = 42;
    AT(0xE0000008) = 1;
    DEMCR &= ~(1u << 24);
    print("not traced\\n");
    DEMCR |= 1 << 24;
    TER = 2;
    print("disabled\\n");
    static u32 block[2] = {0x20026, 0};
    __asm__ volatile("movs r0, #0x20\\n mov r1, %0\\n bkpt 0xab" : : "r"(block) : "r0", "r1");
    for (;;) {
    }
}
"""


def run(board: Board) -> list[tuple[int, int, int]]:
    """Run to the end; what went to ports that are not for text."""
    words: list[tuple[int, int, int]] = []
    board.core.on_trace.append(lambda port, value, size: words.append((port, value, size)))
    assert board.machine.run(100_000).reason is StopReason.EXIT
    return words


def test_firmware_prints(tmp_path: Path) -> None:
    board = Board(build(tmp_path, CMSIS, ".c"))
    words = run(board)
    assert bytes(board.printed) == b"hello\nend!"
    assert words == [(1, 0xBEEF, 2), (31, 42, 4)]
    assert board.machine.log.messages == []


def test_another_word_locks_again(tmp_path: Path) -> None:
    source = """
    reset:
        ldr r0, =0xE0000F00
        ldr r1, =0xC5ACCE55
        ldr r2, [r0, #0xB4]
        str r1, [r0, #0xB0]
        ldr r3, [r0, #0xB4]
        str r0, [r0, #0xB0]
        ldr r4, [r0, #0xB4]
        ldr r5, [r0, #0xB0]
    last: b .
    """
    board = assemble(tmp_path, source)
    board.core.add_breakpoint(board.symbols["last"])
    board.machine.run(1000)
    assert [board.core.read_register(f"r{number}") for number in range(2, 6)] == [3, 1, 3, 0]


def test_there_is_always_room_and_reset_locks(tmp_path: Path) -> None:
    board = assemble(tmp_path, "reset: b .\n")
    units = {type(device).__name__: (base, device) for base, device in board.machine.bus.devices}
    assert (units["Instrumentation"][0], units["TracePort"][0]) == (INSTRUMENTATION_BASE, TRACE_PORT_BASE)
    unit = units["Instrumentation"][1]
    assert [unit.read(4 * port, 4) for port in range(32)] == [1] * 32
    unit.write(Instrumentation.LAR.offset, 4, 0xC5AC_CE55)
    unit.write(Instrumentation.TER.offset, 4, 0xFF)
    assert unit.read(Instrumentation.TER.offset, 4) == 0xFF
    board.machine.reset()
    assert (unit.read(Instrumentation.TER.offset, 4), unit.read(Instrumentation.LSR.offset, 4)) == (0, 3)


def test_the_trace_port_says_what_it_can_do(tmp_path: Path) -> None:
    """As the Cortex-M4's manual has it: one bit wide, asynchronous outputs, formatter on."""
    board = assemble(tmp_path, "reset: b .\n")
    (unit,) = [device for base, device in board.machine.bus.devices if base == TRACE_PORT_BASE]
    values = [unit.read(offset, 4) for offset in (0x000, 0x004, 0x0F0, 0x300, 0x304, 0xFC8)]
    assert values == [1, 1, 1, 8, 0x102, 0xC80]


@pytest.mark.parametrize(("machine", "there"), [("microbit", False), ("mps2-an385", True), ("mps2-an505", True)])
def test_who_has_trace_ports(machine: str, there: bool) -> None:
    devices = [base for base, _ in Machine(machine_map(machine)).bus.devices]
    assert (INSTRUMENTATION_BASE in devices, TRACE_PORT_BASE in devices) == (there, there)


def test_a_snapshot_keeps_the_ports(tmp_path: Path) -> None:
    board = assemble(tmp_path, "reset: b .\n")
    unit = next(device for base, device in board.machine.bus.devices if base == INSTRUMENTATION_BASE)
    unit.write(Instrumentation.LAR.offset, 4, 0xC5AC_CE55)
    unit.write(Instrumentation.TER.offset, 4, 5)
    snapshot = board.machine.snapshot()
    board.machine.reset()
    board.machine.restore(snapshot)
    assert struct.pack("<2I", unit.read(0xE00, 4), unit.read(0xFB4, 4)) == struct.pack("<2I", 5, 1)

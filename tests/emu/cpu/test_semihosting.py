"""Semihosting calls, without a core."""

from __future__ import annotations

import struct

import pytest

from emu.bus import Bus
from emu.clock import Clock
from emu.cpu.semihosting import Exit, Semihosting
from emu.device import Board
from emu.log import Log
from emu.memory import Memory

BLOCK, TEXT = 0x2000_0000, 0x2000_0100
FAILED = 0xFFFF_FFFF


class Desk:
    """Semihosting on one memory."""

    def __init__(self, *, exit_block: bool = False) -> None:
        self.board = Board(Clock(1_000_000), Bus(), Log())
        self.board.bus.add_memory(Memory("ram", BLOCK, 0x1000, "rw"))
        self.semihosting = Semihosting(self.board, "core", exit_block=exit_block)
        self.printed = bytearray()
        self.semihosting.console.append(self.printed.extend)

    def call(self, operation: int, *words: int) -> int:
        """A call with a block of words."""
        self.board.bus.write(BLOCK, struct.pack(f"<{len(words)}I", *words))
        return self.semihosting.call(operation, BLOCK)

    def text(self, data: bytes) -> None:
        self.board.bus.write(TEXT, data)

    def warnings(self) -> list[str]:
        return [message.text for message in self.board.log.messages]


def test_the_console() -> None:
    desk = Desk()
    desk.text(b"hello\0 world")
    assert desk.semihosting.call(0x03, TEXT + 1) == 0
    assert desk.semihosting.call(0x04, TEXT) == 0
    assert desk.printed == b"ehello"
    assert desk.call(0x05, 1, TEXT + 6, 6) == 0
    assert desk.printed == b"ehello world"
    assert desk.call(0x05, 2, TEXT, 1) == 0
    assert desk.warnings() == []


def test_opening_the_console_gives_three_handles() -> None:
    desk = Desk()
    desk.text(b":tt\0")
    handles = [desk.call(0x01, TEXT, mode, 3) for mode in (0, 4, 8)]
    assert len(set(handles)) == 3
    assert 0 not in handles
    assert [desk.call(0x09, handle) for handle in handles] == [1, 1, 1]
    assert desk.call(0x05, handles[1], TEXT, 3) == 0
    assert desk.call(0x05, handles[2], TEXT, 3) == 0
    assert desk.printed == b":tt:tt"


def test_files_of_the_host_are_out_of_reach() -> None:
    desk = Desk()
    desk.text(b"/etc/passwd")
    assert desk.call(0x01, TEXT, 0, 11) == FAILED
    assert desk.semihosting.call(0x13, 0) != 0
    assert desk.call(0x0E, TEXT, 11) == FAILED
    assert desk.call(0x12, TEXT, 11) == FAILED
    assert desk.call(0x05, 9, TEXT, 11) == 11
    assert desk.semihosting.call(0x77, 0) == FAILED
    assert desk.warnings() == [
        "semihosting SYS_OPEN of '/etc/passwd' is refused: only the console ':tt' can be opened",
        "semihosting SYS_REMOVE is refused: firmware cannot reach the host's files or commands",
        "semihosting SYS_SYSTEM is refused: firmware cannot reach the host's files or commands",
        "semihosting SYS_WRITE to handle 9 is refused: it is not the console",
        "semihosting operation 0x77 is not known; the call fails",
    ]
    assert desk.printed == b""


def test_input() -> None:
    desk = Desk()
    assert desk.semihosting.call(0x07, 0) == FAILED
    desk.semihosting.input.extend(b"abc")
    assert desk.semihosting.call(0x07, 0) == ord("a")
    assert desk.call(0x06, 3, TEXT, 10) == 8
    assert desk.board.bus.read(TEXT, 2) == b"bc"
    assert desk.call(0x06, 3, TEXT, 10) == 10


def test_time_is_emulated_time() -> None:
    desk = Desk()
    desk.board.clock.advance_to(12_345_678)
    assert desk.semihosting.call(0x10, 0) == 1234
    assert desk.semihosting.call(0x11, 0) == 12
    assert desk.semihosting.call(0x31, 0) == 1_000_000
    assert desk.semihosting.call(0x30, BLOCK) == 0
    assert desk.board.bus.read(BLOCK, 8) == struct.pack("<Q", 12_345_678)


def test_a_bad_pointer_fails_the_call() -> None:
    desk = Desk()
    assert desk.semihosting.call(0x04, 0x7000_0000) == FAILED
    assert desk.warnings() == ["semihosting SYS_WRITE0: read of 1 bytes at 0x70000000: nothing is mapped there"]


@pytest.mark.parametrize(
    ("reason", "code", "end"),
    [(0x20026, 42, Exit(42, False)), (0x20026, 0, Exit(0, False)), (0x20023, 5, Exit(1, True))],
)
def test_extended_exit(reason: int, code: int, end: Exit) -> None:
    desk = Desk()
    desk.call(0x20, reason, code)
    assert desk.semihosting.exit == end


def test_plain_exit_has_the_reason_in_the_register_or_in_a_block() -> None:
    arm, riscv = Desk(), Desk(exit_block=True)
    arm.semihosting.call(0x18, 0x20026)
    assert arm.semihosting.exit == Exit(0, False)
    arm.semihosting.call(0x18, 0x20023)
    assert arm.semihosting.exit == Exit(1, True)
    riscv.call(0x18, 0x20026, 9)
    assert riscv.semihosting.exit == Exit(9, False)
    riscv.semihosting.reset()
    assert riscv.semihosting.exit is None


def test_heap_and_command_line_are_empty() -> None:
    desk = Desk()
    desk.board.bus.write(TEXT, b"\xff" * 16)
    assert desk.call(0x16, TEXT) == 0
    assert desk.board.bus.read(TEXT, 16) == bytes(16)
    desk.board.bus.write(TEXT, b"\xff" * 16)
    assert desk.call(0x15, TEXT, 16) == 0
    assert desk.board.bus.read(TEXT, 2) == b"\0\xff"
    assert desk.board.bus.read(BLOCK + 4, 4) == bytes(4)

"""Semihosting calls, without a core."""

from __future__ import annotations

import errno
import os
import struct
from datetime import UTC, datetime
from pathlib import Path

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
    assert desk.semihosting.call(0x13, 0) == errno.EBADF
    assert desk.semihosting.call(0x77, 0) == FAILED
    allowed = "only the console ':tt' can be opened, unless the user allows a directory"
    assert desk.warnings() == [
        f"semihosting SYS_OPEN is refused: {allowed}",
        f"semihosting SYS_REMOVE is refused: {allowed}",
        "semihosting SYS_SYSTEM is refused: firmware cannot reach the host's files or commands",
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
    assert desk.semihosting.call(0x11, 0) == datetime(2026, 1, 1, tzinfo=UTC).timestamp() + 12
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


class Files(Desk):
    """Semihosting with a directory, and calls with names in place of their addresses."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.semihosting.files.directory = directory

    def open(self, name: bytes, mode: int) -> int:
        self.text(name)
        return self.call(0x01, TEXT, mode, len(name))

    def remove(self, name: bytes) -> int:
        self.text(name)
        return self.call(0x0E, TEXT, len(name))

    def write(self, handle: int, data: bytes) -> int:
        self.text(data)
        return self.call(0x05, handle, TEXT, len(data))

    def read(self, handle: int, length: int) -> bytes:
        not_read = self.call(0x06, handle, TEXT, length)
        return self.board.bus.read(TEXT, length - not_read)

    @property
    def error(self) -> int:
        return self.semihosting.call(0x13, 0)


MODES = ("rb", "rb", "r+b", "r+b", "wb", "wb", "w+b", "w+b", "ab", "ab", "a+b", "a+b")


@pytest.mark.parametrize("mode", range(12))
@pytest.mark.parametrize("exists", [False, True])
def test_a_file_in_each_mode_does_what_the_c_library_does(tmp_path: Path, mode: int, exists: bool) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for path in (ours, theirs):
        path.mkdir()
        if exists:
            (path / "file").write_bytes(b"0123456789")
    desk = Files(ours)
    handle = desk.open(b"file", mode)
    if mode < 4 and not exists:
        assert (handle, desk.error) == (FAILED, errno.ENOENT)
        return
    with (theirs / "file").open(MODES[mode], buffering=0) as file:
        file.seek(0)
        for length, data, position in ((3, b"abc", 1), (20, b"defghijklmnop", 5), (4, b"", 12), (4, b"q", 40)):
            readable = file.read(length) if file.readable() else b""
            assert desk.read(handle, length) == readable
            if not file.readable():
                assert desk.error == errno.EBADF
            assert desk.write(handle, data) == (0 if file.writable() else len(data))
            if file.writable():
                file.write(data)
            assert desk.call(0x0C, handle) == os.fstat(file.fileno()).st_size
            assert desk.call(0x0A, handle, position) == 0
            file.seek(position)
    assert desk.call(0x09, handle) == 0
    assert desk.call(0x02, handle) == 0
    assert (ours / "file").read_bytes() == (theirs / "file").read_bytes()
    assert desk.call(0x09, handle) == FAILED
    assert desk.call(0x02, handle) == FAILED
    assert desk.error == errno.EBADF
    assert desk.warnings() == []


def test_files_are_removed_and_renamed(tmp_path: Path) -> None:
    desk = Files(tmp_path)
    (tmp_path / "one").write_bytes(b"1")
    desk.text(b"onetwo")
    assert desk.call(0x0F, TEXT, 3, TEXT + 3, 3) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["two"]
    assert desk.remove(b"one") == FAILED
    assert desk.error == errno.ENOENT
    assert desk.remove(b"two") == 0
    assert list(tmp_path.iterdir()) == []
    assert desk.call(0x0D, TEXT, 0x1FE, 32) == 0
    assert desk.board.bus.read(TEXT, 19) == b"semihosting-fe.tmp\0"
    assert desk.call(0x0D, TEXT, 0, 18) == FAILED


def test_no_name_leads_out_of_the_directory(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / "below").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (inside / "link").symlink_to(outside / "secret")
    (inside / "dangling").symlink_to(outside / "new")
    (inside / "folder").symlink_to(outside)
    (inside / "loop").symlink_to("loop")
    os.mkfifo(inside / "pipe")
    desk = Files(inside)
    names = [
        b"../outside/secret", str(outside / "secret").encode(), b"link", b"dangling", b"folder/secret", b"folder/new",
        b"below/../../outside/secret", b"loop", b"loop/x", b"below", b".", b"", b"..", b"pipe", b"zero\0byte",
        b"/dev/null",
    ]  # fmt: skip
    for name in names:
        assert [desk.open(name, mode) for mode in (0, 2, 4, 6, 8, 10)] == [FAILED] * 6, name
        assert desk.error in (errno.EACCES, errno.ENOENT, errno.ELOOP), name
        assert desk.remove(name) == FAILED, name
        source = len(name)
        desk.text(name + b"moved")
        assert desk.call(0x0F, TEXT, source, TEXT + source, 5) == FAILED, name
    assert desk.open(b"n" * 2000, 4) == FAILED
    assert desk.error == errno.ENAMETOOLONG
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"
    assert len(list(inside.iterdir())) == 6
    assert desk.warnings()[0] == (
        f"semihosting SYS_OPEN is refused: only the console ':tt' and plain files in {inside} can be opened"
    )
    handle = desk.open(b"below/file", 4)
    assert desk.write(handle, b"text") == 0
    assert (inside / "below" / "file").read_bytes() == b"text"


def test_a_handle_follows_no_link_that_comes_later(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    desk = Files(tmp_path / "inside")
    handle = desk.open(b"file", 6)
    (tmp_path / "inside" / "file").unlink()
    (tmp_path / "inside" / "file").symlink_to(tmp_path / "secret")
    assert desk.read(handle, 6) == b""
    assert desk.write(handle, b"spoilt") == 6
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_open_files_are_part_of_the_state(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    first, second = Files(tmp_path), Files(tmp_path)
    handle = first.open(b"file", 0)
    assert first.read(handle, 4) == b"0123"
    second.semihosting.set_state(first.semihosting.get_state())
    assert second.read(handle, 4) == b"4567"
    assert first.read(handle, 4) == b"4567"
    second.semihosting.reset()
    assert second.read(handle, 4) == b""


def test_there_is_an_end_to_handles_and_none_to_a_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    desk = Files(tmp_path)
    handles = [desk.open(b"file", 0) for _ in range(257)]
    assert len(set(handles)) == 257
    assert (handles[-1], desk.error) == (FAILED, errno.EMFILE)
    assert desk.read(handles[0], 0xFFFF_FF00) == b"0123456789"
    assert desk.open(b"file", 12) == FAILED
    assert desk.error == errno.EINVAL


def test_the_extensions_that_there_are() -> None:
    desk = Desk()
    name = b":semihosting-features"
    desk.text(name)
    assert desk.call(0x01, TEXT, 4, len(name)) == FAILED
    handle = desk.call(0x01, TEXT, 0, len(name))
    assert desk.call(0x0C, handle) == 5
    assert desk.call(0x09, handle) == 0
    assert desk.call(0x06, handle, TEXT, 4) == 0
    assert desk.board.bus.read(TEXT, 4) == b"SHFB"
    assert desk.call(0x06, handle, TEXT, 4) == 3
    assert desk.board.bus.read(TEXT, 1) == b"\x03"
    assert desk.call(0x0A, handle, 4) == 0
    assert desk.call(0x06, handle, TEXT, 1) == 0
    assert desk.call(0x02, handle) == 0
    assert desk.call(0x0A, 1, 0) == FAILED


def test_the_command_line() -> None:
    desk = Desk()
    desk.semihosting.command_line = b"firmware one two"
    assert desk.call(0x15, TEXT, 16) == FAILED
    assert desk.call(0x15, TEXT, 17) == 0
    assert desk.board.bus.read(TEXT, 17) == b"firmware one two\0"
    assert struct.unpack("<II", desk.board.bus.read(BLOCK, 8)) == (TEXT, 16)


def test_heap_and_command_line_are_empty() -> None:
    desk = Desk()
    desk.board.bus.write(TEXT, b"\xff" * 16)
    assert desk.call(0x16, TEXT) == 0
    assert desk.board.bus.read(TEXT, 16) == bytes(16)
    desk.board.bus.write(TEXT, b"\xff" * 16)
    assert desk.call(0x15, TEXT, 16) == 0
    assert desk.board.bus.read(TEXT, 2) == b"\0\xff"
    assert desk.board.bus.read(BLOCK + 4, 4) == bytes(4)

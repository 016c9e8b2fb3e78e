"""The input stream as firmware sees it."""

from __future__ import annotations

import pytest

from emu.device import Board
from emu.devices.stream import InputStream

CONTROL, STATUS, ADDRESS, LENGTH, FRAMES, AVAILABLE = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14
START, INTERRUPT = 1, 2
BUSY, DONE, END, ERROR = 1, 2, 4, 8
RAM, FLASH = 0x2000_0000, 0x0800_0000


@pytest.fixture
def stream(board: Board) -> InputStream:
    return InputStream("stream0", board)


def start(stream: InputStream, address: int, length: int, flags: int = 0) -> None:
    stream.write(ADDRESS, 4, address)
    stream.write(LENGTH, 4, length)
    stream.write(CONTROL, 4, START | flags)


def run_to(stream: InputStream, time: int) -> None:
    stream.clock.advance_to(time)
    stream.clock.dispatch()


def test_frames_arrive_one_after_the_other_at_eight_bytes_a_cycle(stream: InputStream) -> None:
    stream.feed(bytes(range(20)))
    stream.feed(bytes(range(20, 40)))
    assert stream.read(AVAILABLE, 4) == 40
    start(stream, RAM, 17, INTERRUPT)
    assert (stream.read(STATUS, 4), stream.irq.level) == (BUSY, False)
    run_to(stream, 2)
    assert stream.read(STATUS, 4) == BUSY
    run_to(stream, 3)
    assert (stream.read(STATUS, 4), stream.irq.level) == (DONE, True)
    start(stream, RAM + 32, 17, INTERRUPT)
    assert (stream.read(STATUS, 4), stream.irq.level) == (BUSY, False)
    run_to(stream, 6)
    assert stream.bus.read(RAM, 17) == bytes(range(17))
    assert stream.bus.read(RAM + 32, 17) == bytes(range(17, 34))
    assert (stream.read(FRAMES, 4), stream.read(AVAILABLE, 4)) == (2, 6)


def test_the_end_is_told_at_once_and_nothing_is_copied(stream: InputStream) -> None:
    stream.feed(b"12345")
    start(stream, RAM, 6, INTERRUPT)
    assert (stream.read(STATUS, 4), stream.irq.level) == (END, True)
    run_to(stream, 100)
    assert stream.bus.read(RAM, 6) == bytes(6)
    stream.write(STATUS, 4, END)
    assert (stream.read(STATUS, 4), stream.irq.level) == (0, False)
    start(stream, RAM, 5)
    run_to(stream, 101)
    assert (stream.read(STATUS, 4), stream.bus.read(RAM, 5)) == (DONE, b"12345")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (0x1234_0000, "write of 8 bytes at 0x12340000: nothing is mapped there"),
        (FLASH, "write of 8 bytes at 0x08000000: flash is read-only"),
        (RAM + 4092, "write of 8 bytes at 0x20000ffc: it runs past the end of ram (0x20001000)"),
    ],
)
def test_a_bus_error_is_named_and_loses_no_data(
    stream: InputStream, messages: list[str], address: int, reason: str
) -> None:
    stream.feed(b"abcdefgh")
    start(stream, address, 8, INTERRUPT)
    run_to(stream, 1)
    assert (stream.read(STATUS, 4), stream.irq.level) == (ERROR, True)
    assert messages == [f"stream0: the frame is not copied: {reason}"]
    assert (stream.read(FRAMES, 4), stream.read(AVAILABLE, 4)) == (0, 8)


def test_misuse_is_named(stream: InputStream, messages: list[str]) -> None:
    stream.feed(bytes(64))
    start(stream, RAM, 0)
    assert stream.read(STATUS, 4) == ERROR
    start(stream, RAM, 64)
    stream.write(CONTROL, 4, START)
    assert messages == [
        "stream0: START with LENGTH = 0: write the bytes of a frame to LENGTH first",
        "stream0: START while BUSY does nothing: wait for DONE",
    ]
    run_to(stream, 8)
    assert (stream.read(STATUS, 4), stream.read(FRAMES, 4)) == (DONE, 1)


def test_reset_stops_the_transfer_and_rewinds(stream: InputStream) -> None:
    stream.feed(b"abcdefgh")
    start(stream, RAM, 4)
    run_to(stream, 1)
    start(stream, RAM + 8, 4, INTERRUPT)
    stream.reset()
    run_to(stream, 100)
    assert (stream.read(STATUS, 4), stream.irq.level, stream.read(FRAMES, 4)) == (0, False, 0)
    assert stream.read(AVAILABLE, 4) == 8
    assert stream.bus.read(RAM + 8, 4) == bytes(4)

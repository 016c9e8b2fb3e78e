"""Devices of the boards, where firmware on QEMU does not show what they do."""

from __future__ import annotations

import pytest

from emu.device import Board
from emu.devices.cmsdk_gpio import DesignKitGpio
from emu.devices.cmsdk_uart import DesignKitUart
from emu.devices.cmsdk_watchdog import DesignKitWatchdog
from emu.devices.mps2_fpgaio import FpgaIo
from emu.devices.ns16550 import Ns16550
from emu.devices.test_finisher import TestFinisher
from emu.devices.unmodelled import Unmodelled


def advance(board: Board, cycles: int) -> None:
    end = board.clock.now + cycles
    while board.clock.next_event <= end:
        board.clock.advance_to(board.clock.next_event)
        board.clock.dispatch()
    board.clock.advance_to(end)


def test_a_byte_arrives_after_ten_bits_and_waits_for_its_predecessor(board: Board) -> None:
    uart = DesignKitUart("uart0", board)
    uart.write(0x10, 4, 100)
    uart.write(0x08, 4, 2 | 8)
    uart.receive(b"ab")
    advance(board, 999)
    assert uart.read(0x04, 4) == 0
    advance(board, 1)
    assert (uart.read(0x04, 4), uart.receive_line.level) == (2, True)
    advance(board, 5000)
    uart.write(0x0C, 4, 2)
    assert not uart.receive_line.level
    assert uart.read(0x00, 4) == ord("a")
    advance(board, 1000)
    assert uart.read(0x00, 4) == ord("b")


def test_a_disabled_transmitter_is_full_and_overruns(board: Board, messages: list[str]) -> None:
    uart = DesignKitUart("uart0", board)
    sent = bytearray()
    uart.sinks.append(sent.extend)
    uart.write(0x08, 4, 0x10)
    uart.write(0x00, 4, 65)
    uart.write(0x00, 4, 66)
    assert (uart.read(0x04, 4), uart.overrun.level, sent) == (1 | 4, True, b"")
    uart.write(0x0C, 4, 4)
    assert (uart.read(0x04, 4), uart.overrun.level) == (1, False)
    assert messages == ["uart0: DATA written while CTRL.TX_EN is 0: the byte is not sent"]


def test_gpio_edges_and_levels(board: Board) -> None:
    gpio = DesignKitGpio("gpio0", board)
    gpio.write(0x20, 4, 0b11)
    gpio.write(0x28, 4, 0b01)
    gpio.write(0x30, 4, 0b11)
    gpio.drive(0b11)
    assert (gpio.read(0x38, 4), gpio.irq.level) == (0b11, True)
    gpio.write(0x38, 4, 0b11)
    assert gpio.read(0x38, 4) == 0b10
    gpio.drive(0b01)
    gpio.write(0x38, 4, 0b10)
    assert not gpio.irq.level
    gpio.write(0x34, 1, 0b01)
    gpio.drive(0b00)
    assert (gpio.read(0x38, 4), gpio.read(0x30, 4)) == (0b01, 0b10)


def test_gpio_outputs_and_masks(board: Board) -> None:
    gpio = DesignKitGpio("gpio0", board)
    gpio.drive(0xF000)
    gpio.write(0x10, 4, 0x0FFF)
    gpio.write(0x00, 4, 0x0A5A)
    assert gpio.read(0x00, 4) == 0xFA5A
    gpio.write(0x400 + 4 * 0x0F, 4, 0xFF)
    gpio.write(0x800 + 4 * 0x0F, 4, 0x0500)
    assert gpio.read(0x04, 4) == 0x055F
    assert gpio.read(0x800 + 4 * 0xF0, 4) == 0xF000
    gpio.write(0x14, 4, 0x00FF)
    assert gpio.read(0x00, 4) == 0xF500


def test_the_watchdog_resets_only_if_it_may(board: Board) -> None:
    watchdog = DesignKitWatchdog("watchdog", board)
    watchdog.write(0x00, 4, 100)
    watchdog.write(0x08, 4, 1)
    advance(board, 100)
    assert watchdog.irq.level
    advance(board, 1000)
    assert not board.requests.reset
    watchdog.write(0x08, 4, 3)
    assert board.requests.reset


def test_a_locked_watchdog_says_how_to_unlock_it(board: Board, messages: list[str]) -> None:
    watchdog = DesignKitWatchdog("watchdog", board)
    watchdog.write(0xC00, 4, 0)
    watchdog.write(0x00, 4, 100)
    assert watchdog.read(0x00, 4) == 0xFFFF_FFFF
    assert messages == ["watchdog: write to 0x000 is ignored: write 0x1acce551 to WDOGLOCK first"]


def test_the_prescaler_counts_starts(board: Board) -> None:
    """PRESCALE 5 and PSCNTR 7: 7 6 5 4 3 2 1 0 5 4 3 2 1 0 5; COUNTER goes up at each start."""
    block = FpgaIo("fpgaio", board)
    block.write(0x1C, 4, 5)
    block.write(0x20, 4, 7)
    seen = []
    for _ in range(15):
        seen.append((block.read(0x20, 4), block.read(0x18, 4)))
        advance(board, 1)
    assert [count for count, _ in seen] == [7, 6, 5, 4, 3, 2, 1, 0, 5, 4, 3, 2, 1, 0, 5]
    assert [starts for _, starts in seen] == [0] * 8 + [1] * 6 + [2]


def test_clocks_of_the_board(board: Board) -> None:
    block = FpgaIo("fpgaio", board)
    advance(board, board.clock.hertz * 5 // 2)
    assert (block.read(0x10, 4), block.read(0x14, 4)) == (2, 250)
    block.write(0x10, 4, 100)
    advance(board, board.clock.hertz)
    assert block.read(0x10, 4) == 101


def test_the_fifo_interrupts_at_its_level_or_when_it_falls_quiet(board: Board) -> None:
    port = Ns16550("uart0", board)
    port.write(2, 1, 0x41)
    port.write(1, 1, 1)
    port.receive(b"abcdef")
    frame = 10 * 16 * 12 * board.clock.hertz // 3_686_400
    advance(board, 4 * frame - 1)
    assert (port.irq.level, port.read(2, 1)) == (False, 0xC1)
    advance(board, 1)
    assert (port.irq.level, port.read(2, 1)) == (True, 0xC4)
    assert bytes(port.read(0, 1) for _ in range(4)) == b"abcd"
    assert not port.irq.level
    advance(board, 10 * frame)
    assert (port.irq.level, port.read(2, 1)) == (True, 0xCC)
    assert bytes(port.read(0, 1) for _ in range(2)) == b"ef"
    assert (port.irq.level, port.read(5, 1)) == (False, 0x60)


@pytest.mark.parametrize(
    ("value", "code", "reset"), [(0x5555, 0, False), (0x00FF_3333, 255, False), (0x7777, None, True)]
)
def test_the_finisher(board: Board, value: int, code: int | None, reset: bool) -> None:
    TestFinisher("finisher", board).write(0, 4, value)
    assert (board.requests.exit_code, board.requests.reset) == (code, reset)


def test_what_the_finisher_does_not_know(board: Board, messages: list[str]) -> None:
    TestFinisher("finisher", board).write(0, 4, 0x1234)
    assert messages == ["finisher: FINISH: 0x1234 means nothing: write 0x5555, 0x3333 or 0x7777"]
    assert not board.requests.waiting


def test_an_unmodelled_device_is_reported(board: Board, messages: list[str]) -> None:
    assert Unmodelled("i2s", board).read(0x10, 4) == 0
    assert messages == ["i2s: read of reserved offset 0x010 gives 0"]

"""The serial port as firmware sees it."""

from __future__ import annotations

import pytest

from emu.device import Board
from emu.devices.uart import Uart

DATA, STATUS, CONTROL = 0x00, 0x04, 0x08
TX_READY, RX_READY = 1, 2


@pytest.fixture
def uart(board: Board) -> Uart:
    return Uart("uart0", board)


def test_bytes_written_reach_every_sink_in_order(uart: Uart) -> None:
    first, second = bytearray(), bytearray()
    uart.sinks += [first.extend, second.extend]
    for byte in b"hi\xff":
        uart.write(DATA, 4, byte)
    assert first == second == b"hi\xff"


def test_only_the_low_byte_is_sent_whatever_the_access_width(uart: Uart, messages: list[str]) -> None:
    sent = bytearray()
    uart.sinks.append(sent.extend)
    uart.write(DATA, 1, 0x41)
    uart.write(DATA, 4, 0x1242)
    assert sent == b"AB"
    assert messages == ["uart0: DATA: bits 0x00001200 are reserved, writing them is ignored"]


def test_received_bytes_are_read_once_in_order(uart: Uart) -> None:
    assert uart.read(STATUS, 4) == TX_READY
    assert uart.read(DATA, 4) == 0
    uart.receive(b"a")
    uart.receive(b"bc")
    seen = bytearray()
    while uart.read(STATUS, 4) & RX_READY:
        seen.append(uart.read(DATA, 1))
    assert seen == b"abc"
    assert uart.read(STATUS, 4) == TX_READY


def test_the_interrupt_is_a_level_that_follows_queue_and_enable(uart: Uart) -> None:
    uart.receive(b"xy")
    assert not uart.irq.level
    uart.write(CONTROL, 4, 1)
    assert uart.irq.level
    uart.read(DATA, 4)
    assert uart.irq.level
    uart.read(DATA, 4)
    assert not uart.irq.level
    uart.receive(b"z")
    assert uart.irq.level
    uart.write(CONTROL, 4, 0)
    assert not uart.irq.level


def test_reset_keeps_what_the_host_queued_and_drops_the_interrupt(uart: Uart) -> None:
    uart.receive(b"q")
    uart.write(CONTROL, 4, 1)
    uart.reset()
    assert not uart.irq.level
    assert uart.read(STATUS, 4) == TX_READY | RX_READY
    assert uart.read(DATA, 4) == ord("q")

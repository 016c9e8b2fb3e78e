"""Peripherals of the nRF51 where the emulator that other tests compare with is silent or inexact."""

from __future__ import annotations

import pytest

from emu.clock import Clock
from emu.device import Board, Device
from emu.devices.nrf51_clock import Nrf51Clock
from emu.devices.nrf51_gpio import Nrf51Gpio
from emu.devices.nrf51_random import CYCLES_PER_BYTE, Nrf51Random
from emu.devices.nrf51_timer import Nrf51Timer

Timer, Pins, Power, Numbers = Nrf51Timer, Nrf51Gpio, Nrf51Clock, Nrf51Random


def put(device: Device, offset: int, value: int = 1) -> None:
    device.write(offset, 4, value)


def pass_time(clock: Clock, cycles: int) -> None:
    """Let events happen at their times."""
    end = clock.now + cycles
    while clock.next_event <= end:
        clock.advance_to(clock.next_event)
        clock.dispatch()
    clock.advance_to(end)


def count(timer: Timer) -> int:
    """The count, by CAPTURE[3]."""
    put(timer, 0x4C)
    return timer.read(0x54C, 4)


@pytest.fixture
def timer(board: Board) -> Timer:
    """32 bits, one tick every 4 cycles."""
    timer = Timer("timer0", board)
    put(timer, Timer.BITMODE.offset, 3)
    put(timer, Timer.PRESCALER.offset, 2)
    return timer


def test_the_count_goes_on_where_it_was_stopped(timer: Timer, board: Board) -> None:
    put(timer, Timer.START.offset)
    pass_time(board.clock, 4 * 10 + 3)
    assert count(timer) == 10
    put(timer, Timer.STOP.offset)
    pass_time(board.clock, 1000)
    assert count(timer) == 10
    put(timer, Timer.START.offset)
    pass_time(board.clock, 4 * 5)
    assert count(timer) == 15
    put(timer, Timer.CLEAR.offset)
    assert count(timer) == 0


@pytest.mark.parametrize(("mode", "bits"), [(0, 16), (1, 8), (2, 24), (3, 32)])
def test_the_count_wraps_at_its_width(timer: Timer, board: Board, mode: int, bits: int) -> None:
    put(timer, Timer.BITMODE.offset, mode)
    put(timer, Timer.START.offset)
    pass_time(board.clock, 4 * ((1 << bits) - 1))
    assert count(timer) == (1 << bits) - 1
    pass_time(board.clock, 4)
    assert count(timer) == 0


def test_a_comparison_clears_and_another_stops(timer: Timer, board: Board) -> None:
    put(timer, Timer.CC.offset, 10)
    put(timer, Timer.CC.offset + 4, 7)
    put(timer, Timer.SHORTS.offset, 1)
    put(timer, Timer.INTENSET.offset, 1 << 16)
    put(timer, Timer.START.offset)
    pass_time(board.clock, 4 * 9)
    assert not timer.irq.level
    pass_time(board.clock, 4)
    assert timer.irq.level
    assert count(timer) == 0
    put(timer, Timer.COMPARE.offset, 0)
    assert not timer.irq.level
    put(timer, Timer.SHORTS.offset, 1 << 9)
    pass_time(board.clock, 4 * 100)
    assert (count(timer), timer.read(Timer.COMPARE.offset, 4)) == (7, 0)


def test_a_changed_comparison_counts_at_once(timer: Timer, board: Board) -> None:
    put(timer, Timer.CC.offset, 1000)
    put(timer, Timer.START.offset)
    pass_time(board.clock, 4 * 20)
    put(timer, Timer.CC.offset, 25)
    pass_time(board.clock, 4 * 4)
    assert timer.read(Timer.COMPARE.offset, 4) == 0
    pass_time(board.clock, 4)
    assert timer.read(Timer.COMPARE.offset, 4) == 1


def test_reset_stops_the_timer(timer: Timer, board: Board) -> None:
    put(timer, Timer.START.offset)
    pass_time(board.clock, 100)
    timer.reset()
    pass_time(board.clock, 100)
    assert (count(timer), timer.read(Timer.PRESCALER.offset, 4)) == (0, 4)


def test_clocks_run_when_they_are_started(board: Board) -> None:
    power = Power("clock", board)
    put(power, Power.INTENSET.offset, 3)
    put(power, Power.LFCLKSRC.offset, 1)
    put(power, Power.LFCLKSTART.offset)
    assert (power.read(Power.LFCLKSTARTED.offset, 4), power.irq.level) == (1, True)
    assert power.read(Power.LFCLKSTAT.offset, 4) == 0x1_0001
    put(power, Power.LFCLKSTARTED.offset, 0)
    assert not power.irq.level
    put(power, Power.HFCLKSTART.offset)
    assert (power.read(Power.HFCLKSTAT.offset, 4), power.irq.level) == (0x1_0001, True)
    put(power, Power.HFCLKSTOP.offset)
    put(power, Power.LFCLKSTOP.offset)
    assert (power.read(Power.HFCLKSTAT.offset, 4), power.read(Power.LFCLKSTAT.offset, 4)) == (0, 0)
    put(power, Power.CAL.offset)
    assert power.read(Power.DONE.offset, 4) == 1


def test_pins_are_at_what_drives_or_pulls_them(board: Board) -> None:
    pins = Pins("gpio", board)
    put(pins, Pins.OUT.offset, 0b11)
    put(pins, Pins.PIN_CNF.offset, 1)
    put(pins, Pins.PIN_CNF.offset + 4, 3)
    put(pins, Pins.PIN_CNF.offset + 8, 0b1100)
    put(pins, Pins.PIN_CNF.offset + 12, 0b0100)
    assert (pins.read(Pins.IN.offset, 4), pins.read(Pins.DIR.offset, 4)) == (0b101, 0b11)
    put(pins, Pins.DIRCLR.offset, 1)
    assert (pins.read(Pins.IN.offset, 4), pins.read(Pins.PIN_CNF.offset, 4)) == (0b100, 0)


def test_numbers_come_one_by_one_and_are_the_same_after_a_reset(board: Board) -> None:
    numbers = Numbers("random", board)

    def draw() -> list[int]:
        put(numbers, Numbers.START.offset)
        drawn = []
        for _ in range(256):
            pass_time(board.clock, CYCLES_PER_BYTE)
            assert numbers.read(Numbers.VALRDY.offset, 4) == 1
            put(numbers, Numbers.VALRDY.offset, 0)
            drawn.append(numbers.read(Numbers.VALUE.offset, 4))
        return drawn

    first = draw()
    assert len(set(first)) > 128
    assert 100 < sum(first) / 256 < 155
    numbers.reset()
    assert draw() == first

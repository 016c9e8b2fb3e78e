"""The timer on the real clock, without a CPU: time moves by `advance_to`."""

from __future__ import annotations

import pytest

from emu.device import Board
from emu.devices.timer import Timer

CONTROL, LOAD, VALUE, STATUS = 0x00, 0x04, 0x08, 0x0C
ENABLE, PERIODIC, INTERRUPT = 1, 2, 4


@pytest.fixture
def timer(board: Board) -> Timer:
    return Timer("timer0", board)


def run_to(timer: Timer, time: int) -> None:
    timer.clock.advance_to(time)
    timer.clock.dispatch()


def test_single_count(timer: Timer) -> None:
    run_to(timer, 1000)
    timer.write(LOAD, 4, 100)
    timer.write(CONTROL, 4, ENABLE | INTERRUPT)
    assert timer.clock.next_event == 1100
    run_to(timer, 1060)
    assert (timer.read(VALUE, 4), timer.read(STATUS, 4), timer.irq.level) == (40, 0, False)
    run_to(timer, 1100)
    assert (timer.read(VALUE, 4), timer.read(STATUS, 4), timer.irq.level) == (0, 1, True)
    assert timer.read(CONTROL, 4) == INTERRUPT
    run_to(timer, 5000)
    timer.write(STATUS, 4, 1)
    assert (timer.read(STATUS, 4), timer.irq.level) == (0, False)


def test_a_periodic_count_does_not_drift_when_expiries_are_seen_late(timer: Timer) -> None:
    timer.write(LOAD, 4, 100)
    timer.write(CONTROL, 4, ENABLE | PERIODIC)
    for period in range(1, 50):
        late = period % 7
        run_to(timer, 100 * period + late)
        assert timer.read(STATUS, 4) == 1
        timer.write(STATUS, 4, 1)
        assert timer.read(VALUE, 4) == 100 - late


def test_the_interrupt_needs_its_enable(timer: Timer) -> None:
    timer.write(LOAD, 4, 10)
    timer.write(CONTROL, 4, ENABLE)
    run_to(timer, 10)
    assert (timer.read(STATUS, 4), timer.irq.level) == (1, False)
    timer.write(CONTROL, 4, INTERRUPT)
    assert timer.irq.level


def test_enabling_the_interrupt_while_counting_does_not_start_again(timer: Timer) -> None:
    timer.write(LOAD, 4, 100)
    timer.write(CONTROL, 4, ENABLE)
    run_to(timer, 30)
    timer.write(CONTROL, 4, ENABLE | INTERRUPT)
    assert timer.read(VALUE, 4) == 70


def test_switched_off_it_never_expires(timer: Timer) -> None:
    timer.write(LOAD, 4, 100)
    timer.write(CONTROL, 4, ENABLE)
    timer.write(CONTROL, 4, 0)
    run_to(timer, 1000)
    assert (timer.read(VALUE, 4), timer.read(STATUS, 4)) == (0, 0)


def test_reset_stops_the_count(timer: Timer) -> None:
    timer.write(LOAD, 4, 100)
    timer.write(CONTROL, 4, ENABLE | PERIODIC)
    timer.reset()
    run_to(timer, 1000)
    assert timer.read(STATUS, 4) == 0


def test_a_count_of_zero_is_refused(timer: Timer, messages: list[str]) -> None:
    timer.write(CONTROL, 4, ENABLE | PERIODIC)
    assert messages == ["timer0: ENABLE with LOAD = 0 does nothing: write the number of cycles to LOAD first"]
    assert timer.read(CONTROL, 4) == PERIODIC

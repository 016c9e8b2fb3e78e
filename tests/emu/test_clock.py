"""The clock: order, drift, deadlines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.clock import DEADLINE, FOREVER, Clock


def run_to_end(clock: Clock) -> None:
    while clock.next_event != FOREVER:
        clock.advance_to(clock.next_event)
        clock.dispatch()


@given(st.lists(st.integers(0, 50), max_size=30))
def test_events_run_in_order_of_time_then_of_scheduling(times: list[int]) -> None:
    clock = Clock(1)
    ran: list[tuple[int, int]] = []
    for number, time in enumerate(times):
        clock.event(f"e{number}", lambda number=number: ran.append((clock.now, number))).at(time)
    run_to_end(clock)
    assert ran == sorted((time, number) for number, time in enumerate(times))


def test_rescheduling_replaces_and_cancelling_removes() -> None:
    clock = Clock(1)
    ran: list[str] = []
    first = clock.event("first", lambda: ran.append("first"))
    second = clock.event("second", lambda: ran.append("second"))
    first.at(10)
    first.at(30)
    second.at(20)
    second.cancel()
    assert not second.scheduled
    assert clock.next_event == 30
    run_to_end(clock)
    assert ran == ["first"]
    assert clock.now == 30


def test_deadline_is_the_earlier_of_event_and_limit() -> None:
    clock = Clock(1)
    event = clock.event("e", lambda: None)
    assert clock.state[DEADLINE] == FOREVER
    event.at(100)
    assert clock.state[DEADLINE] == 100
    clock.limit = 40
    assert clock.state[DEADLINE] == 40
    clock.limit = FOREVER
    event.cancel()
    assert clock.state[DEADLINE] == FOREVER


def test_a_periodic_event_does_not_drift_when_dispatched_late() -> None:
    clock = Clock(1)
    due: list[int] = []

    def tick() -> None:
        due.append(event.due)
        event.at(event.due + 10)

    event = clock.event("tick", tick)
    event.at(10)
    for now in (13, 29, 30, 57):
        clock.advance_to(now)
        clock.dispatch()
    assert due == [10, 20, 30, 40, 50]


def test_time_never_goes_back() -> None:
    clock = Clock(1)
    clock.advance_to(50)
    clock.advance_to(20)
    assert clock.now == 50


def test_event_names_are_unique() -> None:
    clock = Clock(1)
    clock.event("uart0.tx", lambda: None)
    with pytest.raises(ValueError, match=r"event names must be unique; uart0\.tx exists already"):
        clock.event("uart0.tx", lambda: None)


def test_it_is_quiet_only_while_nothing_else_can_happen() -> None:
    clock = Clock(1000)
    event = clock.event("other", lambda: None)
    assert clock.quiet_until() == 0
    clock.at_rest = lambda: True
    assert clock.quiet_until() == FOREVER
    event.at(20)
    assert clock.quiet_until() == 20
    event.cancel()
    clock.limit = 30
    assert clock.quiet_until() == 30
    event.at(40)
    assert clock.quiet_until() == 30
    clock.at_rest = lambda: False
    assert clock.quiet_until() == 0

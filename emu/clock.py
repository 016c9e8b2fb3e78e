"""Time: integer cycles and named events.

The clock's state is a small array that the CPU's native block hook shares: it adds to `now` as blocks
execute and stops the CPU when `now` reaches `deadline`. Python moves the deadline whenever an event is
scheduled or cancelled, so the CPU always runs to the next event and never further than the end of a block; of an
exact clock, never further than the end of an instruction.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping

import numpy as np

from emu.state import State

NOW, HORIZON, DEADLINE, SKIPS = 0, 1, 2, 3
"""Indices into `Clock.state`. Blocks that begin before the horizon end before the deadline, or may be late."""
LONGEST_BLOCK = 1 << 10
"""Cycles: more than any block takes whose instructions take one each."""
FOREVER = 1 << 62
"""A time that never comes."""


class Event:
    """Something that a device does later. A device makes its events once and schedules them again and again.

    `due` is the time that the event is (or, inside its action, was) scheduled for: a periodic device
    schedules ``event.at(event.due + period)`` and does not drift, although actions run at block boundaries.
    """

    def __init__(self, clock: Clock, name: str, action: Callable[[], None]) -> None:
        self.clock, self.name, self.action = clock, name, action
        self.due: int = FOREVER
        self._order = -1

    @property
    def scheduled(self) -> bool:
        """Whether the action is going to run."""
        return self._order >= 0

    @property
    def order(self) -> tuple[int, int]:
        """Events run in this order."""
        return self.due, self._order

    def at(self, time: int) -> None:
        """Run the action at ``time`` (cycles since reset); replaces an earlier schedule."""
        self.clock.schedule(self, time)

    def after(self, cycles: int) -> None:
        """Run the action ``cycles`` from now; replaces an earlier schedule."""
        self.clock.schedule(self, self.clock.now + cycles)

    def cancel(self) -> None:
        """Do not run the action."""
        self._order = -1
        self.clock.refresh()


class Clock:
    """The machine's clock.

    Args:
        hertz: cycles a second.
        exact: the CPU stops at the very instruction that reaches a deadline. Otherwise it executes the rest of the
            block, straight on to the next jump: it is always late by the same amount.
        longest_block: cycles; no block takes more.
        skips: rounds of loops that do nothing but wait, copy or fill memory are not executed one by one.
    """

    def __init__(
        self, hertz: int, *, exact: bool = False, longest_block: int = LONGEST_BLOCK, skips: bool = True
    ) -> None:
        self.hertz, self.exact = hertz, exact
        self._longest_block = longest_block
        self.state = np.array([0, FOREVER, FOREVER, skips], np.int64)
        # Python reads and writes single words faster through this view.
        self._words = self.state.data
        self.events: dict[str, Event] = {}
        self._heap: list[tuple[int, int, Event]] = []
        self._scheduled = 0
        self._limit = FOREVER
        self.at_rest: Callable[[], bool] = lambda: False

    @property
    def now(self) -> int:
        """Cycles since reset."""
        now: int = self._words[NOW]
        return now

    @property
    def deadline(self) -> int:
        """The CPU runs until here: the next event or the limit."""
        deadline: int = self._words[DEADLINE]
        return deadline

    @property
    def seconds(self) -> float:
        """Time since reset in seconds."""
        return self.now / self.hertz

    @property
    def limit(self) -> int:
        """The CPU stops here even without an event."""
        return self._limit

    @limit.setter
    def limit(self, time: int) -> None:
        self._limit = time
        self.refresh()

    def event(self, name: str, action: Callable[[], None]) -> Event:
        """A new event; the name must be unique in the machine, because snapshots use it."""
        if name in self.events:
            raise ValueError(f"event names must be unique; {name} exists already")
        self.events[name] = event = Event(self, name, action)
        return event

    def schedule(self, event: Event, time: int) -> None:
        """Put the event into the heap; a time in the past means: as soon as possible."""
        self._scheduled += 1
        moved = event.scheduled
        event.due, event._order = time, self._scheduled
        heapq.heappush(self._heap, (time, self._scheduled, event))
        if moved:
            self.refresh()
        elif time < self._words[DEADLINE]:
            self._set_deadline(time)

    @property
    def next_event(self) -> int:
        """Time of the next event, `FOREVER` if there is none."""
        heap = self._heap
        while heap and heap[0][2]._order != heap[0][1]:
            heapq.heappop(heap)
        return heap[0][0] if heap else FOREVER

    def get_state(self) -> dict[str, State]:
        """The time and what is going to happen, in order; the limit belongs to a run, not to the machine."""
        pending = sorted((event for event in self.events.values() if event.scheduled), key=lambda event: event.order)
        return {"now": self.now, "events": [[event.name, event.due] for event in pending]}

    def set_state(self, state: Mapping[str, State]) -> None:
        """Take back what `get_state` gave. Raises KeyError for an event that this machine does not have."""
        for event in self.events.values():
            event.cancel()
        self.state[NOW] = state["now"]
        for name, due in state["events"]:
            self.events[name].at(due)

    def refresh(self) -> None:
        """Bring the deadline that the native hook reads up to date."""
        self._set_deadline(min(self.next_event, self._limit))

    def _set_deadline(self, deadline: int) -> None:
        self._words[DEADLINE] = deadline
        self._words[HORIZON] = deadline - self._longest_block if self.exact else deadline

    def advance_to(self, time: int) -> None:
        """Let time pass while nothing executes; never goes back."""
        if time > self._words[NOW]:
            self._words[NOW] = time

    def quiet_until(self) -> int:
        """Before this time nothing can happen but the action that asks, which may let time pass; 0: anything can."""
        return min(self.next_event, self._limit) if self.at_rest() else 0

    def dispatch(self) -> None:
        """Run the actions of all events that are due, in order of time, then of scheduling."""
        while self.next_event <= self.now:
            _, _, event = heapq.heappop(self._heap)
            event._order = -1
            event.action()
        self.refresh()

"""The down counter against a counter that is ticked, cycle by cycle."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from emu.bus import Bus
from emu.clock import Clock
from emu.device import Board, Device
from emu.devices.down_counter import DownCounter
from emu.log import Log


@dataclass
class Ticked:
    """The rule, one tick at a time: count down; at 0 start again at the limit, unless there is none."""

    count: int
    limit: int
    single: bool
    zeros: int = 0

    def tick(self) -> None:
        if self.count:
            self.count -= 1
            self.zeros += self.count == 0
        elif not self.single:
            self.count = self.limit


@given(
    count=st.integers(0, 20),
    limit=st.integers(0, 12),
    single=st.booleans(),
    divisor=st.sampled_from([1, 3, 16]),
    steps=st.lists(st.integers(1, 40), max_size=20),
)
def test_it_counts_like_a_ticked_counter(count: int, limit: int, single: bool, divisor: int, steps: list[int]) -> None:
    board = Board(Clock(1000), Bus(), Log())
    zeros = []
    counter = DownCounter(Device("device", board), "zero", lambda: zeros.append(board.clock.now))
    counter.set_divisor(divisor)
    counter.set_limit(limit)
    counter.set_count(count)
    counter.run(single=single)
    reference = Ticked(count, limit, single)
    ticks = 0
    for step in steps:
        end = board.clock.now + step
        while board.clock.next_event <= end:
            board.clock.advance_to(board.clock.next_event)
            board.clock.dispatch()
        board.clock.advance_to(end)
        while ticks < end // divisor:
            reference.tick()
            ticks += 1
        assert (counter.count, len(zeros)) == (reference.count, reference.zeros)


def test_a_stopped_counter_keeps_its_count() -> None:
    board = Board(Clock(1000), Bus(), Log())
    counter = DownCounter(Device("device", board), "zero", lambda: None)
    counter.set_limit(100, reload=True)
    counter.run()
    board.clock.advance_to(30)
    counter.stop()
    board.clock.advance_to(60)
    assert counter.count == 70
    counter.run()
    board.clock.advance_to(70)
    assert counter.count == 60

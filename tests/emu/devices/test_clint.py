"""The timer and the software interrupt of an RV32 host, by register accesses and time alone."""

from __future__ import annotations

import pytest

from emu.bus import Bus
from emu.clock import FOREVER, Clock
from emu.device import Board
from emu.devices.clint import Clint
from emu.log import Log

HERTZ = 600_000_000
CYCLES_PER_TICK = 60
MSIP, MTIMECMP, MTIME = 0x0000, 0x4000, 0xBFF8


@pytest.fixture
def clint() -> Clint:
    return Clint("clint", Board(Clock(HERTZ), Bus(), Log()))


def compare_with(clint: Clint, value: int) -> None:
    """As the privileged specification recommends, so that no early interrupt appears."""
    clint.write(MTIMECMP, 4, 0xFFFF_FFFF)
    clint.write(MTIMECMP + 4, 4, value >> 32)
    clint.write(MTIMECMP, 4, value & 0xFFFF_FFFF)


def pass_time(clint: Clint, cycles: int) -> None:
    clint.clock.advance_to(clint.clock.now + cycles)
    clint.clock.dispatch()


def test_msip_drives_the_software_line_and_has_one_bit(clint: Clint) -> None:
    clint.write(MSIP, 4, 1)
    assert clint.software.level
    assert clint.read(MSIP, 4) == 1
    clint.write(MSIP, 4, 0xFFFF_FFFE)
    assert not clint.software.level
    assert clint.read(MSIP, 4) == 0


def test_mtime_counts_the_time_base(clint: Clint) -> None:
    pass_time(clint, CYCLES_PER_TICK - 1)
    assert clint.read(MTIME, 4) == 0
    pass_time(clint, 1)
    assert clint.read(MTIME, 4) == 1
    clint.clock.advance_to(HERTZ)
    assert clint.read(MTIME, 4) == 10_000_000


def test_mtime_has_64_bits_and_can_be_set(clint: Clint) -> None:
    clint.write(MTIME, 4, 0xFFFF_FFFF)
    clint.write(MTIME + 4, 4, 7)
    pass_time(clint, CYCLES_PER_TICK)
    assert (clint.read(MTIME + 4, 4), clint.read(MTIME, 4)) == (8, 0)


def test_the_timer_line_rises_at_the_first_cycle_of_the_tick(clint: Clint) -> None:
    pass_time(clint, 25)
    compare_with(clint, 3)
    assert clint.clock.next_event == 3 * CYCLES_PER_TICK
    pass_time(clint, 3 * CYCLES_PER_TICK - 1 - 25)
    assert not clint.timer.level
    pass_time(clint, 1)
    assert clint.timer.level


def test_a_time_base_that_does_not_divide_the_clock_rounds_up() -> None:
    clint = Clint("clint", Board(Clock(1000), Bus(), Log()), timebase_hz=300)
    compare_with(clint, 2)
    pass_time(clint, 6)
    assert (clint.timer.level, clint.mtime) == (False, 1)
    pass_time(clint, 1)
    assert (clint.timer.level, clint.mtime) == (True, 2)


def test_a_new_compare_value_lowers_the_line_until_it_is_due(clint: Clint) -> None:
    compare_with(clint, 0)
    assert clint.timer.level
    compare_with(clint, 5)
    assert not clint.timer.level
    pass_time(clint, 5 * CYCLES_PER_TICK)
    assert clint.timer.level


def test_setting_mtime_moves_the_interrupt(clint: Clint) -> None:
    compare_with(clint, 100)
    clint.write(MTIME, 4, 98)
    assert clint.clock.next_event == 2 * CYCLES_PER_TICK
    clint.write(MTIME, 4, 100)
    assert clint.timer.level


def test_a_compare_value_beyond_the_end_of_time_schedules_nothing(clint: Clint) -> None:
    compare_with(clint, 0xFFFF_FFFF_0000_0000)
    assert clint.clock.next_event == FOREVER


def test_reset_starts_mtime_at_zero_and_drops_both_lines(clint: Clint) -> None:
    pass_time(clint, 12345)
    clint.write(MSIP, 4, 1)
    compare_with(clint, 1)
    clint.reset()
    assert (clint.mtime, clint.timer.level, clint.software.level) == (0, False, False)
    assert clint.clock.next_event == FOREVER


def test_a_time_base_faster_than_the_clock_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^clint: timebase_hz must be 1\.\.1000, .*, not 2000$"):
        Clint("clint", Board(Clock(1000), Bus(), Log()), timebase_hz=2000)

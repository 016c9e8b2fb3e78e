"""Voltage, body bias and clock: what is allowed, and what a slower clock means."""

from __future__ import annotations

from itertools import pairwise

import pytest

from asm import isa, parameters
from asm.parameters import CommandCode
from asm.rules import Cause
from emu.npu.power import f_max, highest_bias
from tests.emu.npu.small_machine import DONE, NO_BASE, SYSTEM, SmallMachine

DESTINATION = SYSTEM + 0x1_0000


def copy(count: int) -> isa.Copy:
    return isa.Copy(NO_BASE, (SYSTEM, DESTINATION, count, *(1, 0, 0) * parameters.COPY_LOOPS))


@pytest.mark.parametrize(
    ("voltage", "bias", "published_khz"), [(525, 0, 333_000), (525, 1500, 600_000), (1000, 1200, 1_745_000)]
)
def test_published_clocks(voltage: int, bias: int, published_khz: int) -> None:
    assert f_max(voltage, bias) == pytest.approx(published_khz, rel=1e-3)


def test_more_voltage_or_bias_is_faster() -> None:
    for bias in (0, 700, 1200):
        clocks = [f_max(voltage, bias) for voltage in range(525, 1001, 25)]
        assert all(slower < faster for slower, faster in pairwise(clocks))
    for voltage in (525, 800, 1000):
        clocks = [f_max(voltage, bias) for bias in range(0, highest_bias(voltage) + 1, 100)]
        assert all(slower < faster for slower, faster in pairwise(clocks))


@pytest.mark.parametrize(
    ("voltage", "bias", "clock", "cause", "text"),
    [
        (525, 1500, 600_001, Cause.voltage_too_low, "allow 600000 kHz, CLOCK_KHZ is 600001"),
        (525, 0, 400_000, Cause.voltage_too_low, "525 mV with 0 mV of body bias allow 333097 kHz"),
        (524, 0, 1, Cause.voltage_too_low, "VOLTAGE_MV must be 525..1000, not 524"),
        (1001, 0, 1, Cause.bad_field, "VOLTAGE_MV must be 525..1000, not 1001"),
        (525, 1501, 1, Cause.bad_field, "BODY_BIAS_MV must be 0..1500 at 525 mV, not 1501"),
        (900, 1201, 1, Cause.bad_field, "BODY_BIAS_MV must be 0..1200 at 900 mV, not 1201"),
        (525, 0, 0, Cause.bad_field, "CLOCK_KHZ must be at least 1, not 0"),
    ],
)
@pytest.mark.parametrize("program", [True, False])
def test_refused_operating_points(voltage: int, bias: int, clock: int, cause: Cause, text: str, program: bool) -> None:
    """START and COMMAND are refused before anything happens."""
    machine = SmallMachine()
    machine.bus.write(SYSTEM, b"abcdefgh")
    machine.set("VOLTAGE_MV", voltage, bias, clock)
    assert machine.error()[0] == Cause.none
    if program:
        machine.run_program(copy(8), isa.Halt())
        assert machine.get("ERROR_PC") == machine.get("PROGRAM_BASE")
    else:
        machine.set("COPY_SOURCE", SYSTEM, DESTINATION, 8)
        machine.set("COPY_COUNT", 1, 1, 1, 1)
        machine.command(CommandCode.copy)
    assert machine.get("ERROR_CAUSE") == cause
    assert text in machine.messages[0]
    assert machine.clock.now == 0
    assert machine.bus.read(DESTINATION, 8) == bytes(8)


@pytest.mark.parametrize(
    ("khz", "ticks"), [(600_000, 108), (200_000, 3 * 108), (450_000, 144), (7, 108 * 600_000 // 7)]
)
def test_a_slower_clock(khz: int, ticks: int) -> None:
    """The counters count the cluster's own cycles; the machine's time is longer, without rounding on the way."""
    machine = SmallMachine()
    machine.set("CLOCK_KHZ", khz)
    machine.run_program(*[isa.Nop()] * 7, *[copy(80)] * 10, isa.Halt())
    assert machine.get("INTERRUPT_STATUS") == DONE
    assert machine.counter("COPY_CYCLES") == 100
    assert machine.counter("CONTROL_CYCLES") == 8
    assert machine.clock.now == ticks


def test_a_faster_clock_takes_less_than_a_machine_cycle() -> None:
    machine = SmallMachine()
    machine.set("VOLTAGE_MV", 1000, 1200, 1_200_000)
    machine.run_program(*[isa.Nop()] * 199, isa.Halt())
    assert machine.clock.now == 100
    assert machine.counter("CONTROL_CYCLES") == 200


def test_clusters_with_different_clocks_meet() -> None:
    """A cluster of 200 MHz waits 33 of its cycles for one that takes 100 cycles of 600 MHz, to its next edge."""
    machine = SmallMachine(2)
    machine.set("CLOCK_KHZ", 200_000)
    meet = isa.Barrier(isa.EventImmediate.pack(event=0, clusters=0b11))
    machine.run_programs([meet, isa.Halt()], [*[isa.Nop()] * 100, meet, isa.Halt()])
    assert machine.counter("WAIT_CYCLES", 0) == 33
    assert machine.counter("CONTROL_CYCLES", 0) == 2
    assert machine.clock.now == 3 * (1 + 33 + 1)


def test_a_working_cluster_keeps_its_clock() -> None:
    machine = SmallMachine()
    machine.program(*[isa.Nop()] * 100, isa.Halt())
    machine.set("CONTROL", 1)
    machine.set("CLOCK_KHZ", 1000)
    assert machine.get("CLOCK_KHZ") == 600_000
    assert machine.get("ERROR_CAUSE") == Cause.busy
    assert "voltage, body bias and clock cannot change while the cluster works" in machine.messages[0]
    machine.run()
    assert machine.clock.now == 101


def test_reset_brings_the_published_operating_point_back() -> None:
    machine = SmallMachine()
    machine.set("VOLTAGE_MV", 800, 100, 300_000)
    machine.set("CONTROL", 4)
    assert [machine.get(name) for name in ("VOLTAGE_MV", "BODY_BIAS_MV", "CLOCK_KHZ")] == [525, 1500, 600_000]
    machine.run_program(isa.Halt())
    assert machine.clock.now == 1


def test_energy_depends_on_voltage_and_time_on_the_clock() -> None:
    """The same leakage a second: half the clock leaks twice as much in the same cycles."""
    spent = []
    for khz in (600_000, 300_000):
        machine = SmallMachine()
        machine.set("CLOCK_KHZ", khz)
        machine.run_program(*[isa.Nop()] * 999, isa.Halt())
        spent.append(machine.counter("ENERGY_PJ"))
    assert spent == [9_000, 18_000]

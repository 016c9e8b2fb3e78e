"""SysTick on the processor's clock and on a reference clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emu.cpu.arm.cortex_m import CortexM
from emu.machine import Machine
from tests.emu.cpu.arm_board import MAP

CSR, RVR, CVR, CALIB = 0x10, 0x14, 0x18, 0x1C
ENABLE, PROCESSOR, COUNTFLAG = 1, 4, 1 << 16


def machine(reference_hz: int | None) -> tuple[Machine, CortexM]:
    made = Machine(replace(MAP, host_options={"reference_hz": reference_hz}))
    assert isinstance(made.core, CortexM)
    return made, made.core


@pytest.mark.parametrize(
    ("reference_hz", "calibration"),
    [(None, 0xC000_0000), (1_000_000, 9_999), (32_768, 0x4000_0000 | 326)],
)
def test_calibration(reference_hz: int | None, calibration: int) -> None:
    assert machine(reference_hz)[1].system_control.read(CALIB, 4) == calibration


@pytest.mark.parametrize(("source", "cycles"), [(0, 25), (PROCESSOR, 1)])
def test_a_count_takes_a_tick_of_the_chosen_clock(source: int, cycles: int) -> None:
    made, core = machine(1_000_000)
    control, clock = core.system_control, made.clock
    control.write(RVR, 4, 99)
    control.write(CSR, 4, source | ENABLE)
    for elapsed, value in ((cycles, 99), (50 * cycles, 50), (99 * cycles, 1)):
        clock.advance_to(elapsed)
        assert control.read(CVR, 4) == value, elapsed
    clock.advance_to(100 * cycles)
    clock.dispatch()
    assert control.read(CSR, 4) == COUNTFLAG | source | ENABLE
    clock.advance_to(180 * cycles)
    assert control.read(CVR, 4) == 20


def test_another_clock_goes_on_from_the_same_count() -> None:
    made, core = machine(1_000_000)
    control, clock = core.system_control, made.clock
    control.write(RVR, 4, 99)
    control.write(CSR, 4, ENABLE)
    clock.advance_to(60 * 25)
    control.write(CSR, 4, PROCESSOR | ENABLE)
    clock.advance_to(60 * 25 + 10)
    assert control.read(CVR, 4) == 30


def test_without_a_reference_clock_the_source_is_fixed() -> None:
    control = machine(None)[1].system_control
    control.write(CSR, 4, 0)
    assert control.read(CSR, 4) == PROCESSOR

"""Lazy stacking of floating-point registers shows firmware the same on our cores as on QEMU's."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.cpu.arm.cortex_m import CortexM
from emu.machine import Machine, StopReason
from emu.machines import machine_map
from sdk.loader import load_elf, load_into
from tests.boards.firmware import build
from tests.boards.test_exceptions_against_qemu import run_qemu


@pytest.mark.parametrize("machine", ["mps2-an386", "mps2-an500", "mps2-an505"])
def test_the_same_lines(tmp_path: Path, machine: str) -> None:
    elf = build(tmp_path, machine, "lazy_floats.c")
    expected, code = run_qemu(elf, machine)
    for native in (True, False):
        here = Machine(machine_map(machine))
        assert isinstance(here.core, CortexM)
        here.core.native_exceptions = native
        printed = bytearray()
        here.core.semihosting.console.append(printed.extend)
        load_into(load_elf(elf), here.bus)
        here.reset()
        stop = here.run(10_000_000)
        assert printed.decode().splitlines() == expected
        assert (stop.reason, stop.exit_code) == (StopReason.EXIT, code)
    assert any("fpccr=c0000001" in line and "s0=0000dead" in line for line in expected)

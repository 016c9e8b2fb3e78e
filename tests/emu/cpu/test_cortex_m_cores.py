"""What only one of the architectures has: stack limits, EXC_RETURN, instructions that are missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emu.cpu.arm.cortex_m import CortexM
from emu.cpu.core import FaultReport
from emu.machine import Machine, StopReason
from sdk.loader import load_elf, load_into
from tests.emu.cpu.arm_board import MAP, PRELUDE, build

LIMIT = 0x2000_2000
SET_LIMITS = """
reset:
    ldr r0, =0x20002004
    .short 0xf380, 0x880a  // msr msplim, r0
    .short 0xf380, 0x880b  // msr psplim, r0
    bkpt 0xab
    b .
"""
READ_LIMITS = """
again:
    .short 0xf3ef, 0x840a  // mrs r4, msplim
    .short 0xf3ef, 0x850b  // mrs r5, psplim
    b .
"""


def started(folder: Path, source: str, host: str, **options: Any) -> Machine:
    """A machine with a core of that kind and an assembled program."""
    machine = Machine(replace(MAP, host=host, host_options=options))
    elf = build(folder, PRELUDE + source)
    load_into(load_elf(elf), machine.bus)
    machine.reset()
    return machine


def first_report(machine: Machine) -> str:
    """What the first fault is about."""
    reports: list[FaultReport] = []
    machine.core.on_fault.append(reports.append)
    machine.run(1000)
    return reports[0].text


def test_stack_limits_are_state(tmp_path: Path) -> None:
    machine = started(tmp_path, SET_LIMITS + READ_LIMITS, "cortex-m33")
    core = machine.core
    assert isinstance(core, CortexM)
    for _ in range(3):
        machine.step()
    assert core.exceptions.stack_limits.values == [LIMIT, LIMIT]
    kept = machine.snapshot()
    machine.reset()
    assert core.exceptions.stack_limits.values == [0, 0]
    assert machine.state_hash() != kept.hash
    other = started(tmp_path, SET_LIMITS + READ_LIMITS, "cortex-m33")
    other.restore(kept)
    assert other.state_hash() == kept.hash
    for each, limit in ((other, LIMIT), (machine, 0)):
        again = next(address for address in range(0, 0x200, 2) if each.bus.read(address, 4) == b"\xef\xf3\x0a\x84")
        each.core.pc = again
        each.run(100)
        assert (each.core.read_register("r4"), each.core.read_register("r5")) == (limit, limit)


@pytest.mark.parametrize(
    ("host", "code", "text"),
    [
        ("cortex-m33", "0x4704", "undefined instruction 4704 (change to Non-secure state, which is not modelled)"),
        ("cortex-m33", "0x4784", "undefined instruction 4784 (change to Non-secure state, which is not modelled)"),
        ("cortex-m0", "0xb100", "undefined instruction b100 (ARMv6-M does not have it)"),
        ("cortex-m0", "0xbb90", "undefined instruction bb90 (ARMv6-M does not have it)"),
        ("cortex-m0", "0xbf08", "undefined instruction bf08 (ARMv6-M does not have it)"),
    ],
)
def test_instructions_that_the_core_does_not_have(tmp_path: Path, host: str, code: str, text: str) -> None:
    report = first_report(started(tmp_path, f"reset: movs r0, #1\n .short {code}\n movs r0, #2\n b .", host))
    assert report.startswith(text)


@pytest.mark.parametrize(
    ("host", "options", "value"),
    [
        ("cortex-m0", {}, 0xFFFF_FFF9),
        ("cortex-m4f", {}, 0xFFFF_FFF9),
        ("cortex-m33", {}, 0xFFFF_FFB8),
        ("cortex-m33", {"secure": True}, 0xFFFF_FFF9),
    ],
)
def test_exc_return(tmp_path: Path, host: str, options: dict[str, Any], value: int) -> None:
    source = (
        '.section .vectors, "a"\n .word 0, 0, 0, 0, 0, 0, 0, 0, 0, handler + 1\n .text\n'
        "handler: mov r4, lr\n bx lr\n reset: svc #1\n finish 5"
    )
    machine = started(tmp_path, source, host, **options)
    stop = machine.run(1000)
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 5)
    assert machine.core.read_register("r4") == value


@pytest.mark.parametrize("value", [0xFFFF_FFF9, 0xFFFF_FFFD, 0xFFFF_FFB9, 0xFFFF_FF98, 0xFFFF_FFBA])
def test_a_core_without_trustzone_returns_by_its_own_values_only(tmp_path: Path, value: int) -> None:
    source = (
        '.section .vectors, "a"\n .word 0, 0, 0, 0, 0, 0, 0, 0, 0, handler + 1\n .text\n'
        f"handler: ldr r0, ={value:#x}\n bx r0\n .ltorg\n reset: svc #1\n b ."
    )
    text = f"exception return with 0x{value:08x}: not an EXC_RETURN value of this core"
    assert first_report(started(tmp_path, source, "cortex-m33")).startswith(text)

"""Boards: mirrors, shared interrupt inputs, NMI, and what devices ask of the machine."""

from __future__ import annotations

import pytest

from emu.cpu.arm.cortex_m import CortexM
from emu.cpu.arm.nvic import Vector
from emu.device import Device
from emu.devices.cmsdk_uart import DesignKitUart
from emu.machine import Machine, StopReason
from emu.machines import BOARDS, machine_map
from emu.memory import Memory

FOREVER_LOOP = {"arm": b"\0\x10\0\x20\x09\0\0\0\xfe\xe7", "riscv": b"\x6f\0\0\0"}


def started(name: str) -> Machine:
    """A board whose CPU jumps to itself."""
    machine = Machine(machine_map(name))
    machine.bus.program(machine.map.reset_address, FOREVER_LOOP[machine.core.architecture])
    machine.reset()
    return machine


@pytest.mark.parametrize("name", BOARDS)
def test_a_device_ends_the_run(name: str) -> None:
    machine = started(name)
    machine.clock.event("end", lambda: machine.board.requests.request_exit(17)).at(1000)
    stop = machine.run(1_000_000)
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 17)
    assert 1000 <= stop.time < 1100
    assert machine.step().reason is StopReason.EXIT


@pytest.mark.parametrize("name", BOARDS)
def test_a_device_resets_the_machine(name: str) -> None:
    machine = started(name)
    start = machine.core.pc
    machine.clock.event("reset", machine.board.requests.request_reset).at(1000)
    register = "r5" if machine.core.architecture == "arm" else "t0"
    machine.core.write_register(register, 77)
    assert machine.run(5000).reason is StopReason.LIMIT
    assert machine.core.pc == start
    assert machine.core.instructions < 4500
    assert not machine.board.requests.waiting


def test_lines_that_share_an_input_are_ored() -> None:
    machine = started("mps2-an385")
    core = machine.core
    assert isinstance(core, CortexM)
    first, second = machine.devices["uart0"], machine.devices["uart1"]
    assert isinstance(first, DesignKitUart)
    assert isinstance(second, DesignKitUart)

    def level() -> bool:
        return bool(core.nvic.levels >> 12 & 1)

    first.overrun.set(True)
    second.overrun.set(True)
    first.overrun.set(False)
    assert level()
    second.overrun.set(False)
    assert not level()


def test_the_watchdog_drives_nmi() -> None:
    machine = started("mps2-an386")
    core = machine.core
    assert isinstance(core, CortexM)
    machine.devices["watchdog"].irq.set(True)
    assert core.nvic.pending >> Vector.NMI & 1


def test_a_core_without_nmi() -> None:
    with pytest.raises(LookupError, match=r"^rv32imc has no non-maskable interrupt input$"):
        started("virt").core.set_nmi(True)


def test_mirrors_show_the_same_bytes() -> None:
    bus = started("mps2-an386").bus
    bus.write(0x2000_1234, b"here")
    assert bus.read(0x2040_1234, 4) == b"here"
    bus.write(0x0100_8010, b"there")
    assert [bus.read(0x0100_0010 + 0x4000 * number, 5) for number in range(4)] == [b"there"] * 4


def test_a_mirror_is_not_larger_than_what_it_shows() -> None:
    small = Memory("small", 0, 4096, "rw")
    with pytest.raises(ValueError, match=r"^large has 8192 bytes and cannot mirror small with 4096$"):
        Memory("large", 0x1_0000, 8192, "rw").mirror(small)


@pytest.mark.parametrize("name", BOARDS)
def test_every_device_is_documented(name: str) -> None:
    machine = machine_map(name)
    assert machine.clusters == 0
    assert "*Inaccuracies*" in machine.doc
    for item in machine.peripherals:
        assert issubclass(item.device, Device)
        assert "*Inaccuracies*" in (item.device.__doc__ or "")

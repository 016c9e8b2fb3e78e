"""What the Cortex-M cores differ in, register by register, and how they can be built."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from emu.cpu.arm.cortex_m import CortexM
from emu.machine import Machine
from tests.emu.cpu.arm_board import MAP

ISER, ISPR, IPR, SHPR1, SHPR3 = 0x100, 0x200, 0x400, 0xD18, 0xD20
ICTR, AIRCR, CCR, SHCSR, CFSR, STIR = 0x004, 0xD0C, 0xD14, 0xD24, 0xD28, 0xF00


def core(host: str, **options: Any) -> CortexM:
    made = Machine(replace(MAP, host=host, host_options=options)).core
    assert isinstance(made, CortexM)
    return made


@pytest.mark.parametrize(
    ("host", "identity", "configuration"),
    [
        ("cortex-m0", 0x410C_C200, 0x208),
        ("cortex-m3", 0x410F_C231, 0x200),
        ("cortex-m4f", 0x410F_C241, 0x200),
        ("cortex-m7", 0x411F_C272, 0x200),
        ("cortex-m33", 0x410F_D213, 0x201),
    ],
)
def test_identity_and_configuration(host: str, identity: int, configuration: int) -> None:
    control = core(host).system_control
    assert control.read(0xD00, 4) == identity
    assert control.read(CCR, 4) == configuration


@pytest.mark.parametrize(("interrupts", "words"), [(1, 0), (32, 0), (33, 1), (240, 7)])
def test_interrupts_beyond_the_last_one_cannot_be_set(interrupts: int, words: int) -> None:
    control = core("cortex-m4f", interrupts=interrupts, priority_bits=8).system_control
    assert control.read(ICTR, 4) == words
    for index in range(16):
        control.write(ISER + 4 * index, 4, 0xFFFF_FFFF)
        control.write(ISPR + 4 * index, 4, 0xFFFF_FFFF)
    enabled = [control.read(ISER + 4 * index, 4) for index in range(16)]
    pending = [control.read(ISPR + 4 * index, 4) for index in range(16)]
    assert sum(word << 32 * index for index, word in enumerate(enabled)) == (1 << interrupts) - 1
    assert pending == enabled
    for number in range(512):
        control.write(IPR + number, 1, 0xFF)
    assert [control.read(IPR + number, 1) for number in range(512)] == [0xFF] * interrupts + [0] * (512 - interrupts)


@pytest.mark.parametrize(("bits", "mask"), [(3, 0xE0), (4, 0xF0), (5, 0xF8), (8, 0xFF)])
def test_priority_bits(bits: int, mask: int) -> None:
    made = core("cortex-m3", priority_bits=bits)
    for offset in (IPR + 3, SHPR1 + 2, SHPR3 + 3):
        made.system_control.write(offset, 1, 0xFF)
        assert made.system_control.read(offset, 1) == mask


def test_the_m0_has_two_priority_bits_and_none_of_the_fault_registers() -> None:
    control = core("cortex-m0").system_control
    control.write(SHPR3, 4, 0xFFFF_FFFF)
    control.write(SHPR1, 4, 0xFFFF_FFFF)
    control.write(IPR, 4, 0xFFFF_FFFF)
    control.write(SHCSR, 4, 7 << 16)
    control.write(CCR, 4, 0x117)
    control.write(AIRCR, 4, 0x05FA_0700)
    control.write(STIR, 4, 3)
    assert (control.read(IPR, 4), control.read(SHPR1, 4)) == (0xC0C0_C0C0, 0)
    assert control.read(SHPR3, 4) == 0xC0C0_0000
    assert (control.read(SHCSR, 4), control.read(CCR, 4), control.read(AIRCR, 4)) == (0, 0x208, 0xFA05_0000)
    assert (control.read(CFSR, 4), control.read(ISPR, 4)) == (0, 0)


def test_the_last_interrupt_of_the_largest_controller() -> None:
    made = core("cortex-m33", interrupts=480)
    made.set_interrupt(479, True)
    assert made.system_control.read(ISPR + 4 * 14, 4) == 1 << 31
    made.system_control.write(STIR, 4, 478)
    assert made.system_control.read(ISPR + 4 * 14, 4) == 3 << 30


@pytest.mark.parametrize(
    ("host", "options", "message"),
    [
        ("cortex-m4f", {"interrupts": 241}, "a cortex-m4f has 1..240 interrupts, not 241"),
        ("cortex-m0", {"interrupts": 33}, "a cortex-m0 has 1..32 interrupts, not 33"),
        ("cortex-m33", {"interrupts": 0}, "a cortex-m33 has 1..480 interrupts, not 0"),
        ("cortex-m3", {"priority_bits": 2}, "a cortex-m3 has 3..8 priority bits, not 2"),
        ("cortex-m0", {"priority_bits": 3}, "a cortex-m0 has 2..2 priority bits, not 3"),
    ],
)
def test_impossible_cores(host: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        core(host, **options)


def test_only_the_m33_has_trustzone() -> None:
    with pytest.raises(ValueError, match=r"^a cortex-m7 has no Secure state$"):
        core("cortex-m7", secure=True)
    assert core("cortex-m33", secure=True).system_control.read(CCR, 4) == 0x201


def test_handlers_can_be_made_pending_and_active_by_hand() -> None:
    control = core("cortex-m4f").system_control
    control.write(SHCSR, 4, 0x0007_FD8B)
    assert control.read(SHCSR, 4) == 0x0007_FD8B
    control.write(SHCSR, 4, 0)
    assert control.read(SHCSR, 4) == 0

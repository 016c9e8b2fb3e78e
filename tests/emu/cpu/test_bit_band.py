"""Bit-band aliases: every bit of a memory is where the manual says, and misuse is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emu.device import Device
from emu.machine import Machine
from tests.emu.cpu.arm_board import MAP

SRAM, ALIAS = 0x2000_0000, 0x2200_0000


def machine(host: str = "cortex-m4f") -> Machine:
    return Machine(replace(MAP, host=host, host_options={"bit_band": True}))


def device_at(machine: Machine, address: int) -> Device:
    found = machine.bus.find(address)
    assert found is not None
    assert isinstance(found[1], Device)
    return found[1]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_each_bit_has_a_word(size: int) -> None:
    made = machine()
    alias = device_at(made, ALIAS)
    made.bus.write(SRAM, b"\x5a\x81\x00\xff\x10\x00\x00\x80")
    number = int.from_bytes(made.bus.read(SRAM, 8), "little")
    for bit in range(64):
        assert alias.read(4 * bit, size) == number >> bit & 1
    for bit in (0, 9, 31, 32, 63):
        alias.write(4 * bit, size, ~number >> bit)
        number ^= 1 << bit
    assert int.from_bytes(made.bus.read(SRAM, 8), "little") == number


def test_a_bit_of_nothing_reads_0_and_is_named() -> None:
    made = machine()
    assert device_at(made, 0x4200_0000).read(0x80, 4) == 0
    assert made.log.messages[-1].text == "nothing is mapped at 0x40000004: the bit reads 0"


def test_a_core_without_bit_bands() -> None:
    with pytest.raises(ValueError, match="a cortex-m7 has no bit-band regions: only cortex-m3 and cortex-m4f have"):
        machine("cortex-m7")

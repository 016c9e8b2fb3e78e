"""The memory protection unit of ARMv7-M (PMSAv7): regions of a power of two bytes, divided into eighths."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import ClassVar

from asm.bits import Layout
from emu.cpu.arm.memory_map import NOTHING, Region, shown
from emu.cpu.arm.mpu import ProtectedSystemControl
from emu.cpu.hook_state import Right
from emu.cpu.protection import ALL_RIGHTS, DATA_RIGHTS
from emu.registers import Access, Bits, Register, RegisterArray

SMALLEST_SIZE, SMALLEST_DIVIDED = 5, 8
"""Bits of the smallest region's size, and of the smallest that has subregions."""
SUBREGIONS = 8
ALIASES = 4
"""RBAR and RASR stand at four places, so that four regions can be written with one STM."""
CODE = Right.READ | Right.EXECUTE


class Permission(IntEnum):
    """RASR.AP: what privileged and unprivileged software may do."""

    NONE = 0
    PRIVILEGED = 1
    UNPRIVILEGED_READ = 2
    FULL = 3
    RESERVED = 4
    PRIVILEGED_READ = 5
    READ = 6
    READ_AS_WELL = 7


RIGHTS = {
    Permission.NONE: (NOTHING, NOTHING),
    Permission.PRIVILEGED: (ALL_RIGHTS, NOTHING),
    Permission.UNPRIVILEGED_READ: (ALL_RIGHTS, CODE),
    Permission.FULL: (ALL_RIGHTS, ALL_RIGHTS),
    Permission.RESERVED: (NOTHING, NOTHING),
    Permission.PRIVILEGED_READ: (CODE, NOTHING),
    Permission.READ: (CODE, CODE),
    Permission.READ_AS_WELL: (CODE, CODE),
}
"""(Privileged, unprivileged) rights without XN."""


class RegionNumber(Layout):
    """MPU region number."""

    REGION = Bits(0, 8, "Region that RBAR and RASR show. A number without a region is ignored.")


class RegionBase(Layout):
    """MPU region base address."""

    REGION = Bits(0, 4, "Read: the region; write with VALID: it becomes RNR.REGION.")
    VALID = Bits(4, 1, "1: REGION chooses the region.", access=Access.WO)
    ADDR = Bits(5, 27, "Address / 32; the address must be a multiple of the region's size.")


class RegionAttributes(Layout):
    """MPU region attributes and size."""

    ENABLE = Bits(0, 1, "1: the region counts.")
    SIZE = Bits(1, 5, "It has 2^(SIZE + 1) bytes, at least 32.")
    SRD = Bits(8, 8, "Bit n: eighth n of the region does not count; for regions of at least 256 bytes.")
    MEMORY = Bits(16, 6, "B, C, S, TEX: the kind of memory, without effect here.")
    AP = Bits(24, 3, "Access permissions.", values=Permission)
    XN = Bits(28, 1, "1: never executable.")


class SystemControlV7(ProtectedSystemControl):
    """The system control space of a core with PMSAv7.

    Inaccuracies: kinds of memory have no effect. A region whose base address is not a multiple of its size does not
    count, and the log says so; the architecture leaves open what happens.
    """

    saved: ClassVar[tuple[str, ...]] = ("_bases", "_attributes", "_chosen")

    MPU_RNR = Register(0xD98, RegionNumber)
    MPU_RBAR = RegisterArray(
        0xD9C, RegionBase, "MPU region base address and three aliases.", count=ALIASES, stride=8, group="MPU_REGION"
    )
    MPU_RASR = RegisterArray(
        0xDA0, RegionAttributes, "MPU attributes, size and three aliases.", count=ALIASES, stride=8, group="MPU_REGION"
    )

    def _set_fixed(self) -> None:
        """What depends on the core and the machine; no regions."""
        super()._set_fixed()
        self._bases, self._attributes = ([0] * self.model.mpu_regions for _ in range(2))
        self._chosen = 0

    @MPU_RNR.on_write
    def _write_number(self, value: int) -> None:
        self._choose(value)

    @MPU_RBAR.on_write
    def _write_base(self, index: int, value: int) -> None:
        if RegionBase.VALID.extract(value):
            self._choose(RegionBase.REGION.extract(value))
        self._bases[self._chosen] = value & RegionBase.ADDR.mask
        self._show()
        self.protection_changed()

    @MPU_RASR.on_write
    def _write_attributes(self, index: int, value: int) -> None:
        self._attributes[self._chosen] = value & RegionAttributes.mask()
        self._show()
        self.protection_changed()

    def _choose(self, number: int) -> None:
        """Let RBAR and RASR show a region."""
        if number < len(self._bases):
            self._chosen = number
        else:
            self.warn(f"MPU_RNR: there is no region {number}, only 0..{len(self._bases) - 1}")
        self._show()

    def _show(self) -> None:
        self.MPU_RNR = self._chosen
        for index in range(ALIASES):
            self.MPU_RBAR[index] = self._bases[self._chosen] | RegionBase.REGION.mask & self._chosen
            self.MPU_RASR[index] = self._attributes[self._chosen]

    def regions(self) -> tuple[Region, ...]:
        """The enabled regions, those of higher numbers later."""
        return tuple(part for number in range(len(self._bases)) for part in self._parts(number))

    def _parts(self, number: int) -> Iterator[Region]:
        """The enabled eighths of a region, or the whole."""
        base, attributes = self._bases[number], self._attributes[number]
        bits = RegionAttributes.SIZE.extract(attributes) + 1
        if not RegionAttributes.ENABLE.extract(attributes):
            return
        if bits < SMALLEST_SIZE or base & (1 << bits) - 1:
            self.warn(f"MPU region {number} at 0x{base:08x} of 2^{bits} bytes does not count: too small or misaligned")
            return
        permission = Permission(RegionAttributes.AP.extract(attributes))
        possible = DATA_RIGHTS if RegionAttributes.XN.extract(attributes) else ALL_RIGHTS
        privileged, unprivileged = (rights & possible for rights in RIGHTS[permission])
        rule = f"MPU region {number} ({shown(privileged)}, unprivileged {shown(unprivileged)})"
        disabled = RegionAttributes.SRD.extract(attributes) if bits >= SMALLEST_DIVIDED else 0
        if not disabled:
            yield Region(base, base + (1 << bits), privileged, unprivileged, rule)
            return
        step = (1 << bits) // SUBREGIONS
        for part in range(SUBREGIONS):
            if not disabled >> part & 1:
                yield Region(base + part * step, base + (part + 1) * step, privileged, unprivileged, rule)

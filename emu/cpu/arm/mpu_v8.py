"""The memory protection unit of ARMv8-M (PMSAv8): regions of any multiple of 32 bytes, which must not overlap."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from itertools import combinations
from typing import ClassVar

from asm.bits import Layout
from emu.cpu.arm.memory_map import NOTHING, Region, shown
from emu.cpu.arm.mpu import ProtectedSystemControl
from emu.cpu.hook_state import Right
from emu.cpu.protection import ALL_RIGHTS, DATA_RIGHTS
from emu.registers import Bits, Register, RegisterArray

GRAIN = 32
GROUP = 4
"""RBAR and RLAR stand at four places, for the regions of one group of four."""
CODE = Right.READ | Right.EXECUTE


class Permission(IntEnum):
    """RBAR.AP: what privileged and unprivileged software may do."""

    PRIVILEGED = 0
    FULL = 1
    PRIVILEGED_READ = 2
    READ = 3


RIGHTS = {
    Permission.PRIVILEGED: (ALL_RIGHTS, NOTHING),
    Permission.FULL: (ALL_RIGHTS, ALL_RIGHTS),
    Permission.PRIVILEGED_READ: (CODE, NOTHING),
    Permission.READ: (CODE, CODE),
}
"""(Privileged, unprivileged) rights without XN."""


class RegionNumber(Layout):
    """MPU region number."""

    REGION = Bits(0, 8, "Region that RBAR and RLAR show. A number without a region is ignored.")


class RegionBase(Layout):
    """MPU region base address."""

    XN = Bits(0, 1, "1: never executable.")
    AP = Bits(1, 2, "Access permissions.", values=Permission)
    SH = Bits(3, 2, "Shareability, without effect here.")
    BASE = Bits(5, 27, "First address / 32.")


class RegionLimit(Layout):
    """MPU region limit address."""

    EN = Bits(0, 1, "1: the region counts.")
    ATTRINDX = Bits(1, 3, "Attributes in MAIR0 and MAIR1, without effect here.")
    LIMIT = Bits(5, 27, "Last address / 32.")


class MemoryAttributes(Layout):
    """Kinds of memory, without effect here."""

    ATTR = Bits(0, 32, "Four attributes of one byte each.")


class SystemControlV8(ProtectedSystemControl):
    """The system control space of a core with PMSAv8.

    Inaccuracies: kinds of memory have no effect. There is one set of registers, for the only security state.
    """

    saved: ClassVar[tuple[str, ...]] = ("_bases", "_limits", "_chosen")

    MPU_RNR = Register(0xD98, RegionNumber)
    MPU_RBAR = RegisterArray(
        0xD9C,
        RegionBase,
        "MPU region base address; with an index, of that region of the group of RNR.",
        count=GROUP,
        stride=8,
        group="MPU_REGION",
    )
    MPU_RLAR = RegisterArray(
        0xDA0,
        RegionLimit,
        "MPU region limit address; with an index, of that region of the group of RNR.",
        count=GROUP,
        stride=8,
        group="MPU_REGION",
    )
    MPU_MAIR = RegisterArray(0xDC0, MemoryAttributes, count=2)

    def _set_fixed(self) -> None:
        """What depends on the core and the machine; no regions."""
        super()._set_fixed()
        self._bases, self._limits = ([0] * self.model.mpu_regions for _ in range(2))
        self._chosen = 0

    @MPU_RNR.on_write
    def _write_number(self, value: int) -> None:
        if value < len(self._bases):
            self._chosen = value
        else:
            self.warn(f"MPU_RNR: there is no region {value}, only 0..{len(self._bases) - 1}")
        self.MPU_RNR = self._chosen

    def _region_of(self, index: int) -> int:
        """The region that RBAR and RLAR show at an index."""
        return self._chosen & -GROUP | index if index else self._chosen

    @MPU_RBAR.on_read
    def _read_base(self, index: int) -> int:
        return self._bases[self._region_of(index)]

    @MPU_RBAR.on_write
    def _write_base(self, index: int, value: int) -> None:
        self._bases[self._region_of(index)] = value & RegionBase.mask()
        self.protection_changed()

    @MPU_RLAR.on_read
    def _read_limit(self, index: int) -> int:
        return self._limits[self._region_of(index)]

    @MPU_RLAR.on_write
    def _write_limit(self, index: int, value: int) -> None:
        self._limits[self._region_of(index)] = value & RegionLimit.mask()
        self.protection_changed()

    def regions(self) -> tuple[Region, ...]:
        """The enabled regions, and where two of them overlap, which nobody may access, behind them."""
        enabled = list(self._enabled())
        overlaps = []
        for (first, one), (second, other) in combinations(enabled, 2):
            low, high = max(one.low, other.low), min(one.high, other.high)
            if low < high:
                rule = f"MPU regions {first} and {second} overlap"
                overlaps.append(Region(low, high, NOTHING, NOTHING, rule))
        return (*(region for _, region in enabled), *overlaps)

    def _enabled(self) -> Iterator[tuple[int, Region]]:
        """Number and region of every enabled one that is not empty."""
        for number, (base, limit) in enumerate(zip(self._bases, self._limits, strict=True)):
            low, high = base & RegionBase.BASE.mask, (limit & RegionLimit.LIMIT.mask) + GRAIN
            if not RegionLimit.EN.extract(limit) or low >= high:
                continue
            possible = DATA_RIGHTS if RegionBase.XN.extract(base) else ALL_RIGHTS
            permission = Permission(RegionBase.AP.extract(base))
            privileged, unprivileged = (rights & possible for rights in RIGHTS[permission])
            rule = f"MPU region {number} ({shown(privileged)}, unprivileged {shown(unprivileged)})"
            yield number, Region(low, high, privileged, unprivileged, rule)

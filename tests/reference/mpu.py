"""The permission rules of the MPU of ARMv7-M, address by address, as its architecture manual states them.

Written from the rules (B3.5: "Protected Memory System Architecture, PMSAv7"), independent of `emu.cpu`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PRIVILEGED_MAY = {0: "", 1: "rwx", 2: "rwx", 3: "rwx", 5: "rx", 6: "rx", 7: "rx"}
UNPRIVILEGED_MAY = {0: "", 1: "", 2: "rx", 3: "rwx", 5: "", 6: "rx", 7: "rx"}
"""By RASR.AP; 4 is reserved."""


@dataclass(frozen=True)
class Entry:
    """RBAR without region number and VALID, and RASR."""

    base: int
    attributes: int


def default_map_forbids_execution(address: int) -> bool:
    """Peripherals, external devices, and everything from the private peripheral bus on."""
    return address >> 29 in (2, 5, 6, 7)


def allowed(entries: Sequence[Entry], control: int, address: int, access: str, *, privileged: bool) -> bool:
    """Whether a byte may be accessed.

    Args:
        entries: by region number.
        control: MPU_CTRL; ENABLE is set.
        access: "r", "w" or "x".
    """
    if 0xE000_0000 <= address < 0xE010_0000:
        return access != "x"
    for entry in reversed(entries):
        if not entry.attributes & 1:
            continue
        size = 2 << (entry.attributes >> 1 & 31)
        if not entry.base <= address < entry.base + size:
            continue
        if size >= 256 and entry.attributes >> 8 >> (address - entry.base) * 8 // size & 1:
            continue
        permission = entry.attributes >> 24 & 7
        if access == "x" and (entry.attributes >> 28 & 1 or address >= 0xE000_0000):
            return False
        return access in (PRIVILEGED_MAY if privileged else UNPRIVILEGED_MAY)[permission]
    if not control & 4 or not privileged:
        return False
    return access != "x" or not default_map_forbids_execution(address)


@dataclass(frozen=True)
class Limits:
    """RBAR and RLAR of ARMv8-M."""

    base: int
    limit: int


def allowed_v8(entries: Sequence[Limits], control: int, address: int, access: str, *, privileged: bool) -> bool:
    """The same for ARMv8-M (PMSAv8): regions that overlap fault."""
    if 0xE000_0000 <= address < 0xE010_0000:
        return access != "x"
    hits = [entry for entry in entries if entry.limit & 1 and entry.base >> 5 <= address >> 5 <= entry.limit >> 5]
    if len(hits) > 1:
        return False
    if not hits:
        if not control & 4 or not privileged:
            return False
        return access != "x" or not default_map_forbids_execution(address)
    read_only, everybody, never = hits[0].base >> 2 & 1, hits[0].base >> 1 & 1, hits[0].base & 1
    if not privileged and not everybody:
        return False
    if access == "w":
        return not read_only
    return access != "x" or not (never or address >= 0xE000_0000)

"""What software may do where on a Cortex-M: the default memory map, and what an MPU makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from emu.cpu.hook_state import Right
from emu.cpu.protection import ADDRESS_SPACE, ALL_RIGHTS, DATA_RIGHTS, Span

PRIVATE_BUS, PRIVATE_BUS_END = 0xE000_0000, 0xE010_0000
"""The private peripheral bus: MPU regions do not apply to it. Above its start nothing is ever executable."""
NOTHING = Right(0)
DEVICE_RULE = "devices are never executable (default memory map)"
DEFAULT_MAP = (
    Span(0x0000_0000, 0x4000_0000, ALL_RIGHTS, "default memory map"),
    Span(0x4000_0000, 0x6000_0000, DATA_RIGHTS, DEVICE_RULE),
    Span(0x6000_0000, 0xA000_0000, ALL_RIGHTS, "default memory map"),
    Span(0xA000_0000, PRIVATE_BUS, DATA_RIGHTS, DEVICE_RULE),
    Span(PRIVATE_BUS, PRIVATE_BUS_END, DATA_RIGHTS, "the private peripheral bus is never executable"),
    Span(PRIVATE_BUS_END, ADDRESS_SPACE, DATA_RIGHTS, "the system space is never executable"),
)


@dataclass(frozen=True)
class Region:
    """Addresses ``low .. high - 1``, to which an MPU gives rights of its own.

    Attributes:
        rule: what gives the rights, for people.
    """

    low: int
    high: int
    privileged: Right
    unprivileged: Right
    rule: str

    def rights(self, privileged: bool) -> Right:
        """Rights on one of the levels."""
        return self.privileged if privileged else self.unprivileged


@dataclass(frozen=True)
class ProtectionRule:
    """An enabled MPU.

    Attributes:
        regions: the enabled ones; a later one counts where they overlap.
        background: privileged software may use the default memory map where no region is.
        always: it counts for HardFault, NMI and code under FAULTMASK too.
    """

    regions: tuple[Region, ...]
    background: bool
    always: bool

    def spans(self, privileged: bool) -> list[Span]:
        """What it allows on a level, from 0 to 2^32."""
        bounds = {0, ADDRESS_SPACE}
        bounds.update(bound for span in DEFAULT_MAP for bound in (span.low, span.high))
        bounds.update(bound for region in self.regions for bound in (region.low, region.high))
        spans: list[Span] = []
        for low, high in pairwise(sorted(bounds)):
            rights, rule = self._at(low, privileged)
            if spans and (spans[-1].rights, spans[-1].rule) == (rights, rule):
                spans[-1] = Span(spans[-1].low, high, rights, rule)
            else:
                spans.append(Span(low, high, rights, rule))
        return spans

    def _at(self, address: int, privileged: bool) -> tuple[Right, str]:
        """Rights at an address, and what gives them."""
        default = next(span for span in DEFAULT_MAP if address < span.high)
        if is_private(address):
            return default.rights, default.rule
        for region in reversed(self.regions):
            if region.low <= address < region.high:
                possible = DATA_RIGHTS if address >= PRIVATE_BUS else ALL_RIGHTS
                return region.rights(privileged) & possible, region.rule
        if not self.background:
            return NOTHING, "no MPU region is there"
        if not privileged:
            return NOTHING, "no MPU region is there for unprivileged software"
        return default.rights, default.rule


def shown(rights: Right) -> str:
    """Rights as people write them: "r-x"."""
    return "".join(
        letter if rights & right else "-"
        for letter, right in zip("rwx", (Right.READ, Right.WRITE, Right.EXECUTE), strict=True)
    )


def is_private(address: int) -> bool:
    """Whether an address lies on the private peripheral bus, which answers unprivileged software with a bus error."""
    return PRIVATE_BUS <= address < PRIVATE_BUS_END


def never_executable(address: int) -> bool:
    """Whether the default memory map forbids instruction fetches."""
    return any(span.low <= address < span.high and not span.rights & Right.EXECUTE for span in DEFAULT_MAP)

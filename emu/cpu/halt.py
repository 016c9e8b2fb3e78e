"""Why native execution stops, and why the bus refuses an access: what all engines tell a core."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from emu.bus import Bus
from emu.cpu.hook_state import Right
from emu.cpu.protection import Protection
from emu.memory import Memory

ACCESS_WORD = {Right.READ: "read", Right.WRITE: "write", Right.EXECUTE: "execute"}


class Halt(Enum):
    """Why `execute` came back."""

    DEADLINE = "the clock reached its deadline"
    REQUEST = "`request_stop` was called"
    SITE = "the next block contains an instruction of `sites`"
    WATCH = "a register of `watch` has changed"
    EXCEPTION = "a pending exception has to be taken"
    TRAP = "an exception of the instruction set, number in `trap`"
    FETCH = "the next block has an instruction that memory protection does not allow to fetch"
    FAULT = "a memory access that the bus refuses, see `fault`"
    INVALID = "an instruction that Unicorn does not know or gives up"
    EXIT = "the next instruction is one of `exits`"
    STEP = "one instruction was executed"
    SLEEP = "the core waits for an interrupt"


@dataclass(frozen=True)
class AccessFault:
    """A memory access that the bus refuses.

    Attributes:
        address: exact address of the data, or of the instruction that cannot be fetched.
        access: what was tried.
        text: the rule that was broken, with the address.
        protected: memory protection refuses it, not the bus.
    """

    address: int
    access: Right
    text: str
    protected: bool = False


def refusal(bus: Bus, protection: Protection | None, address: int, access: Right) -> AccessFault:
    """The fault of an access at ``address`` that ``protection``, else the bus, refuses."""
    if protection is not None and not protection.allows(address, 1, access):
        place = f"{ACCESS_WORD[access]} at 0x{address:08x}"
        return AccessFault(address, access, f"{place}: {protection.span_at(address).rule}", protected=True)
    return AccessFault(address, access, why_refused(bus, address, access))


def why_refused(bus: Bus, address: int, access: Right) -> str:
    """The rule that an access at ``address`` breaks, for people."""
    place = f"{ACCESS_WORD[access]} at 0x{address:08x}: "
    found = bus.find(address)
    if found is None:
        return f"{place}nothing is mapped at 0x{address:08x}"
    region = found[1]
    if not isinstance(region, Memory):
        return f"{place}{region.name} is a device, not code"
    if region.is_blocked(address - region.base, 1):
        return f"{place}{region.block_reason}"
    if access is Right.EXECUTE:
        return f"{place}execute from {region.name} (not executable)"
    return f"{place}write to {region.name} (read-only)"

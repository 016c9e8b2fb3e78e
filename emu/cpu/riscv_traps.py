"""The privileged state of an RV32 hart with M- and U-mode: what traps save, mask and restore."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from asm.bits import Field, Layout

INTERRUPT = 1 << 31
"""Bit of mcause that tells interrupts from exceptions."""
VECTORED = 1
"""Value of mtvec's mode field."""


class Privilege(IntEnum):
    """Privilege modes; S-mode is not there."""

    USER = 0
    MACHINE = 3


class Cause(IntEnum):
    """Exception codes of mcause that this hart raises."""

    INSTRUCTION_ACCESS_FAULT = 1
    ILLEGAL_INSTRUCTION = 2
    BREAKPOINT = 3
    LOAD_ADDRESS_MISALIGNED = 4
    LOAD_ACCESS_FAULT = 5
    STORE_ADDRESS_MISALIGNED = 6
    STORE_ACCESS_FAULT = 7
    CALL_FROM_USER = 8
    CALL_FROM_MACHINE = 11

    @property
    def kind(self) -> str:
        """The name in running text: "load access fault"."""
        return self.name.lower().replace("_", " ")


class Interrupt(IntEnum):
    """Interrupt codes of mcause, bit numbers of mie and mip; the most urgent first."""

    EXTERNAL = 11
    SOFTWARE = 3
    TIMER = 7


INTERRUPT_BITS = sum(1 << number for number in Interrupt)


class Status(Layout):
    """mstatus."""

    MIE = Field(3, 1, "Interrupts are enabled in M-mode; in U-mode they always are.")
    MPIE = Field(7, 1, "MIE before the trap.")
    MPP = Field(11, 2, "Privilege before the trap.", values=Privilege)
    MPRV = Field(17, 1, "Loads and stores use MPP's privilege.")
    TW = Field(21, 1, "wfi in U-mode is illegal.")


PRIVILEGES = frozenset(map(int, Privilege))
STATUS_BITS = Status.mask()


@dataclass
class PrivilegedState:
    """Registers and rules of trap entry and return. ``mip`` is the level of the interrupt lines."""

    privilege: Privilege = Privilege.MACHINE
    mstatus: int = 0
    mie: int = 0
    mip: int = 0
    mtvec: int = 0
    mscratch: int = 0
    mepc: int = 0
    mcause: int = 0
    mtval: int = 0
    mcounteren: int = 0

    def reset(self) -> None:
        """Power-up state; the interrupt lines stay as they are driven."""
        mip = self.mip
        self.__init__(mip=mip)  # type: ignore[misc]  # every field back to the default that stands above

    @property
    def handler(self) -> int:
        """Where exceptions go."""
        return self.mtvec & ~3

    @property
    def data_privilege(self) -> Privilege:
        """Whose rights loads and stores have."""
        if Status.MPRV.extract(self.mstatus):
            return Privilege(Status.MPP.extract(self.mstatus))
        return self.privilege

    @property
    def wakes(self) -> bool:
        """Whether wfi ends: an interrupt is pending and enabled in mie, whatever mstatus.MIE says."""
        return self.mip & self.mie != 0

    def pending_interrupt(self) -> Interrupt | None:
        """The interrupt to take before the next instruction."""
        ready = self.mip & self.mie
        if not ready or (self.privilege is Privilege.MACHINE and not Status.MIE.extract(self.mstatus)):
            return None
        return next((number for number in Interrupt if ready >> number & 1), None)

    def enter_interrupt(self, number: Interrupt, pc: int) -> int:
        """Save the state before the instruction at ``pc``; returns the handler's address."""
        self._enter(INTERRUPT | number.value, pc, 0)
        return (self.handler + 4 * number) & 0xFFFF_FFFF if self.mtvec & 3 == VECTORED else self.handler

    def enter_exception(self, cause: Cause, pc: int, value: int) -> int:
        """Save the state of the instruction at ``pc`` with ``value`` for mtval; returns the handler's address."""
        self._enter(cause.value, pc, value)
        return self.handler

    def _enter(self, mcause: int, pc: int, value: int) -> None:
        status = Status.MPIE.insert(self.mstatus, Status.MIE.extract(self.mstatus))
        status = Status.MPP.insert(status, self.privilege)
        self.mstatus = Status.MIE.insert(status, 0)
        self.privilege = Privilege.MACHINE
        self.mcause, self.mepc, self.mtval = mcause, pc, value

    def leave(self) -> int:
        """mret: back to what the trap interrupted; returns the address to go on at."""
        self.privilege = Privilege(Status.MPP.extract(self.mstatus))
        status = Status.MIE.insert(self.mstatus, Status.MPIE.extract(self.mstatus))
        status = Status.MPIE.insert(status, 1)
        status = Status.MPP.insert(status, Privilege.USER)
        self.mstatus = status if self.privilege is Privilege.MACHINE else Status.MPRV.insert(status, 0)
        return self.mepc

    def write_mstatus(self, value: int) -> None:
        """Keep the bits that exist; a privilege that does not exist leaves MPP as it was."""
        if Status.MPP.extract(value) not in PRIVILEGES:
            value = Status.MPP.insert(value, Status.MPP.extract(self.mstatus))
        self.mstatus = value & STATUS_BITS

    def write_mtvec(self, value: int) -> None:
        """Bits 1..0 are the mode, direct or vectored; a write with another mode changes nothing."""
        if value & 3 <= VECTORED:
            self.mtvec = value

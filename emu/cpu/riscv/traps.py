"""The privileged state of an RV32 hart with M- and U-mode: what traps save, mask and restore."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from asm.bits import Field, Layout
from emu.cpu.riscv.state import HART_SLOTS, NOTHING, HartSlot, HartWord, level_of
from emu.state import Saved

INTERRUPT = 1 << 31
"""Bit of mcause that tells interrupts from exceptions."""
ENDLESS_FAULTS = 256
"""Rounds of a handler that faults."""
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
RESET_TO_0 = (
    *(HartSlot.MSTATUS, HartSlot.MIE, HartSlot.MTVEC, HartSlot.MSCRATCH, HartSlot.MEPC, HartSlot.MCAUSE),
    *(HartSlot.MTVAL, HartSlot.MCOUNTEREN, HartSlot.REPEATED_CAUSE, HartSlot.REPETITIONS),
)


class PrivilegedState(Saved):
    """Registers and rules of trap entry and return. ``mip`` is the level of the interrupt lines.

    Attributes:
        array: what native code shares, see `riscv.state`.
        words: a view of it, through which Python reads and writes single words faster.
    """

    saved = (
        *("privilege", "mstatus", "mie", "mip", "mtvec", "mscratch", "mepc", "mcause", "mtval", "mcounteren"),
        *("repeated_pc", "repeated_cause", "repetitions"),
    )

    mstatus = HartWord(HartSlot.MSTATUS)
    mie = HartWord(HartSlot.MIE)
    mip = HartWord(HartSlot.MIP)
    mtvec = HartWord(HartSlot.MTVEC)
    mscratch = HartWord(HartSlot.MSCRATCH)
    mepc = HartWord(HartSlot.MEPC)
    mcause = HartWord(HartSlot.MCAUSE)
    mtval = HartWord(HartSlot.MTVAL)
    mcounteren = HartWord(HartSlot.MCOUNTEREN)
    repeated_pc = HartWord(HartSlot.REPEATED_PC)
    repeated_cause = HartWord(HartSlot.REPEATED_CAUSE)
    repetitions = HartWord(HartSlot.REPETITIONS)

    def __init__(self) -> None:
        self.array = np.zeros(HART_SLOTS, np.int64)
        self.words = self.array.data
        self.reset()

    def reset(self) -> None:
        """Power-up state; the interrupt lines stay as they are driven."""
        for slot in RESET_TO_0:
            self.words[slot] = 0
        self.privilege, self.repeated_pc = Privilege.MACHINE, NOTHING

    @property
    def privilege(self) -> Privilege:
        """What runs."""
        return Privilege(self.words[HartSlot.PRIVILEGE])

    @privilege.setter
    def privilege(self, privilege: Privilege) -> None:
        self.words[HartSlot.PRIVILEGE] = privilege

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
    def level(self) -> int:
        """See `riscv.state.level_of`."""
        return level_of(self.privilege, self.data_privilege)

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

    def repeats(self, cause: Cause, pc: int) -> bool:
        """Note an exception; whether its handler never gets further.

        That is one that faults at its first instruction, or at the same one again and again.
        """
        if (pc, cause) != (self.repeated_pc, self.repeated_cause):
            self.repeated_pc, self.repeated_cause, self.repetitions = pc, cause, 0
        self.repetitions += 1
        return pc == self.handler or self.repetitions > ENDLESS_FAULTS

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
        self.repetitions = 0
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

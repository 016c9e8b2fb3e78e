"""The RISC-V instructions that do not execute natively: what they ask for, and why one is illegal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from emu.bus import Bus
from emu.memory import Memory

ECALL, EBREAK, COMPRESSED_EBREAK = 0x0000_0073, 0x0010_0073, 0x9002
MRET, WFI = 0x3020_0073, 0x1050_0073
SEMIHOSTING_ENTRY, SEMIHOSTING_EXIT = 0x01F0_1013, 0x4070_5013
"""slli x0,x0,0x1f before and srai x0,x0,7 after an ebreak make it a semihosting call."""
SYSTEM, LOAD, ATOMIC = 0x73, 0x03, 0x2F
COMPRESSED_LOAD, COMPRESSED_STACK_LOAD = 0x4000, 0x4002

MISSING_EXTENSIONS = {
    0x07: "loads of the F and D extensions",
    0x27: "stores of the F and D extensions",
    ATOMIC: "atomic instructions (A extension)",
    0x43: "floating-point instructions",
    0x47: "floating-point instructions",
    0x4B: "floating-point instructions",
    0x4F: "floating-point instructions",
    0x53: "floating-point instructions",
    0x57: "vector instructions",
}
MISSING_SYSTEM = {0x1020_0073: "sret (S-mode)", 0x0020_0073: "uret (user-level interrupts)", 0x7B20_0073: "dret"}
SFENCE_FUNCTION = 0x09
MISSING_COMPRESSED = {0b001: "c.fld", 0b011: "c.flw", 0b101: "c.fsd", 0b111: "c.fsw"}
"""By funct3, in the quadrants 0 and (with the stack pointer) 2."""


class CsrOperation(IntEnum):
    """What a CSR instruction does with the old value and its operand."""

    WRITE = 1
    SET = 2
    CLEAR = 3


@dataclass(frozen=True)
class CsrInstruction:
    """csrrw, csrrs, csrrc and their immediate forms.

    Attributes:
        source: number of the source register, or the operand itself if ``immediate``.
    """

    csr: int
    operation: CsrOperation
    destination: int
    source: int
    immediate: bool

    @property
    def writes(self) -> bool:
        """Setting or clearing no bits by x0 or 0 is only a read."""
        return self.operation is CsrOperation.WRITE or self.source != 0

    def result(self, old: int, operand: int) -> int:
        """What is written."""
        if self.operation is CsrOperation.SET:
            return old | operand
        return old & ~operand if self.operation is CsrOperation.CLEAR else operand


@lru_cache(maxsize=1024)
def decode_csr(word: int) -> CsrInstruction | None:
    """The CSR instruction ``word``, None if it is another instruction."""
    function = word >> 12 & 7
    if word & 0x7F != SYSTEM or function & 3 == 0:
        return None
    return CsrInstruction(word >> 20, CsrOperation(function & 3), word >> 7 & 31, word >> 15 & 31, function >= 4)


def load_address(word: int, read_x: Callable[[int], int]) -> int | None:
    """Where the load ``word`` reads, with the registers as ``read_x`` gives them; None if it is no load."""
    if word & 0x7F == LOAD:
        base, offset = word >> 15 & 31, (word >> 20) - (word >> 31 << 12)
    elif word & 0xE003 == COMPRESSED_LOAD:
        base, offset = 8 + (word >> 7 & 7), (word >> 5 & 1) << 6 | (word >> 10 & 7) << 3 | (word >> 6 & 1) << 2
    elif word & 0xE003 == COMPRESSED_STACK_LOAD:
        base, offset = 2, (word >> 2 & 3) << 6 | (word >> 12 & 1) << 5 | (word >> 4 & 7) << 2
    else:
        return None
    return read_x(base) + offset & 0xFFFF_FFFF


def instruction_at(bus: Bus, pc: int) -> int:
    """The instruction at ``pc`` as 16 or 32 bits; 0 where no memory is."""
    found = bus.find(pc)
    if found is None:
        return 0
    base, region = found
    if not isinstance(region, Memory):
        return 0
    word = int.from_bytes(region.data[pc - base : pc - base + 4], "little")
    return word if word & 3 == 3 else word & 0xFFFF


def why_illegal(word: int, *, atomics: bool = False) -> str:
    """One line for people about an instruction that does not exist on RV32IMC, or on RV32IMAC."""
    if word & 3 != 3:
        text = f"0x{word:04x}"
        if word == 0:
            return f"{text}: all zeros, probably not code"
        if word & 1 == 0 and word >> 13 in MISSING_COMPRESSED:
            return f"{text}: {MISSING_COMPRESSED[word >> 13]} is not part of RV32IMC"
        return f"{text}: not an RV32IMC instruction"
    text = f"0x{word:08x}"
    if word == 0xFFFF_FFFF:
        return f"{text}: all ones, probably erased flash"
    if atomics and word & 0x7F == ATOMIC:
        return f"{text}: not an RV32IMAC instruction"
    if word & 0x7F in MISSING_EXTENSIONS:
        return f"{text}: {MISSING_EXTENSIONS[word & 0x7F]} are not part of RV32IMC"
    if word in MISSING_SYSTEM:
        return f"{text}: {MISSING_SYSTEM[word]} is not modelled"
    if word & 0x7FFF == SYSTEM and word >> 25 == SFENCE_FUNCTION:
        return f"{text}: sfence.vma (S-mode) is not modelled"
    return f"{text}: not an RV32IMC instruction"

"""The A extension of the RV32 hart: loads and stores that no other bus master comes between.

*Inaccuracies*: a reservation is for one word. A store of the hart itself does not end it, which the specification
allows; that of another bus master does. A store-conditional that fails does not access memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import ClassVar

from emu.bus import Bus
from emu.cpu.halt import AccessFault, refusal
from emu.cpu.hook_state import Right
from emu.cpu.protection import Protection
from emu.cpu.riscv.decode import ATOMIC
from emu.cpu.riscv.state import NOTHING, HartSlot
from emu.device import Device
from emu.memory import Memory
from emu.state import Saved

WORD_BYTES, WORD_MASK = 4, 0xFFFF_FFFF
WORD_WIDTH = 2
SUCCESS, FAILURE = 0, 1
"""Results of a store-conditional."""


class AtomicOperation(IntEnum):
    """Bits 31..27 of the instruction."""

    ADD = 0
    SWAP = 1
    LOAD_RESERVED = 2
    STORE_CONDITIONAL = 3
    XOR = 4
    OR = 8
    AND = 12
    MINIMUM = 16
    MAXIMUM = 20
    MINIMUM_UNSIGNED = 24
    MAXIMUM_UNSIGNED = 28


@dataclass(frozen=True)
class AtomicInstruction:
    """lr.w, sc.w and amo*.w; ``address`` and ``source`` are numbers of registers."""

    operation: AtomicOperation
    destination: int
    address: int
    source: int

    @property
    def access(self) -> Right:
        """What a fault of it is called."""
        return Right.READ if self.operation is AtomicOperation.LOAD_RESERVED else Right.WRITE


@lru_cache(maxsize=1024)
def decode_atomic(word: int) -> AtomicInstruction | None:
    """The instruction ``word`` of the A extension, None if it is another one."""
    if word & 0x7F != ATOMIC or word >> 12 & 7 != WORD_WIDTH or word >> 27 not in tuple(AtomicOperation):
        return None
    operation, source = AtomicOperation(word >> 27), word >> 20 & 31
    if operation is AtomicOperation.LOAD_RESERVED and source != 0:
        return None
    return AtomicInstruction(operation, word >> 7 & 31, word >> 15 & 31, source)


def combine(operation: AtomicOperation, old: int, operand: int) -> int:
    """What an AMO stores; all unsigned, 32 bits."""
    if operation is AtomicOperation.SWAP:
        return operand
    if operation is AtomicOperation.ADD:
        return old + operand & WORD_MASK
    if operation is AtomicOperation.XOR:
        return old ^ operand
    if operation is AtomicOperation.OR:
        return old | operand
    if operation is AtomicOperation.AND:
        return old & operand
    if operation is AtomicOperation.MINIMUM_UNSIGNED:
        return min(old, operand)
    if operation is AtomicOperation.MAXIMUM_UNSIGNED:
        return max(old, operand)
    sign = 1 << 31  # the order of signed numbers is that of unsigned ones with the sign turned over
    choose = min if operation is AtomicOperation.MINIMUM else max
    return choose(old ^ sign, operand ^ sign) ^ sign


class RefusedError(Exception):
    """Bus or memory protection refuses the access; carries the `AccessFault`."""

    def __init__(self, fault: AccessFault) -> None:
        super().__init__(fault.text)
        self.fault = fault


class Atomics(Saved):
    """Carries the instructions out.

    Args:
        bus: where memory and devices are.
        words: the hart's array, see `riscv.state`.
    """

    saved = ("reservation",)
    saved_types: ClassVar = {"reservation": int | None}

    def __init__(self, bus: Bus, words: memoryview) -> None:
        self._bus, self._words = bus, words
        self.reservation = None

    @property
    def reservation(self) -> int | None:
        """Address of the word that the newest lr.w has read, None if sc.w would fail."""
        address = self._words[HartSlot.RESERVATION]
        return None if address == NOTHING else address

    @reservation.setter
    def reservation(self, address: int | None) -> None:
        self._words[HartSlot.RESERVATION] = NOTHING if address is None else address

    def written(self, address: int, count: int) -> None:
        """Another bus master has written."""
        if self.reservation is not None and address - WORD_BYTES < self.reservation < address + count:
            self.reservation = None

    def execute(self, instruction: AtomicInstruction, address: int, operand: int, protection: Protection | None) -> int:
        """Carry out an instruction at a word's address; returns what its destination register gets.

        Raises:
            RefusedError: the access is not allowed.
        """
        operation = instruction.operation
        if operation is AtomicOperation.STORE_CONDITIONAL:
            reserved, self.reservation = self.reservation, None
            if reserved != address:
                return FAILURE
        base, region = self._find(address, instruction.access, protection)
        if operation is AtomicOperation.STORE_CONDITIONAL:
            self._store(base, region, address, operand)
            return SUCCESS
        old = self._load(base, region, address)
        if operation is AtomicOperation.LOAD_RESERVED:
            self.reservation = address
        else:
            self._store(base, region, address, combine(operation, old, operand))
        return old

    def _find(self, address: int, access: Right, protection: Protection | None) -> tuple[int, Memory | Device]:
        found = self._bus.find(address)
        if found is not None and (protection is None or protection.allows(address, WORD_BYTES, access)):
            base, region = found
            if not isinstance(region, Memory) or (
                not region.is_blocked(address - base, WORD_BYTES) and (access is Right.READ or region.writable)
            ):
                return found
        raise RefusedError(refusal(self._bus, protection, address, access))

    def _load(self, base: int, region: Memory | Device, address: int) -> int:
        if isinstance(region, Device):
            return region.read(address - base, WORD_BYTES)
        return int.from_bytes(self._bus.read(address, WORD_BYTES), "little")

    def _store(self, base: int, region: Memory | Device, address: int, value: int) -> None:
        if isinstance(region, Device):
            region.write(address - base, WORD_BYTES, value)
        else:
            reservation = self.reservation
            self._bus.write(address, value.to_bytes(WORD_BYTES, "little"))
            self.reservation = reservation

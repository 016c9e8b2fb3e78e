"""What traps, CSR instructions and atomics do to an RV32 hart, in native code: the usual part, for both engines.

`emu.cpu.riscv.traps`, `emu.cpu.riscv.csr` and `emu.cpu.riscv.atomics` say the same in Python, and are the definition.
These functions decide first whether they can do all of it; where they cannot (other registers, an illegal instruction,
a device, memory protection that native code does not know yet, ...), they change nothing, give `LEFT`, and Python does
it.

This file becomes native code, see `emu.cpu.translation.module`; ``hart`` is the address of the array that
`emu.cpu.riscv.state` describes.
"""

from __future__ import annotations

from emu.cpu.native_calls import read_32, read_64, write_32, write_64
from emu.cpu.riscv.atomics import FAILURE, SUCCESS, WORD_WIDTH, AtomicOperation
from emu.cpu.riscv.decode import CsrOperation
from emu.cpu.riscv.state import NOTHING, HartSlot, level_of
from emu.cpu.riscv.traps import (
    ENDLESS_FAULTS,
    INTERRUPT,
    INTERRUPT_BITS,
    STATUS_BITS,
    VECTORED,
    Cause,
    Interrupt,
    Privilege,
    Status,
)

PRIVILEGE, MSTATUS, MIE, MIP, MTVEC = map(
    int, (HartSlot.PRIVILEGE, HartSlot.MSTATUS, HartSlot.MIE, HartSlot.MIP, HartSlot.MTVEC)
)
MSCRATCH, MEPC, MCAUSE, MTVAL, MCOUNTEREN = map(
    int, (HartSlot.MSCRATCH, HartSlot.MEPC, HartSlot.MCAUSE, HartSlot.MTVAL, HartSlot.MCOUNTEREN)
)
CYCLE_OFFSET, INSTRET_OFFSET, RESERVATION = map(
    int, (HartSlot.CYCLE_OFFSET, HartSlot.INSTRET_OFFSET, HartSlot.RESERVATION)
)
REPEATED_PC, REPEATED_CAUSE, REPETITIONS = map(
    int, (HartSlot.REPEATED_PC, HartSlot.REPEATED_CAUSE, HartSlot.REPETITIONS)
)
NATIVE, HAS_ATOMICS, PROTECTS, UNIT_COSTS = map(
    int, (HartSlot.NATIVE, HartSlot.HAS_ATOMICS, HartSlot.PROTECTS, HartSlot.UNIT_COSTS)
)
LEVEL, READY = int(HartSlot.LEVEL), int(HartSlot.READY)
CALL_FROM_USER, CALL_FROM_MACHINE = int(Cause.CALL_FROM_USER), int(Cause.CALL_FROM_MACHINE)
EXTERNAL, SOFTWARE, TIMER = int(Interrupt.EXTERNAL), int(Interrupt.SOFTWARE), int(Interrupt.TIMER)
USER, MACHINE = int(Privilege.USER), int(Privilege.MACHINE)
STATUS_MIE, STATUS_MPIE, STATUS_MPP, STATUS_MPRV = (
    field.mask for field in (Status.MIE, Status.MPIE, Status.MPP, Status.MPRV)
)
MPIE_OVER_MIE = STATUS_MPIE // STATUS_MIE
MPP_SHIFT = Status.MPP.low
WRITE, SET = int(CsrOperation.WRITE), int(CsrOperation.SET)
ADD, SWAP, LOAD_RESERVED, STORE_CONDITIONAL, XOR, OR, AND, MINIMUM, MAXIMUM, MINIMUM_UNSIGNED, MAXIMUM_UNSIGNED = map(
    int, AtomicOperation
)
SIGN = 1 << 31

# Numbers of registers; those of the traps stand in the same order as their slots.
CSR_MSTATUS, CSR_MIE, CSR_MTVEC, CSR_MCOUNTEREN = 0x300, 0x304, 0x305, 0x306
CSR_MSCRATCH, CSR_MEPC, CSR_MTVAL, CSR_MIP = 0x340, 0x341, 0x343, 0x344
CSR_MVENDORID, CSR_MCONFIGPTR = 0xF11, 0xF15
COUNTERS, COUNTERS_HIGH, USER_COUNTERS, USER_COUNTERS_HIGH = 0xB00, 0xB80, 0xC00, 0xC80
CYCLE, INSTRET = 0, 2
"""What is added to these."""
COUNTER_ENABLES = 7

WORD = 0xFFFF_FFFF
LEFT = -1
"""Nothing has changed, Python has to do it."""
NONE = -2
"""There is no interrupt to take."""


def get(hart: int, slot: int) -> int:
    """A word of the hart's array."""
    return read_64(hart + 8 * slot)


def put(hart: int, slot: int, value: int) -> None:
    """Set it."""
    write_64(hart + 8 * slot, value)


def native(hart: int) -> bool:
    """Whether these functions may be used."""
    return get(hart, NATIVE) != 0


# Traps
def data_privilege(privilege: int, status: int) -> int:
    """Whose rights loads and stores have."""
    return status >> MPP_SHIFT & 3 if status & STATUS_MPRV else privilege


def can_follow(hart: int, privilege: int, status: int) -> bool:
    """Whether native code can let the rights count that memory protection gives to a privilege and mstatus."""
    level = level_of(privilege, data_privilege(privilege, status))
    return get(hart, PROTECTS) == 0 or level == get(hart, LEVEL) or get(hart, READY) >> level & 1 != 0


def new_level(hart: int) -> int:
    """The level whose rights have to count from now on, `NONE` if they do already."""
    privilege = get(hart, PRIVILEGE)
    level = level_of(privilege, data_privilege(privilege, get(hart, MSTATUS)))
    return NONE if get(hart, PROTECTS) == 0 or level == get(hart, LEVEL) else level


def pending(hart: int) -> int:
    """Code of the interrupt to take before the next instruction, `NONE` if there is none."""
    ready = get(hart, MIP) & get(hart, MIE)
    if ready == 0 or (get(hart, PRIVILEGE) == MACHINE and get(hart, MSTATUS) & STATUS_MIE == 0):
        return NONE
    if ready >> EXTERNAL & 1:
        return EXTERNAL
    if ready >> SOFTWARE & 1:
        return SOFTWARE
    return TIMER if ready >> TIMER & 1 else NONE


def status_in_trap(hart: int) -> int:
    """mstatus as a trap leaves it."""
    status = get(hart, MSTATUS)
    kept = status & ~(STATUS_MPIE | STATUS_MPP | STATUS_MIE)
    return kept | (status & STATUS_MIE) * MPIE_OVER_MIE | get(hart, PRIVILEGE) << MPP_SHIFT


def enter(hart: int, mcause: int, pc: int) -> None:
    """Save the state at ``pc``."""
    put(hart, MSTATUS, status_in_trap(hart))
    put(hart, PRIVILEGE, MACHINE)
    put(hart, MCAUSE, mcause)
    put(hart, MEPC, pc)
    put(hart, MTVAL, 0)


def take_interrupt(hart: int, pc: int) -> int:
    """Take the pending interrupt before the instruction at ``pc``: address of the handler, `NONE` or `LEFT`."""
    number = pending(hart)
    if number == NONE:
        return NONE
    if not can_follow(hart, MACHINE, status_in_trap(hart)):
        return LEFT
    enter(hart, INTERRUPT | number, pc)
    vector = get(hart, MTVEC)
    return (vector & ~3) + 4 * number & WORD if vector & 3 == VECTORED else vector & ~3


def call(hart: int, pc: int) -> int:
    """The ecall at ``pc``: address of the handler, or `LEFT`."""
    cause = CALL_FROM_MACHINE if get(hart, PRIVILEGE) == MACHINE else CALL_FROM_USER
    handler = get(hart, MTVEC) & ~3
    again = get(hart, REPEATED_PC) == pc and get(hart, REPEATED_CAUSE) == cause
    repetitions = get(hart, REPETITIONS) + 1 if again else 1
    if get(hart, UNIT_COSTS) == 0 or pc == handler or repetitions > ENDLESS_FAULTS:
        return LEFT
    if not can_follow(hart, MACHINE, status_in_trap(hart)):
        return LEFT
    put(hart, REPEATED_PC, pc)
    put(hart, REPEATED_CAUSE, cause)
    put(hart, REPETITIONS, repetitions)
    enter(hart, cause, pc)
    return handler


def leave(hart: int) -> int:
    """mret: where the hart goes on, or `LEFT`."""
    status = get(hart, MSTATUS)
    privilege = status >> MPP_SHIFT & 3
    after = status & ~(STATUS_MIE | STATUS_MPP) | (status & STATUS_MPIE) // MPIE_OVER_MIE | STATUS_MPIE
    if privilege != MACHINE:
        after &= ~STATUS_MPRV
    if get(hart, PRIVILEGE) != MACHINE or not can_follow(hart, privilege, after):
        return LEFT
    put(hart, MSTATUS, after)
    put(hart, PRIVILEGE, privilege)
    put(hart, REPETITIONS, 0)
    return get(hart, MEPC)


# Control and status registers
def slot_of(number: int) -> int:
    """Where a register is stored, `LEFT` for one that is not."""
    if CSR_MSCRATCH <= number <= CSR_MTVAL:
        return MSCRATCH + number - CSR_MSCRATCH
    if number == CSR_MSTATUS:
        return MSTATUS
    if number == CSR_MIE:
        return MIE
    if number == CSR_MTVEC:
        return MTVEC
    if number == CSR_MCOUNTEREN:
        return MCOUNTEREN
    return MIP if number == CSR_MIP else LEFT


def counter_of(hart: int, number: int) -> int:
    """Slot of the counter that a register is a half of; `LEFT`: none, or one that cannot be read here."""
    part = number & 0x7F
    known = number - part in (COUNTERS, COUNTERS_HIGH, USER_COUNTERS, USER_COUNTERS_HIGH)
    if not known or (part != CYCLE and part != INSTRET) or get(hart, PRIVILEGE) != MACHINE:
        return LEFT
    slot = CYCLE_OFFSET if part == CYCLE else INSTRET_OFFSET
    if get(hart, slot + 1) != 0 or get(hart, UNIT_COSTS) == 0:
        return LEFT
    return slot


def read_csr(hart: int, number: int, cycles: int, instructions: int) -> int:
    """A register's value, or `LEFT`; ``cycles`` and ``instructions``: before the instruction that reads."""
    slot = slot_of(number)
    if slot != LEFT:
        return get(hart, slot)
    if CSR_MVENDORID <= number <= CSR_MCONFIGPTR:
        return 0
    slot = counter_of(hart, number)
    if slot == LEFT:
        return LEFT
    count = get(hart, slot) + (cycles if slot == CYCLE_OFFSET else instructions)
    return (count >> 32 if number & 0x80 else count) & WORD


def write_counter(hart: int, number: int, value: int, source: int) -> None:
    """Set a half of a counter; the instruction that does so must not count."""
    slot = counter_of(hart, number)
    count = get(hart, slot) + source
    count = value << 32 | count & WORD if number & 0x80 else count & ~WORD | value
    put(hart, slot, count - source - 1)


def write_csr(hart: int, number: int, value: int, cycles: int, instructions: int) -> bool:
    """Write a register that `read_csr` reads; False if Python has to do it."""
    slot = slot_of(number)
    if slot == LEFT:
        write_counter(hart, number, value, cycles if number & 0x7F == CYCLE else instructions)
    elif slot == MSTATUS:
        mode = value & STATUS_MPP
        if mode != USER << MPP_SHIFT and mode != MACHINE << MPP_SHIFT:
            value = value & ~STATUS_MPP | get(hart, MSTATUS) & STATUS_MPP
        value &= STATUS_BITS
        if not can_follow(hart, get(hart, PRIVILEGE), value):
            return False
        put(hart, MSTATUS, value)
    elif slot == MIE:
        put(hart, MIE, value & INTERRUPT_BITS)
    elif slot == MTVEC:
        if value & 3 <= VECTORED:
            put(hart, MTVEC, value)
    elif slot == MCOUNTEREN:
        put(hart, MCOUNTEREN, value & COUNTER_ENABLES)
    elif slot == MEPC:
        put(hart, MEPC, value & ~1)
    elif slot != MIP:
        put(hart, slot, value)
    return True


def access_csr(hart: int, word: int, operand: int, cycles: int, instructions: int) -> int:
    """Carry out a CSR instruction with the value of its source register: what the register held before, or `LEFT`."""
    number, operation = word >> 20, word >> 12 & 3
    if word >> 14 & 1:
        operand = word >> 15 & 31
    writes = operation == WRITE or word >> 15 & 31 != 0
    if operation == 0 or number >> 8 & 3 > get(hart, PRIVILEGE) or (writes and number >> 10 == 3):
        return LEFT
    old = read_csr(hart, number, cycles, instructions)
    if old == LEFT or not writes:
        return old
    value = operand
    if operation != WRITE:
        value = old | operand if operation == SET else old & ~operand
    return old if write_csr(hart, number, value, cycles, instructions) else LEFT


# Atomics
def combine(operation: int, old: int, operand: int) -> int:
    """What an AMO stores, `LEFT` if it is none."""
    if operation == SWAP:
        return operand
    if operation == ADD:
        return old + operand & WORD
    if operation == XOR:
        return old ^ operand
    if operation == OR:
        return old | operand
    if operation == AND:
        return old & operand
    if operation == MINIMUM_UNSIGNED:
        return min(old, operand)
    if operation == MAXIMUM_UNSIGNED:
        return max(old, operand)
    if operation == MINIMUM:
        return min(old ^ SIGN, operand ^ SIGN) ^ SIGN
    return max(old ^ SIGN, operand ^ SIGN) ^ SIGN if operation == MAXIMUM else LEFT


def loads_only(word: int) -> bool:
    """Whether an atomic instruction does not store."""
    return word >> 27 == LOAD_RESERVED


def execute_atomic(hart: int, word: int, address: int, operand: int, host: int) -> int:
    """Carry out an atomic instruction: what its destination register gets, or `LEFT`.

    ``host``: where the word at ``address`` is in plain memory that may be accessed like this, 0 if it is not.
    """
    operation = word >> 27
    if get(hart, HAS_ATOMICS) == 0 or word >> 12 & 7 != WORD_WIDTH or address & 3 != 0:
        return LEFT
    if operation == STORE_CONDITIONAL and get(hart, RESERVATION) != address:
        put(hart, RESERVATION, NOTHING)
        return FAILURE
    if host == 0:
        return LEFT
    if operation == STORE_CONDITIONAL:
        put(hart, RESERVATION, NOTHING)
        write_32(host, operand)
        return SUCCESS
    old = read_32(host)
    if operation == LOAD_RESERVED:
        if word >> 20 & 31 != 0:
            return LEFT
        put(hart, RESERVATION, address)
        return old
    stored = combine(operation, old, operand)
    if stored == LEFT:
        return LEFT
    write_32(host, stored)
    return old

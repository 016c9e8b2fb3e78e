"""Traps of RV32 in native code, without leaving Unicorn's run: what `emu.cpu.riscv.native` can do, on its registers.

This file becomes native code, see `emu.cpu.translation.module`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unicorn import riscv_const, unicorn_const

from emu.clock import NOW
from emu.cpu.arm.exception_state import Taken
from emu.cpu.block_hook import register
from emu.cpu.hook_state import PAGE_BITS, Request, Right, Slot
from emu.cpu.native_calls import Int32, UInt32, Words, bytes_at, call_2, call_3, call_batch, unsigned_at, words_at
from emu.cpu.native_rights import let_count
from emu.cpu.riscv.decode import ATOMIC, ECALL, MRET, SYSTEM
from emu.cpu.riscv.native import (
    LEFT,
    NONE,
    access_csr,
    call,
    execute_atomic,
    get,
    leave,
    loads_only,
    native,
    new_level,
    pending,
    put,
    take_interrupt,
)
from emu.cpu.riscv.state import RIGHTS_WORDS, HartSlot

CLOCK, INSTRUCTIONS, REQUEST, HART = map(int, (Slot.CLOCK, Slot.INSTRUCTIONS, Slot.REQUEST, Slot.HART))
BLOCK_PC, BLOCK_SIZE, NEXT, TAKEN = map(int, (Slot.BLOCK_PC, Slot.BLOCK_SIZE, Slot.NEXT, Slot.TAKEN))
PAGES, REGIONS, REGION_COUNT, DATA_MASK = map(int, (Slot.PAGES, Slot.REGIONS, Slot.REGION_COUNT, Slot.DATA_MASK))
WRITE_FUNCTION, SCRATCH, TRAP_FUNCTION = map(int, (Slot.WRITE_FUNCTION, Slot.SCRATCH, Slot.TRAP_FUNCTION))
PROMOTIONS, CONTROL_FUNCTION = int(Slot.PROMOTIONS), int(Slot.CONTROL_FUNCTION)
WRITE_BATCH_FUNCTION, BATCH_NUMBER, BATCH_PLACE = map(
    int, (Slot.WRITE_BATCH_FUNCTION, Slot.BATCH_NUMBER, Slot.BATCH_PLACE)
)
CHECK, READ, WRITE, EXECUTE, PART = map(int, (Request.CHECK, Right.READ, Right.WRITE, Right.EXECUTE, Right.PART))
LEVEL, READY, SEEN_PROMOTIONS, RIGHTS = map(int, (HartSlot.LEVEL, HartSlot.READY, HartSlot.PROMOTIONS, HartSlot.RIGHTS))
NOTHING, ENTERED, LEFT_OVER = int(Taken.NONE), int(Taken.ENTERED), int(Taken.LEFT_OVER)
PC, X0, MODE = map(int, (riscv_const.UC_RISCV_REG_PC, riscv_const.UC_RISCV_REG_X0, riscv_const.UC_RISCV_REG_PRIV))
FLUSH_TLB = unicorn_const.UC_CTL_TLB_FLUSH | unicorn_const.UC_CTL_IO_WRITE << 30
WIDTH = 4
"""Bytes of all instructions that are carried out here; and Unicorn reports a trap so far behind its instruction."""
WORD = 0xFFFF_FFFF


def set_register(state: Words, uc: int, user: int, number: int, value: int) -> None:
    """Set a register; the program counter makes Unicorn leave the block."""
    state[SCRATCH] = value
    call_3(state[WRITE_FUNCTION], uc, number, user + 8 * SCRATCH)


def go_on_at(state: Words, uc: int, user: int, address: int) -> None:
    """Set the program counter outside of blocks.

    Unicorn's function for one register would keep it from finding out where in a later block a fault is.
    """
    state[SCRATCH], state[BATCH_NUMBER], state[BATCH_PLACE] = address, PC, user + 8 * SCRATCH
    call_batch(state[WRITE_BATCH_FUNCTION], uc, user + 8 * BATCH_NUMBER, user + 8 * BATCH_PLACE, 1)


def host_address(state: Words, address: int) -> int:
    """Where the four bytes at ``address`` are on the host; 0 if they are not all in the same memory."""
    regions = words_at(state[REGIONS])
    for index in range(state[REGION_COUNT]):
        base = regions[3 * index]
        if base <= address <= base + regions[3 * index + 1] - WIDTH:
            return regions[3 * index + 2] + (address - base)
    return 0


def operand_address(state: Words, address: int, right: int) -> int:
    """The same for an access: 0 also if it is not certain to be allowed, or stores where code was translated."""
    pages = bytes_at(state[PAGES])
    rights = pages[address >> PAGE_BITS]
    if rights & right == 0 or (right == WRITE and rights & EXECUTE != 0):
        return 0
    if state[DATA_MASK] != 0:
        allowed = bytes_at(state[DATA_MASK])[address >> PAGE_BITS]
        # An AMO loads too, but nothing may be stored without being loaded.
        if allowed & right == 0 or allowed & PART != 0:
            return 0
    return host_address(state, address)


def look_for_code(state: Words, hart: int) -> None:
    """Has code been found on a page, then other levels must look at it before their rights count again."""
    if get(hart, SEEN_PROMOTIONS) != state[PROMOTIONS]:
        put(hart, SEEN_PROMOTIONS, state[PROMOTIONS])
        put(hart, READY, 0)


def mixes(level: int) -> bool:
    """Whether loads and stores have other rights than fetches; entries of Unicorn's TLB are those of a pure level."""
    return level >> 1 != level & 1


def follow(state: Words, hart: int, uc: int, user: int) -> None:
    """Privilege or mstatus may have changed: let the rights count that memory protection gives them."""
    level = new_level(hart)
    if level == NONE:
        return
    before = get(hart, LEVEL)
    put(hart, LEVEL, level)
    let_count(state, words_at(hart), RIGHTS + RIGHTS_WORDS * level)
    if mixes(before) or mixes(level):
        call_2(state[CONTROL_FUNCTION], uc, FLUSH_TLB)
    set_register(state, uc, user, MODE, level >> 1)


def result_of(state: Words, hart: int, uc: int, user: int, word: int) -> int:
    """What a CSR or atomic instruction puts into its destination register, `LEFT` if Python has to carry it out."""
    first = register(state, uc, user, X0 + (word >> 15 & 31))
    if word & 0x7F == SYSTEM:
        clock = words_at(state[CLOCK])
        return access_csr(hart, word, first, clock[NOW] - 1, state[INSTRUCTIONS] - 1)
    if word & 0x7F != ATOMIC:
        return LEFT
    host = operand_address(state, first, READ if loads_only(word) else WRITE)
    return execute_atomic(hart, word, first, register(state, uc, user, X0 + (word >> 20 & 31)), host)


def carry_out(state: Words, hart: int, uc: int, user: int, pc: int, word: int) -> bool:
    """Carry out the instruction ``word`` at ``pc``, the last of its block; False if Python has to."""
    look_for_code(state, hart)
    if word in (MRET, ECALL):
        target = leave(hart) if word == MRET else call(hart, pc)
        if target == LEFT:
            return False
        if word == ECALL:
            # It is not retired, and takes no time.
            state[INSTRUCTIONS] -= 1
            words_at(state[CLOCK])[NOW] -= 1
        follow(state, hart, uc, user)
        go_on_at(state, uc, user, target)
    else:
        result = result_of(state, hart, uc, user, word)
        if result == LEFT:
            return False
        follow(state, hart, uc, user)
        if word >> 7 & 31 != 0:
            set_register(state, uc, user, X0 + (word >> 7 & 31), result)
    state[BLOCK_SIZE], state[NEXT], state[TAKEN] = 0, pc + WIDTH, 0
    if pending(hart) != NONE:
        state[REQUEST] |= CHECK
    return True


def trap(uc: int, number: UInt32, user: int) -> None:
    """UC_HOOK_INTR: an instruction is not Unicorn's to execute."""
    state = words_at(user)
    hart = state[HART]
    if native(hart):
        pc = register(state, uc, user, PC) - WIDTH & WORD
        host = host_address(state, pc)
        if host != 0 and state[BLOCK_PC] + state[BLOCK_SIZE] == pc + WIDTH:
            word = unsigned_at(host)[0]
            if carry_out(state, hart, uc, user, pc, word):
                return
    call_3(state[TRAP_FUNCTION], uc, number, user)


def take(uc: int, user: int) -> Int32:
    """Before a block, while `Request.CHECK` is set: take the pending interrupt, if there is one; a `Taken`."""
    state = words_at(user)
    look_for_code(state, state[HART])
    handler = take_interrupt(state[HART], register(state, uc, user, PC))
    if handler == LEFT:
        return LEFT_OVER
    state[REQUEST] &= ~CHECK
    if handler == NONE:
        return NOTHING
    state[BLOCK_SIZE] = 0
    follow(state, state[HART], uc, user)
    set_register(state, uc, user, PC, handler)
    return ENTERED


HOOKS: dict[str, Callable[..., Any]] = {"riscv_trap": trap, "riscv_take": take}
"""The callbacks by the names that `emu.cpu.native` gives them."""

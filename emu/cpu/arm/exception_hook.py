"""The native hooks that take exceptions of ARMv7-M, and return from them, without leaving Unicorn's run.

`emu.cpu.arm.exception_transition` carries them out; what it leaves over stops the run.

This file becomes native code, see `emu.cpu.translation.module`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unicorn.arm_const import UC_ARM_REG_PC

from emu.clock import DEADLINE, NOW
from emu.cpu.arm.exception_priority import ACTIVE, DEPTH, PRIORITIES, active_priority, group, most_urgent
from emu.cpu.arm.exception_rights import vector_of
from emu.cpu.arm.exception_state import ExceptionSlot, Taken
from emu.cpu.arm.exception_transition import CONTEXT, call_supervisor, enter, execution_priority, leave, read
from emu.cpu.hook_state import MAIN_EXTENSION, Request, Slot, Stopped
from emu.cpu.native_calls import Int32, UInt32, Words, call_1, call_3, words_at

CLOCK, REQUEST, STOPPED, EXCEPTIONS = map(int, (Slot.CLOCK, Slot.REQUEST, Slot.STOPPED, Slot.EXCEPTIONS))
TRAP, TAKEN, FEATURES, STOP_FUNCTION = map(int, (Slot.TRAP, Slot.TAKEN, Slot.FEATURES, Slot.STOP_FUNCTION))
WRITE_REGISTER, SCRATCH, PC = int(Slot.WRITE_FUNCTION), int(Slot.SCRATCH), int(UC_ARM_REG_PC)
CHECK, AT_DEADLINE, AT_EXCEPTION = int(Request.CHECK), int(Stopped.DEADLINE), int(Stopped.EXCEPTION)
NATIVE, NVIC = int(ExceptionSlot.NATIVE), int(ExceptionSlot.NVIC)
NOTHING, ENTERED, LEFT_OVER = int(Taken.NONE), int(Taken.ENTERED), int(Taken.LEFT_OVER)
TRAP_SVC, TRAP_EXC_RETURN = 2, 8


def whole_core(state: Words, whole: bool) -> None:
    """Let the writes of registers have their effect, or unaligned accesses trap again; see `emu.cpu.arm.alignment`."""
    if state[FEATURES] != 0:
        features = words_at(state[FEATURES])
        features[0] = features[0] | MAIN_EXTENSION if whole else features[0] & ~MAIN_EXTENSION


def take(state: Words, exceptions: Words, nvic: Words, uc: int) -> int:
    """Take the pending exception that preempts what runs, if there is one; a `Taken`."""
    number = most_urgent(nvic)
    if number == 0 or group(nvic, nvic[PRIORITIES + number]) >= active_priority(nvic, -1):
        # Nothing that code can do without another exception, or a register access, unmasks it.
        state[REQUEST] &= ~CHECK
        return NOTHING
    context = read(exceptions, uc, CONTEXT)
    priority = execution_priority(exceptions, nvic, uc, context)
    if group(nvic, nvic[PRIORITIES + number]) >= priority:
        return NOTHING
    return ENTERED if enter(state, exceptions, nvic, uc, context, number, priority) else LEFT_OVER


def take_pending(uc: int, user: int) -> Int32:
    """Before a block, while `Request.CHECK` is set: `take`."""
    state = words_at(user)
    exceptions = words_at(state[EXCEPTIONS])
    nvic = words_at(exceptions[NVIC])
    whole_core(state, True)
    taken = take(state, exceptions, nvic, uc)
    whole_core(state, False)
    if taken == ENTERED:
        # Only this function makes Unicorn leave the block without restoring the PC of its beginning.
        state[SCRATCH] = vector_of(state, exceptions, nvic[ACTIVE + nvic[DEPTH] - 1])
        call_3(state[WRITE_REGISTER], uc, PC, user + 8 * SCRATCH)
    return taken


def trap(uc: int, number: UInt32, user: int) -> None:
    """UC_HOOK_INTR: SVC and exception return, or note the number and stop."""
    state = words_at(user)
    exceptions = words_at(state[EXCEPTIONS])
    nvic = words_at(exceptions[NVIC])
    done, taken = False, NOTHING
    if number == TRAP_EXC_RETURN:
        words_at(state[CLOCK])[NOW] += state[TAKEN]
        state[TAKEN] = 0
    whole_core(state, True)
    if exceptions[NATIVE] != 0 and state[REQUEST] & ~CHECK == 0:
        if number == TRAP_SVC:
            done = call_supervisor(state, exceptions, nvic, uc)
        elif number == TRAP_EXC_RETURN:
            done = leave(state, exceptions, nvic, uc)
    if done and state[REQUEST] & CHECK:
        taken = take(state, exceptions, nvic, uc)
    whole_core(state, False)
    if not done:
        state[TRAP] = number
        call_1(state[STOP_FUNCTION], uc)
        return
    if taken == LEFT_OVER:
        state[STOPPED] = AT_EXCEPTION
        call_1(state[STOP_FUNCTION], uc)
        return
    # Events come before the handler's first instruction, even if that cannot be fetched.
    clock = words_at(state[CLOCK])
    if clock[NOW] >= clock[DEADLINE]:
        state[STOPPED] = AT_DEADLINE
        call_1(state[STOP_FUNCTION], uc)


HOOKS: dict[str, Callable[..., Any]] = {"trap": trap, "take_pending": take_pending}
"""The callbacks by the names that `emu.cpu.native` gives them."""

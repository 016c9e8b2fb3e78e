"""What Python tells the native exception entry and return of a Cortex-M, and what they share."""

from __future__ import annotations

import ctypes

import numpy as np
from unicorn.unicorn_py3.unicorn import uclib

from emu.cpu.arm.exception_frame import CHAIN_CYCLES, ENTRY_CYCLES, FLOAT_CYCLES, RETURN_CYCLES, ExceptionFrames
from emu.cpu.arm.exception_state import BATCH_SLOTS, EXCEPTION_SLOTS, LEVEL_SLOTS, Batch, ExceptionSlot
from emu.cpu.arm.memory_protection import MemoryProtection
from emu.cpu.arm.models import Architecture
from emu.cpu.arm.nvic import Nvic
from emu.cpu.arm.registers import ArmRegisters
from emu.cpu.arm.stack_limits import StackLimits
from emu.cpu.arm.system_control import Configuration, SleepControl, SystemControl
from emu.cpu.engine import Engine
from emu.cpu.hook_state import Site, Slot
from emu.cpu.native import hook_addresses


class NativeExceptions:
    """The array of `emu.cpu.arm.exception_state`, and when native code may act.

    Args:
        engine: gets the array's address.
        limits: of the stacks.
        protection: what the MPU allows.
        secure: the core is in Secure state, whose frames native code does not know.

    Attributes:
        wanted: whether exceptions are to be native where they can be; after a change call `configure`.
    """

    def __init__(
        self,
        engine: Engine,
        nvic: Nvic,
        frames: ExceptionFrames,
        registers: ArmRegisters,
        limits: StackLimits,
        protection: MemoryProtection,
        *,
        secure: bool,
    ) -> None:
        self.wanted = True
        self._secure, self._limits, self._protection = secure, limits, protection
        self._nvic = nvic.state
        self._state = state = np.zeros(EXCEPTION_SLOTS, np.int64)
        # Python reads and writes single words faster through this view.
        self._words = state.data
        engine.state[Slot.EXCEPTIONS] = state.ctypes.data
        state[ExceptionSlot.NVIC] = self._nvic.ctypes.data
        engine.state[Slot.TAKE_FUNCTION] = hook_addresses()["take_pending"]
        for slot, function in (
            (ExceptionSlot.READ_FUNCTION, uclib.uc_reg_read_batch),
            (ExceptionSlot.WRITE_FUNCTION, uclib.uc_reg_write_batch),
        ):
            state[slot] = ctypes.cast(function, ctypes.c_void_p).value or 0
        for slot, cycles in (
            (ExceptionSlot.ENTRY_CYCLES, ENTRY_CYCLES),
            (ExceptionSlot.RETURN_CYCLES, RETURN_CYCLES),
            (ExceptionSlot.CHAIN_CYCLES, CHAIN_CYCLES),
            (ExceptionSlot.FLOAT_CYCLES, FLOAT_CYCLES),
        ):
            state[slot] = cycles
        for batch, registers_of_batch in (frames.batches | registers.exception_batches).items():
            first = ExceptionSlot.BATCHES + BATCH_SLOTS * batch
            state[first : first + BATCH_SLOTS] = registers_of_batch.places
        assert len(frames.batches | registers.exception_batches) == len(Batch)

    def configure(self, control: SystemControl) -> None:
        """Take over settings, after a change of system control registers, of the stack limits or of `wanted`."""
        state = self._state
        model = control.model
        protection = self._protection
        possible = self.wanted and not self._secure and not protection.stale and not control.steps
        state[ExceptionSlot.NATIVE] = possible
        state[ExceptionSlot.GUARDED] = protection.enabled
        state[ExceptionSlot.GUARDED_ALWAYS] = protection.always
        for level, allowed in protection.levels.items():
            first = ExceptionSlot.RIGHTS + LEVEL_SLOTS * level
            state[first : first + LEVEL_SLOTS] = (
                *allowed.code_slots,
                *allowed.data_slots,
                *allowed.span_slots,
                allowed.looked_at.ctypes.data,
            )
        state[ExceptionSlot.LIMITS : ExceptionSlot.LIMITS + 2] = self._limits.values
        state[ExceptionSlot.VECTOR_TABLE] = control.VTOR
        state[ExceptionSlot.ALIGN] = Configuration.STKALIGN.extract(control.CCR)
        state[ExceptionSlot.NON_BASE_THREAD] = Configuration.NONBASETHRDENA.extract(control.CCR)
        state[ExceptionSlot.SLEEP_ON_EXIT] = SleepControl.SLEEPONEXIT.extract(control.SCR)
        state[ExceptionSlot.HAS_FPU] = model.has_fpu
        state[ExceptionSlot.UNSTACKS_FLOATS] = control.floats_allowed(privileged=False)
        state[ExceptionSlot.LAZY] = control.stacks_lazily
        state[ExceptionSlot.FLOAT_SITES] = Site.FLOATING_POINT if control.watches_floats else 0
        state[ExceptionSlot.EXC_RETURN] = model.exc_return(secure=self._secure)
        state[ExceptionSlot.MASK_BY_PRIORITY] = model.architecture is Architecture.V8M

    @property
    def possible(self) -> bool:
        """Whether native code takes exceptions."""
        return bool(self._words[ExceptionSlot.NATIVE])

    @property
    def lazy_active(self) -> bool:
        """FPCCR.LSPACT: a frame has room for floating-point registers that are still to be stored."""
        return bool(self._state[ExceptionSlot.LAZY_ACTIVE])

    @lazy_active.setter
    def lazy_active(self, active: bool) -> None:
        self._state[ExceptionSlot.LAZY_ACTIVE] = active

    @property
    def lazy_context(self) -> int:
        """Bits of FPCCR about the code that the registers belong to."""
        return int(self._state[ExceptionSlot.LAZY_CONTEXT])

    @lazy_context.setter
    def lazy_context(self, context: int) -> None:
        self._state[ExceptionSlot.LAZY_CONTEXT] = context

    @property
    def lazy_address(self) -> int:
        """FPCAR: address of that room."""
        return int(self._state[ExceptionSlot.LAZY_ADDRESS])

    @lazy_address.setter
    def lazy_address(self, address: int) -> None:
        self._state[ExceptionSlot.LAZY_ADDRESS] = address

    @property
    def event(self) -> bool:
        """The event register of WFE."""
        return bool(self._words[ExceptionSlot.EVENT])

    @event.setter
    def event(self, event: bool) -> None:
        self._words[ExceptionSlot.EVENT] = event

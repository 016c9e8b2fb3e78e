"""Exception entry and return of the Cortex-M: stack frames, modes and stack pointers, on Unicorn's registers."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from unicorn import arm_const as arm

from emu.cpu.arm.exception_state import Batch
from emu.cpu.arm.memory_protection import MemoryProtection
from emu.cpu.arm.registers import EPSR_BITS, FPCA, IPSR_MASK, NPRIV, SFPA, SPSEL, THUMB
from emu.cpu.arm.system_control import FaultStatus
from emu.cpu.engine import Engine
from emu.cpu.hook_state import Right
from emu.cpu.register_batch import RegisterBatch

ENTRY_CYCLES, RETURN_CYCLES, CHAIN_CYCLES, FLOAT_CYCLES = 12, 10, 6, 17
"""Of the Cortex-M4 on zero-wait memory; FLOAT_CYCLES more for moving S0..S15 and FPSCR."""
BASIC_WORDS, EXTENDED_WORDS = 8, 26
"""Words of a frame without and with S0..S15, FPSCR and a reserved word."""
ALIGNED = 1 << 9
"""Bit of a stacked xPSR: the frame was moved by 4 bytes to align it."""
STACKED_SFPA = 1 << 20
"""Bit of a stacked xPSR: CONTROL.SFPA."""
THREAD, PROCESS_STACK, NO_FLOATS = 8, 4, 16
"""Bits of EXC_RETURN: to thread mode, from the process stack, basic frame."""
OTHER_MODE = "the stacked xPSR is of the other mode"
CALLER_SAVED = [getattr(arm, f"UC_ARM_REG_R{index}") for index in (0, 1, 2, 3, 12)] + [arm.UC_ARM_REG_LR]
FLOATS = [getattr(arm, f"UC_ARM_REG_S{index}") for index in range(16)] + [arm.UC_ARM_REG_FPSCR]


@dataclass(frozen=True)
class Frame:
    """What is about to be stacked.

    Attributes:
        stack_pointer: where.
        data: the frame's bytes.
        exc_return: value of LR in the handler.
        flags: xPSR.
        control: CONTROL.
        lazy: there is room for floating-point registers behind the data.
    """

    stack_pointer: int
    data: bytes
    exc_return: int
    flags: int
    control: int
    lazy: bool = False

    @property
    def privileged(self) -> bool:
        """Whether the interrupted code was."""
        return not (self.exc_return & THREAD and self.control & NPRIV)

    @property
    def on_process_stack(self) -> bool:
        """Which stack it is on."""
        return bool(self.exc_return & THREAD and self.exc_return & PROCESS_STACK)

    @property
    def has_floats(self) -> bool:
        """Whether it holds floating-point registers, now."""
        return not self.exc_return & NO_FLOATS and not self.lazy


class RefusedFrameError(Exception):
    """A frame that must not be unstacked; nothing has changed.

    Attributes:
        status: bits of CFSR.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class ExceptionFrames:
    """Moves registers between the core and its stacks.

    Args:
        exc_return: the constant bits of EXC_RETURN.
        secure: Secure state: the frame keeps CONTROL.SFPA.
        keeps_choice: handlers may set CONTROL.SPSEL (ARMv8-M); it has no effect on them, and EXC_RETURN keeps it.
    """

    def __init__(
        self, engine: Engine, protection: MemoryProtection, exc_return: int, *, secure: bool, keeps_choice: bool
    ) -> None:
        self._bus, self._protection = engine.bus, protection
        self._exc_return, self._secure, self._keeps_choice = exc_return, secure, keeps_choice
        ipsr, control = arm.UC_ARM_REG_IPSR, arm.UC_ARM_REG_CONTROL
        stack, psr = arm.UC_ARM_REG_SP, arm.UC_ARM_REG_XPSR
        # Writing the flags last makes Unicorn derive its translation flags again.
        handler = [arm.UC_ARM_REG_LR, arm.UC_ARM_REG_EPSR, arm.UC_ARM_REG_PC, arm.UC_ARM_REG_APSR_NZCV]
        self._context = engine.batch(*CALLER_SAVED, arm.UC_ARM_REG_PC, psr, stack, control)
        self._floats = engine.batch(*FLOATS)
        # SPSEL can only be changed in thread mode, and by privileged code: handler mode and back makes it privileged.
        self._from_thread = engine.batch(stack, ipsr, control, ipsr, control, ipsr, control, *handler)
        self._from_handler = engine.batch(stack, ipsr, control, *handler)
        self._chain = engine.batch(psr, control)
        self._next_handler = engine.batch(ipsr, control, *handler)
        self._stacks = engine.batch(arm.UC_ARM_REG_MSP, arm.UC_ARM_REG_PSP, control)
        self._to_thread = engine.batch(control, ipsr, control)
        self._to_handler = engine.batch(ipsr, control)
        self._restore = engine.batch(
            *CALLER_SAVED,
            stack,
            arm.UC_ARM_REG_XPSR_NZCVQG,
            arm.UC_ARM_REG_EPSR,
            arm.UC_ARM_REG_PC,
            arm.UC_ARM_REG_APSR_NZCV,
        )
        self._demote = engine.batch(control, arm.UC_ARM_REG_APSR_NZCV)

    @property
    def batches(self) -> dict[Batch, RegisterBatch]:
        """The lists of registers that native code reads and writes too, as the methods below do."""
        return {
            Batch.CONTEXT: self._context,
            Batch.FLOATS: self._floats,
            Batch.FROM_THREAD: self._from_thread,
            Batch.FROM_HANDLER: self._from_handler,
            Batch.NEXT_HANDLER: self._next_handler,
            Batch.STACKS: self._stacks,
            Batch.TO_THREAD: self._to_thread,
            Batch.TO_HANDLER: self._to_handler,
            Batch.RESTORE: self._restore,
            Batch.UNPRIVILEGED: self._demote,
        }

    def capture(self, *, align: bool, lazy: bool) -> Frame:
        """The frame that an exception taken now pushes.

        Args:
            align: CCR.STKALIGN.
            lazy: only keep room for floating-point registers.
        """
        *saved, pc, flags, pointer, control = self._context.read()
        floats = bool(control & FPCA)
        target = pointer - 4 * (EXTENDED_WORDS if floats else BASIC_WORDS)
        # Floating-point registers need alignment, whatever CCR says (ARMv7-M, `PushStack`).
        moved = (align or floats) and bool(target & 4)
        target = (target - 4 if moved else target) & 0xFFFF_FFFF
        stacked_flags = flags | ALIGNED if moved else flags & ~ALIGNED
        if self._secure and control & SFPA:
            stacked_flags |= STACKED_SFPA
        data = struct.pack("<8I", *saved, pc & ~1, stacked_flags)
        if floats and not lazy:
            data += struct.pack("<18I", *self._floats.read(), 0)
        exc_return = self._exc_return | (0 if floats else NO_FLOATS)
        in_thread = not flags & IPSR_MASK
        if in_thread:
            exc_return |= THREAD
        if control & SPSEL and (in_thread or self._keeps_choice):
            exc_return |= PROCESS_STACK
        return Frame(target, data, exc_return, flags, control, floats and lazy)

    def store(self, frame: Frame) -> None:
        """Write the frame to its stack, with the rights of the interrupted code.

        Raises:
            emu.bus.BusError: the stack is not in memory.
            emu.cpu.arm.memory_protection.ProtectionError: the MPU forbids it.
        """
        words = EXTENDED_WORDS if frame.lazy else len(frame.data) // 4
        self._protection.check(frame.stack_pointer, 4 * words, Right.WRITE, privileged=frame.privileged)
        view = self._bus.view(frame.stack_pointer, len(frame.data), write=True)
        view[:] = np.frombuffer(frame.data, np.uint8)

    def clear_floats(self) -> None:
        """After they were stacked, S0..S15 and FPSCR may have any value."""
        self._floats.write(*[0] * len(FLOATS))

    def store_floats(self, address: int) -> None:
        """Write S0..S15 and FPSCR to the room that a frame has for them. Raises `emu.bus.BusError`."""
        view = self._bus.view(address, 4 * len(FLOATS), write=True)
        view[:] = np.frombuffer(struct.pack("<17I", *self._floats.read()), np.uint8)

    def begin(self, frame: Frame, number: int, vector: int) -> None:
        """Enter the handler of exception ``number`` at ``vector`` after its frame was stored."""
        privilege = frame.control & NPRIV
        handler = (frame.exc_return, THUMB if vector & 1 else 0, vector, frame.flags)
        if frame.exc_return & THREAD:
            same_stack = frame.control & SPSEL
            modes = (number, same_stack, 0, 0, number, privilege)
            self._from_thread.write(frame.stack_pointer, *modes, *handler)
        else:
            self._from_handler.write(frame.stack_pointer, number, privilege, *handler)

    def chain(self, exc_return: int, number: int, vector: int) -> None:
        """Enter another handler at the end of one, without unstacking and stacking."""
        flags, control = self._chain.read()
        self._next_handler.write(number, control & NPRIV, exc_return, THUMB if vector & 1 else 0, vector, flags)

    def resume(self, exc_return: int, *, floats_enabled: bool, floats_stored: bool) -> None:
        """Go back to what the exception interrupted.

        Args:
            floats_enabled: do not refuse a frame with floating-point registers.
            floats_stored: they are in it; if not, the core still has them.

        Raises:
            BusError: the stack cannot be read; nothing has changed.
            ProtectionError: the MPU forbids the code that it returns to to read it; nothing has changed.
            RefusedFrameError: it must not be unstacked; nothing has changed.
        """
        main, process, control = self._stacks.read()
        on_process_stack = bool(exc_return & THREAD and exc_return & PROCESS_STACK)
        pointer = process if on_process_stack else main
        floats = not exc_return & NO_FLOATS
        words = EXTENDED_WORDS if floats else BASIC_WORDS
        privileged = not (exc_return & THREAD and control & NPRIV)
        self._protection.check(pointer, 4 * words, Right.READ, privileged=privileged)
        *saved, pc, flags = struct.unpack("<8I", self._bus.read(pointer, 32))
        if floats and floats_stored:
            stacked = struct.unpack("<17I", self._bus.read(pointer + 32, 68))
        to_thread = not flags & IPSR_MASK
        if to_thread != bool(exc_return & THREAD):
            # ARMv7-M takes registers from the frame and puts them back.
            raise RefusedFrameError(OTHER_MODE, FaultStatus.INVPC.mask)
        if floats and floats_stored and not floats_enabled:
            raise RefusedFrameError("floating-point registers, while CPACR disables the FPU", FaultStatus.NOCP.mask)
        active = FPCA if floats else 0
        if self._secure and flags & STACKED_SFPA:
            active |= SFPA
        choice = SPSEL if exc_return & PROCESS_STACK else 0
        if to_thread:
            self._to_thread.write(0, 0, active | choice)
        else:
            self._to_handler.write(flags & IPSR_MASK, control & NPRIV | active | choice)
        if floats and floats_stored:
            self._floats.write(*stacked)
        pointer = ((pointer + 4 * words) | (4 if flags & ALIGNED else 0)) & 0xFFFF_FFFF
        target = pc | 1 if flags & THUMB else pc & ~1
        self._restore.write(*saved, pointer, flags & ~ALIGNED, flags & EPSR_BITS, target, flags)
        if to_thread and control & NPRIV:
            self._demote.write(NPRIV | active | choice, flags)

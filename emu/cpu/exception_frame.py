"""Exception entry and return of the Cortex-M4F: stack frames, modes and stack pointers, on Unicorn's registers."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from unicorn import arm_const as arm

from emu.cpu.arm_registers import EPSR_BITS, FPCA, IPSR_MASK, NPRIV, SPSEL, THUMB
from emu.cpu.engine import Engine

BASIC_WORDS, EXTENDED_WORDS = 8, 26
"""Words of a frame without and with S0..S15, FPSCR and a reserved word."""
ALIGNED = 1 << 9
"""Bit of a stacked xPSR: the frame was moved by 4 bytes to align it."""
THREAD, PROCESS_STACK, NO_FLOATS = 8, 4, 16
"""Bits of EXC_RETURN: to thread mode, from the process stack, basic frame."""
EXC_RETURN = 0xFFFF_FFE1
"""EXC_RETURN with the three bits above clear."""
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
    """

    stack_pointer: int
    data: bytes
    exc_return: int
    flags: int
    control: int


class ExceptionFrames:
    """Moves registers between the core and its stacks.

    Inaccuracies: floating-point registers are stacked at once when CONTROL.FPCA is set; lazy stacking is not
    modelled.
    """

    def __init__(self, engine: Engine) -> None:
        self._bus = engine.bus
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
        self._control = engine.batch(control)

    def capture(self, *, align: bool) -> Frame:
        """The frame that an exception taken now pushes; ``align``: CCR.STKALIGN."""
        *saved, pc, flags, pointer, control = self._context.read()
        floats = bool(control & FPCA)
        target = pointer - 4 * (EXTENDED_WORDS if floats else BASIC_WORDS)
        moved = align and bool(target & 4)
        target = (target - 4 if moved else target) & 0xFFFF_FFFF
        stacked_flags = flags | ALIGNED if moved else flags & ~ALIGNED
        data = struct.pack("<8I", *saved, pc & ~1, stacked_flags)
        if floats:
            data += struct.pack("<18I", *self._floats.read(), 0)
        exc_return = EXC_RETURN | (0 if floats else NO_FLOATS)
        if not flags & IPSR_MASK:
            exc_return |= THREAD | (PROCESS_STACK if control & SPSEL else 0)
        return Frame(target, data, exc_return, flags, control)

    def store(self, frame: Frame) -> None:
        """Write the frame to its stack. Raises `emu.bus.BusError`."""
        view = self._bus.view(frame.stack_pointer, len(frame.data), write=True)
        view[:] = np.frombuffer(frame.data, np.uint8)

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

    def resume(self, exc_return: int) -> None:
        """Go back to what the exception interrupted. Raises `emu.bus.BusError` before anything has changed."""
        main, process, control = self._stacks.read()
        pointer = process if exc_return & PROCESS_STACK else main
        floats = not exc_return & NO_FLOATS
        words = EXTENDED_WORDS if floats else BASIC_WORDS
        *saved, pc, flags = struct.unpack("<8I", self._bus.read(pointer, 32))
        if floats:
            stacked = struct.unpack("<17I", self._bus.read(pointer + 32, 68))
        active = FPCA if floats else 0
        if exc_return & THREAD:
            self._to_thread.write(0, 0, active | (SPSEL if exc_return & PROCESS_STACK else 0))
        else:
            self._to_handler.write(flags & IPSR_MASK, control & NPRIV | active)
        if floats:
            self._floats.write(*stacked)
        pointer = (pointer + 4 * words) | (4 if flags & ALIGNED else 0)
        target = pc | 1 if flags & THUMB else pc & ~1
        self._restore.write(*saved, pointer & 0xFFFF_FFFF, flags & ~ALIGNED, flags & EPSR_BITS, target, flags)
        if exc_return & THREAD and control & NPRIV:
            self._control.write(NPRIV | active | (SPSEL if exc_return & PROCESS_STACK else 0))

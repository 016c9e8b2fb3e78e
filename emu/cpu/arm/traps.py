"""What ARMv7-M does where Unicorn leaves an instruction of a Cortex-M to others: SVC, BKPT, hints, refused accesses."""

from __future__ import annotations

import struct
from collections.abc import Callable

from emu.cpu.arm.exceptions import Exceptions, Fault
from emu.cpu.arm.memory_map import is_private, never_executable
from emu.cpu.arm.nvic import Vector
from emu.cpu.arm.registers import IPSR_MASK, ArmRegisters
from emu.cpu.arm.special_instructions import FETCH_FAULT, PRIVATE_RULE
from emu.cpu.arm.system_control import FaultStatus, SleepControl, SystemControl
from emu.cpu.engine import Engine
from emu.cpu.halt import ACCESS_WORD, AccessFault
from emu.cpu.hook_state import Right
from emu.cpu.semihosting import Semihosting

SEMIHOSTING_IMMEDIATE = 0xAB
WFE, YIELD = 0xBF20, 0xBF10
TRAP_SVC, TRAP_ALIGNMENT, TRAP_BKPT, TRAP_EXC_RETURN, TRAP_COPROCESSOR, TRAP_STACK_LIMIT = 2, 4, 7, 8, 17, 19
"""Numbers of Unicorn's interrupt hook."""


class Traps:
    """Carries out such instructions, or takes the fault that they are.

    Args:
        read_code: bytes at an address, zeros where there is no memory.
        sleep: lets the core sleep, until an event if the argument says so, else until an interrupt.
    """

    def __init__(
        self,
        engine: Engine,
        registers: ArmRegisters,
        exceptions: Exceptions,
        control: SystemControl,
        semihosting: Semihosting,
        read_code: Callable[[int, int], bytes],
        sleep: Callable[[bool], None],
    ) -> None:
        self._engine, self._registers, self._exceptions = engine, registers, exceptions
        self._control, self._semihosting = control, semihosting
        self._read_code, self._sleep = read_code, sleep

    def take(self, number: int) -> None:
        """An instruction has ended the run with this number of Unicorn's interrupt hook."""
        pc = self._engine.pc
        if number == TRAP_SVC:
            self._exceptions.supervisor_call()
        elif number == TRAP_EXC_RETURN:
            self._engine.settle(pc)
            if self._registers.read("xpsr") & IPSR_MASK:
                self._leave(self._registers.start)
            else:
                # With TrustZone, Unicorn stops here in thread mode too, where the address is like any other.
                self._exceptions.fault(self._fetch_fault(pc))
        elif number == TRAP_BKPT:
            self._breakpoint_instruction(pc)
        elif number == TRAP_ALIGNMENT:
            self._engine.retract(pc)
            self._usage_fault("unaligned access", FaultStatus.UNALIGNED.mask)
        elif number == TRAP_COPROCESSOR:
            self._engine.retract(pc)
            self._usage_fault("instruction of a coprocessor that is not there", FaultStatus.NOCP.mask)
        elif number == TRAP_STACK_LIMIT:
            self._engine.retract(pc)
            self._usage_fault("the stack pointer would go below its limit", FaultStatus.STKOF.mask)
        else:
            self._engine.retract(pc)
            self._usage_fault(f"exception {number} of the emulator", FaultStatus.UNDEFINSTR.mask)

    def _leave(self, exc_return: int) -> None:
        self._exceptions.leave(exc_return)
        if SleepControl.SLEEPONEXIT.extract(self._control.SCR) and self._exceptions.idle:
            self._sleep(False)

    def _breakpoint_instruction(self, pc: int) -> None:
        """BKPT: a semihosting call, or without a debugger an exception."""
        immediate = self._half_word(pc) & 0xFF
        if immediate != SEMIHOSTING_IMMEDIATE:
            self._engine.retract(pc)
            self._exceptions.breakpoint(f"BKPT 0x{immediate:02x} without a debugger")
            return
        result = self._semihosting.call(self._registers.read("r0"), self._registers.read("r1"))
        self._registers.write("r0", result)
        self._registers.jump(pc + 2 | 1)

    def invalid(self) -> None:
        """Instructions that Unicorn gives up: hints, execution without the Thumb bit, undefined ones."""
        pc = self._engine.pc
        if not self._registers.thumb:
            self._engine.retract(pc)
            self._usage_fault(
                "execution with the Thumb bit clear: a branch to an even address", FaultStatus.INVSTATE.mask
            )
            return
        hint = self._half_word(pc - 2) if self._engine.block_pc < pc else 0
        if hint == WFE:
            if self._exceptions.event:
                self._exceptions.event = False
            else:
                self._sleep(True)
        elif hint != YIELD:
            self._engine.retract(pc)
            code = self._read_code(pc, self._engine.width_at(pc))
            words = " ".join(f"{half:04x}" for half in struct.unpack(f"<{len(code) // 2}H", code))
            self._usage_fault(f"undefined instruction {words}", FaultStatus.UNDEFINSTR.mask)

    def _usage_fault(self, text: str, status: int) -> None:
        self._exceptions.fault(Fault(Vector.USAGE_FAULT, text, status))

    def access_fault(self) -> Fault:
        """The fault that the architecture makes of a refused access."""
        refused = self._engine.fault
        assert isinstance(refused, AccessFault)
        if refused.access is Right.EXECUTE:
            return self._fetch_fault(refused.address)
        if is_private(refused.address) and not self._registers.privileged:
            text = f"{ACCESS_WORD[refused.access]} at 0x{refused.address:08x}: {PRIVATE_RULE}"
            return Fault(Vector.BUS_FAULT, text, FaultStatus.PRECISERR.mask, refused.address)
        if refused.protected:
            return Fault(Vector.MEM_MANAGE, refused.text, FaultStatus.DACCVIOL.mask, refused.address)
        return Fault(Vector.BUS_FAULT, refused.text, FaultStatus.PRECISERR.mask, refused.address)

    def _fetch_fault(self, address: int) -> Fault:
        refused = self._engine.refusal(address, Right.EXECUTE)
        if refused.protected or never_executable(address):
            return Fault(Vector.MEM_MANAGE, FETCH_FAULT + refused.text, FaultStatus.IACCVIOL.mask)
        return Fault(Vector.BUS_FAULT, FETCH_FAULT + refused.text, FaultStatus.IBUSERR.mask)

    def _half_word(self, address: int) -> int:
        return int.from_bytes(self._read_code(address, 2), "little")

"""Loads and stores of a Cortex-M that the bus refuses, but that are no faults.

Unprivileged software may use STIR if CCR.USERSETMPEND says so.

With CCR.BFHFNMIGN, software of a priority below 0 (NMI, HardFault, FAULTMASK) ignores precise bus faults of its data
accesses, to find out whether something answers at an address (ARMv7-M Architecture Reference Manual, Configuration and
Control Register). BFSR and BFAR tell it of them. The instruction completes: what it loads from there is UNKNOWN, and
what it stores there is lost. Fetches, faults of the MPU, and what exception entry and return move are no such accesses.

*Inaccuracies*: what is loaded is 0.
"""

from __future__ import annotations

from emu.cpu.arm.exceptions import Fault
from emu.cpu.arm.memory_protection import MemoryProtection
from emu.cpu.arm.nvic import Nvic, Vector
from emu.cpu.arm.registers import NPRIV, ArmRegisters
from emu.cpu.arm.system_control import Configuration, FaultStatus, SystemControl
from emu.cpu.arm.traps import Traps
from emu.cpu.engine import Engine
from emu.cpu.halt import Halt
from emu.cpu.hook_state import HOLE, Right
from emu.memory import PAGE


class RefusedAccesses:
    """Decides which refused accesses are no faults, and executes their instructions.

    Args:
        trigger: address of STIR.
    """

    def __init__(
        self,
        engine: Engine,
        registers: ArmRegisters,
        nvic: Nvic,
        control: SystemControl,
        protection: MemoryProtection,
        traps: Traps,
        trigger: int,
    ) -> None:
        self._engine, self._registers, self._nvic, self._control = engine, registers, nvic, control
        self._protection, self._traps, self._trigger = protection, traps, trigger

    def carry_out(self) -> Halt | None:
        """Execute the instruction whose access the engine has refused; None if that is a fault."""
        if self._is_open_trigger:
            return self._execute_privileged()
        fault = self._traps.access_fault()
        return self._execute_without_bus(fault) if self._ignores(fault) else None

    @property
    def _is_open_trigger(self) -> bool:
        refused = self._engine.fault
        is_trigger = refused is not None and refused.address == self._trigger
        return is_trigger and bool(Configuration.USERSETMPEND.extract(self._control.CCR))

    def _execute_privileged(self) -> Halt:
        """Execute an instruction of unprivileged software with the rights of privileged software."""
        control = self._registers.whole_control
        self._registers.write("control", control & ~NPRIV)
        halt = self._engine.execute_one(self._registers.start)
        self._registers.write("control", control)
        if self._protection.enabled:
            # Its pages have got the rights of unprivileged software.
            self._engine.flush_tlb()
        return halt

    def _ignores(self, fault: Fault) -> bool:
        refused = self._engine.fault
        return (
            fault.vector == Vector.BUS_FAULT
            and refused is not None
            and refused.access is not Right.EXECUTE
            and bool(Configuration.BFHFNMIGN.extract(self._control.CCR))
            and self._nvic.execution_priority(*self._registers.masks()) < 0
        )

    def _execute_without_bus(self, fault: Fault) -> Halt:
        """Execute an instruction with zeros where nothing answers; `Halt.FAULT` if it has another fault besides."""
        self._control.record(fault.status | FaultStatus.BFARVALID.mask)
        self._control.BFAR = fault.address or 0
        uc, pages, halt = self._engine.uc, set[int](), Halt.FAULT
        start = self._registers.start
        end = (start & ~1) + self._engine.width_at(start & ~1)
        try:
            while halt is Halt.FAULT and self._ignores(fault):
                page = HOLE + (fault.address or 0) // PAGE * PAGE
                uc.mem_map(page, PAGE)
                pages.add(page)
                self._engine.flush_tlb()
                # It would not have got so far if it had to be aligned and was not.
                halt = self._engine.execute_to(start, end, aligned=False)
                if halt is Halt.FAULT:
                    fault = self._traps.access_fault()
        finally:
            for page in pages:
                uc.mem_unmap(page, PAGE)
            self._engine.flush_tlb()
        return halt

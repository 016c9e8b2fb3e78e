"""Instructions that Unicorn executes, but that the core has to look at first in its present state."""

from __future__ import annotations

from dataclasses import dataclass

from emu.bus import BusError
from emu.cpu.arm.exceptions import Exceptions, Fault
from emu.cpu.arm.memory_map import is_private
from emu.cpu.arm.memory_protection import MemoryProtection
from emu.cpu.arm.models import Architecture
from emu.cpu.arm.nvic import Vector
from emu.cpu.arm.registers import ArmRegisters
from emu.cpu.arm.system_control import Configuration, FaultStatus, SystemControl
from emu.cpu.encoding import thumb_site
from emu.cpu.engine import Engine
from emu.cpu.halt import ACCESS_WORD, Halt
from emu.cpu.hook_state import EXCLUSIVE, Right, Site

ALWAYS = {
    Architecture.V6M: Site.NOT_BASELINE,
    Architecture.V7M: Site(0),
    Architecture.V8M: Site.STACK_LIMIT | Site.CHANGE_STATE,
}
"""What an architecture always has to look at."""
UNKNOWN = {
    Site.CHANGE_STATE: "(change to Non-secure state, which is not modelled)",
    Site.NOT_BASELINE: "(ARMv6-M does not have it)",
}
NON_SECURE = 0x80
"""Bit of the register's number in MSR: its Non-secure alias."""
REGISTERS = (*(f"r{number}" for number in range(13)), "sp", "lr", "pc")
"""Names by the numbers in an encoding."""
WIDE = 4
"""Bytes of an instruction of two half-words."""
FETCH_FAULT = "instruction fetch: "
PRIVATE_RULE = "the private peripheral bus is for privileged software"


@dataclass(frozen=True)
class Instruction:
    """An instruction where it stands.

    Attributes:
        first, second: half-words; ``second`` is 0 in a narrow one.
        width: bytes.
    """

    first: int
    second: int
    width: int

    @property
    def site(self) -> Site:
        """Its kind."""
        return Site(thumb_site(self.first & 0xFF, self.first >> 8, self.second & 0xFF, self.second >> 8))


class SpecialInstructions:
    """Chooses the sites at which the engine stops, and does there what the architecture asks for."""

    def __init__(
        self,
        engine: Engine,
        registers: ArmRegisters,
        control: SystemControl,
        exceptions: Exceptions,
        protection: MemoryProtection,
    ) -> None:
        self._engine, self._registers, self._control = engine, registers, control
        self._exceptions, self._protection = exceptions, protection

    def choose_sites(self) -> None:
        """Which instructions must not simply execute in the present state of system control and the MPU."""
        sites = Site.ATTENTION | self._engine.sites & EXCLUSIVE
        sites |= ALWAYS[self._control.model.architecture]
        if self._control.watches_floats or self._exceptions.native.lazy_active:
            sites |= Site.FLOATING_POINT
        if Configuration.DIV_0_TRP.extract(self._control.CCR):
            sites |= Site.DIVIDE
        if self._protection.enabled:
            sites |= Site.LEVEL
        added = sites & ~self._engine.sites
        self._engine.sites = sites
        if added:
            self._engine.repeat_before(added)

    @property
    def is_next(self) -> bool:
        """Whether the next instruction is one at which the engine stops."""
        pc = self._registers.start & ~1
        instruction = self._at(pc)
        return bool(instruction.site & self._engine.sites) or self._forbidden(pc, instruction.width) is not None

    def at_site(self) -> Halt:
        """The next block holds an instruction that needs attention: go up to it, or deal with it."""
        start = self._registers.start
        pc = address = start & ~1
        while True:
            instruction = self._at(address)
            if instruction.site & self._engine.sites or self._forbidden(address, instruction.width) is not None:
                break
            address += instruction.width
        return self._engine.execute_to(start, address) if address > pc else self._execute_one(start)

    def _execute_one(self, start: int) -> Halt:
        """Execute the next instruction, or deal with it."""
        instruction = self._at(start & ~1)
        forbidden = self._forbidden(start & ~1, instruction.width)
        if forbidden is not None:
            rule = self._protection.rule_at(forbidden, Right.EXECUTE, privileged=self._registers.privileged)
            self._exceptions.fault(Fault(Vector.MEM_MANAGE, FETCH_FAULT + rule, FaultStatus.IACCVIOL.mask))
            return Halt.STEP
        if instruction.site & self._engine.sites and self._registers.condition_passed and self._handled(instruction):
            return Halt.STEP
        halt = self._engine.execute_one(start)
        if Site.LEVEL in instruction.site:
            self._protection.follow()
        elif instruction.site is Site.ATTENTION and instruction.width == WIDE:
            # Its pages have got the rights of the code that it is part of.
            self._engine.flush_tlb()
        return halt

    def _forbidden(self, address: int, width: int) -> int | None:
        """The first address of an instruction that protection does not allow to fetch from."""
        return self._protection.refused(address, width, Right.EXECUTE, privileged=self._registers.privileged)

    def _at(self, address: int) -> Instruction:
        width = self._engine.width_at(address)
        try:
            code = self._engine.bus.read(address, width)
        except BusError:
            return Instruction(0, 0, width)
        return Instruction(int.from_bytes(code[:2], "little"), int.from_bytes(code[2:], "little"), width)

    def _handled(self, instruction: Instruction) -> bool:
        """Do what Unicorn would not; False if it shall execute the instruction."""
        match instruction.site:
            case Site.FLOATING_POINT if self._control.floats_allowed(privileged=self._registers.privileged):
                return not self._begin_floats()
            case Site.FLOATING_POINT:
                self._usage_fault("floating-point instruction while CPACR disables the FPU", FaultStatus.NOCP.mask)
                return True
            case Site.DIVIDE if self._registers.read(REGISTERS[instruction.second & 15]) == 0:
                self._usage_fault("division by 0 (CCR.DIV_0_TRP)", FaultStatus.DIVBYZERO.mask)
                return True
            case Site.ATTENTION if instruction.width == WIDE:
                return self._refused_unprivileged(instruction)
            case Site.ATTENTION:
                self._exceptions.event = True
            case Site.STACK_LIMIT if self._registers.privileged and not instruction.second & NON_SECURE:
                limit = self._registers.read(REGISTERS[instruction.first & 15])
                self._exceptions.stack_limits.note(bool(instruction.second & 1), limit)
                self._exceptions.native.configure(self._control)
            case Site.CHANGE_STATE | Site.NOT_BASELINE:
                self._usage_fault(
                    f"undefined instruction {instruction.first:04x} {UNKNOWN[instruction.site]}",
                    FaultStatus.UNDEFINSTR.mask,
                )
                return True
            case Site.STORE_EXCLUSIVE:
                # The word form has the number of its result register in other bits than the byte and half-word forms.
                result = instruction.second >> 8 if instruction.first >> 4 & 0xF == 4 else instruction.second
                self._registers.write(REGISTERS[result & 15], 1)
                self._engine.charge(self._engine.pc)
                self._registers.skip(instruction.width)
                return True
        return False

    def _refused_unprivileged(self, instruction: Instruction) -> bool:
        """Take the fault of a load or store with the rights of unprivileged code, if it breaks a rule."""
        address = self._registers.read(REGISTERS[instruction.first & 15]) + (instruction.second & 0xFF) & 0xFFFF_FFFF
        access = Right.READ if instruction.first >> 4 & 1 else Right.WRITE
        if is_private(address):
            text = f"{ACCESS_WORD[access]} at 0x{address:08x}: {PRIVATE_RULE}"
            self._exceptions.fault(Fault(Vector.BUS_FAULT, text, FaultStatus.PRECISERR.mask, address))
            return True
        count = 1 << (instruction.first >> 5 & 3)
        refused = self._protection.refused(address, count, access, privileged=False)
        if refused is None:
            return False
        rule = self._protection.rule_at(refused, access, privileged=False)
        self._exceptions.fault(Fault(Vector.MEM_MANAGE, rule, FaultStatus.DACCVIOL.mask, refused))
        return True

    def _begin_floats(self) -> bool:
        """Before a floating-point instruction: keep those of another context, begin an own one; False: a fault."""
        if self._exceptions.native.lazy_active and not self._exceptions.keep_floats():
            return False
        control, default = self._registers.whole_control, self._control.FPDSCR
        context = self._exceptions.float_context
        if default and control & context != context:
            # Unicorn would begin a context with FPSCR = 0.
            self._registers.write("control", control | context)
            self._registers.write("fpscr", default)
        self.choose_sites()
        return True

    def _usage_fault(self, text: str, status: int) -> None:
        self._exceptions.fault(Fault(Vector.USAGE_FAULT, text, status))

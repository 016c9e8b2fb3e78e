"""Unaligned loads and stores of ARMv7-M and ARMv8-M: faults, or carried out, as instruction and CCR say.

Unicorn traps all of them, see `emu.cpu.arm.alignment`. The architecture allows unaligned addresses in LDR, STR, LDRH,
STRH, their kin and TBH, unless CCR.UNALIGN_TRP is set; in all other loads and stores they are faults. The first time
that an allowed one is met, its block of instructions is translated anew without the checks, if nothing in it needs
them.

Bits 1 and 0 of the stack pointer are always 0; Unicorn keeps what firmware writes there. They are cleared when the
first access by it traps.

*Inaccuracies*: an instruction before that access, which copies the stack pointer, sees the two bits.
"""

from __future__ import annotations

from collections.abc import Callable

from emu.cpu.arm.registers import EPSR_BITS, THUMB, ArmRegisters
from emu.cpu.arm.system_control import Configuration, SystemControl
from emu.cpu.engine import Engine
from emu.cpu.halt import Halt

STACK_POINTER, PROGRAM_COUNTER = 13, 15
"""Bases that are always aligned."""
ALIGNED = ~3


def needs_alignment(first: int, second: int) -> bool:
    """Whether a load or store of these half-words faults at unaligned addresses, whatever CCR says."""
    if first >> 12 == 0xC:  # LDM, STM
        return True
    if first & 15 in (STACK_POINTER, PROGRAM_COUNTER):
        return False
    if first & 0xFFF0 == 0xE8D0 and second & 0xFFE0 == 0xF000:  # TBB, TBH
        return False
    # LDM, STM, LDRD, STRD, exclusive and acquiring ones; those of coprocessors, which are of the FPU.
    return first & 0xFE00 == 0xE800 or first & 0xFE00 == 0xEC00


class UnalignedAccesses:
    """Decides what becomes of an unaligned access, and carries out what is allowed.

    Args:
        read_code: bytes at an address, zeros where there is no memory.
    """

    def __init__(
        self, engine: Engine, registers: ArmRegisters, control: SystemControl, read_code: Callable[[int, int], bytes]
    ) -> None:
        self._engine, self._registers, self._control, self._read_code = engine, registers, control, read_code
        self._unchecked: set[int] = set()

    @property
    def _trapped(self) -> bool:
        return bool(Configuration.UNALIGN_TRP.extract(self._control.CCR))

    @property
    def allowed(self) -> bool:
        """Whether the instruction that has trapped may make its unaligned access."""
        pc = self._engine.pc
        return not self._trapped and not self._needs_alignment(pc)

    @property
    def stack_is_unaligned(self) -> bool:
        """Whether firmware has written a stack pointer with bits that it does not have."""
        return self._registers.read("sp") & ALIGNED != self._registers.read("sp")

    def align_stack(self) -> Halt:
        """Clear these bits, and execute the instruction that has trapped and the rest of its block."""
        end = self._engine.block_end
        self._engine.retract(self._engine.pc)
        self._registers.write("sp", self._registers.read("sp") & ALIGNED)
        return self._engine.execute_to(self._registers.start, end)

    def carry_out(self) -> Halt:
        """Execute the instruction that has trapped and the rest of its block, as one piece, as it would be without."""
        engine = self._engine
        pc, block, end = engine.pc, engine.block_pc, engine.block_end
        engine.retract(pc)
        checked = pc + engine.width_at(pc)
        while checked < end and not self._needs_alignment(checked):
            checked += engine.width_at(checked)
        halt = engine.execute_to(self._registers.start, checked, aligned=False)
        if halt is Halt.STEP and engine.pc == checked < end:
            halt = engine.execute_to(self._registers.start, end)
        self._leave_unchecked(block)
        return halt

    def _leave_unchecked(self, block: int) -> None:
        """Translate a block without checks, if it has only accesses that may be unaligned."""
        if self._registers.read("xpsr") & EPSR_BITS & ~THUMB:
            return
        uc = self._engine.uc
        uc.ctl_remove_cache(block, block + 2)
        _, _, size = uc.ctl_request_cache(block)
        address = block
        while address < block + size and not self._needs_alignment(address):
            address += self._engine.width_at(address)
        if address < block + size:
            uc.ctl_remove_cache(block, block + 2)
        else:
            self._unchecked.add(block)

    def follow(self) -> None:
        """Before a run: CCR may have changed, and blocks without checks need them."""
        if self._unchecked and self._trapped:
            for block in self._unchecked:
                self._engine.uc.ctl_remove_cache(block, block + 2)
            self._unchecked.clear()

    def _needs_alignment(self, address: int) -> bool:
        code = self._read_code(address, 4)
        return needs_alignment(int.from_bytes(code[:2], "little"), int.from_bytes(code[2:], "little"))

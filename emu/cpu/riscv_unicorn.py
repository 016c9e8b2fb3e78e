"""Unicorn as engine of an RV32IMC hart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from unicorn import riscv_const

from emu.cpu.encoding import riscv_site, riscv_width
from emu.cpu.engine import Engine, InstructionSet
from emu.cpu.halt import AccessFault, Halt
from emu.cpu.hook_state import NARROW_HOLE, NARROW_HOLE_SIZE, Site, Slot
from emu.cpu.riscv_decode import WFI, instruction_at
from emu.cpu.riscv_engine import Trap
from emu.cpu.riscv_model import make_unicorn
from emu.device import Board

UNICORN_ILLEGAL, UNICORN_CALL = 2, 8
"""Unicorn's numbers of the exceptions that instructions cause."""
TRAP_WIDTH = 4
"""Unicorn reports a trap this far behind its instruction, also behind compressed ones."""
RISCV_INSTRUCTIONS: Final = InstructionSet(
    "riscv_rare_block", riscv_width, riscv_const.UC_RISCV_REG_PC, hole=(NARROW_HOLE, NARROW_HOLE_SIZE)
)


class UnicornHart:
    """A `HartEngine`: integer, multiply and compressed instructions execute natively in Unicorn.

    Args:
        board: the bus must be complete.
        on_trap: carries out what Unicorn does not.

    Raises:
        ValueError: something is mapped at `NARROW_HOLE`.

    *Inaccuracies*: a block of hundreds of instructions, dozens of them divisions, may end before `LONGEST_BLOCK`.
    A block that runs into a compressed instruction of all zeros (c.addi4spn by 0) does not count it while it executes:
    devices see the time one cycle early. An instruction fetch that faults in the second half of an
    instruction is reported at the beginning of its block, without executing that block. A block
    that overwrites itself and is left early is counted by its new instructions. Code that is overwritten by code of
    the same size and another number of instructions keeps its count until the next `invalidate`.
    """

    def __init__(self, board: Board, on_trap: Trap) -> None:
        taken = board.bus.find(NARROW_HOLE)
        if taken is not None:
            raise ValueError(f"{taken[1].name}: the page at 0x{NARROW_HOLE:08x} must stay free on an rv32imc host")
        self._bus, self._on_trap = board.bus, on_trap
        self._engine = Engine(make_unicorn(), board, RISCV_INSTRUCTIONS, self._trap)
        self._engine.sites = Site.USER_COUNTER | Site.IGNORED
        self._x = [self._engine.batch(riscv_const.UC_RISCV_REG_X0 + number) for number in range(32)]
        self._all_x = self._engine.batch(*(riscv_const.UC_RISCV_REG_X0 + number for number in range(32)))
        self.request_stop, self.charge, self.invalidate = (
            self._engine.request_stop,
            self._engine.charge,
            self._engine.invalidate,
        )

    @property
    def fault(self) -> AccessFault | None:
        """What came with `Halt.FAULT`."""
        return self._engine.fault

    @property
    def pc(self) -> int:
        """Address of the next instruction; stale inside device callbacks."""
        return self._engine.pc

    @pc.setter
    def pc(self, address: int) -> None:
        self._engine.pc = address

    @property
    def instructions(self) -> int:
        """Instructions retired."""
        return self._engine.instructions

    @instructions.setter
    def instructions(self, count: int) -> None:
        self._engine.instructions = count

    @property
    def exits(self) -> frozenset[int]:
        """See `HartEngine`."""
        return self._engine.exits

    @exits.setter
    def exits(self, addresses: Iterable[int]) -> None:
        self._engine.exits = frozenset(addresses)

    def execute(self, pc: int) -> Halt:
        """See `HartEngine.execute`."""
        halt = self._finish(self._engine.execute(pc))
        return self._approach_site() if halt is Halt.SITE else halt

    def execute_one(self, pc: int) -> Halt:
        """See `HartEngine.execute_one`. Sites are `Halt.SITE`."""
        if self._is_site(pc):
            self._engine.pc = pc
            return Halt.SITE
        return self._finish(self._engine.execute_one(pc))

    def _finish(self, halt: Halt) -> Halt:
        """Take back the count of what was not executed."""
        if halt in (Halt.SLEEP, Halt.INVALID):
            self._engine.retract(self._engine.pc)
        elif halt in (Halt.EXIT, Halt.STEP) and self._ended_with_wfi():
            return Halt.SLEEP
        return halt

    def _ended_with_wfi(self) -> bool:
        """Whether the newest block ends before the pc with wfi, which Unicorn does not tell before an exit."""
        state = self._engine.state
        address, end = int(state[Slot.BLOCK_PC]), self._engine.pc
        if address + int(state[Slot.BLOCK_SIZE]) != end:
            return False
        last = address
        while address < end:
            last = address
            address += self._engine.width_at(address)
        return address != last and instruction_at(self._bus, last) == WFI

    def _is_site(self, pc: int) -> bool:
        word = instruction_at(self._bus, pc)
        return riscv_site(*word.to_bytes(4, "little")) != 0

    def _approach_site(self) -> Halt:
        """Execute the block at the pc up to its first instruction that the caller has to carry out."""
        pc = site = self._engine.pc
        while not self._is_site(site):
            site += self._engine.width_at(site)
        return Halt.SITE if site == pc else self._finish(self._engine.execute_to(pc, site))

    def _trap(self, number: int) -> None:
        """An instruction is not native; the run is not stopped for it, and goes on where this leaves the pc."""
        pc = (self._engine.pc - TRAP_WIDTH) & 0xFFFF_FFFF
        if number not in (UNICORN_ILLEGAL, UNICORN_CALL):
            raise RuntimeError(f"Unicorn's exception {number} at 0x{pc:08x} is not expected")
        self._engine.retract(pc)
        self._on_trap(pc, number == UNICORN_CALL)

    def read_x(self, number: int) -> int:
        """See `HartEngine.read_x`."""
        return self._x[number].read()[0]

    def write_x(self, number: int, value: int) -> None:
        """See `HartEngine.write_x`."""
        self._x[number].write(value)

    def read_all_x(self) -> Sequence[int]:
        """See `HartEngine.read_all_x`."""
        return self._all_x.read()

    def write_all_x(self, value: int) -> None:
        """See `HartEngine.write_all_x`."""
        self._all_x.write(*[value] * 32)

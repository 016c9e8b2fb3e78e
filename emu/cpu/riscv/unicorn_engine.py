"""Unicorn as engine of an RV32IMC hart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from unicorn import riscv_const

from emu.bus import Bus
from emu.cpu.encoding import riscv_site, riscv_width
from emu.cpu.engine import Engine, InstructionSet
from emu.cpu.halt import AccessFault, Halt
from emu.cpu.hook_state import NARROW_HOLE, NARROW_HOLE_SIZE, WINDOW_PAGES, Request, Right, Site, Slot
from emu.cpu.native import hook_addresses
from emu.cpu.protection import Protection
from emu.cpu.riscv.decode import WFI, instruction_at, load_address
from emu.cpu.riscv.engine import Trap
from emu.cpu.riscv.model import SUPERVISOR_MODE, USER_MODE, make_unicorn
from emu.cpu.riscv.state import RIGHTS_WORDS, HartSlot
from emu.cpu.riscv.traps import PrivilegedState
from emu.cpu.timing.costs import InstructionCosts
from emu.device import Board
from emu.memory import PAGE

UNICORN_ILLEGAL, UNICORN_CALL = 2, 8
"""Unicorn's numbers of the exceptions that instructions cause."""
TRAP_WIDTH = 4
"""Unicorn reports a trap this far behind its instruction, also behind compressed ones."""
WORD_BYTES = 4
PURE_LEVELS = {0b00, 0b11}
"""Fetches have the same rights as loads and stores; see `riscv.state.level_of`."""
STOPS: Final = Site.USER_COUNTER | Site.IGNORED
"""Instructions that the caller has to carry out."""
RISCV_INSTRUCTIONS: Final = InstructionSet(
    "riscv",
    riscv_width,
    riscv_const.UC_RISCV_REG_PC,
    tuple(riscv_const.UC_RISCV_REG_X0 + number for number in range(32)),
    "riscv_trap",
    hole=(NARROW_HOLE, NARROW_HOLE_SIZE),
)


def free_window(bus: Bus, size: int) -> int:
    """The highest address of ``size`` bytes below `NARROW_HOLE` where nothing is mapped. Raises ValueError."""
    end = NARROW_HOLE
    for base, used in sorted(bus.regions, reverse=True):
        if end - (base + used) >= size:
            break
        end = base
    if end < size:
        raise ValueError(f"an rv32imc host needs 0x{size:x} free bytes somewhere below 0x{NARROW_HOLE:08x}")
    return end - size


class UnicornHart:
    """A `HartEngine`: integer, multiply and compressed instructions execute natively in Unicorn.

    Args:
        board: the bus must be complete.
        hart: its privileged state.
        on_trap: carries out what Unicorn does not.
        costs: cycles of the instructions; None for one each.

    Raises:
        ValueError: something is mapped at `NARROW_HOLE`, or there is no room for the window of part pages.

    *Inaccuracies*: a block of hundreds of instructions, dozens of them divisions, may end before `LONGEST_BLOCK`.
    A block that runs into a compressed instruction of all zeros (c.addi4spn by 0) does not count it while it executes:
    devices see the time one cycle early. A block that overwrites itself and is left early is counted by its new
    instructions.
    """

    def __init__(
        self, board: Board, hart: PrivilegedState, on_trap: Trap, costs: InstructionCosts | None = None
    ) -> None:
        taken = board.bus.find(NARROW_HOLE)
        if taken is not None:
            raise ValueError(f"{taken[1].name}: the page at 0x{NARROW_HOLE:08x} must stay free on an rv32imc host")
        self._bus, self._on_trap = board.bus, on_trap
        self._hart, self._rights = hart, dict[int, tuple[Protection | None, Protection | None]]()
        window = free_window(board.bus, WINDOW_PAGES * PAGE), PAGE
        self._engine = Engine(make_unicorn(), board, RISCV_INSTRUCTIONS, self._trap, window, costs)
        self._engine.sites = STOPS
        self._x = [self._engine.batch(riscv_const.UC_RISCV_REG_X0 + number) for number in range(32)]
        self._all_x = self._engine.batch(*(riscv_const.UC_RISCV_REG_X0 + number for number in range(32)))
        self._engine.state[Slot.HART] = hart.array.ctypes.data
        self._engine.state[Slot.TAKE_FUNCTION] = hook_addresses()["riscv_take"]
        self.request_check = self._engine.request_check
        self.request_stop, self.charge, self.invalidate = (
            self._engine.request_stop,
            self._engine.charge,
            self._engine.invalidate,
        )
        self.follows, self.continue_at = self._engine.follows, self._engine.continue_at
        self._mode = self._engine.batch(riscv_const.UC_RISCV_REG_PRIV)

    def protect(self, level: int, code: Protection | None, data: Protection | None) -> None:
        """See `HartEngine.protect`. Levels with the same rights to fetch share entries of Unicorn's TLB."""
        engine, words = self._engine, self._hart.words
        if not words[HartSlot.PROTECTS]:
            return
        promotions = int(engine.state[Slot.PROMOTIONS])
        if words[HartSlot.PROMOTIONS] != promotions:
            words[HartSlot.READY], words[HartSlot.PROMOTIONS] = 0, promotions
        ready, pure = bool(words[HartSlot.READY] >> level & 1), {words[HartSlot.LEVEL], level} <= PURE_LEVELS
        known = ready and pure and self._rights.get(level) == (code, data)
        self._rights[level] = code, data
        engine.know(*(protection for pair in self._rights.values() for protection in pair))
        engine.protect(code, data, fresh=not known)
        self._mode.write(SUPERVISOR_MODE if level >> 1 else USER_MODE)
        words[HartSlot.LEVEL] = level
        if code is None or code is data:
            first = HartSlot.RIGHTS + RIGHTS_WORDS * level
            masks = engine.state[Slot.CODE_MASK : Slot.CODE_MASK + RIGHTS_WORDS]
            self._hart.array[first : first + RIGHTS_WORDS] = masks
            words[HartSlot.READY] |= 1 << level
        else:
            words[HartSlot.READY] &= ~(1 << level)

    @property
    def _code(self) -> Protection | None:
        return self._engine.protection[0]

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
        if halt is Halt.SITE:
            return self._approach_site()
        if halt is Halt.FETCH:
            return self._approach_fetch(self._forbidden(self._engine.pc))
        fault = self.fault
        if halt is Halt.FAULT and fault is not None and fault.access is Right.EXECUTE:
            return self._approach_block(fault.address)
        return halt

    def execute_one(self, pc: int) -> Halt:
        """See `HartEngine.execute_one`. Sites are `Halt.SITE`."""
        return self._one(pc, self._engine.execute_one)

    def execute_one_exactly(self, pc: int) -> Halt:
        """See `HartEngine.execute_one_exactly`."""
        return self._one(pc, self._engine.execute_one_exactly)

    def _one(self, pc: int, execute: Callable[[int], Halt]) -> Halt:
        if self._is_site(pc):
            self._engine.pc = pc
            self._engine.arrive(pc)
            return Halt.SITE
        if self._code is not None and self._forbidden(pc) < pc + self._engine.width_at(pc):
            self._engine.pc = pc
            return self._approach_fetch(self._forbidden(pc))
        return self._finish(execute(pc))

    def _finish(self, halt: Halt) -> Halt:
        """Take back the count of what was not executed."""
        if halt in (Halt.SLEEP, Halt.INVALID):
            self._engine.retract(self._engine.pc)
        elif halt is Halt.FAULT:
            self._correct_load_address()
        elif halt is Halt.EXCEPTION:
            return Halt.REQUEST
        elif halt in (Halt.EXIT, Halt.STEP) and self._ended_with_wfi():
            return Halt.SLEEP
        return halt

    def _correct_load_address(self) -> None:
        """Unicorn reads from part pages in aligned words, so that a refused one may begin before the load's address."""
        fault = self.fault
        if fault is None or fault.access is not Right.READ or not fault.protected:
            return
        address = load_address(instruction_at(self._bus, self.pc), self.read_x)
        if address is not None and fault.address < address < fault.address + WORD_BYTES:
            self._engine.fault = self._engine.refusal(address, Right.READ)

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
        return riscv_site(*word.to_bytes(4, "little")) & STOPS != 0

    def _approach_site(self) -> Halt:
        """Execute the block at the pc up to its first instruction that the caller has to carry out."""
        pc = site = self._engine.pc
        while not self._is_site(site):
            site += self._engine.width_at(site)
        if site > pc:
            return self._finish(self._engine.execute_to(pc, site))
        self._engine.arrive(pc)
        return Halt.SITE

    def _forbidden(self, pc: int) -> int:
        """The first address from the pc on that protection does not allow to fetch from."""
        assert self._code is not None, "only protection forbids fetches from a page with code"
        return self._code.executable_end(pc)

    def _approach_block(self, address: int) -> Halt:
        """A block was not translated, because its last instruction runs into a page without code, at ``address``."""
        if address == self._engine.pc:
            return Halt.FAULT
        if self._engine.state[Slot.REQUEST] & (Request.STOP | Request.CHECK):
            return Halt.REQUEST
        clock = self._engine.clock
        return Halt.DEADLINE if clock.now >= clock.deadline else self._approach_fetch(address)

    def _approach_fetch(self, address: int) -> Halt:
        """Execute the block at the pc up to the instruction that cannot be fetched from ``address``."""
        pc = last = self._engine.pc
        while last + self._engine.width_at(last) <= address:
            if self._is_site(last):
                return self._approach_site()
            last += self._engine.width_at(last)
        if last != pc:
            halt = self._finish(self._engine.execute_to(pc, last))
            if halt is not Halt.STEP or self._engine.pc != last:
                return halt
            if address != last and self._code is not None and not self._code.allows(address, 1, Right.EXECUTE):
                # Protection lets half of the instruction be fetched: a block begins with it, but not at once.
                return Halt.REQUEST
        self._engine.fault = self._engine.refusal(address, Right.EXECUTE)
        return Halt.FAULT

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
        if number:
            self._x[number].write(value)

    def read_all_x(self) -> Sequence[int]:
        """See `HartEngine.read_all_x`."""
        return self._all_x.read()

    def write_all_x(self, value: int) -> None:
        """See `HartEngine.write_all_x`."""
        self._all_x.write(*[value] * 32)

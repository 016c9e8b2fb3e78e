"""The interpreter as engine of an RV32IMC hart: tables for the native loop, and the accesses that it leaves."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from emu.clock import NOW
from emu.cpu.halt import AccessFault, Halt, refusal
from emu.cpu.hook_state import NOWHERE, Right
from emu.cpu.hook_state import PAGE_BITS as SMALL_PAGE_BITS
from emu.cpu.native import hook_addresses
from emu.cpu.protection import Protection
from emu.cpu.riscv.engine import Trap
from emu.cpu.riscv.interpreter import loop, operations
from emu.cpu.riscv.interpreter.tables import CodeTable, DataTables
from emu.cpu.riscv.state import RIGHTS_WORDS, HartSlot
from emu.cpu.riscv.traps import PrivilegedState
from emu.cpu.timing.costs import InstructionCosts
from emu.device import Board, Device
from emu.memory import PAGE, Memory

WORD_MASK = 0xFFFF_FFFF
PAGE_BITS = PAGE.bit_length() - 1
KEPT_TABLES = 16
"""Protections whose tables are kept."""


Table = TypeVar("Table")


def _keep(tables: dict[Protection, Table], protection: Protection, make: Callable[[Protection], Table]) -> bool:
    """Let the tables of a protection be the newest ones; whether they had to be made.

    The oldest ones are given up: firmware may set up its protection anew again and again.
    """
    found = tables.pop(protection, None)
    if found is None and len(tables) >= KEPT_TABLES:
        del tables[next(iter(tables))]
    tables[protection] = make(protection) if found is None else found
    return found is None


def native_run() -> Callable[[int], int]:
    """`loop.run` in machine code."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(hook_addresses()["run"])


class _RefusedError(Exception):
    """The bus refuses a load or store."""

    def __init__(self, address: int, access: Right) -> None:
        super().__init__(address)
        self.address, self.access = address, access


class Interpreter:
    """A `HartEngine` without Unicorn.

    Args:
        board: the bus must be complete: later memories and devices are not seen.
        hart: its privileged state.
        on_trap: carries out what the loop does not.
        costs: cycles of the instructions; None for one each.
        run: what executes: `loop.run`, or None for its machine code.

    Attributes:
        fault: what came with `Halt.FAULT`.

    *Inaccuracies*: none beyond those of `HartEngine`.
    """

    def __init__(
        self,
        board: Board,
        hart: PrivilegedState,
        on_trap: Trap,
        costs: InstructionCosts | None = None,
        run: Callable[[int], int] | None = None,
    ) -> None:
        self._bus, self._clock, self._on_trap, self._costs = board.bus, board.clock, on_trap, costs
        self._run = run or native_run()
        self.fault: AccessFault | None = None
        self._exits: frozenset[int] = frozenset()
        self._caught: BaseException | None = None
        memories = board.bus.memories
        self._entries = {m.base: np.zeros((m.size // PAGE, 2, PAGE // 2), np.int64) for m in memories if m.executable}
        self._code, self._data = self._new_code(None), DataTables(memories, None)
        self._code_tables: dict[Protection, CodeTable] = {}
        self._data_tables: dict[Protection, DataTables] = {}
        self._hart, self._rights = hart, dict[int, tuple[Protection | None, Protection | None]]()
        self._exit_list = np.zeros(1, np.int64)
        self._state = np.zeros(loop.SLOTS, np.int64)
        self._address = self._state.ctypes.data
        self._state[loop.CLOCK], self._state[loop.HART] = board.clock.state.ctypes.data, hart.array.ctypes.data
        self._state[loop.ALL_LOADS], self._state[loop.ALL_CODE] = (
            self._data.loads.ctypes.data,
            self._code.code.ctypes.data,
        )
        self._state[loop.TIMED], self._state[loop.NEXT], self._state[loop.CUT_PC] = costs is not None, NOWHERE, NOWHERE
        self._tell_tables()
        self._let_count(None, None)
        for memory in memories:
            memory.on_block.append(partial(self._blocked, memory))

    # Memory

    def _new_code(self, protection: Protection | None) -> CodeTable:
        def entries(memory: Memory) -> int | None:
            found = self._entries.get(memory.base)
            return None if found is None else found.ctypes.data

        return CodeTable(self._bus.memories, entries, protection)

    def protect(self, level: int, code: Protection | None, data: Protection | None) -> None:
        """See `HartEngine.protect`."""
        words = self._hart.words
        if not words[HartSlot.PROTECTS] or (level == words[HartSlot.LEVEL] and self._rights.get(level) == (code, data)):
            return
        changed = code is not None and _keep(self._code_tables, code, self._new_code)
        if data is not None and _keep(self._data_tables, data, self._new_data):
            changed = True
            self._tell_tables()
        if changed:
            # Tables that were given up may be those of another level.
            words[HartSlot.READY] = 0
        self._rights[level] = code, data
        self._let_count(code, data)
        first, now = HartSlot.RIGHTS + RIGHTS_WORDS * level, loop.LOADS
        self._hart.array[first : first + RIGHTS_WORDS] = self._state[now : now + RIGHTS_WORDS]
        words[HartSlot.LEVEL] = level
        words[HartSlot.READY] |= 1 << level

    def _new_data(self, protection: Protection) -> DataTables:
        tables = DataTables(self._bus.memories, protection)
        for memory in self._bus.memories:
            tables.watch(memory, self._data)
        return tables

    def _tell_tables(self) -> None:
        """Tell the loop which tables there are for stores."""
        state = self._state
        self._all_data = [self._data, *self._data_tables.values()]
        self._store_tables = np.array([table.stores.ctypes.data for table in self._all_data], np.int64)
        state[loop.STORE_TABLES], state[loop.STORE_TABLE_COUNT] = self._store_tables.ctypes.data, len(self._all_data)

    def _let_count(self, code: Protection | None, data: Protection | None) -> None:
        """Tell the loop which tables count."""
        state = self._state
        fetches = self._code if code is None else self._code_tables[code]
        tables = self._data if data is None else self._data_tables[data]
        spans = (0, 0) if code is None else code.code_slots[1:]
        rights = [array.ctypes.data for array in (tables.loads, tables.stores, tables.free, fetches.code)]
        state[loop.LOADS : loop.LOADS + RIGHTS_WORDS] = *rights, *spans

    @property
    def _protection(self) -> tuple[Protection | None, Protection | None]:
        """What restricts code and data now."""
        return self._rights.get(self._hart.words[HartSlot.LEVEL], (None, None))

    def _blocked(self, memory: Memory) -> None:
        for data in self._all_data:
            data.map(memory)
        for code in (self._code, *self._code_tables.values()):
            code.map(memory)
        if memory.executable:
            self._dirty(memory.base, memory.base + memory.size)

    def _dirty(self, low: int, high: int) -> None:
        """The code in ``low .. high - 1`` is to be decoded again."""
        state = self._state
        if state[loop.DIRTY_HIGH]:
            low, high = min(low, int(state[loop.DIRTY_LOW])), max(high, int(state[loop.DIRTY_HIGH]))
        state[loop.DIRTY_LOW], state[loop.DIRTY_HIGH] = low, high

    def _forget(self) -> None:
        """Forget what was decoded on the pages that are dirty."""
        state = self._state
        # An instruction may begin on the page before.
        first, last = (int(state[loop.DIRTY_LOW]) - 2) // PAGE, (int(state[loop.DIRTY_HIGH]) - 1) // PAGE
        state[loop.DIRTY_HIGH], state[loop.CUT_PC] = 0, NOWHERE
        for memory in self._bus.memories:
            entries = self._entries.get(memory.base)
            low, high = max(first * PAGE, memory.base), min((last + 1) * PAGE, memory.base + memory.size)
            if entries is None or low >= high:
                continue
            entries[(low - memory.base) // PAGE : (high - memory.base) // PAGE] = 0
            pages = slice(low >> PAGE_BITS, high >> PAGE_BITS)
            for data in self._all_data:
                data.stores[pages] = data.free[pages]

    def invalidate(self, address: int, count: int) -> None:
        """See `HartEngine.invalidate`."""
        if self._code.code[address >> PAGE_BITS : ((address + max(count, 1) - 1) >> PAGE_BITS) + 1].any():
            self._dirty(address, address + max(count, 1))

    # Running

    @property
    def pc(self) -> int:
        """Address of the next instruction."""
        return int(self._state[loop.PC])

    @pc.setter
    def pc(self, address: int) -> None:
        self._state[loop.PC] = address

    @property
    def instructions(self) -> int:
        """Instructions retired."""
        return int(self._state[loop.INSTRUCTIONS])

    @instructions.setter
    def instructions(self, count: int) -> None:
        self._state[loop.INSTRUCTIONS] = count
        self.continue_at(NOWHERE)

    @property
    def exits(self) -> frozenset[int]:
        """See `HartEngine`."""
        return self._exits

    @exits.setter
    def exits(self, addresses: Iterable[int]) -> None:
        new = frozenset(addresses)
        for address in new ^ self._exits:
            self.invalidate(address, 2)
        self._exits = new
        self._exit_list = np.array(sorted(new), np.int64)
        self._state[loop.EXITS] = self._exit_list.ctypes.data
        self._state[loop.EXIT_COUNT] = len(new)

    def request_stop(self) -> None:
        """See `HartEngine.request_stop`."""
        self._state[loop.REQUEST] = loop.STOP

    def request_check(self) -> None:
        """See `HartEngine.request_check`."""
        if self._state[loop.REQUEST] == loop.NOTHING:
            self._state[loop.REQUEST] = loop.CHECK

    def charge(self, address: int, times: int = 1) -> None:
        """See `HartEngine.charge`."""
        self._count(times, times if self._costs is None else times * self._costs.line(address, 1).cycles)
        if self._costs is not None:
            self.continue_at(address + self._costs.width_at(address))

    def _count(self, instructions: int, cycles: int) -> None:
        self._state[loop.INSTRUCTIONS] += instructions
        self._clock.state[NOW] += cycles

    def follows(self, pc: int) -> bool:
        """See `HartEngine.follows`."""
        return self._costs is not None and bool(self._state[loop.NEXT] == pc)

    def continue_at(self, pc: int) -> None:
        """See `HartEngine.continue_at`."""
        self._state[loop.NEXT], self._state[loop.TAKEN] = pc, 0

    def execute(self, pc: int) -> Halt:
        """See `HartEngine.execute`. Raises what a device raised during an access, at the end of the block."""
        return self._execute(pc, loop.NOTHING)

    def execute_one(self, pc: int) -> Halt:
        """See `HartEngine.execute_one`."""
        halt = self._execute(pc, loop.STEP_ONE)
        return Halt.STEP if halt in (Halt.REQUEST, Halt.EXIT) else halt

    def execute_one_exactly(self, pc: int) -> Halt:
        """See `HartEngine.execute_one_exactly`."""
        ahead = int(self._state[loop.REST]) - (1 if self._costs is None else self._costs.line(pc, 1).cycles)
        self._clock.state[NOW] += ahead
        try:
            return self.execute_one(pc)
        finally:
            self._clock.state[NOW] -= ahead

    def _execute(self, pc: int, request: int) -> Halt:
        state = self._state
        state[loop.PC], state[loop.REMAINING], state[loop.REQUEST] = pc, 0, request
        state[loop.POLL_PC] = NOWHERE
        self.fault = None
        halt = None
        while halt is None:
            halt = self._attend(self._run(self._address))
        if self._caught is not None:
            error, self._caught = self._caught, None
            raise error
        return halt

    def _attend(self, reason: int) -> Halt | None:
        """Do what the loop stopped for; None: go on."""
        if reason in (loop.AT_LOAD, loop.AT_STORE):
            return self._access(reason == loop.AT_LOAD)
        if reason == loop.AT_FORGET:
            self._forget()
            return None
        if reason == loop.AT_COSTS:
            self._find_costs()
            return None
        if reason in (loop.AT_FETCH, operations.FETCH_FAULT):
            self._retract()
            address = self.pc + 2 & WORD_MASK if reason == operations.FETCH_FAULT else self._forbidden()
            return self._refused(address, Right.EXECUTE)
        if reason in (operations.TRAP, operations.LONE_TRAP, operations.TRANSLATION_FENCE, operations.CALL):
            self._retract()
            self._on_trap(self.pc, reason == operations.CALL)
            return None
        if reason in (operations.EBREAK, operations.WFI):
            self._retract()
            return Halt.INVALID if reason == operations.EBREAK else Halt.SLEEP
        return {
            loop.AT_DEADLINE: Halt.DEADLINE,
            loop.AT_REQUEST: Halt.REQUEST,
            loop.AT_EXIT: Halt.EXIT,
            loop.AT_STEP: Halt.STEP,
        }[reason]

    def _retract(self) -> None:
        """Take back the count of the rest of the block."""
        left = int(self._state[loop.REMAINING])
        self._count(-left, -left if self._costs is None else -self._costs.line(self.pc, left).cycles)
        if left:
            self.continue_at(self.pc)
        self._state[loop.REMAINING] = 0

    def _find_costs(self) -> None:
        """Write down what the block that the loop asks for costs."""
        state = self._state
        assert self._costs is not None
        pc, count = self.pc, int(state[loop.CUT_COUNT])
        line = self._costs.line(pc, count)
        packed: int = line.taken << loop.TAKEN_SHIFT | line.arrival << loop.ARRIVAL_SHIFT
        state[loop.CUT_COSTS] = packed | line.cycles | line.size << loop.SIZE_SHIFT
        found = self._bus.find(pc)
        assert found is not None
        page, place = divmod(pc - found[0], PAGE)
        entries, costs = self._entries[found[0]][page]
        if int(entries[place // 2]) >> operations.COUNT_SHIFT & operations.COUNT_MASK == count:
            costs[place // 2] = state[loop.CUT_COSTS]

    def _forbidden(self) -> int:
        """Address of the half of the instruction at the pc that cannot be fetched."""
        pc, code = self.pc, self._protection[0]
        if code is None or self._code_tables[code].code[pc >> PAGE_BITS] == 0 or code.executable_end(pc) != pc + 2:
            return pc
        return pc + 2

    def _refused(self, address: int, access: Right) -> Halt:
        code, data = self._protection
        self.fault = refusal(self._bus, code if access is Right.EXECUTE else data, address, access)
        return Halt.FAULT

    # Loads and stores that are not plain memory

    def _access(self, is_load: bool) -> Halt | None:
        """Carry out the load or store at the pc."""
        state = self._state
        entry = int(state[loop.ENTRY])
        operation = entry & 63
        address = (int(state[entry >> operations.FIRST_SHIFT & 31]) + (entry >> operations.IMMEDIATE_SHIFT)) & WORD_MASK
        size = 1 << (operation & 3)
        try:
            if is_load:
                value = self._load(address, size)
                if operation in (operations.LOAD_BYTE, operations.LOAD_HALF) and value >> 8 * size - 1:
                    value |= WORD_MASK & -1 << 8 * size
                self.write_x(entry >> operations.TARGET_SHIFT & 31, value)
            else:
                self._store(address, size, int(state[entry >> operations.SECOND_SHIFT & 31]))
        except _RefusedError as refused:
            self._retract()
            return self._refused(refused.address, refused.access)
        state[loop.PC] = state[loop.FOLLOWING]
        state[loop.REMAINING] -= 1
        return None

    def _load(self, address: int, size: int) -> int:
        """Loads that are not aligned, where they are not plain memory, become two that are."""
        base, region = self._find(address, Right.READ)
        within = address % size
        if within and (isinstance(region, Device) or address % PAGE + size > PAGE or self._in_part(address)):
            low = self._load(address - within, size)
            high = self._load((address - within + size) & WORD_MASK, size)
            return (low | high << 8 * size) >> 8 * within & (1 << 8 * size) - 1
        if isinstance(region, Device):
            if address - base & ~3 not in region.steady:
                self._state[loop.UNSTEADY] = 1
            try:
                return region.read(address - base, size)
            except Exception as error:
                self._catch(error)
                return 0
        return int.from_bytes(region.data[address - base : address - base + size].tobytes(), "little")

    def _store(self, address: int, size: int, value: int) -> None:
        """Stores that are not aligned, where they are not plain memory, become stores of bytes."""
        base, region = self._find(address, Right.WRITE)
        if address % size and (isinstance(region, Device) or address % PAGE + size > PAGE or self._in_part(address)):
            for index in range(size):
                self._store((address + index) & WORD_MASK, 1, value >> 8 * index)
            return
        value &= (1 << 8 * size) - 1
        if isinstance(region, Device):
            try:
                region.write(address - base, size, value)
            except Exception as error:
                self._catch(error)
            return
        region.data[address - base : address - base + size] = np.frombuffer(value.to_bytes(size, "little"), np.uint8)
        self.invalidate(address, size)

    def _find(self, address: int, access: Right) -> tuple[int, Memory | Device]:
        """The region that an access goes to. Raises `_RefusedError`."""
        found = self._bus.find(address)
        if found is None:
            raise _RefusedError(address, access)
        base, region = found
        if isinstance(region, Memory) and (
            region.is_blocked(address - base, 1) or (access is Right.WRITE and not region.writable)
        ):
            raise _RefusedError(address, access)
        protection = self._protection[1]
        if protection is not None and not protection.allows(address, 1, access):
            raise _RefusedError(address, access)
        return base, region

    def _in_part(self, address: int) -> bool:
        """Whether the address is in a part page, whose accesses are checked in aligned parts."""
        protection = self._protection[1]
        return protection is not None and bool(protection.pages[address >> SMALL_PAGE_BITS] & Right.PART)

    def _catch(self, error: Exception) -> None:
        """Keep the first exception of a device for the end of the block."""
        if self._caught is None:
            self._caught = error
        self.request_stop()

    # Registers

    def read_x(self, number: int) -> int:
        """See `HartEngine.read_x`."""
        return int(self._state[number])

    def write_x(self, number: int, value: int) -> None:
        """See `HartEngine.write_x`."""
        if number:
            self._state[number] = value & WORD_MASK

    def read_all_x(self) -> Sequence[int]:
        """See `HartEngine.read_all_x`."""
        return [int(value) for value in self._state[:32]]

    def write_all_x(self, value: int) -> None:
        """See `HartEngine.write_all_x`."""
        self._state[1:32] = value & WORD_MASK

"""The interpreter as engine of an RV32IMC hart: tables for the compiled loop, and the accesses that it leaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, partial
from types import ModuleType

import numpy as np

from emu.clock import NOW
from emu.cpu.halt import AccessFault, Halt, why_refused
from emu.cpu.hook_state import Right
from emu.cpu.riscv_engine import Trap
from emu.device import Board, Device
from emu.memory import PAGE, Memory

WORD_MASK = 0xFFFF_FFFF
PAGE_BITS = PAGE.bit_length() - 1


@cache
def _loop() -> ModuleType:
    """The compiled loop. Importing it imports numba."""
    from emu.cpu.interpreter import compiled

    return compiled


class _RefusedError(Exception):
    """The bus refuses a load or store."""

    def __init__(self, address: int, access: Right) -> None:
        super().__init__(address)
        self.address, self.access = address, access


class Interpreter:
    """A `HartEngine` without Unicorn.

    Args:
        board: the bus must be complete: later memories and devices are not seen.
        on_trap: carries out what the loop does not.
        loop: what executes: `compiled`, or its twin from `plain.plain_loop`.

    Attributes:
        fault: what came with `Halt.FAULT`.

    *Inaccuracies*: none beyond those of `HartEngine`.
    """

    def __init__(self, board: Board, on_trap: Trap, loop: ModuleType | None = None) -> None:
        self._bus, self._clock, self._on_trap = board.bus, board.clock, on_trap
        self._loop = loop = loop or _loop()
        self.fault: AccessFault | None = None
        self._exits: frozenset[int] = frozenset()
        self._caught: BaseException | None = None
        self._loads, self._stores, self._code = (np.zeros(loop.PAGES, np.int64) for _ in range(3))
        self._entries = {m.base: np.zeros(m.size // 2, np.int64) for m in board.bus.memories if m.executable}
        self._exit_list = np.zeros(1, np.int64)
        self._state = np.zeros(loop.SLOTS, np.int64)
        self._address = self._state.ctypes.data
        for slot, table in (
            (loop.CLOCK, board.clock.state),
            (loop.LOADS, self._loads),
            (loop.STORES, self._stores),
            (loop.CODE, self._code),
        ):
            self._state[slot] = table.ctypes.data
        for memory in board.bus.memories:
            self._map(memory)
            memory.on_block.append(partial(self._blocked, memory))

    # Memory

    def _pages(self, memory: Memory) -> slice:
        return slice(memory.base >> PAGE_BITS, (memory.base + memory.size) >> PAGE_BITS)

    def _map(self, memory: Memory) -> None:
        """Fill the tables. Stores to pages with decoded code are slow until `_forget`."""
        pages, free = self._pages(memory), ~memory.blocked
        self._loads[pages] = np.where(free, memory.data.ctypes.data - memory.base, 0)
        if memory.writable:
            self._stores[pages] = self._loads[pages]
        entries = self._entries.get(memory.base)
        if entries is not None:
            first = entries.ctypes.data + np.arange(memory.size // PAGE) * (PAGE // 2 * entries.itemsize)
            self._code[pages] = np.where(free, first + (self._loop.WRITABLE if memory.writable else 0), 0)

    def _blocked(self, memory: Memory) -> None:
        self._map(memory)
        if memory.executable:
            self._dirty(memory.base, memory.base + memory.size)

    def _dirty(self, low: int, high: int) -> None:
        """The code in ``low .. high - 1`` is to be decoded again."""
        loop, state = self._loop, self._state
        if state[loop.DIRTY_HIGH]:
            low, high = min(low, int(state[loop.DIRTY_LOW])), max(high, int(state[loop.DIRTY_HIGH]))
        state[loop.DIRTY_LOW], state[loop.DIRTY_HIGH] = low, high

    def _forget(self) -> None:
        """Forget what was decoded on the pages that are dirty."""
        state, loop = self._state, self._loop
        # An instruction may begin on the page before.
        first, last = (int(state[loop.DIRTY_LOW]) - 2) // PAGE, (int(state[loop.DIRTY_HIGH]) - 1) // PAGE
        state[loop.DIRTY_HIGH] = 0
        for memory in self._bus.memories:
            entries = self._entries.get(memory.base)
            low, high = max(first * PAGE, memory.base), min((last + 1) * PAGE, memory.base + memory.size)
            if entries is None or low >= high:
                continue
            entries[(low - memory.base) // 2 : (high - memory.base) // 2] = 0
            if memory.writable:
                pages = slice(low >> PAGE_BITS, high >> PAGE_BITS)
                self._stores[pages] = self._loads[pages]

    def invalidate(self, address: int, count: int) -> None:
        """See `HartEngine.invalidate`."""
        if self._code[address >> PAGE_BITS : ((address + max(count, 1) - 1) >> PAGE_BITS) + 1].any():
            self._dirty(address, address + max(count, 1))

    # Running

    @property
    def pc(self) -> int:
        """Address of the next instruction."""
        return int(self._state[self._loop.PC])

    @pc.setter
    def pc(self, address: int) -> None:
        self._state[self._loop.PC] = address

    @property
    def instructions(self) -> int:
        """Instructions retired."""
        return int(self._state[self._loop.INSTRUCTIONS])

    @instructions.setter
    def instructions(self, count: int) -> None:
        self._state[self._loop.INSTRUCTIONS] = count

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
        self._state[self._loop.EXITS] = self._exit_list.ctypes.data
        self._state[self._loop.EXIT_COUNT] = len(new)

    def request_stop(self) -> None:
        """See `HartEngine.request_stop`."""
        self._state[self._loop.REQUEST] = self._loop.STOP

    def charge(self, instructions: int) -> None:
        """See `HartEngine.charge`."""
        self._state[self._loop.INSTRUCTIONS] += instructions
        self._clock.state[NOW] += instructions

    def execute(self, pc: int) -> Halt:
        """See `HartEngine.execute`. Raises what a device raised during an access, at the end of the block."""
        return self._execute(pc, self._loop.NOTHING)

    def execute_one(self, pc: int) -> Halt:
        """See `HartEngine.execute_one`."""
        halt = self._execute(pc, self._loop.STEP_ONE)
        return Halt.STEP if halt in (Halt.REQUEST, Halt.EXIT) else halt

    def _execute(self, pc: int, request: int) -> Halt:
        loop, state = self._loop, self._state
        state[loop.PC], state[loop.REMAINING], state[loop.REQUEST] = pc, 0, request
        self.fault = None
        halt = None
        while halt is None:
            halt = self._attend(loop.run(self._address))
        if self._caught is not None:
            error, self._caught = self._caught, None
            raise error
        return halt

    def _attend(self, reason: int) -> Halt | None:
        """Do what the loop stopped for; None: go on."""
        loop = self._loop
        if reason in (loop.AT_LOAD, loop.AT_STORE):
            return self._access(reason == loop.AT_LOAD)
        if reason == loop.AT_FORGET:
            self._forget()
            return None
        if reason in (loop.AT_FETCH, loop.FETCH_FAULT):
            self._retract()
            address = self.pc if reason == loop.AT_FETCH else self.pc + 2 & WORD_MASK
            return self._refused(address, Right.EXECUTE)
        if reason in (loop.TRAP, loop.LONE_TRAP, loop.TRANSLATION_FENCE, loop.CALL):
            self._retract()
            self._on_trap(self.pc, reason == loop.CALL)
            return None
        if reason in (loop.EBREAK, loop.WFI):
            self._retract()
            return Halt.INVALID if reason == loop.EBREAK else Halt.SLEEP
        return {
            loop.AT_DEADLINE: Halt.DEADLINE,
            loop.AT_REQUEST: Halt.REQUEST,
            loop.AT_EXIT: Halt.EXIT,
            loop.AT_STEP: Halt.STEP,
        }[reason]

    def _retract(self) -> None:
        """Take back the count of the rest of the block."""
        self.charge(-int(self._state[self._loop.REMAINING]))
        self._state[self._loop.REMAINING] = 0

    def _refused(self, address: int, access: Right) -> Halt:
        self.fault = AccessFault(address, access, why_refused(self._bus, address, access))
        return Halt.FAULT

    # Loads and stores that are not plain memory

    def _access(self, is_load: bool) -> Halt | None:
        """Carry out the load or store at the pc."""
        loop, state = self._loop, self._state
        entry = int(state[loop.ENTRY])
        operation = entry & 63
        address = (int(state[entry >> loop.FIRST_SHIFT & 31]) + (entry >> loop.IMMEDIATE_SHIFT)) & WORD_MASK
        size = 1 << (operation & 3)
        try:
            if is_load:
                value = self._load(address, size)
                if operation in (loop.LOAD_BYTE, loop.LOAD_HALF) and value >> 8 * size - 1:
                    value |= WORD_MASK & -1 << 8 * size
                self.write_x(entry >> loop.TARGET_SHIFT & 31, value)
            else:
                self._store(address, size, int(state[entry >> loop.SECOND_SHIFT & 31]))
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
        if within and (isinstance(region, Device) or address % PAGE + size > PAGE):
            low = self._load(address - within, size)
            high = self._load((address - within + size) & WORD_MASK, size)
            return (low | high << 8 * size) >> 8 * within & (1 << 8 * size) - 1
        if isinstance(region, Device):
            try:
                return region.read(address - base, size)
            except Exception as error:
                self._catch(error)
                return 0
        return int.from_bytes(region.data[address - base : address - base + size].tobytes(), "little")

    def _store(self, address: int, size: int, value: int) -> None:
        """Stores that are not aligned, where they are not plain memory, become stores of bytes."""
        base, region = self._find(address, Right.WRITE)
        if address % size and (isinstance(region, Device) or address % PAGE + size > PAGE):
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
        return base, region

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

"""Unicorn as both host CPUs use it: memories without copying, devices by callback, native counting, exact faults.

A core owns an `Engine`. It calls `Engine.execute`, which runs natively until something needs attention and
says what in a `Halt`; the core then does what its architecture asks for and goes on.

Inaccuracies: a block of instructions is counted when it starts, so that a device sees the time of the block's end,
and deadlines are met late by at most one block. Counts are exact whenever `execute` has returned. A store into a page
that code was executed from is slower than other stores.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from unicorn import Uc, UcError, unicorn_const
from unicorn.unicorn_py3.unicorn import uclib

from emu.clock import NOW
from emu.cpu.copying.slots import WalkArray
from emu.cpu.halt import AccessFault, Halt, refusal
from emu.cpu.hook_state import (
    EXCLUSIVE,
    FLAG_SHIFT,
    HOLE,
    IT_BITS,
    MAIN_EXTENSION,
    NO_TRAP,
    NOWHERE,
    PAGE_BITS,
    REPEATS,
    SLOTS,
    TABLE_ENTRIES,
    TAG_MASK,
    THUMB_BIT,
    Request,
    Right,
    Site,
    Slot,
    Stopped,
)
from emu.cpu.native import hook_addresses
from emu.cpu.protection import Protection
from emu.cpu.register_batch import RegisterBatch
from emu.cpu.timing.costs import InstructionCosts
from emu.cpu.window import MMIO_READ, MMIO_WRITE, PartWindow, add_hook, map_callbacks
from emu.device import Board, Device
from emu.memory import PAGE, Memory, zeros

ADDRESS_SPACE = 1 << 32
EXECUTE = np.uint8(Right.EXECUTE)
STOP, CHECK = int(Request.STOP), int(Request.CHECK)
ALWAYS = int(REPEATS | Site.MASKS)
"""Flags of blocks that native code always looks at, without a stop."""
UNICORN_ACCESS = {
    unicorn_const.UC_MEM_READ_UNMAPPED: Right.READ,
    unicorn_const.UC_MEM_WRITE_UNMAPPED: Right.WRITE,
    unicorn_const.UC_MEM_FETCH_UNMAPPED: Right.EXECUTE,
}
UNICORN_NUMBER = {right: number for number, right in UNICORN_ACCESS.items()}

_start = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_size_t
)(("uc_emu_start", uclib))
_interrupt = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p)


@dataclass(frozen=True)
class InstructionSet:
    """What the engine has to know about an instruction set.

    Attributes:
        name: with which the names in `emu.cpu.native` of the hooks begin that read its instructions.
        width: bytes of the instruction that starts with the given two bytes.
        pc: Unicorn's number of the program counter.
        registers: Unicorn's numbers of the general registers 0, 1, ...
        trap: name in `emu.cpu.native` of what happens at an exception of an instruction.
        it_register: Unicorn's number of the register with Thumb's IT bits, or 0.
        hole: (address, bytes) of the physical addresses that illegal accesses are mapped to.
    """

    name: str
    width: Callable[[int, int], int]
    pc: int
    registers: tuple[int, ...]
    trap: str
    it_register: int = 0
    hole: tuple[int, int] = (HOLE, HOLE)


HALT_OF_STOPPED = {
    Stopped.DEADLINE: Halt.DEADLINE,
    Stopped.REQUEST: Halt.REQUEST,
    Stopped.SITE: Halt.SITE,
    Stopped.WATCH: Halt.WATCH,
    Stopped.FETCH: Halt.FETCH,
    Stopped.EXCEPTION: Halt.EXCEPTION,
}


class Engine:
    """Unicorn on a machine's bus and clock.

    Args:
        uc: a fresh Unicorn instance with its CPU model chosen.
        board: the bus must be complete: later memories and devices are not seen.
        instruction_set: what differs between the hosts.
        window: (first address, bytes of a page) of `WINDOW_PAGES` free pages, for a core with memory protection.
        on_trap: called inside the run with the number of an exception that `emu.cpu.riscv.hook` leaves over; the run
            goes on at `pc`, which it may set. With `emu.cpu.arm.exception_hook`, `execute` halts with `Halt.TRAP`.
        costs: cycles of the instructions; None for one each.

    Attributes:
        trap: number that came with `Halt.TRAP`.
        fault: what came with `Halt.FAULT`.
    """

    def __init__(
        self,
        uc: Uc,
        board: Board,
        instruction_set: InstructionSet,
        on_trap: Callable[[int], None] | None = None,
        window: tuple[int, int] | None = None,
        costs: InstructionCosts | None = None,
    ) -> None:
        self.uc, self.bus, self.clock = uc, board.bus, board.clock
        self.instruction_set, self._costs = instruction_set, costs
        self.trap = NO_TRAP
        self.fault: AccessFault | None = None
        self._handle = uc._uch
        self._caught: BaseException | None = None
        self._running = self._repeats = False
        self._features: ctypes.c_int64 | None = None
        self._exits: frozenset[int] = frozenset()
        self._end: int | None = None
        self._protections: dict[int, Protection] = {}
        self._callbacks: list[Any] = []
        self._pc = RegisterBatch(uc, [instruction_set.pc])
        self._it = RegisterBatch(uc, [instruction_set.it_register])
        self._watched: dict[tuple[int, ...], RegisterBatch] = {}
        self._walk = WalkArray(instruction_set.registers, hook_addresses()[f"{instruction_set.name}_steps"])
        self._table = np.zeros(2 * TABLE_ENTRIES, np.int64)
        self._pages = zeros(ADDRESS_SPACE >> PAGE_BITS, np.uint8)
        self._regions = np.array([(m.base, m.size, m.data.ctypes.data) for m in self.bus.memories], np.int64)
        self.state = self._make_state()
        # Python reads and writes single words faster through this view.
        self._words = self.state.data
        uc.ctl_set_tlb_mode(unicorn_const.UC_TLB_VIRTUAL)
        uc.ctl_exits_enabled(True)
        self._add_hooks(on_trap)
        for memory in self.bus.memories:
            self._map_memory(memory)
        for base, device in self.bus.devices:
            self._map_device(base, device)
        self._window: PartWindow | None = None
        if window is not None:
            self.state[Slot.WINDOW], self.state[Slot.WINDOW_PAGE] = window
            self._window = PartWindow(
                uc,
                self.bus,
                *window,
                protection=self._data_protection,
                refuse=self._refuse,
                proceed=self._proceed,
                written=self.invalidate,
                catch=self._catch,
            )

    def _make_state(self) -> npt.NDArray[np.int64]:
        state = np.zeros(SLOTS, np.int64)
        state[Slot.CLOCK] = self.clock.state.ctypes.data
        state[Slot.TRAP], state[Slot.NEXT], state[Slot.UNCHECKED] = NO_TRAP, NOWHERE, NOWHERE
        state[Slot.TABLE] = self._table.ctypes.data
        state[Slot.WALK] = self._walk.address
        state[Slot.REGIONS] = self._regions.ctypes.data
        state[Slot.REGION_COUNT] = len(self._regions)
        state[Slot.PAGES] = self._pages.ctypes.data
        state[Slot.IT_REGISTER] = self.instruction_set.it_register
        state[Slot.RARE_FUNCTION] = hook_addresses()[f"{self.instruction_set.name}_rare_block"]
        state[Slot.MOVES_FUNCTION] = hook_addresses()["moves"]
        state[Slot.COSTS] = 0 if self._costs is None else self._costs.table.ctypes.data
        state[Slot.HOLE], state[Slot.HOLE_SIZE] = self.instruction_set.hole
        for slot, function in (
            (Slot.STOP_FUNCTION, uclib.uc_emu_stop),
            (Slot.READ_FUNCTION, uclib.uc_reg_read),
            (Slot.WRITE_FUNCTION, uclib.uc_reg_write),
            (Slot.CONTROL_FUNCTION, uclib.uc_ctl),
            (Slot.WRITE_BATCH_FUNCTION, uclib.uc_reg_write_batch),
        ):
            state[slot] = ctypes.cast(function, ctypes.c_void_p).value or 0
        return state

    def _add_hooks(self, on_trap: Callable[[int], None] | None) -> None:
        addresses = hook_addresses()
        on_block = addresses["block" if self._costs is None else "timed_block"]
        if on_trap is not None:
            self.state[Slot.TRAP_FUNCTION] = self._trap_callback(on_trap)
        hole_base, hole_size = self.instruction_set.hole
        everywhere, hole = (1, 0), (hole_base, hole_base + hole_size - 1)
        for kind, address, bounds in (
            (unicorn_const.UC_HOOK_BLOCK, on_block, everywhere),
            (unicorn_const.UC_HOOK_EDGE_GENERATED, addresses["translated"], everywhere),
            (unicorn_const.UC_HOOK_TLB_FILL, addresses["fill"], everywhere),
            (unicorn_const.UC_HOOK_INTR, addresses[self.instruction_set.trap], everywhere),
            # A memory hook that covers RAM would take RAM off Unicorn's fast path.
            (unicorn_const.UC_HOOK_MEM_UNMAPPED, addresses["fault"], hole),
        ):
            add_hook(self.uc, kind, address, self.state.ctypes.data, bounds)

    def _trap_callback(self, on_trap: Callable[[int], None]) -> int:
        """Address of a UC_HOOK_INTR callback that calls ``on_trap``."""

        def trap(_uc: int, number: int, _user: int) -> None:
            try:
                on_trap(number)
            except BaseException as error:  # an exception must not unwind through native frames
                self._catch(error)

        callback = _interrupt(trap)
        self._callbacks.append(callback)
        return ctypes.cast(callback, ctypes.c_void_p).value or 0

    # Memories and devices

    def _map_memory(self, memory: Memory) -> None:
        self.uc.mem_map_ptr(memory.base, memory.size, unicorn_const.UC_PROT_ALL, memory.data.ctypes.data)
        rights = Right.READ
        if memory.writable:
            rights |= Right.WRITE
        if memory.executable:
            rights |= Right.MAY_EXECUTE if memory.writable else Right.EXECUTE
        pages = self._pages[memory.base >> PAGE_BITS : memory.base + memory.size >> PAGE_BITS]
        rights_of_pages = pages.reshape(-1, PAGE >> PAGE_BITS)
        rights_of_pages[...] = int(rights)
        memory.on_block.append(lambda: self._blocked(memory, rights_of_pages, int(rights)))

    def _blocked(self, memory: Memory, rights_of_pages: npt.NDArray[np.uint8], rights: int) -> None:
        """Other pages are blocked: the rights of each are (pages of `PAGE` bytes, pages of Unicorn in each)."""
        rights_of_pages[...] = rights
        if memory.any_blocked:
            rights_of_pages[memory.blocked] = 0
        self.flush_tlb()

    def flush_tlb(self) -> None:
        """Make Unicorn ask for the rights of all pages again."""
        self.uc.ctl(unicorn_const.UC_CTL_TLB_FLUSH, unicorn_const.UC_CTL_IO_WRITE)

    def _map_device(self, base: int, device: Device) -> None:
        unsteady = ctypes.c_int64.from_address(self.state.ctypes.data + self.state.itemsize * Slot.UNSTEADY)

        def read(_uc: int, offset: int, size: int, _user: int) -> int:
            if offset & ~3 not in device.steady:
                unsteady.value = 1
            try:
                return device.read(offset, size)
            except BaseException as error:  # an exception must not unwind through native frames
                self._catch(error)
                return 0

        def write(_uc: int, offset: int, size: int, value: int, _user: int) -> None:
            try:
                device.write(offset, size, value)
            except BaseException as error:
                self._catch(error)

        callbacks = MMIO_READ(read), MMIO_WRITE(write)
        self._callbacks.append(callbacks)
        map_callbacks(self.uc, base, device.size, *callbacks)
        self._pages[base >> PAGE_BITS : (base + device.size) >> PAGE_BITS] = Right.READ | Right.WRITE

    def _catch(self, error: BaseException) -> None:
        """Keep the first exception of a callback for `execute` and stop soon."""
        if self._caught is None:
            self._caught = error
        self.request_stop()

    # Protection

    def protect(self, code: Protection | None, data: Protection | None, *, fresh: bool = True) -> None:
        """Restrict instruction fetches, and loads and stores, from the next block on; None allows all of them.

        ``fresh``: Unicorn's TLB may have entries of other rights, or of what was not known to be code, for this level.
        """
        if (code, data) == self.protection:
            return
        assert self._window is not None, "only an engine with a window can protect"
        self.know(code, data)
        state = self.state
        state[Slot.CODE_MASK : Slot.CODE_MASK + 3] = (0, 0, 0) if code is None else code.code_slots
        state[Slot.DATA_MASK : Slot.DATA_MASK + 3] = (0, 0, 0) if data is None else data.data_slots
        if code is not None:
            self._forget_code(code, data)
        if fresh:
            self.flush_tlb()

    def know(self, *protections: Protection | None) -> None:
        """Native code may choose between these protections, until others are made known."""
        known = {*protections, *self.protection} - {None}
        self._protections = {protection.code_slots[0]: protection for protection in known if protection is not None}

    @property
    def protection(self) -> tuple[Protection | None, Protection | None]:
        """What restricts code and data now."""
        state = self._words
        return self._protections.get(state[Slot.CODE_MASK]), self._data_protection()

    def _data_protection(self) -> Protection | None:
        return self._protections.get(self._words[Slot.DATA_MASK])

    def _forget_code(self, code: Protection, data: Protection | None) -> None:
        """Forget what the block hook and Unicorn know of code, where this level needs them to ask again.

        That is in part pages, whose blocks are checked one by one, and in pages that it may write, but not execute:
        Unicorn looks for overwritten code only in pages that can be executed.
        """
        for page in code.parts:
            first = (page - code.page >> 1) & (TABLE_ENTRIES - 1)
            self._table[first : first + code.page] = 0
            self._table[0 : max(0, first + code.page - TABLE_ENTRIES)] = 0
        promotions = int(self.state[Slot.PROMOTIONS])
        if code.promotions == (promotions, data):
            return
        code.promotions = promotions, data
        code.looked_at[0] = promotions if data is code else -1
        for memory in self.bus.memories:
            pages = slice(memory.base >> PAGE_BITS, (memory.base + memory.size) >> PAGE_BITS)
            lost = self._pages[pages] & (Right.EXECUTE | Right.WRITE) == Right.EXECUTE | Right.WRITE
            lost &= code.pages[pages] & Right.EXECUTE == 0
            if data is not None:
                lost &= data.pages[pages] & Right.WRITE != 0
            for page in (np.flatnonzero(lost) + pages.start).tolist():
                self.invalidate(page << PAGE_BITS, 1 << PAGE_BITS)
                self._pages[page] &= ~EXECUTE

    def _refuse(self, address: int, access: Right) -> None:
        """Note the fault of the running instruction, which ends."""
        if not self.state[Slot.FAULT_ACCESS]:
            self.state[Slot.FAULT_ACCESS] = UNICORN_NUMBER[access]
            self.state[Slot.FAULT_ADDRESS] = address

    def _proceed(self) -> bool:
        """Before an access to the window is made: whether none of its instruction was refused, as a part of a store."""
        if self.state[Slot.FAULT_ACCESS]:
            return False
        # The hook leaves the bits of an IT block in their register, where a later block trips over them.
        if self.instruction_set.it_register and self._it.read()[0] & IT_BITS:
            self._it.write(THUMB_BIT)
        return True

    # Running

    def check_alignment(self, features: int | None) -> None:
        """Let unaligned accesses halt with `Halt.TRAP`; ``features``: see `emu.cpu.arm.alignment.features_of`."""
        if features is None:
            return
        self._features = ctypes.c_int64.from_address(features)
        self.state[Slot.FEATURES] = features

    def execute(self, pc: int, request: Request = Request.NONE) -> Halt:
        """Run from ``pc`` (with the mode bit, where the instruction set has one) until something needs attention.

        With `Request.WATCH`, a change of a register of `watch` is such a thing; with `Request.CHECK`, an exception
        that has to be taken, if native code cannot do it. Both cost time at every block.

        Raises:
            Exception: whatever a device raised during an access.
        """
        return self._execute(pc, request)

    def execute_one(self, pc: int) -> Halt:
        """Execute one instruction, whatever the deadline; `Halt.STEP` unless something else happened at it."""
        return self.execute_to(pc, (pc & ~1) + self.width_at(pc & ~1))

    def execute_one_exactly(self, pc: int) -> Halt:
        """See `emu.cpu.riscv.engine.HartEngine.execute_one_exactly`."""
        ahead = int(self.state[Slot.REST]) - (1 if self._costs is None else self._costs.line(pc & ~1, 1).cycles)
        self.clock.state[NOW] += ahead
        try:
            return self.execute_one(pc)
        finally:
            self.clock.state[NOW] -= ahead

    def execute_to(self, pc: int, end: int, *, aligned: bool = True) -> Halt:
        """Execute the straight line of instructions from ``pc`` to before ``end``; `Halt.STEP` if that is all.

        It ends early at a jump, and it passes over sites and exits. Unaligned accesses trap unless ``aligned`` is
        false.
        """
        address, sites = pc & ~1, self.sites
        self._end = end
        self._cut((end,), address, end)
        # A LOAD_EXCLUSIVE still removes the sites that it ends.
        self.sites = sites & Site.LOAD_EXCLUSIVE
        try:
            halt = self._execute(pc, Request.STEP, aligned=aligned)
        finally:
            self._end = None
            self.sites = sites if self.sites or not sites & Site.LOAD_EXCLUSIVE else sites & ~EXCLUSIVE
            self._cut(self._exits, address, end)
            # The block behind a jump was translated without them.
            for exit_address in self._exits:
                self._remove_translations(exit_address, 2)
        return Halt.STEP if halt in (Halt.REQUEST, Halt.EXIT) else halt

    def _execute(self, pc: int, request: Request, *, aligned: bool = True) -> Halt:
        state = self._words
        state[Slot.REQUEST], state[Slot.STOPPED], state[Slot.BLOCK_SIZE] = request, Stopped.NO, 0
        state[Slot.TRAP], state[Slot.FAULT_ACCESS] = NO_TRAP, 0
        self.fault = None
        features = self._features
        if features is not None and aligned:
            features.value &= ~MAIN_EXTENSION
        self._running = True
        status = _start(self._handle, pc, 0, 0, 0)
        self._running = False
        if features is not None:
            features.value |= MAIN_EXTENSION
            if state[Slot.UNCHECKED] != NOWHERE:
                self._remove_translations(state[Slot.UNCHECKED], 2)
                state[Slot.UNCHECKED] = NOWHERE
        if self._caught is not None:
            error, self._caught = self._caught, None
            raise error
        if state[Slot.FAULT_ACCESS]:
            self._take_fault()
            return Halt.FAULT
        if state[Slot.TRAP] != NO_TRAP:
            self.trap = state[Slot.TRAP]
            return Halt.TRAP
        if status == unicorn_const.UC_ERR_INSN_INVALID:
            return Halt.INVALID
        if status != unicorn_const.UC_ERR_OK:
            raise UcError(status)
        if self._repeats:
            self._repeats = False
            self.retract(self.pc)
            return Halt.REQUEST
        stopped = state[Slot.STOPPED]
        if stopped:
            return HALT_OF_STOPPED[Stopped(stopped)]
        pc = self.pc
        if pc not in self._exits and pc != self._end:
            return Halt.SLEEP  # inside a block, whose end was not reached
        self.settle(pc)
        return Halt.EXIT

    def _take_fault(self) -> None:
        address = int(self.state[Slot.FAULT_ADDRESS])
        access = UNICORN_ACCESS[int(self.state[Slot.FAULT_ACCESS])]
        self.fault = self.refusal(address, access)
        self.retract(self.pc)

    def refusal(self, address: int, access: Right) -> AccessFault:
        """The fault of an access that is not allowed."""
        code, data = self.protection
        return refusal(self.bus, code if access is Right.EXECUTE else data, address, access)

    def request_stop(self) -> None:
        """Make `execute` return `Halt.REQUEST` at the next block; for device callbacks during `execute`."""
        self._words[Slot.REQUEST] |= STOP

    def repeat_before(self, sites: Site) -> None:
        """Execute the running store again, as the first instruction of a block, if its block has one of these sites.

        For device callbacks of stores that may be repeated: a block is asked for its sites when it starts.
        """
        start, size = self._words[Slot.BLOCK_PC], self._words[Slot.BLOCK_SIZE]
        entry = int(self._table[start >> 1 & (TABLE_ENTRIES - 1)])
        if self._running and entry & TAG_MASK == start | size << 31 and entry >> FLAG_SHIFT & sites:
            self._repeats = True
            self.uc.emu_stop()

    def request_check(self) -> None:
        """Take a pending exception at the next block, natively; for device callbacks during `execute`."""
        self._words[Slot.REQUEST] |= CHECK

    def retract(self, pc: int) -> None:
        """The running block was left before the instruction at ``pc``: un-count the rest of it."""
        state = self.state
        start, size = int(state[Slot.BLOCK_PC]), int(state[Slot.BLOCK_SIZE])
        if not start <= pc < start + size:
            self.settle(pc)
            return
        address, done = start, 0
        while address < pc:
            address += self.width_at(address)
            done += 1
        left = int(state[Slot.BLOCK_COUNT]) - done
        state[Slot.INSTRUCTIONS] -= left
        self.clock.state[NOW] -= left if self._costs is None else self._costs.line(pc, left).cycles
        state[Slot.BLOCK_SIZE] = 0
        self.continue_at(pc)

    def settle(self, pc: int) -> None:
        """The CPU goes on at ``pc``: add what the newest block costs on top if that is a jump."""
        state = self.state
        if pc != state[Slot.NEXT]:
            self.clock.state[NOW] += state[Slot.TAKEN]
        state[Slot.TAKEN] = 0

    def arrive(self, pc: int) -> None:
        """The caller carries out the instruction at ``pc``: add what a jump to it costs, if there was one."""
        if self._costs is not None and not self.follows(pc):
            self.clock.state[NOW] += self._costs.line(pc, 0).arrival
            self.continue_at(pc)

    def charge(self, address: int, times: int = 1) -> None:
        """Count the instruction at ``address``, which the block hook does not see (or, -1, which did not run)."""
        self.state[Slot.INSTRUCTIONS] += times
        if self._costs is None:
            self.clock.state[NOW] += times
        else:
            self.clock.state[NOW] += times * self._costs.line(address, 1).cycles
            self.continue_at(address + self.width_at(address))

    def follows(self, pc: int) -> bool:
        """Whether ``pc`` is behind the newest instruction; always false where every instruction takes one cycle."""
        return self._costs is not None and bool(self.state[Slot.NEXT] == pc)

    def continue_at(self, pc: int) -> None:
        """The newest instruction ends before ``pc``, and what it costs is counted."""
        self.state[Slot.NEXT], self.state[Slot.TAKEN] = pc, 0

    @property
    def instructions(self) -> int:
        """Instructions retired since construction or since it was set, which also forgets the newest block."""
        return int(self.state[Slot.INSTRUCTIONS])

    @instructions.setter
    def instructions(self, count: int) -> None:
        self.state[Slot.INSTRUCTIONS] = count
        self.continue_at(NOWHERE)

    @property
    def block_pc(self) -> int:
        """Address of the block that executes or executed last: the place to name in a device callback."""
        return int(self.state[Slot.BLOCK_PC])

    @property
    def block_end(self) -> int:
        """Address behind that block."""
        return int(self.state[Slot.BLOCK_PC] + self.state[Slot.BLOCK_SIZE])

    @property
    def pc(self) -> int:
        """The program counter without mode bit; stale inside device callbacks. Inside ``on_trap`` it may be set."""
        return self._pc.read()[0] & ~1

    @pc.setter
    def pc(self, address: int) -> None:
        self._pc.write(address)

    @property
    def sites(self) -> Site:
        """Kinds of instruction before whose block `execute` halts with `Halt.SITE`."""
        return Site(int(self.state[Slot.SITES]) & ~ALWAYS)

    @sites.setter
    def sites(self, sites: Site) -> None:
        self.state[Slot.SITES] = sites | ALWAYS

    def observe(self, observed: bool) -> None:
        """Loads and stores are watched: rounds of loops that copy or fill are all executed."""
        self.state[Slot.OBSERVED] = observed

    def watch(self, *numbers: int) -> None:
        """Remember the present values of up to `hook_state.WATCHED` registers for `Request.WATCH`."""
        if numbers not in self._watched:
            self._watched[numbers] = RegisterBatch(self.uc, numbers)
        values = self._watched[numbers].read()
        self.state[Slot.WATCH_COUNT] = len(numbers)
        for index, pair in enumerate(zip(numbers, values, strict=True)):
            self.state[Slot.WATCH + 2 * index : Slot.WATCH + 2 * index + 2] = pair

    def batch(self, *numbers: int) -> RegisterBatch:
        """A list of registers to be read or written together."""
        return RegisterBatch(self.uc, numbers)

    # Code

    def width_at(self, address: int) -> int:
        """Bytes of the instruction at ``address``; 2 where no memory is."""
        found = self.bus.find(address)
        if found is None or not isinstance(found[1], Memory):
            return 2
        offset = address - found[0]
        data = found[1].data
        return self.instruction_set.width(int(data[offset]), int(data[offset + 1]))

    @property
    def exits(self) -> frozenset[int]:
        """Addresses before which `execute` halts with `Halt.EXIT`. It does so at once if it starts on one."""
        return self._exits

    @exits.setter
    def exits(self, addresses: Iterable[int]) -> None:
        new = frozenset(addresses)
        changed = new ^ self._exits
        self._exits = new
        self.uc.ctl_set_exits(sorted(new))
        for address in changed:
            self._remove_translations(address, 2)

    def _cut(self, exits: Iterable[int], address: int, end: int) -> None:
        """Change the exits around some instructions, whose blocks must be translated again."""
        self.uc.ctl_set_exits(sorted(exits))
        self._remove_translations(address, end - address)

    def _remove_translations(self, address: int, count: int) -> None:
        if self._pages[address >> PAGE_BITS] & Right.EXECUTE:
            with self._all_executable():
                self.uc.ctl_remove_cache(address, address + count)

    @contextmanager
    def _all_executable(self) -> Iterator[None]:
        """Lift the protection of code: Unicorn removes what it could fetch, and keeps silent about the rest."""
        mask = self._words[Slot.CODE_MASK]
        if mask:
            self._words[Slot.CODE_MASK] = 0
            self.flush_tlb()
        try:
            yield
        finally:
            if mask:
                self._words[Slot.CODE_MASK] = mask
                self.flush_tlb()

    def invalidate(self, address: int, count: int) -> None:
        """Forget translated code and counts of these bytes; cheap where nothing was executed."""
        first, last = address >> PAGE_BITS, (address + max(count, 1) - 1) >> PAGE_BITS
        executed = self._pages[first : last + 1] & EXECUTE
        if not executed.any():
            return
        self._table[:] = 0
        with self._all_executable():
            for page in np.flatnonzero(executed) + first:
                low = max(address, int(page) << PAGE_BITS)
                high = min(address + count, (int(page) + 1) << PAGE_BITS)
                self.uc.ctl_remove_cache(low, high)

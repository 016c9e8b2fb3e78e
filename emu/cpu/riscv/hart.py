"""RV32IMC host: M- and U-mode, traps, interrupts and semihosting on one of two engines.

Integer, multiply and compressed instructions execute in a `HartEngine`, and so do the usual CSR instructions, atomics,
ecalls and mrets, see `riscv.native`. What is left comes out of it and is carried out here; interrupts are taken between
blocks, and at exactly the next instruction when firmware enables them.

*Inaccuracies*: a trap takes no time of its own. A device's interrupt is taken at the end of the block in which it rose.
Misaligned loads and stores are carried out, as on harts with hardware support for them; misaligned jumps do not exist
with compressed instructions. No debug mode, no S-mode. Of firmware that faults inside its own trap handler without end,
only the first `riscv.traps.ENDLESS_FAULTS` rounds are executed: then the core counts as locked up, where silicon would
go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from emu.cpu import ENGINES
from emu.cpu.core import Core, FaultReport, Pause
from emu.cpu.halt import ACCESS_WORD, Halt
from emu.cpu.hook_state import Right
from emu.cpu.riscv.atomics import WORD_BYTES, AtomicInstruction, Atomics, RefusedError, decode_atomic
from emu.cpu.riscv.csr import Counter, CsrError, CsrFile
from emu.cpu.riscv.decode import (
    COMPRESSED_EBREAK,
    EBREAK,
    MRET,
    SEMIHOSTING_ENTRY,
    SEMIHOSTING_EXIT,
    WFI,
    CsrInstruction,
    decode_csr,
    instruction_at,
    why_illegal,
)
from emu.cpu.riscv.engine import make_engine
from emu.cpu.riscv.pmp import Pmp
from emu.cpu.riscv.state import HartSlot
from emu.cpu.riscv.traps import Cause, Interrupt, Privilege, PrivilegedState, Status
from emu.cpu.semihosting import Semihosting
from emu.cpu.timing.costs import CpuTiming, make_costs
from emu.device import Board, Device
from emu.devices.clint import Clint
from emu.devices.plic import Plic
from emu.state import State

ABI_NAMES: Final = (
    *("zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1"),
    *(f"a{index}" for index in range(8)),
    *(f"s{index}" for index in range(2, 12)),
    *("t3", "t4", "t5", "t6"),
)
X_NUMBERS: Final = (
    {abi: number for number, abi in enumerate(ABI_NAMES)} | {f"x{number}": number for number in range(32)} | {"fp": 8}
)
CSR_NAMES: Final = ("mstatus", "mie", "mip", "mtvec", "mepc", "mcause", "mtval", "mscratch", "mcycle", "minstret")
A0, A1 = 10, 11
CAUSE_OF_ACCESS = {
    Right.READ: Cause.LOAD_ACCESS_FAULT,
    Right.WRITE: Cause.STORE_ACCESS_FAULT,
    Right.EXECUTE: Cause.INSTRUCTION_ACCESS_FAULT,
}
MISALIGNED_CAUSE_OF_ACCESS = {
    Right.READ: Cause.LOAD_ADDRESS_MISALIGNED,
    Right.WRITE: Cause.STORE_ADDRESS_MISALIGNED,
}


class RiscV(Core):
    """The RV32IMC host.

    Interrupt input n of the core is source n + 1 of the machine's `Plic`; timer and software interrupt come from
    its `Clint`. A machine without them has no such interrupts.

    Args:
        board: the bus must be complete.
        reset_address: of the first instruction.
        engine: one of `ENGINES`.
        pmp_entries, pmp_granularity: see `Pmp`.
        timing: how long instructions take.
        atomics: it has the A extension.
        satp: this register is there, and stays 0; see `CsrFile`.

    Raises:
        UnknownEngineError: another engine.
        UnknownTimingError: another timing.
        ValueError: something is mapped where the engine needs room, or there is no such `Pmp`.

    Attributes:
        state: privilege and trap registers.
        pmp: the memory protection.
        atomics: the A extension's reservation.
        csr: all control and status registers.
        semihosting: console and exit of the firmware.
    """

    name = "rv32imc"
    architecture = "riscv"
    saved = (
        *("state", "pmp", "atomics", "_cycles", "_instructions"),
        *("_pc", "_ended", "_waiting"),
    )
    saved_types: ClassVar = {"_ended": Pause | None}

    def __init__(
        self,
        board: Board,
        reset_address: int,
        engine: str = ENGINES[0],
        *,
        pmp_entries: int = 16,
        pmp_granularity: int = 4,
        timing: CpuTiming = CpuTiming(),  # noqa: B008 - it is frozen
        atomics: bool = False,
        satp: bool = False,
    ) -> None:
        super().__init__()
        self._board, self._reset_address = board, reset_address
        costs = make_costs(timing, self.name, board.bus, reset_address)
        self.state = PrivilegedState()
        words = self.state.words
        self._engine = make_engine(engine, board, self.state, self._trap, costs)
        self._plic: Plic | None = None
        self._clint: Clint | None = None
        self.pmp = Pmp(board.bus.regions, pmp_entries, pmp_granularity, words)
        self.atomics, self._has_atomics = Atomics(board.bus, words), atomics
        words[HartSlot.HAS_ATOMICS], words[HartSlot.PROTECTS] = atomics, pmp_entries != 0
        words[HartSlot.UNIT_COSTS] = costs is None
        self.native_traps = True
        self._cycles = Counter(lambda: board.clock.now, words, HartSlot.CYCLE_OFFSET)
        self._instructions = Counter(lambda: self._engine.instructions, words, HartSlot.INSTRET_OFFSET)
        self.csr = CsrFile(
            self.state,
            self.pmp,
            "IMACU" if atomics else "IMCU",
            cycles=self._cycles,
            instructions=self._instructions,
            time=self._time,
            satp=satp,
            warn=self._warn,
        )
        self.semihosting = Semihosting(board, self.name, exit_block=True)
        self._breakpoints: frozenset[int] = frozenset()
        self._pc = reset_address
        self._ended: Pause | None = None
        self._waiting = False
        self._stop_requested = False
        self._leave_breakpoint = True

    def attach(self, devices: Mapping[str, Device]) -> None:
        """Connect the interrupt controllers of the machine."""
        for device in devices.values():
            if isinstance(device, Plic):
                self._plic = device
                device.irq.connect(lambda level: self._drive(Interrupt.EXTERNAL, level))
            elif isinstance(device, Clint):
                self._clint = device
                device.software.connect(lambda level: self._drive(Interrupt.SOFTWARE, level))
                device.timer.connect(lambda level: self._drive(Interrupt.TIMER, level))

    def reset(self) -> None:
        """M-mode, interrupts off, registers 0, at the reset address."""
        self._engine.write_all_x(0)
        self.state.reset()
        self.pmp.reset()
        self.atomics.reservation = None
        self._protect()
        self.semihosting.reset()
        self._engine.instructions = 0
        self._cycles.reset()
        self._instructions.reset()
        self._pc = self._reset_address
        self.exit_code, self.abnormal_exit, self.last_fault = None, False, None
        self._ended, self._waiting, self._stop_requested, self._leave_breakpoint = None, False, False, True

    def get_state(self) -> dict[str, State]:
        """Registers, the count of instructions, and what is under way."""
        return {
            **super().get_state(),
            "x": list(self._engine.read_all_x()),
            "instructions": self.instructions,
            "follows": self._engine.follows(self._pc),
        }

    def set_state(self, state: Mapping[str, State]) -> None:
        """Take back what `get_state` gave."""
        super().set_state(state)
        for number, value in enumerate(state["x"]):
            self._engine.write_x(number, value)
        self._engine.instructions = state["instructions"]
        self._protect()
        if state["follows"]:
            self._engine.continue_at(self._pc)
        self._stop_requested, self._leave_breakpoint = False, True

    @property
    def native_traps(self) -> bool:
        """Whether native code carries out CSR and atomic instructions, ecall, mret and interrupts, where it can."""
        return bool(self.state.words[HartSlot.NATIVE])

    @native_traps.setter
    def native_traps(self, wanted: bool) -> None:
        self.state.words[HartSlot.NATIVE] = wanted

    def _warn(self, text: str) -> None:
        self._board.log.warn(self._board.clock.now, self.name, text)

    def _time(self) -> int:
        return 0 if self._clint is None else self._clint.mtime

    # Interrupts

    def set_interrupt(self, number: int, level: bool) -> None:
        """Drive source ``number`` + 1 of the PLIC. Raises LookupError if the machine has none."""
        if self._plic is None:
            raise LookupError(f"interrupt input {number} of {self.name} needs a Plic in the machine map")
        self._plic.set_source(number + 1, level)

    def _drive(self, line: Interrupt, level: bool) -> None:
        self.state.mip = self.state.mip & ~(1 << line) | level << line
        if self.state.pending_interrupt() is not None:
            (self._engine.request_check if self.native_traps else self._engine.request_stop)()

    def _take_interrupt(self) -> bool:
        number = self.state.pending_interrupt()
        if number is None:
            return False
        self._pc = self.state.enter_interrupt(number, self._pc)
        self._protect()
        return True

    # Running

    def run(self) -> Pause:
        """See `Core.run`."""
        if self._leave_breakpoint and self._pc in self._breakpoints:
            pause = self.step()
            if pause is not Pause.STEP:
                return pause
        pause = self._run()
        self._leave_breakpoint = pause not in (Pause.DEADLINE, Pause.SLEEP, Pause.REQUEST)
        return pause

    def _run(self) -> Pause:
        while self._ended is None:
            if self._stop_requested:
                self._stop_requested = False
                return Pause.REQUEST
            if self.sleeping:
                return Pause.SLEEP
            self._waiting = False
            self._take_interrupt()
            halt = self._engine.execute(self._pc)
            self._handle(halt)
            if halt is Halt.DEADLINE:
                if self._board.clock.now >= self._board.clock.deadline:
                    return Pause.DEADLINE
                self._handle(self._engine.execute_one_exactly(self._pc))
            if halt is Halt.EXIT:
                return Pause.BREAKPOINT
        return self._ended

    @property
    def rests(self) -> bool:
        """See `Core.rests`."""
        return self.sleeping and not self._stop_requested and self._ended is None

    def step(self) -> Pause:
        """See `Core.step`."""
        self._leave_breakpoint = True
        if self._ended is not None:
            return self._ended
        if self.sleeping:
            return Pause.SLEEP
        self._waiting = False
        if not self._take_interrupt():
            self._handle(self._engine.execute_one(self._pc))
        return self._ended or Pause.STEP

    def request_stop(self) -> None:
        """See `Core.request_stop`."""
        self._stop_requested = True
        self._engine.request_stop()

    def _handle(self, halt: Halt) -> None:
        """Do what the native run stopped for."""
        self._pc = pc = self._engine.pc
        if halt is Halt.SITE:
            self._system(self._instruction(pc), pc)
        elif halt is Halt.SLEEP:
            self._sleep(pc)
        elif halt is Halt.INVALID:
            self._breakpoint(pc)
        elif halt is Halt.FAULT and self._engine.fault is not None:
            fault = self._engine.fault
            self._raise(CAUSE_OF_ACCESS[fault.access], pc, fault.address, fault.text, fault.address)

    def _sleep(self, pc: int) -> None:
        """wfi was executed; ``pc`` is behind it."""
        if self.state.privilege is Privilege.USER and Status.TW.extract(self.state.mstatus):
            self._engine.charge(pc - 4, -1)
            self._illegal(WFI, pc - 4, f"0x{WFI:08x}: wfi is illegal in U-mode while mstatus.TW is set")
        else:
            self._waiting = True

    # Instructions that are not native

    def _instruction(self, pc: int) -> int:
        return instruction_at(self._board.bus, pc)

    def _trap(self, pc: int, call: bool) -> None:
        """An instruction is not native; the run is not stopped for it, and goes on where this leaves the pc."""
        if call:
            user = self.state.privilege is Privilege.USER
            self._enter(Cause.CALL_FROM_USER if user else Cause.CALL_FROM_MACHINE, pc, 0)
        else:
            self._system(self._instruction(pc), pc)
        self._engine.pc = self._pc
        if self._ended is not None or self.state.pending_interrupt() is not None:
            self._engine.request_stop()

    def _system(self, word: int, pc: int) -> None:
        """Carry out the instruction if it is a privileged one, else it is illegal."""
        access = decode_csr(word)
        if access is not None:
            self._access_csr(access, word, pc)
        elif word == MRET and self.state.privilege is Privilege.MACHINE:
            self._engine.charge(pc)
            self._pc = self.state.leave()
            self._protect()
        elif word == MRET:
            self._illegal(word, pc, f"0x{word:08x}: mret is illegal in U-mode")
        elif self._has_atomics and (atomic := decode_atomic(word)) is not None:
            self._execute_atomic(atomic, pc)
        else:
            self._illegal(word, pc, why_illegal(word, atomics=self._has_atomics))

    def _execute_atomic(self, atomic: AtomicInstruction, pc: int) -> None:
        address = self._engine.read_x(atomic.address)
        if address % WORD_BYTES:
            text = f"{ACCESS_WORD[atomic.access]} at 0x{address:08x}: an atomic instruction needs a multiple of 4"
            self._raise(MISALIGNED_CAUSE_OF_ACCESS[atomic.access], pc, address, text, address)
            return
        operand = self._engine.read_x(atomic.source)
        try:
            result = self.atomics.execute(atomic, address, operand, self.pmp.protection(self.state.data_privilege))
        except RefusedError as refused:
            self._raise(CAUSE_OF_ACCESS[atomic.access], pc, address, refused.fault.text, address)
            return
        self._engine.write_x(atomic.destination, result)
        self._engine.charge(pc)
        self._pc = (pc + 4) & 0xFFFF_FFFF

    def _access_csr(self, access: CsrInstruction, word: int, pc: int) -> None:
        try:
            csr = self.csr.find(access.csr, write=access.writes)
        except CsrError as error:
            self._illegal(word, pc, f"0x{word:08x}: {error}")
            return
        old = csr.read()
        if access.writes and csr.write is not None:
            operand = access.source if access.immediate else self._engine.read_x(access.source)
            csr.write(access.result(old, operand) & 0xFFFF_FFFF)
            if csr.protects:
                self._protect()
        if access.destination:
            self._engine.write_x(access.destination, old)
        self._engine.charge(pc)
        self._pc = (pc + 4) & 0xFFFF_FFFF

    def _breakpoint(self, pc: int) -> None:
        """ebreak, by itself or inside the semihosting sequence."""
        word = self._instruction(pc)
        if word not in (EBREAK, COMPRESSED_EBREAK):
            self._illegal(word, pc, why_illegal(word))
        elif (
            word == EBREAK
            and self._instruction(pc - 4) == SEMIHOSTING_ENTRY
            and self._instruction(pc + 4) == SEMIHOSTING_EXIT
        ):
            self._engine.charge(pc)
            self._pc = pc + 4
            self._call_host()
        else:
            self._raise(Cause.BREAKPOINT, pc, pc, f"ebreak at 0x{pc:08x}: no debugger handles it")

    def _call_host(self) -> None:
        operation, parameter = self._engine.read_x(A0), self._engine.read_x(A1)
        self._engine.write_x(A0, self.semihosting.call(operation, parameter))
        if self.semihosting.exit is not None:
            self.exit_code, self.abnormal_exit = self.semihosting.exit.code, self.semihosting.exit.abnormal
            self._ended = Pause.EXIT

    # Exceptions

    def _protect(self) -> None:
        """Tell the engine what is allowed now: privilege, mstatus or the PMP may have changed."""
        state, protection = self.state, self.pmp.protection
        self._engine.protect(state.level, protection(state.privilege), protection(state.data_privilege))

    def _illegal(self, word: int, pc: int, text: str) -> None:
        self._raise(Cause.ILLEGAL_INSTRUCTION, pc, word, text)

    def _raise(self, cause: Cause, pc: int, value: int, text: str, address: int | None = None) -> None:
        """Report a fault and enter its handler."""
        self._pc = pc
        self.last_fault = FaultReport(cause.kind, text, pc, address, self._registers(), self._board.clock.now)
        for listener in self.on_fault:
            listener(self.last_fault)
        self._enter(cause, pc, value)

    def _enter(self, cause: Cause, pc: int, value: int) -> None:
        if self.state.repeats(cause, pc):
            self._ended = Pause.LOCKUP
        self._pc = self.state.enter_exception(cause, pc, value)
        self._protect()

    # What debuggers use

    def invalidate(self, address: int, count: int) -> None:
        """See `Core.invalidate`."""
        self.atomics.written(address, count)
        self._engine.invalidate(address, count)

    @property
    def instructions(self) -> int:
        """Instructions retired since reset; exact between runs."""
        return self._engine.instructions

    @property
    def sleeping(self) -> bool:
        """Whether wfi was executed and no interrupt has ended it."""
        return self._waiting and not self.state.wakes

    @property
    def pc(self) -> int:
        """Address of the next instruction."""
        return self._pc

    @pc.setter
    def pc(self, address: int) -> None:
        self._pc = address & 0xFFFF_FFFE
        self._waiting = False

    @property
    def register_names(self) -> Sequence[str]:
        """pc, x1..x31 by their ABI names, the trap registers, the counters."""
        return ("pc", *ABI_NAMES, *CSR_NAMES)

    def _registers(self) -> dict[str, int]:
        values = dict(zip(ABI_NAMES, self._engine.read_all_x(), strict=True))
        return {"pc": self._pc, **values, **{name: self.csr.by_name[name].read() for name in CSR_NAMES}}

    def read_register(self, name: str) -> int:
        """pc, an ABI name (also fp), x0..x31, or any control and status register by name."""
        if name == "pc":
            return self._pc
        if name in self.csr.by_name:
            return self.csr.by_name[name].read()
        return self._engine.read_x(X_NUMBERS[name])

    def write_register(self, name: str, value: int) -> None:
        """Set a register; as by firmware, read-only bits keep their values."""
        value &= 0xFFFF_FFFF
        if name == "pc":
            self.pc = value
        elif name in self.csr.by_name:
            write = self.csr.by_name[name].write
            if write is not None:
                write(value)
                self._protect()
        elif (number := X_NUMBERS[name]) != 0:
            self._engine.write_x(number, value)

    def add_breakpoint(self, address: int) -> None:
        """See `Core.add_breakpoint`."""
        self._breakpoints |= {address}
        self._engine.exits = self._breakpoints

    def remove_breakpoint(self, address: int) -> None:
        """See `Core.remove_breakpoint`."""
        self._breakpoints -= {address}
        self._engine.exits = self._breakpoints

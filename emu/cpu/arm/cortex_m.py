"""The Cortex-M hosts: Unicorn executes Thumb code, this file and its neighbours do the rest of ARMv7-M."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from unicorn import UC_ARCH_ARM, UC_MODE_THUMB, Uc
from unicorn import arm_const as arm

from emu.bus import BusError
from emu.cpu.arm.alignment import features_of
from emu.cpu.arm.bit_band import add_bit_bands
from emu.cpu.arm.comparators import Comparators
from emu.cpu.arm.data_watchpoint import DataWatchpoint
from emu.cpu.arm.exceptions import Exceptions, Fault
from emu.cpu.arm.instrumentation import TEXT_PORT, Instrumentation
from emu.cpu.arm.memory_protection import MemoryProtection
from emu.cpu.arm.models import CORTEX_M4F, Architecture, CortexModel
from emu.cpu.arm.mpu_v7 import SystemControlV7
from emu.cpu.arm.mpu_v8 import SystemControlV8
from emu.cpu.arm.nvic import Vector
from emu.cpu.arm.refused_accesses import RefusedAccesses
from emu.cpu.arm.registers import CORE_REGISTERS, FLOAT_REGISTERS, SYSTEM_REGISTERS, ArmRegisters
from emu.cpu.arm.special_instructions import SpecialInstructions
from emu.cpu.arm.system_control import DebugFaultStatus, SleepControl, SystemControl
from emu.cpu.arm.trace_port import TracePort
from emu.cpu.arm.traps import TRAP_ALIGNMENT, Traps
from emu.cpu.arm.unaligned import UnalignedAccesses
from emu.cpu.core import Core, FaultReport, Pause
from emu.cpu.encoding import thumb_width
from emu.cpu.engine import Engine, InstructionSet
from emu.cpu.halt import Halt
from emu.cpu.hook_state import EXCLUSIVE, PAGE_BITS, WINDOW, Request, Site
from emu.cpu.semihosting import Semihosting
from emu.cpu.timing.costs import CpuTiming, make_costs
from emu.device import Board, Device
from emu.devices.unmodelled import Unmodelled
from emu.state import State

THUMB_INSTRUCTIONS = InstructionSet(
    "thumb",
    thumb_width,
    arm.UC_ARM_REG_PC,
    (*(arm.UC_ARM_REG_R0 + number for number in range(13)), arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR),
    "trap",
    it_register=arm.UC_ARM_REG_EPSR,
)
SYSTEM_CONTROLS: dict[Architecture, type[SystemControl]] = {
    Architecture.V6M: SystemControl,
    Architecture.V7M: SystemControlV7,
    Architecture.V8M: SystemControlV8,
}
SYSTEM_CONTROL_BASE, WATCHPOINT_BASE = 0xE000_E000, 0xE000_1000
INSTRUMENTATION_BASE, TRACE_PORT_BASE = 0xE000_0000, 0xE004_0000
DEBUG_UNITS = {"flash_patch": 0xE000_2000, "trace_macrocell": 0xE004_1000, "rom_table": 0xE00F_F000}
"""Units for debuggers that firmware may touch too: they read 0, as if they had no comparators, and do nothing."""
WFI = b"\x30\xbf"


class CortexM(Core):
    """A Cortex-M on a board.

    Args:
        board: the machine's bus, clock and log; the core adds its own registers to the bus.
        reset_address: the vector table after reset.
        model: which one.
        interrupts: external interrupt inputs.
        priority_bits: implemented bits of a priority; by default 4, or what the core has if that is fewer.
        bit_band: only of a Cortex-M3 or M4: it has bit-band aliases of SRAM and peripherals.
        secure: only of an ARMv8-M core: it has TrustZone and stays in Secure state; by default it has no TrustZone.
        reference_hz: frequency of SysTick's reference clock in Hz; by default there is none.
        timing: how long instructions take.

    Raises:
        UnknownTimingError: the core has no such timing.
        ValueError: the core cannot be built with that many interrupts or priority bits, it has no TrustZone,
            or no bit-band aliases.

    Inaccuracies: 12 cycles for exception entry, 10 for return, 6 for tail-chaining. Exceptions are taken between blocks
    of instructions. Breakpoints and steps cut blocks: counts stay exact, but a device access inside such a block sees
    an earlier time. A frame that the MPU lets be stacked only in part is not stacked at all, and the MPU is asked at
    entry for what is stacked lazily.

    With CCR.DIV_0_TRP set, every division leaves the native run: about 80 us each. So does the first floating-point
    instruction of a handler that has interrupted a floating-point context, and all of them while FPDSCR is not 0.
    """

    architecture = "arm"
    saved = ("exceptions", "_sleeping", "_waiting_for_event", "_reset_requested")

    def __init__(
        self,
        board: Board,
        reset_address: int,
        model: CortexModel = CORTEX_M4F,
        *,
        interrupts: int = 32,
        priority_bits: int | None = None,
        bit_band: bool = False,
        secure: bool = False,
        reference_hz: int | None = None,
        timing: CpuTiming = CpuTiming(),  # noqa: B008 - it is frozen
    ) -> None:
        super().__init__()
        self.name = model.name
        self.board, self.reset_address = board, reset_address
        self.nvic = model.controller(interrupts, priority_bits)
        self.nvic.on_pend = self._pended
        make_control = SYSTEM_CONTROLS[model.architecture]
        self.system_control = make_control(
            board,
            self.nvic,
            reset_address,
            model,
            self._look_again,
            self._request_reset,
            reference_hz=reference_hz,
        )
        self.system_control.on_setting_change = self._take_over_settings
        self.system_control.on_protection_change = self._protection_changed
        self.watchpoint = DataWatchpoint(board, self.system_control)
        board.bus.add_device(SYSTEM_CONTROL_BASE, self.system_control)
        board.bus.add_device(WATCHPOINT_BASE, self.watchpoint)
        self._units: list[Device] = [self.system_control, self.watchpoint]
        if model.architecture is not Architecture.V6M:
            self._add_trace()
        if bit_band:
            add_bit_bands(board, model)
        uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB)
        uc.ctl_set_cpu_model(model.unicorn)
        costs = make_costs(timing, model.name, board.bus, reset_address)
        self.engine = Engine(uc, board, THUMB_INSTRUCTIONS, window=(WINDOW, 1 << PAGE_BITS), costs=costs)
        if model.architecture is not Architecture.V6M:
            self.engine.check_alignment(features_of(uc))
        self.registers = ArmRegisters(self.engine)
        self.protection = MemoryProtection(self.engine, self.registers, self.nvic, self.system_control)
        self.exceptions = Exceptions(
            self.engine, self.registers, self.nvic, self.system_control, self.protection, self._report, secure=secure
        )
        self._special = SpecialInstructions(
            self.engine, self.registers, self.system_control, self.exceptions, self.protection
        )
        self._comparators = Comparators(uc, self.watchpoint.matched)
        self.watchpoint.on_change = self.engine.request_stop
        self.semihosting = Semihosting(board, self.name, exit_block=False)
        self._traps = Traps(
            self.engine, self.registers, self.exceptions, self.system_control, self.semihosting, self._read_code,
            self._sleep,
        )  # fmt: skip
        self._refused = RefusedAccesses(
            self.engine, self.registers, self.nvic, self.system_control, self.protection, self._traps,
            SYSTEM_CONTROL_BASE + SystemControl.STIR.offset,
        )  # fmt: skip
        self._unaligned = UnalignedAccesses(self.engine, self.registers, self.system_control, self._read_code)
        self._breakpoints: frozenset[int] = frozenset()
        self._standing_on: int | None = None
        self._sleeping = self._waiting_for_event = False
        self._slept_through: tuple[object, ...] | None = None
        self._stop_requested = self._reset_requested = False
        self.reset()

    def _add_trace(self) -> None:
        """Give the core the units that firmware prints with, and those that only debuggers need."""
        instrumentation, port = Instrumentation(self.board, self.system_control), TracePort(self.board)
        self.board.bus.add_device(INSTRUMENTATION_BASE, instrumentation)
        self.board.bus.add_device(TRACE_PORT_BASE, port)
        for name, base in DEBUG_UNITS.items():
            self.board.bus.add_device(base, Unmodelled(name, self.board))
        self._units += [instrumentation, port]
        instrumentation.on_stimulus.append(self._stimulated)

    def _stimulated(self, port: int, value: int, size: int) -> None:
        """Firmware has written to a stimulus port: text goes where semihosting's does."""
        if port == TEXT_PORT:
            self.semihosting.print(value.to_bytes(size, "little"))
        else:
            for listener in self.on_trace:
                listener(port, value, size)

    def reset(self) -> None:
        """Power-up state: stack pointer and PC from the vector table."""
        for unit in self._units:
            unit.reset()
        self.exceptions.reset()
        self.semihosting.reset()
        self.exit_code, self.abnormal_exit, self.last_fault = None, False, None
        self._sleeping = self._waiting_for_event = False
        self._stop_requested = self._reset_requested = False
        self._standing_on = None
        self.protection.stale = True
        self.engine.instructions = 0
        self.registers.reset()
        stack, target = struct.unpack("<2I", self._read_code(self.reset_address, 8))
        self.registers.write("msp", stack & ~3)
        self.registers.jump(target)

    def get_state(self) -> dict[str, State]:
        """Registers, the count of instructions, and what is under way; the NVIC belongs to `SystemControl`.

        *Inaccuracies*: Unicorn does not show the address of an exclusive load whose store is still to come: it is no
        part of the state.
        """
        return {
            **super().get_state(),
            "registers": self.registers.all(),
            "instructions": self.instructions,
            "exclusive": int(self.engine.sites & EXCLUSIVE),
            "follows": self.engine.follows(self.pc),
        }

    def set_state(self, state: Mapping[str, State]) -> None:
        """Take back what `get_state` gave."""
        super().set_state(state)
        self.registers.set_all(state["registers"])
        self.engine.instructions = state["instructions"]
        if state["follows"]:
            self.engine.continue_at(self.pc)
        self._stop_requested, self._standing_on, self._slept_through = False, None, None
        self.protection.stale = True
        self.engine.sites = Site(state["exclusive"])
        self._take_over_settings()

    def _read_code(self, address: int, count: int) -> bytes:
        try:
            return self.board.bus.read(address, count)
        except BusError:
            return bytes(count)

    # Requests from devices

    @property
    def native_exceptions(self) -> bool:
        """Whether native code enters and leaves exceptions where it can; the states are the same without it."""
        return self.exceptions.native.wanted

    @native_exceptions.setter
    def native_exceptions(self, wanted: bool) -> None:
        self.exceptions.native.wanted = wanted
        self._take_over_settings()

    def _take_over_settings(self) -> None:
        """Tell native code what system control registers say."""
        self._special.choose_sites()
        self.exceptions.native.configure(self.system_control)
        self._monitor_steps = self.system_control.steps

    @property
    def _monitored(self) -> bool:
        """Whether the debug monitor steps, and may preempt what runs."""
        return self._monitor_steps and self.exceptions.can_monitor()

    def _look_again(self) -> None:
        """An exception may have become one that preempts what runs."""
        if self.exceptions.native.possible:
            self.engine.request_check()
        else:
            self.engine.request_stop()

    def _protection_changed(self) -> None:
        self.protection.stale = True
        self.exceptions.native.configure(self.system_control)
        self.engine.request_stop()

    def _request_reset(self) -> None:
        self._reset_requested = True
        self.engine.request_stop()

    def request_stop(self) -> None:
        """Make `run` return `Pause.REQUEST` at the next block boundary."""
        self._stop_requested = True
        self.engine.request_stop()

    def set_interrupt(self, number: int, level: bool) -> None:
        """Drive external input ``number``. Raises ValueError if there is no such input."""
        if not 0 <= number < self.nvic.inputs:
            raise ValueError(f"the NVIC has external inputs 0..{self.nvic.inputs - 1}, not {number}")
        pending = self.nvic.pending
        self.nvic.set_level(number, level)
        if self.nvic.pending != pending:
            self._look_again()

    def _pended(self) -> None:
        """An exception has become pending."""
        if SleepControl.SEVONPEND.extract(self.system_control.SCR):
            self.exceptions.event = True

    def set_nmi(self, level: bool) -> None:
        """Drive NMI; it becomes pending when the level rises."""
        if level:
            self.nvic.pend(Vector.NMI)
            self._look_again()

    # Running

    def run(self) -> Pause:
        """Execute until the deadline or until something else stops the core; see `Core.run`."""
        if self.rests:
            return Pause.SLEEP
        clock, standing_on = self.board.clock, self._standing_on
        self._standing_on = None
        native = self._begins_natively(standing_on)
        while True:
            pause = self._before(native=native)
            if pause is not None:
                self._slept_through = self._alarms
                return pause
            if clock.now >= clock.deadline:
                return Pause.DEADLINE
            start = self.registers.start
            left_over = False
            if start & ~1 == standing_on or self._monitored:
                pause = self._execute_one(start)
            else:
                halt = self.engine.execute(start, self._request())
                left_over = halt is Halt.EXCEPTION
                if halt is Halt.DEADLINE and clock.now < clock.deadline:
                    pause = self._execute_one(self.registers.start, self.engine.execute_one_exactly)
                else:
                    pause = self._handle(halt)
            if pause is not None:
                return pause
            standing_on = None
            native = not left_over and self._begins_natively(None)

    def _begins_natively(self, standing_on: int | None) -> bool:
        """Whether a pending exception may be left to the first block hook of the next run of the engine."""
        clock = self.board.clock
        return (
            self.exceptions.native.possible
            and not self._sleeping
            # A breakpoint at the next instruction would come first, and so would an event.
            and standing_on is None
            and not self._breakpoints
            and clock.now < clock.deadline
        )

    def _request(self) -> Request:
        """What the block hook shall do about pending exceptions."""
        if not self.nvic.pending & self.nvic.enabled:
            return Request.NONE
        if self.exceptions.native.possible:
            return Request.CHECK
        if not self.exceptions.held_by_masks():
            return Request.NONE
        self.engine.watch(arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_BASEPRI, arm.UC_ARM_REG_FAULTMASK)
        return Request.WATCH

    @property
    def rests(self) -> bool:
        """See `Core.rests`."""
        return self._sleeping and self._slept_through == self._alarms

    @property
    def _alarms(self) -> tuple[object, ...]:
        """What must change before a sleeping core does anything."""
        return self.nvic.state.tobytes(), self.exceptions.event, self._stop_requested, self._reset_requested

    def step(self) -> Pause:
        """Execute exactly one instruction, or take one pending exception."""
        taken = self.exceptions.pending()
        pause = self._before()
        if pause is None and taken is None:
            pause = self._execute_one(self.registers.start)
        self._standing_on = self.pc
        return pause or Pause.STEP

    def _before(self, *, native: bool = False) -> Pause | None:
        """What comes before the next instruction: stops, exceptions unless these are left to native code, sleep."""
        if self.exit_code is not None:
            return Pause.EXIT
        if self.exceptions.locked_up:
            return Pause.LOCKUP
        if self._reset_requested:
            return Pause.RESET
        if self.protection.stale:
            self.protection.refresh()
            self._take_over_settings()
        self._unaligned.follow()
        if self._stop_requested:
            self._stop_requested = False
            return Pause.REQUEST
        if self.watchpoint.changed or self.watchpoint.debug_event:
            self._serve_watchpoint()
        if native:
            return None
        number = self.exceptions.pending()
        if number is not None:
            self._sleeping = False
            self.exceptions.take(number)
            return Pause.LOCKUP if self.exceptions.locked_up else None
        if self._sleeping and not self._wakes():
            return Pause.SLEEP
        self._sleeping = False
        return None

    def _serve_watchpoint(self) -> None:
        """Watch what the comparators ask for; a match makes the debug monitor pending if that may preempt."""
        if self.watchpoint.changed:
            self._comparators.watch(self.watchpoint.watches)
            self.engine.observe(bool(self.watchpoint.watches))
        if self.watchpoint.debug_event and self.exceptions.can_monitor():
            self.system_control.DFSR |= DebugFaultStatus.DWTTRAP.mask
            self.nvic.pend(Vector.DEBUG_MONITOR)
        self.watchpoint.changed = self.watchpoint.debug_event = False

    def _wakes(self) -> bool:
        """Whether WFI or WFE ends although no exception is taken."""
        if self._waiting_for_event and self.exceptions.event:
            self.exceptions.event = False
            return True
        return self.exceptions.pending(ignore_primask=True) is not None

    def _execute_one(self, start: int, execute: Callable[[int], Halt] | None = None) -> Pause | None:
        """Execute one instruction and deal with what comes of it.

        Args:
            execute: what executes it, `Engine.execute_one` or its exact twin.
        """
        waits, monitored = self._read_code(start & ~1, 2) == WFI, self._monitored
        halt = self._special.at_site() if self._special.is_next else (execute or self.engine.execute_one)(start)
        pause = self._handle(halt)
        if waits:
            self._sleep(False)
        if monitored:
            self.exceptions.monitor_step()
        return pause

    def _handle(self, halt: Halt) -> Pause | None:
        """Do what the architecture says; the reason to come back, if there is one."""
        match halt:
            case Halt.TRAP if self.engine.trap == TRAP_ALIGNMENT and self._unaligned.stack_is_unaligned:
                return self._handle(self._unaligned.align_stack())
            case Halt.TRAP if self.engine.trap == TRAP_ALIGNMENT and self._unaligned.allowed:
                return self._handle(self._unaligned.carry_out())
            case Halt.TRAP:
                self._traps.take(self.engine.trap)
            case Halt.FAULT:
                instead = self._refused.carry_out()
                if instead is not None:
                    return self._handle(instead)
                self.exceptions.fault(self._traps.access_fault())
            case Halt.INVALID:
                self._traps.invalid()
            case Halt.SITE | Halt.FETCH:
                return self._handle(self._special.at_site())
            case Halt.SLEEP:
                self._sleep(False)
            case Halt.EXIT:
                self._standing_on = self.pc
                return Pause.BREAKPOINT
            case _:
                pass
        if self.semihosting.exit is not None:
            self.exit_code, self.abnormal_exit = self.semihosting.exit.code, self.semihosting.exit.abnormal
        return Pause.EXIT if self.exit_code is not None else None

    def _sleep(self, for_event: bool) -> None:
        self._sleeping, self._waiting_for_event = True, for_event

    def _report(self, kind: str, fault: Fault) -> None:
        report = FaultReport(kind, fault.text, self.pc, fault.address, self.registers.all(), self.board.clock.now)
        self.last_fault = report
        for listener in self.on_fault:
            listener(report)

    # What tools see

    def invalidate(self, address: int, count: int) -> None:
        """Forget translated code of these bytes."""
        self.engine.invalidate(address, count)

    @property
    def instructions(self) -> int:
        """Instructions retired since reset."""
        return self.engine.instructions

    @property
    def pc(self) -> int:
        """Address of the next instruction."""
        return self.engine.pc

    @pc.setter
    def pc(self, address: int) -> None:
        self.registers.jump(address | 1)

    @property
    def register_names(self) -> Sequence[str]:
        """Core registers, then stack pointers and masks, then floating point."""
        return (*CORE_REGISTERS, *SYSTEM_REGISTERS, *FLOAT_REGISTERS)

    def read_register(self, name: str) -> int:
        """A register's value. Raises KeyError for an unknown name."""
        return self.registers.read(name)

    def write_register(self, name: str, value: int) -> None:
        """Set a register. Raises KeyError for an unknown name."""
        self.registers.write(name, value)
        self._slept_through = None

    def add_breakpoint(self, address: int) -> None:
        """Stop before the instruction at ``address``."""
        self._breakpoints |= {address & ~1}
        self.engine.exits = self._breakpoints

    def remove_breakpoint(self, address: int) -> None:
        """Undo `add_breakpoint`."""
        self._breakpoints -= {address & ~1}
        self.engine.exits = self._breakpoints

"""The exception model of the Cortex-M: taking, returning, faults, escalation, lockup.

Inaccuracies: a return with a stacked xPSR of the other mode leaves the floating-point registers and FPCCR as they are;
ARMv7-M takes the registers from the frame and stacks them again, lazily.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

from emu.bus import BusError
from emu.cpu.arm.exception_frame import (
    BASIC_WORDS,
    CHAIN_CYCLES,
    ENTRY_CYCLES,
    FLOAT_CYCLES,
    NO_FLOATS,
    PROCESS_STACK,
    RETURN_CYCLES,
    THREAD,
    ExceptionFrames,
    Frame,
    RefusedFrameError,
)
from emu.cpu.arm.lazy_context import LAZY_READY, LazyContext
from emu.cpu.arm.memory_protection import MemoryProtection, ProtectionError
from emu.cpu.arm.models import Architecture
from emu.cpu.arm.native_exceptions import NativeExceptions
from emu.cpu.arm.nvic import IDLE, Nvic, Vector
from emu.cpu.arm.registers import FPCA, IPSR_MASK, NPRIV, SFPA, ArmRegisters
from emu.cpu.arm.stack_limits import StackLimits
from emu.cpu.arm.system_control import (
    Configuration,
    DebugFaultStatus,
    FaultStatus,
    HardFaultStatus,
    SystemControl,
)
from emu.cpu.engine import Engine
from emu.cpu.hook_state import EXCLUSIVE, Site
from emu.state import Saved

LEGAL_RETURNS = (0x1, 0x9, 0xD)
"""Last digits of EXC_RETURN in ARMv6-M and ARMv7-M; those above may be anything, says no rule but the emulators."""
FAULT_NAMES = {
    Vector.NMI: "NMI",
    Vector.HARD_FAULT: "HardFault",
    Vector.MEM_MANAGE: "MemManage",
    Vector.BUS_FAULT: "BusFault",
    Vector.USAGE_FAULT: "UsageFault",
    Vector.SV_CALL: "SVCall",
}


@dataclass(frozen=True)
class Fault:
    """Something that an instruction did and must not.

    Attributes:
        vector: its exception.
        text: the rule that was broken.
        status: bits of CFSR.
        address: for MMFAR or BFAR.
    """

    vector: Vector
    text: str
    status: int = 0
    address: int | None = None


class Exceptions(Saved):
    """Takes exceptions and returns from them.

    Args:
        secure: the core is in Secure state, for ever.
        report: called for every fault with its kind, its text and its address before the core's state changes.

    Attributes:
        locked_up: a fault happened where no fault can be taken.
        event: the event register of WFE.
        stack_limits: 0 on cores that have none.
        lazy: what is still to be stacked of the floating-point registers.
        float_context: bits of CONTROL: a floating-point context is in use.
        native: does the same in native code where it can, without leaving the run.
    """

    saved = ("locked_up", "event", "lazy", "stack_limits")

    def __init__(
        self,
        engine: Engine,
        registers: ArmRegisters,
        nvic: Nvic,
        control: SystemControl,
        protection: MemoryProtection,
        report: Callable[[str, Fault], None],
        *,
        secure: bool,
    ) -> None:
        self._engine, self._registers, self._nvic, self._control = engine, registers, nvic, control
        self._protection, self._report = protection, report
        self._exc_return = control.model.exc_return(secure=secure)
        keeps_choice = control.model.architecture is Architecture.V8M
        self._frames = ExceptionFrames(engine, protection, self._exc_return, secure=secure, keeps_choice=keeps_choice)
        self.stack_limits = StackLimits(engine.uc)
        self.native = NativeExceptions(
            engine, nvic, self._frames, registers, self.stack_limits, protection, secure=secure
        )
        control.lazy_stacking = self.native
        control.running = self._running
        self.float_context = FPCA | SFPA if secure else FPCA
        self.locked_up = False
        self.event = False

    def reset(self) -> None:
        """No lockup, no event, no stack limits, nothing left to stack."""
        self.stack_limits.set(0, 0)
        self.locked_up = self.event = False
        self.lazy = (False, 0, 0)

    @property
    def lazy(self) -> tuple[bool, int, int]:
        """FPCCR.LSPACT, FPCAR, and what else FPCCR says about the registers that are still to be stacked."""
        return self.native.lazy_active, self.native.lazy_address, self.native.lazy_context

    @lazy.setter
    def lazy(self, state: tuple[bool, int, int]) -> None:
        self.native.lazy_active, self.native.lazy_address, self.native.lazy_context = state

    @property
    def event(self) -> bool:
        """The event register of WFE."""
        return self.native.event

    @event.setter
    def event(self, event: bool) -> None:
        self.native.event = event

    def _running(self) -> int:
        """IPSR."""
        return self._registers.read("xpsr") & IPSR_MASK

    # Taking

    def pending(self, *, ignore_primask: bool = False) -> int | None:
        """The exception that preempts what runs now, if any."""
        nvic = self._nvic
        if not nvic.pending & nvic.enabled:
            return None
        primask, basepri, faultmask = self._registers.masks()
        if ignore_primask:
            primask = 0
        return nvic.preempting(nvic.execution_priority(primask, basepri, faultmask))

    def held_by_masks(self) -> bool:
        """Whether an exception is pending that only PRIMASK, BASEPRI or FAULTMASK can be holding back."""
        return self._nvic.preempting(self._nvic.execution_priority(0, 0, 0)) is not None

    def take(self, number: int) -> None:
        """Enter the handler of a pending exception, or of a synchronous one that may preempt."""
        align = bool(Configuration.STKALIGN.extract(self._control.CCR))
        frame = self._frames.capture(align=align, lazy=self._control.stacks_lazily)
        limit = self.stack_limits.values[frame.on_process_stack]
        refused = frame.has_floats and not self._control.floats_allowed(privileged=frame.privileged)
        if refused:
            frame = replace(frame, data=frame.data[: 4 * BASIC_WORDS])
        try:
            if frame.stack_pointer < limit:
                text = f"stacking of an exception at 0x{frame.stack_pointer:08x}, below the limit 0x{limit:08x}"
                frame = replace(frame, stack_pointer=limit)
                number = self._stacking_failed(number, Fault(Vector.USAGE_FAULT, text, FaultStatus.STKOF.mask))
            else:
                self._frames.store(frame)
                if refused:
                    text = "stacking of floating-point registers, while CPACR disables the FPU"
                    number = self._stacking_failed(number, Fault(Vector.USAGE_FAULT, text, FaultStatus.NOCP.mask))
                elif frame.has_floats:
                    self._frames.clear_floats()
        except BusError as error:
            text = f"stacking of an exception: {error}"
            number = self._stacking_failed(number, Fault(Vector.BUS_FAULT, text, FaultStatus.STKERR.mask))
        except ProtectionError as error:
            text = f"stacking of an exception: {error}"
            number = self._stacking_failed(number, Fault(Vector.MEM_MANAGE, text, FaultStatus.MSTKERR.mask))
        if frame.lazy:
            self.lazy = True, frame.stack_pointer + len(frame.data), self._lazy_context(frame)
            self._engine.sites |= Site.FLOATING_POINT
        floats = FLOAT_CYCLES if frame.has_floats else 0
        self._engine.clock.advance_to(self._engine.clock.now + ENTRY_CYCLES + floats)
        self._begin(number, frame)

    def _lazy_context(self, frame: Frame) -> int:
        """What FPCCR says about the code that has made this frame."""
        priority = self._nvic.execution_priority(*self._registers.masks())
        context = LazyContext.USER.insert(0, not frame.privileged)
        context |= LazyContext.THREAD.insert(0, bool(frame.exc_return & THREAD))
        for vector, field in LAZY_READY.items():
            context |= field.insert(0, self._nvic.may_preempt(vector, priority))
        return context

    def keep_floats(self) -> bool:
        """Store the floating-point registers that lazy stacking has left; False: a fault is taken instead."""
        native, text = self.native, "lazy stacking of floating-point registers"
        fault = None
        if not self._control.floats_allowed(privileged=not LazyContext.USER.extract(native.lazy_context)):
            text = f"{text}, which CPACR denies to the code that they belong to"
            fault = Fault(Vector.USAGE_FAULT, text, FaultStatus.NOCP.mask)
        else:
            try:
                self._frames.store_floats(native.lazy_address)
            except BusError as error:
                fault = Fault(Vector.BUS_FAULT, f"{text}: {error}", FaultStatus.LSPERR.mask)
        if fault is not None and self._lazy_fault(fault):
            return False
        native.lazy_active = False
        self._engine.clock.advance_to(self._engine.clock.now + FLOAT_CYCLES)
        return True

    def _lazy_fault(self, fault: Fault) -> bool:
        """A fault of lazy stacking, as urgent as it was for the code that the registers belong to: is it taken now?

        One that neither what runs now nor that code can be interrupted by locks the core up.
        """
        context, control = self.native.lazy_context, self._control
        vector, name = fault.vector, FAULT_NAMES[fault.vector]
        control.record(fault.status)
        escalated = not LAZY_READY[vector].extract(context)
        if escalated:
            reason = "it could not have interrupted the code that they belong to"
            fault = replace(fault, text=f"{fault.text} ({name}, escalated to HardFault because {reason})")
            vector, name = Vector.HARD_FAULT, "HardFault"
        waits = not self._nvic.may_preempt(vector, self._nvic.execution_priority(*self._registers.masks()))
        self.locked_up = waits and not LazyContext.HFRDY.extract(context)
        if escalated and not self.locked_up:
            control.HFSR |= HardFaultStatus.FORCED.mask
        self._report("Lockup" if self.locked_up else name, fault)
        if self.locked_up:
            return True
        self._nvic.pend(vector)
        number = self.pending()
        if number is not None:
            self.take(number)
        return number is not None

    def _stacking_failed(self, number: int, fault: Fault) -> int:
        """The more urgent of the exception and of what its stacking caused; the other one stays pending."""
        self._nvic.pend_all(1 << number | 1 << self._choose_vector(fault, derived=True))
        return self._nvic.most_urgent() or number

    def _begin(self, number: int, frame: Frame | None, exc_return: int = 0) -> None:
        """Run the handler of ``number``: after ``frame`` was stored, or chained to one that ended."""
        vector = self._read_vector(number)
        if vector is None:
            number = Vector.HARD_FAULT
            vector = self._read_vector(number)
        if vector is None:
            self.locked_up = True
            return
        self._nvic.activate(number)
        self.event = True
        self._engine.sites |= EXCLUSIVE
        if frame is None:
            self._frames.chain(exc_return, number, vector)
        else:
            self._frames.begin(frame, number, vector)
        self._protection.follow()

    def _read_vector(self, number: int) -> int | None:
        address = self._control.VTOR + 4 * number
        try:
            value: int = struct.unpack("<I", self._engine.bus.read(address, 4))[0]
        except BusError as error:
            self._control.HFSR |= HardFaultStatus.VECTTBL.mask
            self._report("HardFault", Fault(Vector.HARD_FAULT, f"vector of exception {number}: {error}"))
            return None
        return value

    # Returning

    def leave(self, exc_return: int) -> None:
        """Firmware has branched to ``exc_return`` in handler mode."""
        model = self._control.model
        if not model.has_fpu:
            exc_return |= NO_FLOATS
        nvic, number = self._nvic, self._running()
        if model.architecture is Architecture.V8M:
            keeps_mask = nvic.execution_priority(0, 0, 0) < 0
        else:
            keeps_mask = number == Vector.NMI
        was_active = number in nvic.active
        if was_active:
            nvic.deactivate(number)
        if not keeps_mask:
            self._registers.write("faultmask", 0)
        self.event = True
        self._engine.sites |= EXCLUSIVE
        wrong = self._illegal_return(exc_return)
        if not was_active:
            wrong = f"exception {number} is not active"
        if wrong:
            text = f"exception return with 0x{exc_return:08x}: {wrong}"
            self._chain_fault(Fault(Vector.USAGE_FAULT, text, FaultStatus.INVPC.mask), exc_return)
            return
        following = self.pending()
        if following is not None:
            self._engine.clock.advance_to(self._engine.clock.now + CHAIN_CYCLES)
            self._begin(following, None, exc_return)
            return
        self._unstack(exc_return)

    def _unstack(self, exc_return: int) -> None:
        """Go back to what was interrupted."""
        control = self._control
        text = f"unstacking at exception return with 0x{exc_return:08x}: "
        privileged = not (exc_return & THREAD and self._registers.read("control") & NPRIV)
        try:
            self._frames.resume(
                exc_return,
                floats_enabled=control.floats_allowed(privileged=privileged),
                floats_stored=not self.native.lazy_active,
            )
        except RefusedFrameError as error:
            self._chain_fault(Fault(Vector.USAGE_FAULT, f"{text}{error}", error.status), exc_return)
            return
        except BusError as error:
            self._chain_fault(Fault(Vector.BUS_FAULT, f"{text}{error}", FaultStatus.UNSTKERR.mask), exc_return)
            return
        except ProtectionError as error:
            self._chain_fault(Fault(Vector.MEM_MANAGE, f"{text}{error}", FaultStatus.MUNSTKERR.mask), exc_return)
            return
        self._protection.follow()
        floats = 0
        if not exc_return & NO_FLOATS:
            floats = 0 if self.native.lazy_active else FLOAT_CYCLES
            self.native.lazy_active = False
            if not control.watches_floats:
                self._engine.sites &= ~Site.FLOATING_POINT
        self._engine.clock.advance_to(self._engine.clock.now + RETURN_CYCLES + floats)

    def _illegal_return(self, exc_return: int) -> str:
        """Why the value is illegal here, or nothing."""
        if self._control.model.architecture is Architecture.V8M:
            constant = ~(THREAD | PROCESS_STACK | NO_FLOATS) & 0xFF
            return "" if (exc_return ^ self._exc_return) & constant == 0 else "not an EXC_RETURN value of this core"
        if exc_return & 0xF not in LEGAL_RETURNS:
            return "not an EXC_RETURN value of this core"
        nested = bool(self._nvic.active)
        if exc_return & THREAD and nested and not Configuration.NONBASETHRDENA.extract(self._control.CCR):
            return f"to thread mode while exception {self._nvic.active[-1]} is active"
        return ""

    def _chain_fault(self, fault: Fault, exc_return: int) -> None:
        """Take a fault of an exception return, or what is pending and more urgent: the frame stays where it is."""
        number = self._choose_vector(fault)
        if not self.locked_up:
            self._nvic.pend(number)
            self._begin(self._nvic.most_urgent() or number, None, exc_return)

    # Faults

    def fault(self, fault: Fault) -> None:
        """Take a synchronous fault, at once: its own handler, HardFault, or lockup."""
        number = self._choose_vector(fault)
        if not self.locked_up:
            self.take(number)

    def _choose_vector(self, fault: Fault, *, derived: bool = False) -> int:
        """Report the fault, set the status registers and say whose handler runs."""
        nvic, control = self._nvic, self._control
        priority = nvic.execution_priority(*self._registers.masks())
        vector, name = fault.vector, FAULT_NAMES[fault.vector]
        control.record(fault.status)
        if fault.address is not None:
            self._record_address(fault)
        if vector != Vector.HARD_FAULT and nvic.may_preempt(vector, priority):
            self._report(name, fault)
            return vector
        if priority <= -1 and not derived:
            self.locked_up = True
            self._report("Lockup", Fault(vector, f"{fault.text} ({name} inside a fault handler)", 0, fault.address))
        elif vector == Vector.HARD_FAULT:
            self._report(name, fault)
        else:
            control.HFSR |= HardFaultStatus.FORCED.mask
            reason = "it cannot preempt what runs" if nvic.enabled >> vector & 1 else "its handler is not enabled"
            text = f"{fault.text} ({name}, escalated to HardFault because {reason})"
            self._report("HardFault", Fault(vector, text, fault.status, fault.address))
        return Vector.HARD_FAULT

    def _record_address(self, fault: Fault) -> None:
        address = fault.address or 0
        if fault.vector == Vector.MEM_MANAGE:
            self._control.MMFAR = address
            self._control.record(FaultStatus.MMARVALID.mask)
        else:
            self._control.BFAR = address
            self._control.record(FaultStatus.BFARVALID.mask)

    def can_monitor(self) -> bool:
        """Whether the debug monitor is enabled and may preempt what runs."""
        priority = self._nvic.execution_priority(*self._registers.masks())
        return self._nvic.may_preempt(Vector.DEBUG_MONITOR, priority)

    def monitor_step(self) -> None:
        """The debug monitor has let one instruction be executed."""
        self._control.DFSR |= DebugFaultStatus.HALTED.mask
        self._nvic.pend(Vector.DEBUG_MONITOR)

    def breakpoint(self, text: str) -> None:
        """BKPT without a debugger: take the debug monitor, or HardFault where that is not possible."""
        if self.can_monitor():
            self._control.DFSR |= DebugFaultStatus.BKPT.mask
            self.take(Vector.DEBUG_MONITOR)
        else:
            self._control.HFSR |= HardFaultStatus.DEBUGEVT.mask
            self.fault(Fault(Vector.HARD_FAULT, text))

    def supervisor_call(self) -> None:
        """SVC: take SVCall, or HardFault where it cannot preempt."""
        priority = self._nvic.execution_priority(*self._registers.masks())
        if self._nvic.group(self._nvic.priority(Vector.SV_CALL)) < priority:
            self.take(Vector.SV_CALL)
        else:
            self.fault(Fault(Vector.SV_CALL, "SVC"))

    @property
    def idle(self) -> bool:
        """Thread mode: no exception is active."""
        return self._nvic.execution_priority(0, 0, 0) == IDLE

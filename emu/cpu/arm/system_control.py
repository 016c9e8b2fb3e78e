"""The system control block of a Cortex-M: identity, vector table, resets, faults, coprocessor access."""

from __future__ import annotations

from collections.abc import Callable

from asm.bits import Layout
from emu.cpu.arm.core_identity import CoreIdentity
from emu.cpu.arm.lazy_context import LAZY_CONTEXT, UFRDY, LazyContext, LazyStacking
from emu.cpu.arm.memory_map import ProtectionRule
from emu.cpu.arm.models import Architecture, CortexModel
from emu.cpu.arm.nvic import FIRST_INPUT, Nvic, Vector
from emu.device import Board
from emu.registers import Access, Bits, Register, RegisterArray

VECTOR_KEY = 0x05FA
"""AIRCR ignores writes without it,"""
VECTOR_KEY_STATUS = 0xFA05
"""and reads give this."""


class InterruptControl(Layout):
    """Interrupt control and state."""

    VECTACTIVE = Bits(0, 9, "Exception that executes, 0 in thread mode.", access=Access.RO)
    RETTOBASE = Bits(11, 1, "At most one exception is active.", access=Access.RO)
    VECTPENDING = Bits(12, 9, "Most urgent pending and enabled exception.", access=Access.RO)
    ISRPENDING = Bits(22, 1, "An external interrupt is pending.", access=Access.RO)
    PENDSTCLR = Bits(25, 1, "1: SysTick is not pending any more.", access=Access.WO)
    PENDSTSET = Bits(26, 1, "1: SysTick becomes (is) pending.")
    PENDSVCLR = Bits(27, 1, "1: PendSV is not pending any more.", access=Access.WO)
    PENDSVSET = Bits(28, 1, "1: PendSV becomes (is) pending.")
    NMIPENDSET = Bits(31, 1, "1: NMI becomes (is) pending.")


PENDING_BITS = (
    (InterruptControl.PENDSTSET.mask, Vector.SYS_TICK, True),
    (InterruptControl.PENDSTCLR.mask, Vector.SYS_TICK, False),
    (InterruptControl.PENDSVSET.mask, Vector.PEND_SV, True),
    (InterruptControl.PENDSVCLR.mask, Vector.PEND_SV, False),
    (InterruptControl.NMIPENDSET.mask, Vector.NMI, True),
)
"""Bits of ICSR, what they are about, and whether it becomes pending."""


class VectorTable(Layout):
    """Vector table offset."""

    TBLOFF = Bits(7, 25, "Address of the vector table / 128.")


class ResetControl(Layout):
    """Application interrupt and reset control."""

    VECTCLRACTIVE = Bits(1, 1, "Only for debuggers.", access=Access.WO, modelled=False)
    SYSRESETREQ = Bits(2, 1, "1: reset the machine.", access=Access.WO)
    PRIGROUP = Bits(8, 3, "Priority bits 0..PRIGROUP do not preempt.")
    ENDIANNESS = Bits(15, 1, "0: little-endian.", access=Access.RO)
    VECTKEY = Bits(16, 16, "Writes need 0x05FA here; reads give 0xFA05.", reset=VECTOR_KEY_STATUS)


class SleepControl(Layout):
    """System control."""

    SLEEPONEXIT = Bits(1, 1, "1: sleep at the return to thread mode.")
    SLEEPDEEP = Bits(2, 1, "Deep sleep is the same as sleep here.")
    SEVONPEND = Bits(4, 1, "1: an interrupt that becomes pending is an event for WFE.")


class Configuration(Layout):
    """Configuration and control."""

    NONBASETHRDENA = Bits(0, 1, "1: return to thread mode is legal with several exceptions active.")
    USERSETMPEND = Bits(1, 1, "1: unprivileged software may use STIR.")
    UNALIGN_TRP = Bits(3, 1, "1: all unaligned accesses are faults; 0: only some.")
    DIV_0_TRP = Bits(4, 1, "1: division by 0 is a UsageFault; 0: it gives 0.")
    BFHFNMIGN = Bits(8, 1, "1: software of a priority below 0 ignores bus faults of its data.")
    STKALIGN = Bits(9, 1, "1: exception frames are 8-byte aligned.", reset=1)


FIXED_CONFIGURATION = {
    Architecture.V6M: Configuration.UNALIGN_TRP.mask | Configuration.STKALIGN.mask,
    Architecture.V7M: Configuration.STKALIGN.mask,
    Architecture.V8M: Configuration.NONBASETHRDENA.mask | Configuration.STKALIGN.mask,
}
"""CCR after reset: read-only in ARMv6-M; in ARMv8-M these bits are."""


class HandlerPriorities(Layout):
    """Priorities of four system handlers; only the upper bits of each byte are implemented."""

    PRI_0 = Bits(0, 8, "Priority of exception 4n + 4.")
    PRI_1 = Bits(8, 8, "Priority of exception 4n + 5.")
    PRI_2 = Bits(16, 8, "Priority of exception 4n + 6.")
    PRI_3 = Bits(24, 8, "Priority of exception 4n + 7.")


MAINLINE_PRIORITIES = (0x00FF_FFFF, 0xFF00_0000, 0xFFFF_00FF)
HANDLER_PRIORITIES = {
    Architecture.V6M: (0, 0xFF00_0000, 0xFFFF_0000),
    Architecture.V7M: MAINLINE_PRIORITIES,
    Architecture.V8M: MAINLINE_PRIORITIES,
}
"""Bits of the priority registers of system handlers that exist; the others read 0."""


class HandlerControl(Layout):
    """System handler control and state."""

    MEMFAULTACT = Bits(0, 1, "MemManage is active.")
    BUSFAULTACT = Bits(1, 1, "BusFault is active.")
    HARDFAULTACT = Bits(2, 1, "ARMv8-M: HardFault is active.", access=Access.RO)
    USGFAULTACT = Bits(3, 1, "UsageFault is active.")
    NMIACT = Bits(5, 1, "ARMv8-M: NMI is active.", access=Access.RO)
    SVCALLACT = Bits(7, 1, "SVCall is active.")
    MONITORACT = Bits(8, 1, "Debug monitor is active.")
    PENDSVACT = Bits(10, 1, "PendSV is active.")
    SYSTICKACT = Bits(11, 1, "SysTick is active.")
    USGFAULTPENDED = Bits(12, 1, "UsageFault is pending.")
    MEMFAULTPENDED = Bits(13, 1, "MemManage is pending.")
    BUSFAULTPENDED = Bits(14, 1, "BusFault is pending.")
    SVCALLPENDED = Bits(15, 1, "SVCall is pending.")
    MEMFAULTENA = Bits(16, 1, "1: MemManage has its own handler; 0: it becomes a HardFault.")
    BUSFAULTENA = Bits(17, 1, "1: BusFault has its own handler; 0: it becomes a HardFault.")
    USGFAULTENA = Bits(18, 1, "1: UsageFault has its own handler; 0: it becomes a HardFault.")
    HARDFAULTPENDED = Bits(21, 1, "ARMv8-M: HardFault is pending.", access=Access.RO)


ACTIVE_FIELDS = {
    Vector.MEM_MANAGE: HandlerControl.MEMFAULTACT,
    Vector.BUS_FAULT: HandlerControl.BUSFAULTACT,
    Vector.USAGE_FAULT: HandlerControl.USGFAULTACT,
    Vector.SV_CALL: HandlerControl.SVCALLACT,
    Vector.DEBUG_MONITOR: HandlerControl.MONITORACT,
    Vector.PEND_SV: HandlerControl.PENDSVACT,
    Vector.SYS_TICK: HandlerControl.SYSTICKACT,
}
MAINLINE_ACTIVE_FIELDS = {Vector.HARD_FAULT: HandlerControl.HARDFAULTACT, Vector.NMI: HandlerControl.NMIACT}
"""Only in ARMv8-M, read-only."""
PENDING_FIELDS = {
    Vector.MEM_MANAGE: HandlerControl.MEMFAULTPENDED,
    Vector.BUS_FAULT: HandlerControl.BUSFAULTPENDED,
    Vector.USAGE_FAULT: HandlerControl.USGFAULTPENDED,
    Vector.SV_CALL: HandlerControl.SVCALLPENDED,
}
ENABLE_FIELDS = {
    Vector.MEM_MANAGE: HandlerControl.MEMFAULTENA,
    Vector.BUS_FAULT: HandlerControl.BUSFAULTENA,
    Vector.USAGE_FAULT: HandlerControl.USGFAULTENA,
}


class FaultStatus(Layout):
    """Configurable fault status."""

    IACCVIOL = Bits(0, 1, "Instruction fetch from a place that is never executable.")
    DACCVIOL = Bits(1, 1, "Data access that the MPU forbids.")
    MUNSTKERR = Bits(3, 1, "MPU fault while unstacking.")
    MSTKERR = Bits(4, 1, "MPU fault while stacking.")
    MMARVALID = Bits(7, 1, "MMFAR holds the address.")
    IBUSERR = Bits(8, 1, "Bus error of an instruction fetch.")
    PRECISERR = Bits(9, 1, "Bus error of a data access.")
    IMPRECISERR = Bits(10, 1, "Bus error of an earlier data access; does not happen here.")
    UNSTKERR = Bits(11, 1, "Bus error while unstacking.")
    STKERR = Bits(12, 1, "Bus error while stacking.")
    LSPERR = Bits(13, 1, "Bus error while stacking floating-point registers lazily.")
    BFARVALID = Bits(15, 1, "BFAR holds the address.")
    UNDEFINSTR = Bits(16, 1, "Undefined instruction.")
    INVSTATE = Bits(17, 1, "Execution with the Thumb bit clear.")
    INVPC = Bits(18, 1, "Illegal EXC_RETURN.")
    NOCP = Bits(19, 1, "Coprocessor instruction while CPACR forbids it.")
    STKOF = Bits(20, 1, "ARMv8-M: a stack pointer went below its limit.")
    UNALIGNED = Bits(24, 1, "Unaligned access.")
    DIVBYZERO = Bits(25, 1, "Division by 0.")


class HardFaultStatus(Layout):
    """HardFault status."""

    VECTTBL = Bits(1, 1, "Bus error while reading the vector table.")
    FORCED = Bits(30, 1, "Another fault became a HardFault.")
    DEBUGEVT = Bits(31, 1, "BKPT without a debugger.")


class FaultAddress(Layout):
    """Address of a faulting access."""

    ADDRESS = Bits(0, 32, "The address.")


class CoprocessorAccess(Layout):
    """Coprocessor access control."""

    CP10 = Bits(20, 2, "0: floating-point instructions are UsageFaults; 1: only unprivileged ones; 3: allowed.")
    CP11 = Bits(22, 2, "The same value as CP10.")


PRIVILEGED_ACCESS, FULL_ACCESS = 1, 3
"""Values of CPACR's fields; 0 denies, and so does the reserved 2."""


class Opaque(Layout):
    """A register of which no field is modelled."""

    VALUE = Bits(0, 32, "")


class LazyAddress(Layout):
    """Floating-point context address."""

    ADDRESS = Bits(3, 29, "Where the newest frame has room for floating-point registers, / 8.")


class DefaultStatus(Layout):
    """FPSCR at the first floating-point instruction of a context."""

    RMODE = Bits(22, 2, "Rounding mode.")
    FZ = Bits(24, 1, "Flush to zero.")
    DN = Bits(25, 1, "Default NaN.")
    AHP = Bits(26, 1, "Alternative half-precision.")


class DebugFaultStatus(Layout):
    """Debug fault status."""

    HALTED = Bits(0, 1, "The debug monitor was stepping.")
    BKPT = Bits(1, 1, "BKPT took the debug monitor.")
    DWTTRAP = Bits(2, 1, "A comparator of the DWT made the debug monitor pending.")
    VCATCH = Bits(3, 1, "Vector catch; does not happen here.")
    EXTERNAL = Bits(4, 1, "External debug request; does not happen here.")


class ExceptionMonitor(Layout):
    """Debug exception and monitor control."""

    VC_CORERESET = Bits(0, 1, "Vector catch of reset: halts for a debugger, and there is none.")
    VC_MMERR = Bits(4, 1, "Vector catch of MemManage, likewise.")
    VC_NOCPERR = Bits(5, 1, "Vector catch of NOCP, likewise.")
    VC_CHKERR = Bits(6, 1, "Vector catch of division by 0 and of unaligned accesses, likewise.")
    VC_STATERR = Bits(7, 1, "Vector catch of other UsageFaults, likewise.")
    VC_BUSERR = Bits(8, 1, "Vector catch of BusFault, likewise.")
    VC_INTERR = Bits(9, 1, "Vector catch of faults at exception entry and return, likewise.")
    VC_HARDERR = Bits(10, 1, "Vector catch of HardFault, likewise.")
    MON_EN = Bits(16, 1, "1: BKPT and comparators of the DWT take the debug monitor, exception 12.")
    MON_PEND = Bits(17, 1, "The debug monitor is pending.")
    MON_STEP = Bits(18, 1, "1: the debug monitor takes over again after one instruction of what it preempts.")
    MON_REQ = Bits(19, 1, "For firmware: storage.")
    TRCENA = Bits(24, 1, "1: DWT and ITM work.")


class SystemControl(CoreIdentity):
    """The system control space at 0xE000E000.

    Args:
        nvic: pending and active exceptions.
        vector_table: initial VTOR.
        model: which core it is.
        on_change: called when an exception may have become pending, or one that preempts.
        on_reset_request: called when firmware asks for a reset.
        reference_hz: SysTick's reference clock in Hz, None: there is none.

    Attributes:
        on_trace_change: called when DEMCR has changed.
        on_setting_change: called when VTOR, SCR, CCR, CPACR, FPCCR, FPDSCR or DEMCR has changed.
        on_protection_change: called when the registers of a memory protection unit have changed.
        lazy_stacking: whose state FPCCR and FPCAR show.
        running: gives the number of the exception that executes, 0 in thread mode.

    Inaccuracies: auxiliary registers are storage.
    """

    ACTLR = Register(0x008, Opaque, "Auxiliary control.", modelled=False)
    ICSR = Register(0xD04, InterruptControl)
    VTOR = Register(0xD08, VectorTable)
    AIRCR = Register(0xD0C, ResetControl)
    SCR = Register(0xD10, SleepControl)
    CCR = Register(0xD14, Configuration)
    SHPR = RegisterArray(0xD18, HandlerPriorities, "System handler priorities.", count=3)
    SHCSR = Register(0xD24, HandlerControl)
    CFSR = Register(0xD28, FaultStatus, access=Access.W1C)
    HFSR = Register(0xD2C, HardFaultStatus, access=Access.W1C)
    DFSR = Register(0xD30, DebugFaultStatus, access=Access.W1C)
    MMFAR = Register(0xD34, FaultAddress, "MemManage address.")
    BFAR = Register(0xD38, FaultAddress, "BusFault address.")
    AFSR = Register(0xD3C, Opaque, "Auxiliary fault status.", modelled=False)
    CPACR = Register(0xD88, CoprocessorAccess)
    MPU_TYPE = Register(0xD90, Opaque, "MPU type: 0, there is no MPU.", access=Access.RO)
    DHCSR = Register(0xDF0, Opaque, "Debug halting control: 0, no debugger is connected.", access=Access.RO)
    DEMCR = Register(0xDFC, ExceptionMonitor)
    FPCCR = Register(0xF34, LazyContext)
    FPCAR = Register(0xF38, LazyAddress)
    FPDSCR = Register(0xF3C, DefaultStatus)

    def __init__(
        self,
        board: Board,
        nvic: Nvic,
        vector_table: int,
        model: CortexModel,
        on_change: Callable[[], None],
        on_reset_request: Callable[[], None],
        *,
        reference_hz: int | None = None,
    ) -> None:
        super().__init__("system_control", board, nvic, model=model, reference_hz=reference_hz)
        self._vector_table, self._on_change, self._on_reset_request = vector_table, on_change, on_reset_request
        self._set_fixed()
        self.on_trace_change: Callable[[], None] | None = None
        self.on_setting_change: Callable[[], None] | None = None
        self.on_protection_change: Callable[[], None] | None = None
        self.lazy_stacking: LazyStacking
        self.running: Callable[[], int]

    def reset(self) -> None:
        """Registers as after power-up."""
        super().reset()
        self.nvic.reset()
        self._set_fixed()

    def _set_fixed(self) -> None:
        """What depends on the core and the machine."""
        self.VTOR = self._vector_table
        self.CCR = FIXED_CONFIGURATION[self.model.architecture]
        if not self.model.has_fpu:
            self.FPCCR = 0

    @property
    def protects(self) -> bool:
        """Whether there is a memory protection unit that works."""
        return False

    @property
    def protection(self) -> ProtectionRule | None:
        """What the memory protection unit allows; None if there is none, or while it does not work."""
        return None

    def protection_changed(self) -> None:
        """A register of the memory protection unit was written."""
        if self.on_protection_change is not None:
            self.on_protection_change()

    def changed(self) -> None:
        """Make the core look at pending exceptions."""
        self._on_change()

    def _setting_changed(self) -> None:
        """Make the core look at trap conditions and at how exceptions are taken."""
        if self.on_setting_change is not None:
            self.on_setting_change()

    def floats_allowed(self, *, privileged: bool) -> bool:
        """Whether code of this level may execute floating-point instructions."""
        access = CoprocessorAccess.CP10.extract(self.CPACR)
        return access == FULL_ACCESS or (access == PRIVILEGED_ACCESS and privileged)

    @property
    def stacks_lazily(self) -> bool:
        """Whether exception entry only keeps room for floating-point registers."""
        return bool(LazyContext.LSPEN.extract(self.FPCCR))

    @property
    def watches_floats(self) -> bool:
        """Whether floating-point instructions need attention, lazy stacking aside: not for all, or a new FPSCR."""
        return not self.floats_allowed(privileged=False) or bool(self.FPDSCR)

    def record(self, status: int) -> None:
        """Set bits of CFSR."""
        self.CFSR |= status

    @ICSR.on_read
    def _read_interrupt_control(self) -> int:
        nvic = self.nvic
        return InterruptControl.pack(
            VECTACTIVE=self.running(),
            RETTOBASE=len(nvic.active) <= 1,
            VECTPENDING=nvic.most_urgent() or 0,
            ISRPENDING=nvic.pending >> FIRST_INPUT != 0,
            PENDSTSET=nvic.pending >> Vector.SYS_TICK & 1,
            PENDSVSET=nvic.pending >> Vector.PEND_SV & 1,
            NMIPENDSET=nvic.pending >> Vector.NMI & 1,
        )

    @ICSR.on_write
    def _write_interrupt_control(self, value: int) -> None:
        self.ICSR = 0
        for bit, vector, pend in PENDING_BITS:
            if value & bit:
                (self.nvic.pend if pend else self.nvic.unpend)(vector)
        self.changed()

    @VTOR.on_write
    def _write_vector_table(self, value: int) -> None:
        self._setting_changed()

    @SCR.on_write
    def _write_sleep_control(self, value: int) -> None:
        self._setting_changed()

    @AIRCR.on_write
    def _write_reset_control(self, value: int) -> None:
        if ResetControl.VECTKEY.extract(value) == VECTOR_KEY:
            if self.model.architecture is not Architecture.V6M:
                self.nvic.group_shift = ResetControl.PRIGROUP.extract(value)
            if ResetControl.SYSRESETREQ.extract(value):
                self._on_reset_request()
            self.changed()
        self.AIRCR = ResetControl.pack(PRIGROUP=self.nvic.group_shift, VECTKEY=VECTOR_KEY_STATUS)

    @CCR.on_write
    def _write_configuration(self, value: int) -> None:
        if self.model.architecture is Architecture.V6M:
            self.CCR = FIXED_CONFIGURATION[Architecture.V6M]
        elif self.model.architecture is Architecture.V8M:
            self.CCR |= FIXED_CONFIGURATION[Architecture.V8M]
        self._setting_changed()

    @SHPR.on_read
    def _read_handler_priority(self, index: int) -> int:
        return self.priorities(4 + 4 * index)

    @SHPR.on_write
    def _write_handler_priority(self, index: int, value: int) -> None:
        self.set_priorities(4 + 4 * index, value & HANDLER_PRIORITIES[self.model.architecture][index])

    @SHCSR.on_read
    def _read_handler_control(self) -> int:
        nvic = self.nvic
        if self.model.architecture is Architecture.V6M:
            return HandlerControl.SVCALLPENDED.mask if nvic.pending >> Vector.SV_CALL & 1 else 0
        active = sum(field.mask for vector, field in ACTIVE_FIELDS.items() if vector in nvic.active)
        pending = sum(field.mask for vector, field in PENDING_FIELDS.items() if nvic.pending >> vector & 1)
        enabled = sum(field.mask for vector, field in ENABLE_FIELDS.items() if nvic.enabled >> vector & 1)
        if self.model.architecture is Architecture.V8M:
            active |= sum(field.mask for vector, field in MAINLINE_ACTIVE_FIELDS.items() if vector in nvic.active)
            pending |= HandlerControl.HARDFAULTPENDED.mask if nvic.pending >> Vector.HARD_FAULT & 1 else 0
        return active | pending | enabled

    @SHCSR.on_write
    def _write_handler_control(self, value: int) -> None:
        nvic = self.nvic
        if self.model.architecture is Architecture.V6M:
            return
        for vector, field in ENABLE_FIELDS.items():
            nvic.enabled = nvic.enabled | 1 << vector if field.extract(value) else nvic.enabled & ~(1 << vector)
        for vector, field in PENDING_FIELDS.items():
            (nvic.pend if field.extract(value) else nvic.unpend)(vector)
        for vector, field in ACTIVE_FIELDS.items():
            nvic.set_active(vector, bool(field.extract(value)))
        self.changed()

    @CPACR.on_write
    def _write_coprocessor_access(self, value: int) -> None:
        if not self.model.has_fpu:
            self.CPACR = 0
        self._setting_changed()

    @FPCCR.on_read
    def _read_lazy_context(self) -> int:
        lazy = self.lazy_stacking
        context = lazy.lazy_context if self.model.architecture is Architecture.V8M else lazy.lazy_context & ~UFRDY
        return LazyContext.LSPACT.insert(self.FPCCR & ~LAZY_CONTEXT | context, int(lazy.lazy_active))

    @FPCCR.on_write
    def _write_lazy_context(self, value: int) -> None:
        if self.model.has_fpu:
            self.lazy_stacking.lazy_active = bool(LazyContext.LSPACT.extract(value))
            self.lazy_stacking.lazy_context = value & LAZY_CONTEXT
        else:
            self.FPCCR = 0
        self._setting_changed()

    @FPCAR.on_read
    def _read_lazy_address(self) -> int:
        return self.lazy_stacking.lazy_address

    @FPCAR.on_write
    def _write_lazy_address(self, value: int) -> None:
        if self.model.has_fpu:
            self.lazy_stacking.lazy_address = value

    @FPDSCR.on_write
    def _write_default_status(self, value: int) -> None:
        if not self.model.has_fpu:
            self.FPDSCR = 0
        self._setting_changed()

    @DEMCR.on_read
    def _read_monitor(self) -> int:
        return ExceptionMonitor.MON_PEND.insert(self.DEMCR, self.nvic.pending >> Vector.DEBUG_MONITOR & 1)

    @DEMCR.on_write
    def _write_monitor(self, value: int) -> None:
        bit = 1 << Vector.DEBUG_MONITOR
        enabled = bool(ExceptionMonitor.MON_EN.extract(value))
        self.nvic.enabled = self.nvic.enabled | bit if enabled else self.nvic.enabled & ~bit
        (self.nvic.pend if ExceptionMonitor.MON_PEND.extract(value) else self.nvic.unpend)(Vector.DEBUG_MONITOR)
        if self.on_trace_change is not None:
            self.on_trace_change()
        self._setting_changed()
        self.changed()

    @property
    def steps(self) -> bool:
        """Whether the debug monitor lets what it preempts execute one instruction at a time."""
        demcr = self.DEMCR
        return bool(ExceptionMonitor.MON_EN.extract(demcr) and ExceptionMonitor.MON_STEP.extract(demcr))

"""What FPCCR says about floating-point registers that an exception has left to be stacked later."""

from __future__ import annotations

from typing import Protocol

from asm.bits import Layout
from emu.cpu.arm.nvic import Vector
from emu.registers import Bits


class LazyContext(Layout):
    """Floating-point context control."""

    LSPACT = Bits(0, 1, "A frame has room for floating-point registers, which are not stored yet.")
    USER = Bits(1, 1, "When that frame was made: unprivileged code was interrupted,")
    THREAD = Bits(3, 1, "thread mode was interrupted,")
    HFRDY = Bits(4, 1, "HardFault could have interrupted it,")
    MMRDY = Bits(5, 1, "so could MemManage,")
    BFRDY = Bits(6, 1, "BusFault,")
    MONRDY = Bits(8, 1, "the debug monitor,")
    UFRDY = Bits(10, 1, "and UsageFault (only ARMv8-M shows this).")
    LSPEN = Bits(30, 1, "1: floating-point registers are stacked when they are used; 0: at once.", reset=1)
    ASPEN = Bits(31, 1, "Floating-point instructions set CONTROL.FPCA; always so here.", reset=1)


LAZY_READY = {
    Vector.HARD_FAULT: LazyContext.HFRDY,
    Vector.MEM_MANAGE: LazyContext.MMRDY,
    Vector.BUS_FAULT: LazyContext.BFRDY,
    Vector.DEBUG_MONITOR: LazyContext.MONRDY,
    Vector.USAGE_FAULT: LazyContext.UFRDY,
}
LAZY_CONTEXT = LazyContext.mask() & ~(LazyContext.LSPACT.mask | LazyContext.LSPEN.mask | LazyContext.ASPEN.mask)
"""The bits of FPCCR about the code whose registers are still to be stacked."""
UFRDY = LazyContext.UFRDY.mask


class LazyStacking(Protocol):
    """What is still to be stacked of the floating-point registers: FPCCR.LSPACT, `LAZY_CONTEXT` and FPCAR."""

    lazy_active: bool
    lazy_context: int
    lazy_address: int

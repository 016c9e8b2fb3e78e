"""The NVIC's registers in the system control space: enable, pend, priority of the external interrupts."""

from __future__ import annotations

from asm.bits import Layout
from emu.cpu.nvic import FIRST_INPUT, INPUTS, PRIORITY_MASK
from emu.cpu.systick import SysTick
from emu.registers import Access, Bits, Register, RegisterArray


class ControllerType(Layout):
    """Interrupt controller type."""

    INTLINESNUM = Bits(0, 4, "External inputs / 32 - 1.", reset=INPUTS // 32 - 1)


class InterruptBits(Layout):
    """One bit for each external interrupt."""

    INTERRUPTS = Bits(0, 32, "Bit n is interrupt n. Writing 0 bits has no effect.")


class InterruptPriorities(Layout):
    """Priorities of four external interrupts; the upper 4 bits of each byte are implemented."""

    PRI_0 = Bits(4, 4, "Priority of interrupt 4n.")
    PRI_1 = Bits(12, 4, "Priority of interrupt 4n + 1.")
    PRI_2 = Bits(20, 4, "Priority of interrupt 4n + 2.")
    PRI_3 = Bits(28, 4, "Priority of interrupt 4n + 3.")


class SoftwareTrigger(Layout):
    """Software trigger interrupt."""

    INTID = Bits(0, 9, "External interrupt that becomes pending.")


class NvicRegisters(SysTick):
    """The NVIC registers; `emu.cpu.system_control.SystemControl` inherits them."""

    ICTR = Register(0x004, ControllerType, access=Access.RO)
    ISER = Register(0x100, InterruptBits, "Interrupt set-enable.")
    ICER = Register(0x180, InterruptBits, "Interrupt clear-enable.")
    ISPR = Register(0x200, InterruptBits, "Interrupt set-pending.")
    ICPR = Register(0x280, InterruptBits, "Interrupt clear-pending.")
    IABR = Register(0x300, InterruptBits, "Interrupt active.", access=Access.RO)
    IPR = RegisterArray(0x400, InterruptPriorities, "Interrupt priority.", count=INPUTS // 4)
    STIR = Register(0xF00, SoftwareTrigger, access=Access.WO)

    @ISER.on_read
    def _read_set_enable(self) -> int:
        return self.nvic.enabled >> FIRST_INPUT

    @ISER.on_write
    def _set_enable(self, value: int) -> None:
        self.ISER = 0
        self.nvic.enabled |= value << FIRST_INPUT
        self.changed()

    @ICER.on_read
    def _read_clear_enable(self) -> int:
        return self.nvic.enabled >> FIRST_INPUT

    @ICER.on_write
    def _clear_enable(self, value: int) -> None:
        self.ICER = 0
        self.nvic.enabled &= ~(value << FIRST_INPUT)

    @ISPR.on_read
    def _read_set_pending(self) -> int:
        return self.nvic.pending >> FIRST_INPUT

    @ISPR.on_write
    def _set_pending(self, value: int) -> None:
        self.ISPR = 0
        self.nvic.pending |= value << FIRST_INPUT
        self.changed()

    @ICPR.on_read
    def _read_clear_pending(self) -> int:
        return self.nvic.pending >> FIRST_INPUT

    @ICPR.on_write
    def _clear_pending(self, value: int) -> None:
        self.ICPR = 0
        for source in range(INPUTS):
            if value >> source & 1:
                self.nvic.unpend(FIRST_INPUT + source)

    @IABR.on_read
    def _read_active(self) -> int:
        return sum(1 << (number - FIRST_INPUT) for number in self.nvic.active if number >= FIRST_INPUT)

    @IPR.on_write
    def _write_priority(self, index: int, value: int) -> None:
        for lane in range(4):
            self.nvic.set_priority(FIRST_INPUT + 4 * index + lane, value >> 8 * lane & PRIORITY_MASK)
        self.changed()

    @STIR.on_write
    def _trigger(self, value: int) -> None:
        if value < INPUTS:
            self.nvic.pend(FIRST_INPUT + value)
            self.changed()
        else:
            self.warn(f"STIR: there is no external interrupt {value}, only 0..{INPUTS - 1}")

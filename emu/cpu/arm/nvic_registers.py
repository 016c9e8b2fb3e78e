"""The NVIC's registers in the system control space: enable, pend, priority of the external interrupts."""

from __future__ import annotations

from asm.bits import Layout
from emu.cpu.arm.nvic import FIRST_INPUT
from emu.cpu.arm.systick import SysTick
from emu.registers import Access, Bits, Register, RegisterArray

WORDS = 16
"""Registers with one bit an interrupt."""
WORD_BITS, WORD_MASK = 32, 0xFFFF_FFFF


class ControllerType(Layout):
    """Interrupt controller type."""

    INTLINESNUM = Bits(0, 4, "External inputs / 32, rounded up, - 1.")


class InterruptBits(Layout):
    """One bit for each external interrupt."""

    INTERRUPTS = Bits(0, 32, "Bit n of register m is interrupt 32m + n. Writing 0 bits has no effect.")


class InterruptPriorities(Layout):
    """Priorities of four external interrupts; only the upper bits of each byte are implemented."""

    PRI_0 = Bits(0, 8, "Priority of interrupt 4n.")
    PRI_1 = Bits(8, 8, "Priority of interrupt 4n + 1.")
    PRI_2 = Bits(16, 8, "Priority of interrupt 4n + 2.")
    PRI_3 = Bits(24, 8, "Priority of interrupt 4n + 3.")


class SoftwareTrigger(Layout):
    """Software trigger interrupt."""

    INTID = Bits(0, 9, "External interrupt that becomes pending.")


class NvicRegisters(SysTick):
    """The NVIC registers; `emu.cpu.arm.system_control.SystemControl` inherits them.

    Bits and bytes of interrupts that the core was built without read 0 and ignore writes.
    """

    ICTR = Register(0x004, ControllerType, access=Access.RO)
    ISER = RegisterArray(0x100, InterruptBits, "Interrupt set-enable.", count=WORDS)
    ICER = RegisterArray(0x180, InterruptBits, "Interrupt clear-enable.", count=WORDS)
    ISPR = RegisterArray(0x200, InterruptBits, "Interrupt set-pending.", count=WORDS)
    ICPR = RegisterArray(0x280, InterruptBits, "Interrupt clear-pending.", count=WORDS)
    IABR = RegisterArray(0x300, InterruptBits, "Interrupt active.", count=WORDS, access=Access.RO)
    IPR = RegisterArray(0x400, InterruptPriorities, "Interrupt priority.", count=WORD_BITS * WORDS // 4)
    STIR = Register(0xF00, SoftwareTrigger, access=Access.WO)

    @ICTR.on_read
    def _controller_type(self) -> int:
        return (self.nvic.inputs - 1) // WORD_BITS

    def _word(self, exceptions: int, index: int) -> int:
        """The bits of interrupts 32 ``index`` and following from a set of exceptions."""
        return exceptions >> (FIRST_INPUT + WORD_BITS * index) & WORD_MASK

    def _exceptions(self, index: int, value: int) -> int:
        """The set of exceptions that a written register means, without those that the core does not have."""
        return (value << WORD_BITS * index & (1 << self.nvic.inputs) - 1) << FIRST_INPUT

    @ISER.on_read
    def _read_set_enable(self, index: int) -> int:
        return self._word(self.nvic.enabled, index)

    @ISER.on_write
    def _set_enable(self, index: int, value: int) -> None:
        self.ISER[index] = 0
        self.nvic.enabled |= self._exceptions(index, value)
        self.changed()

    @ICER.on_read
    def _read_clear_enable(self, index: int) -> int:
        return self._word(self.nvic.enabled, index)

    @ICER.on_write
    def _clear_enable(self, index: int, value: int) -> None:
        self.ICER[index] = 0
        self.nvic.enabled &= ~self._exceptions(index, value)

    @ISPR.on_read
    def _read_set_pending(self, index: int) -> int:
        return self._word(self.nvic.pending, index)

    @ISPR.on_write
    def _set_pending(self, index: int, value: int) -> None:
        self.ISPR[index] = 0
        self.nvic.pend_all(self._exceptions(index, value))
        self.changed()

    @ICPR.on_read
    def _read_clear_pending(self, index: int) -> int:
        return self._word(self.nvic.pending, index)

    @ICPR.on_write
    def _clear_pending(self, index: int, value: int) -> None:
        self.ICPR[index] = 0
        for number in range(self.nvic.inputs):
            if self._exceptions(index, value) >> (FIRST_INPUT + number) & 1:
                self.nvic.unpend(FIRST_INPUT + number)

    @IABR.on_read
    def _read_active(self, index: int) -> int:
        return self._word(sum(1 << number for number in self.nvic.active), index)

    @IPR.on_read
    def _read_priority(self, index: int) -> int:
        return self.priorities(FIRST_INPUT + 4 * index)

    @IPR.on_write
    def _write_priority(self, index: int, value: int) -> None:
        self.set_priorities(FIRST_INPUT + 4 * index, value)

    def priorities(self, first: int) -> int:
        """The priority bytes of four exceptions."""
        lanes = range(min(4, FIRST_INPUT + self.nvic.inputs - first))
        return sum(self.nvic.priority(first + lane) << 8 * lane for lane in lanes)

    def set_priorities(self, first: int, value: int) -> None:
        """Set the priority bytes of four exceptions, of those that the core has."""
        for number in range(first, min(first + 4, FIRST_INPUT + self.nvic.inputs)):
            self.nvic.set_priority(number, value >> 8 * (number - first) & 0xFF)
        self.changed()

    @STIR.on_write
    def _trigger(self, value: int) -> None:
        if value < self.nvic.inputs:
            self.nvic.pend(FIRST_INPUT + value)
            self.changed()
        else:
            self.warn(f"STIR: there is no external interrupt {value}, only 0..{self.nvic.inputs - 1}")

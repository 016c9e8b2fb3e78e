"""The AHB GPIO of Arm's Cortex-M System Design Kit: 16 pins."""

from __future__ import annotations

from typing import ClassVar

from asm.bits import Layout
from emu.device import Board
from emu.devices.cmsdk import DesignKitDevice
from emu.registers import Access, Bits, Register, RegisterArray

PINS_MASK = 0xFFFF
BYTE_VALUES = 256


class Pins(Layout):
    """One bit per pin."""

    PINS = Bits(0, 16, "Bit n: pin n.")


class DesignKitGpio(DesignKitDevice):
    """Sixteen pins that firmware drives or listens to.

    Attributes:
        inputs: what the outside drives, a bit per pin; pins that are outputs read what they drive.
        irq: the combined interrupt, high while any INTSTATUS bit is set.

    *Inaccuracies*: an input is seen at once, without the two synchronising flip-flops; alternate functions are only
    remembered; the pins have no interrupt lines of their own.
    """

    saved = ("inputs", "_output")

    part: ClassVar[int] = 0x20

    DATA = Register(0x00, Pins, "Read: the pins. Write: as DATAOUT.")
    DATAOUT = Register(0x04, Pins, "What output pins drive.")
    OUTENSET = Register(0x10, Pins, "Read: pins that are outputs. Write 1: becomes an output.")
    OUTENCLR = Register(0x14, Pins, "Read: pins that are outputs. Write 1: becomes an input.", access=Access.W1C)
    ALTFUNCSET = Register(0x18, Pins, "Alternate functions; write 1 to set.")
    ALTFUNCCLR = Register(0x1C, Pins, "Alternate functions; write 1 to clear.", access=Access.W1C)
    INTENSET = Register(0x20, Pins, "Interrupt enables; write 1 to set.")
    INTENCLR = Register(0x24, Pins, "Interrupt enables; write 1 to clear.", access=Access.W1C)
    INTTYPESET = Register(0x28, Pins, "1: interrupt at an edge; write 1 to set.")
    INTTYPECLR = Register(0x2C, Pins, "1: interrupt at an edge; write 1 to clear.", access=Access.W1C)
    INTPOLSET = Register(0x30, Pins, "1: rising edge or high level; write 1 to set.")
    INTPOLCLR = Register(0x34, Pins, "1: rising edge or high level; write 1 to clear.", access=Access.W1C)
    INTSTATUS = Register(0x38, Pins, "Interrupts. Write 1 to clear.", access=Access.W1C)
    MASKLOWBYTE = RegisterArray(0x400, Pins, "DATA bits 7..0 that are 1 in the index; others stay.", count=BYTE_VALUES)
    MASKHIGHBYTE = RegisterArray(
        0x800, Pins, "DATA bits 15..8 that are 1 in the index; others stay.", count=BYTE_VALUES
    )

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self.inputs = self._output = 0

    def reset(self) -> None:
        """All pins inputs, no interrupts; the outside goes on driving."""
        super().reset()
        self._output = 0
        self._update()

    @property
    def pins(self) -> int:
        """The levels of all pins, a bit each."""
        return self._output & self.OUTENSET | self.inputs & ~self.OUTENSET & PINS_MASK

    def drive(self, levels: int) -> None:
        """The outside drives the pins, a bit each."""
        before = self.pins
        self.inputs = levels & PINS_MASK
        self._changed(before)

    def _changed(self, before: int) -> None:
        """Edges since ``before`` set interrupts."""
        now, rising = self.pins, self.INTPOLSET
        edges = (now & ~before & rising) | (before & ~now & ~rising)
        self.INTSTATUS |= edges & self.INTTYPESET & self.INTENSET
        self._update()

    def _update(self) -> None:
        """Levels set interrupts; drive the line."""
        active = ~(self.pins ^ self.INTPOLSET) & PINS_MASK
        self.INTSTATUS |= active & ~self.INTTYPESET & self.INTENSET
        self.irq.set(self.INTSTATUS != 0)

    def _drive_output(self, value: int) -> None:
        before = self.pins
        self.DATA = value
        self._output = value
        self._changed(before)

    @DATA.on_read
    def _read_data(self) -> int:
        return self.pins

    @DATA.on_write
    def _write_data(self, value: int) -> None:
        self._drive_output(value & PINS_MASK)

    @DATAOUT.on_read
    def _read_output(self) -> int:
        return self._output

    @DATAOUT.on_write
    def _write_output(self, value: int) -> None:
        self._drive_output(value & PINS_MASK)

    @MASKLOWBYTE.on_read
    def _read_low(self, index: int) -> int:
        return self.pins & index

    @MASKLOWBYTE.on_write
    def _write_low(self, index: int, value: int) -> None:
        self._drive_output(self._output & ~index | value & index)

    @MASKHIGHBYTE.on_read
    def _read_high(self, index: int) -> int:
        return self.pins & index << 8

    @MASKHIGHBYTE.on_write
    def _write_high(self, index: int, value: int) -> None:
        self._drive_output(self._output & ~(index << 8) | value & index << 8)

    @OUTENSET.on_write
    def _enable_output(self, value: int) -> None:
        self.OUTENSET = self.OUTENCLR = self.OUTENCLR | value
        self._update()

    @OUTENCLR.on_write
    def _disable_output(self, value: int) -> None:
        self.OUTENSET = self.OUTENCLR
        self._update()

    @ALTFUNCSET.on_write
    def _set_function(self, value: int) -> None:
        self.ALTFUNCSET = self.ALTFUNCCLR = self.ALTFUNCCLR | value

    @ALTFUNCCLR.on_write
    def _clear_function(self, value: int) -> None:
        self.ALTFUNCSET = self.ALTFUNCCLR

    @INTENSET.on_write
    def _enable_interrupt(self, value: int) -> None:
        self.INTENSET = self.INTENCLR = self.INTENCLR | value
        self._update()

    @INTENCLR.on_write
    def _disable_interrupt(self, value: int) -> None:
        self.INTENSET = self.INTENCLR
        self._update()

    @INTTYPESET.on_write
    def _set_type(self, value: int) -> None:
        self.INTTYPESET = self.INTTYPECLR = self.INTTYPECLR | value
        self._update()

    @INTTYPECLR.on_write
    def _clear_type(self, value: int) -> None:
        self.INTTYPESET = self.INTTYPECLR
        self._update()

    @INTPOLSET.on_write
    def _set_polarity(self, value: int) -> None:
        self.INTPOLSET = self.INTPOLCLR = self.INTPOLCLR | value
        self._update()

    @INTPOLCLR.on_write
    def _clear_polarity(self, value: int) -> None:
        self.INTPOLSET = self.INTPOLCLR
        self._update()

    @INTSTATUS.on_write
    def _clear_status(self, value: int) -> None:
        self._update()

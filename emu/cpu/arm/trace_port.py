"""TPIU of the Cortex-M: where the trace leaves the chip. Firmware sets it up; nobody is connected."""

from __future__ import annotations

from asm.bits import Layout
from emu.device import Board, Device
from emu.registers import Access, Bits, Register, Word


class PinProtocol(Layout):
    """How the trace leaves."""

    TXMODE = Bits(0, 2, "0: parallel, 1: SWO Manchester, 2: SWO NRZ.", reset=1)


class FormatterControl(Layout):
    """Formatter and flush control."""

    ENFCONT = Bits(1, 1, "1: the formatter works.", reset=1)
    FONMAN = Bits(6, 1, "1: flush.")
    TRIGIN = Bits(8, 1, "1: triggers are shown.", access=Access.RO, reset=1)


class FormatterStatus(Layout):
    """Formatter and flush status."""

    FLINPROG = Bits(0, 1, "A flush is under way: never.", access=Access.RO)
    FTNONSTOP = Bits(3, 1, "The formatter cannot be stopped.", access=Access.RO, reset=1)


class PortType(Layout):
    """What the unit can do."""

    FIFOSIZE = Bits(6, 3, "Smallest FIFO, as a power of two.", reset=2)
    MANCVALID = Bits(10, 1, "SWO Manchester is there.", reset=1)
    NRZVALID = Bits(11, 1, "SWO NRZ is there.", reset=1)


class TracePort(Device):
    """The trace port interface unit.

    *Inaccuracies*: the registers are storage; what the ITM is given is shown whatever they say.
    """

    SSPSR = Register(0x000, Word, "Port widths that there are: one bit.", access=Access.RO)
    CSPSR = Register(0x004, Word, "Port width.")
    ACPR = Register(0x010, Word, "Divider of the SWO clock, less 1.")
    SPPR = Register(0x0F0, PinProtocol)
    FFSR = Register(0x300, FormatterStatus, access=Access.RO)
    FFCR = Register(0x304, FormatterControl)
    FSCR = Register(0x308, Word, "Synchronisation counter.", access=Access.RO)
    TYPE = Register(0xFC8, PortType, access=Access.RO)

    def __init__(self, board: Board) -> None:
        super().__init__("trace_port", board)
        self.reset()

    def reset(self) -> None:
        """Registers as after power-up."""
        super().reset()
        self.SSPSR = self.CSPSR = 1

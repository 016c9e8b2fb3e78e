"""The APB UART of Arm's Cortex-M System Design Kit."""

from __future__ import annotations

from typing import ClassVar

from asm.bits import Layout
from emu.device import Board, Line
from emu.devices.cmsdk import DesignKitDevice
from emu.devices.serial_port import SerialPort
from emu.registers import Access, Bits, Register

FRAME_BITS = 10
"""Start bit, eight data bits, stop bit."""
SMALLEST_DIVIDER = 16


class Data(Layout):
    """The byte to send, or the received byte."""

    DATA = Bits(0, 8, "Written: sent. Read: the received byte; STATE.RXFULL becomes 0.")


class State(Layout):
    """The two one-byte buffers."""

    TXFULL = Bits(0, 1, "1: the byte in DATA has not been sent yet.", access=Access.RO)
    RXFULL = Bits(1, 1, "1: a received byte waits in DATA.", access=Access.RO)
    TXOVERRUN = Bits(2, 1, "DATA was written while TXFULL. Write 1 to clear.", access=Access.W1C)
    RXOVERRUN = Bits(3, 1, "A byte came in while RXFULL; does not happen here.", access=Access.W1C)


class Control(Layout):
    """What is enabled."""

    TX_EN = Bits(0, 1, "1: bytes are sent.")
    RX_EN = Bits(1, 1, "1: bytes are received.")
    TX_INTEN = Bits(2, 1, "1: a sent byte sets INTSTATUS.TX.")
    RX_INTEN = Bits(3, 1, "1: a received byte sets INTSTATUS.RX.")
    TXO_INTEN = Bits(4, 1, "1: TXOVERRUN shows in INTSTATUS.")
    RXO_INTEN = Bits(5, 1, "1: RXOVERRUN shows in INTSTATUS.")
    HSTM = Bits(6, 1, "High-speed test mode.", modelled=False)


class Interrupts(Layout):
    """Interrupts. Write 1 to clear."""

    TX = Bits(0, 1, "A byte was sent.")
    RX = Bits(1, 1, "A byte was received.")
    TXO = Bits(2, 1, "STATE.TXOVERRUN; clearing one clears both.")
    RXO = Bits(3, 1, "STATE.RXOVERRUN; clearing one clears both.")


class Divider(Layout):
    """Baud rate."""

    BAUDDIV = Bits(0, 20, "Machine cycles per bit, at least 16.")


OVERRUNS = Interrupts.TXO.mask | Interrupts.RXO.mask


class DesignKitUart(SerialPort, DesignKitDevice):
    """A serial port with a buffer of one byte in each direction.

    Attributes:
        irq: high while any interrupt is set.
        transmit, receive_line, overrun: high while TX, RX, or one of the overruns is set.

    *Inaccuracies*: a byte is sent in no time, so that TXFULL stays 0 while TX_EN is 1. A received byte takes ten bits
    of BAUDDIV cycles, and waits on the wire until RX_EN is 1 and RXFULL is 0: nothing is lost.
    """

    saved = ("_buffer",)

    part: ClassVar[int] = 0x21

    DATA = Register(0x00, Data)
    STATE = Register(0x04, State)
    CTRL = Register(0x08, Control)
    INTSTATUS = Register(0x0C, Interrupts, access=Access.W1C)
    BAUDDIV = Register(0x10, Divider)

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self.transmit = Line(f"{name}.transmit")
        self.receive_line = Line(f"{name}.receive")
        self.overrun = Line(f"{name}.overrun")
        self._arrival = self.event("arrival", self._arrive)
        self._buffer = 0

    def reset(self) -> None:
        """Registers to their reset values; bytes that the host has queued stay."""
        super().reset()
        self._buffer = 0
        self._update()
        self._received()

    def _update(self) -> None:
        """Overruns show through; drive the lines."""
        shown = self.STATE & (self.CTRL >> 2) & OVERRUNS
        self.INTSTATUS = status = self.INTSTATUS & ~OVERRUNS | shown
        self.transmit.set(bool(status & Interrupts.TX.mask))
        self.receive_line.set(bool(status & Interrupts.RX.mask))
        self.overrun.set(bool(status & OVERRUNS))
        self.irq.set(bool(status))

    def _received(self) -> None:
        """Let the next byte come in, if it can."""
        ready = Control.RX_EN.extract(self.CTRL) and not State.RXFULL.extract(self.STATE)
        if not self.received or not ready:
            self._arrival.cancel()
        elif not self._arrival.scheduled:
            self._arrival.after(FRAME_BITS * max(self.BAUDDIV, SMALLEST_DIVIDER))

    def _arrive(self) -> None:
        self._buffer = self.received.popleft()
        self.STATE |= State.RXFULL.mask
        if Control.RX_INTEN.extract(self.CTRL):
            self.INTSTATUS |= Interrupts.RX.mask
        self._update()

    @DATA.on_read
    def _take(self) -> int:
        self.STATE &= ~State.RXFULL.mask
        self._received()
        return self._buffer

    @DATA.on_write
    def _write(self, value: int) -> None:
        if State.TXFULL.extract(self.STATE):
            self.STATE |= State.TXOVERRUN.mask
        elif not Control.TX_EN.extract(self.CTRL):
            self.STATE |= State.TXFULL.mask
            self.warn("DATA written while CTRL.TX_EN is 0: the byte is not sent")
        else:
            self.send(Data.DATA.extract(value))
            if Control.TX_INTEN.extract(self.CTRL):
                self.INTSTATUS |= Interrupts.TX.mask
        self._update()

    @STATE.on_write
    def _write_state(self, value: int) -> None:
        self._update()

    @CTRL.on_write
    def _write_control(self, value: int) -> None:
        self._update()
        self._received()

    @INTSTATUS.on_write
    def _write_interrupts(self, value: int) -> None:
        self.STATE &= ~(value & OVERRUNS)
        self._update()

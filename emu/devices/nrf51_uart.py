"""The UART of the nRF51: tasks and events beside ordinary registers."""

from __future__ import annotations

from asm.bits import Layout
from emu.device import Board
from emu.devices.nrf51_events import Event, EventDevice, Task
from emu.devices.serial_port import SerialPort
from emu.registers import Access, Bits, Register, Word

ENABLED = 4
"""Value of ENABLE that connects the UART."""
FIFO_BYTES = 6
CYCLES_PER_BYTE = 16_000_000 * 10 // 115_200
"""Machine cycles that a received byte takes."""


class Enable(Layout):
    """Connects the UART with its pins."""

    ENABLE = Bits(0, 3, "4: on.")


class Data(Layout):
    """A byte."""

    BYTE = Bits(0, 8, "The byte.")


class Pin(Layout):
    """Which pin; only remembered."""

    PIN = Bits(0, 32, "Its number; all bits set: none.", reset=0xFFFF_FFFF)


class BaudRate(Layout):
    """Baud rate; only remembered."""

    BAUDRATE = Bits(0, 32, "Baud rate / 16 MHz * 2^32.", reset=0x0400_0000)


class Nrf51Uart(EventDevice, SerialPort):
    """A serial port with a buffer of one byte out and six in.

    *Inaccuracies*: a byte is sent in no time, a received one takes its time at 115200 baud, whatever BAUDRATE says.
    Flow control, parity and shortcuts do nothing, errors do not happen.
    """

    saved = ("_buffer", "_receiving", "_sending")

    STARTRX = Register(0x000, Task, "Starts the receiver.")
    STOPRX = Register(0x004, Task, "Stops the receiver.")
    STARTTX = Register(0x008, Task, "Starts the transmitter.")
    STOPTX = Register(0x00C, Task, "Stops the transmitter.")
    SUSPEND = Register(0x01C, Task, "Stops both.")
    CTS = Register(0x100, Event, "Clear to send.")
    NCTS = Register(0x104, Event, "Not clear to send.")
    RXDRDY = Register(0x108, Event, "A byte is in RXD.")
    TXDRDY = Register(0x11C, Event, "The byte of TXD has been sent.")
    ERROR = Register(0x124, Event, "Reception failed.")
    RXTO = Register(0x144, Event, "The receiver has stopped.")
    SHORTS = Register(0x200, Word, "Shortcuts between events and tasks.", modelled=False)
    ERRORSRC = Register(0x480, Word, "What failed.", access=Access.W1C)
    ENABLE = Register(0x500, Enable)
    PSELRTS = Register(0x508, Pin)
    PSELTXD = Register(0x50C, Pin)
    PSELCTS = Register(0x510, Pin)
    PSELRXD = Register(0x514, Pin)
    RXD = Register(0x518, Data, access=Access.RO)
    TXD = Register(0x51C, Data)
    BAUDRATE = Register(0x524, BaudRate)
    CONFIG = Register(0x56C, Word, "Parity, flow control; only remembered.")

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self._arrival = self.event("arrival", self._arrive)
        self._clear()

    def _clear(self) -> None:
        self._buffer: list[int] = []
        self._receiving = self._sending = False

    def reset(self) -> None:
        """Off; bytes that the host has queued stay."""
        super().reset()
        self._clear()
        self._received()

    @property
    def _on(self) -> bool:
        return Enable.ENABLE.extract(self.ENABLE) == ENABLED

    # Out

    @STARTTX.on_write
    def _start_sending(self, value: int) -> None:
        self._sending = self._sending or bool(value)

    @STOPTX.on_write
    def _stop_sending(self, value: int) -> None:
        self._sending = self._sending and not value

    @TXD.on_write
    def _send(self, value: int) -> None:
        if not self._on or not self._sending:
            self.warn("TXD written while the transmitter is off: the byte is not sent")
            return
        self.send(value)
        self.TXDRDY = 1
        self.update()

    # In

    @STARTRX.on_write
    def _start_receiving(self, value: int) -> None:
        self._receiving = self._receiving or bool(value)
        self._received()

    @STOPRX.on_write
    def _stop_receiving(self, value: int) -> None:
        if value and self._receiving:
            self._receiving = False
            self.RXTO = 1
            self._received()
            self.update()

    @SUSPEND.on_write
    def _suspend(self, value: int) -> None:
        self._stop_sending(value)
        self._stop_receiving(value)

    def _received(self) -> None:
        """Let the next byte come in, if it can."""
        if not self.received or not self._on or not self._receiving or len(self._buffer) == FIFO_BYTES:
            self._arrival.cancel()
        elif not self._arrival.scheduled:
            self._arrival.after(CYCLES_PER_BYTE)

    def _arrive(self) -> None:
        self._buffer.append(self.received.popleft())
        if len(self._buffer) == 1:
            self.RXD, self.RXDRDY = self._buffer[0], 1
        self._received()
        self.update()

    @RXD.on_read
    def _take(self) -> int:
        byte = self.RXD
        if self._buffer:
            self._buffer.pop(0)
        if self._buffer:
            self.RXD, self.RXDRDY = self._buffer[0], 1
        self._received()
        self.update()
        return byte

    @ENABLE.on_write
    def _enable(self, value: int) -> None:
        self._received()

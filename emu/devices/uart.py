"""The serial port: bytes out to whoever listens, bytes in from the host."""

from __future__ import annotations

from asm.bits import Field, Layout
from emu.devices.serial_port import SerialPort
from emu.registers import Access, Register


class Data(Layout):
    """The byte to send, or the oldest byte received."""

    DATA = Field(0, 8, "Written: sent. Read: the oldest received byte is taken, 0 if there is none.")


class Status(Layout):
    """What may be done now."""

    TX_READY = Field(0, 1, "1: a byte may be written to DATA.", reset=1)
    RX_READY = Field(1, 1, "1: a received byte waits in DATA.")


class Control(Layout):
    """Interrupts."""

    RX_INTERRUPT = Field(0, 1, "1: the interrupt line is high while RX_READY is set.")


class Uart(SerialPort):
    """A serial port that sends at once and receives into a queue.

    *Inaccuracies*: no baud rate, a byte takes no time and TX_READY is always set; the receive queue never
    overflows; no parity, framing or break.
    """

    DATA = Register(0x00, Data)
    STATUS = Register(0x04, Status, access=Access.RO)
    CONTROL = Register(0x08, Control)

    def reset(self) -> None:
        """Registers to their reset values; bytes that the host has queued stay."""
        super().reset()
        self._update()

    def _received(self) -> None:
        self._update()

    def _update(self) -> None:
        self.STATUS = Status.pack(TX_READY=1, RX_READY=bool(self.received))
        self.irq.set(bool(self.received) and Control.RX_INTERRUPT.extract(self.CONTROL) == 1)

    @DATA.on_read
    def _take(self) -> int:
        byte = self.received.popleft() if self.received else 0
        self._update()
        return byte

    @DATA.on_write
    def _send(self, value: int) -> None:
        self.send(Data.DATA.extract(value))

    @CONTROL.on_write
    def _control(self, value: int) -> None:
        self._update()

"""A serial port with the registers of the NS16550A, one byte each."""

from __future__ import annotations

from collections import deque
from enum import IntFlag

from asm.bits import Layout
from emu.device import Board
from emu.devices.serial_port import SerialPort
from emu.registers import Bits, Register

CLOCK_HZ = 3_686_400
"""Of the baud rate generator."""
FRAME_BITS, CLOCKS_PER_BIT = 10, 16
FIFO_BYTES = 16
TRIGGER_LEVELS = (1, 4, 8, 14)
QUIET_FRAMES = 4
"""Fewer bytes than the trigger level interrupt after so many frame times."""


class LowRegisters(Layout):
    """Four registers of one byte each."""

    RBR_THR_DLL = Bits(0, 8, "Offset 0. Read: received byte; written: sent. With LCR.DLAB: low byte of the divisor.")
    IER_DLM = Bits(8, 8, "Offset 1. Interrupt enables. With LCR.DLAB: high byte of the divisor.")
    IIR_FCR = Bits(16, 8, "Offset 2. Read: cause of the interrupt; written: FIFO control.")
    LCR = Bits(24, 8, "Offset 3. Line control; bit 7 is DLAB.")


class HighRegisters(Layout):
    """Four registers of one byte each."""

    MCR = Bits(0, 8, "Offset 4. Modem control; bit 4 loops back.")
    LSR = Bits(8, 8, "Offset 5. Line status: bit 0 received byte waits, bits 5 and 6 transmitter empty.")
    MSR = Bits(16, 8, "Offset 6. Modem status.")
    SCR = Bits(24, 8, "Offset 7. Scratch.")


class Enable(IntFlag):
    """Bits of IER."""

    RECEIVED, TRANSMITTED, LINE, MODEM = 1, 2, 4, 8


class Cause(IntFlag):
    """Values of IIR."""

    NONE, TRANSMITTED, RECEIVED, QUIET = 1, 2, 4, 12


class LineStatus(IntFlag):
    """Bits of LSR."""

    RECEIVED, OVERRUN, HOLDING_EMPTY, EMPTY = 1, 2, 0x20, 0x40


IDLE_STATUS = (LineStatus.HOLDING_EMPTY | LineStatus.EMPTY).value
"""A number, as are all bits of LSR where they are combined: firmware reads it in every round of a polling loop."""
DLAB, LOOP, FIFO_ENABLE, FIFO_CLEAR_RECEIVE = 0x80, 0x10, 1, 2
FIFOS_ON = 0xC0
CONNECTED = 0xB0
"""MSR of a port whose other end is there: carrier, data set ready, clear to send."""
OUT2 = 0x08
RBR_THR_DLL, IER_DLM, IIR_FCR, LCR, MCR, LSR, MSR, SCR = range(8)


class Ns16550(SerialPort):
    """A 16550A. An access of any width is one of the byte register at its address.

    *Inaccuracies*: a byte is sent in no time; a received one takes ten bits of the programmed baud rate and waits on
    the wire while the FIFO is full, so that nothing is lost. No parity, break or framing errors; of the modem lines
    only the state of a connected port and the loop, which carries data but no modem lines.
    """

    saved = (
        "_fifo",
        "_enables",
        "_line_control",
        "_scratch",
        "_fifo_control",
        "_modem_control",
        "_divisor",
        "_sent",
        "_quiet",
        "_overrun",
    )

    steady = frozenset({0x4})
    """MCR, LSR, MSR, SCR."""

    LOW = Register(0x0, LowRegisters)
    HIGH = Register(0x4, HighRegisters)

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self._arrival = self.event("arrival", self._arrive)
        self._quiet_timer = self.event("quiet", self._fall_quiet)
        self._fifo: deque[int] = deque()
        self._start()

    def _start(self) -> None:
        self._enables = self._line_control = self._scratch = self._fifo_control = 0
        self._modem_control = OUT2
        self._divisor = 12
        self._sent = self._quiet = self._overrun = False
        self._fifo.clear()

    def reset(self) -> None:
        """9600 or so baud, no FIFO, no interrupts; bytes that the host has queued stay."""
        super().reset()
        self._start()
        self._arrival.cancel()
        self._quiet_timer.cancel()
        self._received()

    @property
    def _frame_cycles(self) -> int:
        return self.clock.hertz * FRAME_BITS * CLOCKS_PER_BIT * max(self._divisor, 1) // CLOCK_HZ

    @property
    def _capacity(self) -> int:
        return FIFO_BYTES if self._fifo_control & FIFO_ENABLE else 1

    def _received(self) -> None:
        """Let the next byte come in, if there is room for it."""
        if not self.received or len(self._fifo) >= self._capacity:
            self._arrival.cancel()
        elif not self._arrival.scheduled:
            self._arrival.after(self._frame_cycles)

    def _arrive(self) -> None:
        self._take_in(self.received.popleft())
        self._received()

    def _take_in(self, byte: int) -> None:
        if len(self._fifo) >= self._capacity:
            self._overrun = True
        else:
            self._fifo.append(byte)
        self._quiet = False
        self._quiet_timer.after(QUIET_FRAMES * self._frame_cycles)
        self._update()

    def _fall_quiet(self) -> None:
        self._quiet = bool(self._fifo)
        self._update()

    @property
    def _cause(self) -> Cause:
        """The most urgent interrupt."""
        level = TRIGGER_LEVELS[self._fifo_control >> 6] if self._fifo_control & FIFO_ENABLE else 1
        if self._enables & Enable.RECEIVED:
            if len(self._fifo) >= level:
                return Cause.RECEIVED
            if self._quiet:
                return Cause.QUIET
        return Cause.TRANSMITTED if self._enables & Enable.TRANSMITTED and self._sent else Cause.NONE

    def _update(self) -> None:
        self.irq.set(self._cause is not Cause.NONE)

    def read(self, offset: int, size: int) -> int:
        """The byte register at ``offset``."""
        if offset > SCR:
            return super().read(offset, size)
        return self._read_byte(offset)

    def _read_byte(self, number: int) -> int:
        divisor = self._line_control & DLAB
        if number == RBR_THR_DLL:
            return self._divisor & 0xFF if divisor else self._take()
        if number == IER_DLM:
            return self._divisor >> 8 if divisor else self._enables
        if number == IIR_FCR:
            return self._identify()
        if number == LSR:
            return self._line_status()
        return {LCR: self._line_control, MCR: self._modem_control, MSR: CONNECTED, SCR: self._scratch}[number]

    def _take(self) -> int:
        byte = self._fifo.popleft() if self._fifo else 0
        self._quiet = False
        if self._fifo:
            self._quiet_timer.after(QUIET_FRAMES * self._frame_cycles)
        else:
            self._quiet_timer.cancel()
        self._received()
        self._update()
        return byte

    def _identify(self) -> int:
        cause = self._cause
        if cause is Cause.TRANSMITTED:
            self._sent = False
            self._update()
        return int(cause) | (FIFOS_ON if self._fifo_control & FIFO_ENABLE else 0)

    def _line_status(self) -> int:
        status = IDLE_STATUS
        if self._fifo:
            status |= LineStatus.RECEIVED.value
        if self._overrun:
            status |= LineStatus.OVERRUN.value
            self._overrun = False
        return status

    def write(self, offset: int, size: int, value: int) -> None:
        """The byte register at ``offset`` takes the low byte."""
        if offset > SCR:
            super().write(offset, size, value)
        else:
            self._write_byte(offset, value & 0xFF)
            self._update()

    def _write_byte(self, number: int, value: int) -> None:
        divisor = self._line_control & DLAB
        if number == RBR_THR_DLL and divisor:
            self._divisor = self._divisor & 0xFF00 | value
        elif number == RBR_THR_DLL:
            self._transmit(value)
        elif number == IER_DLM and divisor:
            self._divisor = self._divisor & 0xFF | value << 8
        elif number == IER_DLM:
            self._sent |= bool(value & ~self._enables & Enable.TRANSMITTED)
            self._enables = value & 0xF
        elif number == IIR_FCR:
            self._control_fifo(value)
        elif number == LCR:
            self._line_control = value
        elif number == MCR:
            self._modem_control = value & 0x1F
        elif number == SCR:
            self._scratch = value

    def _transmit(self, byte: int) -> None:
        self._sent = True
        if self._modem_control & LOOP:
            self._take_in(byte)
        else:
            self.send(byte)

    def _control_fifo(self, value: int) -> None:
        if (value ^ self._fifo_control) & FIFO_ENABLE or value & FIFO_CLEAR_RECEIVE:
            self._fifo.clear()
            self._quiet = False
        self._fifo_control = value & 0xC9
        self._received()

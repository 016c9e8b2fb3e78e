"""ITM of the Cortex-M: stimulus ports that firmware prints and traces with, as a debugger shows them."""

from __future__ import annotations

from collections.abc import Callable

from asm.bits import Layout
from emu.cpu.arm.system_control import ExceptionMonitor, SystemControl
from emu.device import Board, Device
from emu.registers import Access, Bits, Register, RegisterArray, Word

PORTS = 32
PORT_BYTES = 4 * PORTS
"""Bytes of the stimulus ports in the register window."""
UNLOCK = 0xC5AC_CE55
TEXT_PORT = 0
"""The port that CMSIS and the debuggers use for text."""
IDENTITY = (4, 0, 0, 0, 0x01, 0xB0, 0x3B, 0, 0x0D, 0xE0, 0x05, 0xB1)
"""PID4..7, PID0..3, CID0..3 of the Cortex-M3 and M4."""


class Stimulus(Layout):
    """A stimulus port: written bytes, half-words and words go out; reads say whether there is room."""

    VALUE = Bits(0, 32, "Written: what goes out. Read: 1, there is always room.", access=Access.RW)


class TraceControl(Layout):
    """Trace control."""

    ITMENA = Bits(0, 1, "1: the ITM works.")
    TSENA = Bits(1, 1, "Local time stamps: there is nobody to read them.")
    SYNCENA = Bits(2, 1, "Synchronisation packets, likewise.")
    TXENA = Bits(3, 1, "Packets of the DWT, likewise.")
    SWOENA = Bits(4, 1, "Clock of the time stamps.")
    TSPRESCALE = Bits(8, 2, "Prescaler of the time stamps.")
    GTSFREQ = Bits(10, 2, "Global time stamps.")
    TRACEBUSID = Bits(16, 7, "Number of this source.")
    BUSY = Bits(23, 1, "Events are going out: never, they are out at once.", access=Access.RO)


class LockStatus(Layout):
    """Whether LAR must be written before the other registers."""

    PRESENT = Bits(0, 1, "There is a lock.", access=Access.RO, reset=1)
    LOCKED = Bits(1, 1, "1: writes to TER, TPR and TCR are ignored.", access=Access.RO, reset=1)


class Instrumentation(Device):
    """The instrumentation trace macrocell.

    Attributes:
        on_stimulus: called with port, value and number of bytes of every write that goes out.

    Inaccuracies: what is written is out at once; no time stamps, no packets of the DWT; unprivileged code may use
    every port, whatever TPR says. What a disabled port is given is lost.
    """

    STIM = RegisterArray(0x000, Stimulus, count=PORTS)
    TER = Register(0xE00, Word, "Trace enable, one bit for each port.")
    TPR = Register(0xE40, Word, "Trace privilege: storage here.")
    TCR = Register(0xE80, TraceControl)
    LAR = Register(0xFB0, Word, "Lock access: 0xC5ACCE55 unlocks, everything else locks.", access=Access.WO)
    LSR = Register(0xFB4, LockStatus, access=Access.RO)
    ID = RegisterArray(0xFD0, Word, "Peripheral and component identification.", count=len(IDENTITY), access=Access.RO)

    def __init__(self, board: Board, control: SystemControl) -> None:
        self._control = control
        self.on_stimulus: list[Callable[[int, int, int], None]] = []
        super().__init__("instrumentation", board)
        self.reset()

    def reset(self) -> None:
        """Locked, everything disabled."""
        super().reset()
        for index, value in enumerate(IDENTITY):
            self.ID[index] = value

    def write(self, offset: int, size: int, value: int) -> None:
        """Firmware writes; the number of bytes matters to the ports, and the lock to the other registers."""
        if offset < PORT_BYTES:
            self._stimulate(offset // 4, size, value)
        elif offset & ~3 == Instrumentation.LAR.offset or not LockStatus.LOCKED.extract(self.LSR):
            super().write(offset, size, value)

    def _stimulate(self, port: int, size: int, value: int) -> None:
        working = ExceptionMonitor.TRCENA.extract(self._control.DEMCR) and TraceControl.ITMENA.extract(self.TCR)
        if working and self.TER >> port & 1:
            for listener in self.on_stimulus:
                listener(port, value & (1 << 8 * size) - 1, size)

    @STIM.on_read
    def _room(self, port: int) -> int:
        return 1

    @LAR.on_write
    def _lock(self, value: int) -> None:
        self.LSR = LockStatus.pack(PRESENT=1, LOCKED=int(value != UNLOCK))

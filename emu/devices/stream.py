"""The input stream: brings frames from outside (a camera, a file) into memory."""

from __future__ import annotations

from asm.bits import Layout
from emu.bus import BusError
from emu.device import Board, Device
from emu.registers import Access, Bits, Register, Word

BYTES_PER_CYCLE = 8
"""Width of the port to memory."""
WORD_LIMIT = 0xFFFF_FFFF


class Control(Layout):
    """Starts a transfer."""

    START = Bits(0, 1, "Write 1: copy the next LENGTH bytes to ADDRESS.", access=Access.WO)
    INTERRUPT = Bits(1, 1, "1: the interrupt line is high while DONE, END or ERROR is set.")


class Status(Layout):
    """How the transfer stands. START clears DONE, END and ERROR."""

    BUSY = Bits(0, 1, "1: a transfer is under way.", access=Access.RO)
    DONE = Bits(1, 1, "The frame is in memory. Write 1 to clear.")
    END = Bits(2, 1, "Fewer than LENGTH bytes were left; nothing was copied. Write 1 to clear.")
    ERROR = Bits(3, 1, "The memory refused the frame, which stays in the stream. Write 1 to clear.")


FINISHED = Status.DONE.mask | Status.END.mask | Status.ERROR.mask


class InputStream(Device):
    """Copies one frame per START from a queue of bytes, which the host fills, to memory.

    *Inaccuracies*: a frame is always there at once, as if the sensor were faster than the memory port; its
    bytes appear in memory together, at the end of the transfer.
    """

    saved = ("data", "position")

    CONTROL = Register(0x00, Control)
    STATUS = Register(0x04, Status, access=Access.W1C)
    ADDRESS = Register(0x08, Word, "Where the frame goes. Do not change it while BUSY.")
    LENGTH = Register(0x0C, Word, "Bytes of a frame; must not be 0. Do not change it while BUSY.")
    FRAMES = Register(0x10, Word, "Frames copied since reset.", access=Access.RO)
    AVAILABLE = Register(0x14, Word, "Bytes left in the stream.", access=Access.RO)

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self.data = b""
        self.position = 0
        self._end = self.event("end", self._finish)

    def reset(self) -> None:
        """No transfer; the stream starts again at its first byte."""
        super().reset()
        self._end.cancel()
        self.position = 0
        self._update()

    def feed(self, data: bytes) -> None:
        """Append bytes to the stream."""
        self.data += data
        self._update()

    def _update(self) -> None:
        self.AVAILABLE = min(len(self.data) - self.position, WORD_LIMIT)
        self.irq.set(Control.INTERRUPT.extract(self.CONTROL) == 1 and self.STATUS & FINISHED != 0)

    @CONTROL.on_write
    def _control(self, value: int) -> None:
        if Control.START.extract(value):
            self._start()
        self._update()

    def _start(self) -> None:
        if self._end.scheduled:
            self.warn("START while BUSY does nothing: wait for DONE")
        elif self.LENGTH == 0:
            self.STATUS = Status.pack(ERROR=1)
            self.warn("START with LENGTH = 0: write the bytes of a frame to LENGTH first")
        elif len(self.data) - self.position < self.LENGTH:
            self.STATUS = Status.pack(END=1)
        else:
            self.STATUS = Status.pack(BUSY=1)
            self._end.after(-(-self.LENGTH // BYTES_PER_CYCLE))

    def _finish(self) -> None:
        frame = self.data[self.position : self.position + self.LENGTH]
        try:
            self.bus.write(self.ADDRESS, frame)
        except BusError as error:
            self.STATUS = Status.pack(ERROR=1)
            self.warn(f"the frame is not copied: {error}")
        else:
            self.position += len(frame)
            self.FRAMES = self.FRAMES + 1
            self.STATUS = Status.pack(DONE=1)
        self._update()

    @STATUS.on_write
    def _status(self, value: int) -> None:
        self._update()

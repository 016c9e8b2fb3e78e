"""Semihosting: firmware asks the emulator to print, to tell the time, to end the run.

Operation numbers and blocks are those of Arm's "Semihosting for AArch32 and AArch64", which RISC-V shares.
The console is all that firmware reaches: requests for the host's files are refused, with a message in the log.

Inaccuracies: time is emulated time since reset, also where the specification says wall-clock time.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from emu.bus import BusError
from emu.device import Board
from emu.state import Saved

APPLICATION_EXIT = 0x20026
"""ADP_Stopped_ApplicationExit: the only reason that means success."""
FAILED = -1
LONGEST_STRING = 1 << 16
STDIN, STDOUT, STDERR = 3, 1, 2
"""Handles that SYS_OPEN gives for ":tt"; handles are not 0."""
EIO, ENOSYS = 5, 38


class Operation(IntEnum):
    """Semihosting operations that are known by name."""

    SYS_OPEN = 0x01
    SYS_CLOSE = 0x02
    SYS_WRITEC = 0x03
    SYS_WRITE0 = 0x04
    SYS_WRITE = 0x05
    SYS_READ = 0x06
    SYS_READC = 0x07
    SYS_ISERROR = 0x08
    SYS_ISTTY = 0x09
    SYS_SEEK = 0x0A
    SYS_FLEN = 0x0C
    SYS_TMPNAM = 0x0D
    SYS_REMOVE = 0x0E
    SYS_RENAME = 0x0F
    SYS_CLOCK = 0x10
    SYS_TIME = 0x11
    SYS_SYSTEM = 0x12
    SYS_ERRNO = 0x13
    SYS_GET_CMDLINE = 0x15
    SYS_HEAPINFO = 0x16
    SYS_EXIT = 0x18
    SYS_EXIT_EXTENDED = 0x20
    SYS_ELAPSED = 0x30
    SYS_TICKFREQ = 0x31


@dataclass(frozen=True)
class Exit:
    """How firmware ended the run: exit code, and whether it reported an error instead of an exit."""

    code: int
    abnormal: bool


class Semihosting(Saved):
    """Answers semihosting calls of one core.

    Args:
        board: memory, clock and log.
        name: of the core, for the log.
        exit_block: SYS_EXIT's parameter points to {reason, code} (RISC-V) instead of being the reason (Arm).

    Attributes:
        console: called with the bytes that firmware prints.
        input: bytes that SYS_READC and SYS_READ give; they report end of file when it is empty.
        exit: set when firmware ended the run.
    """

    saved = ("input", "exit", "_error")
    saved_types: ClassVar = {"exit": Exit | None}

    def __init__(self, board: Board, name: str, *, exit_block: bool) -> None:
        self._board, self._name, self._exit_block = board, name, exit_block
        self.console: list[Callable[[bytes], None]] = []
        self.input: deque[int] = deque()
        self.exit: Exit | None = None
        self._error = 0
        self._actions: dict[int, Callable[[int], int]] = {
            Operation.SYS_OPEN: self._open,
            Operation.SYS_CLOSE: lambda parameter: 0 if self._word(parameter) in (STDIN, STDOUT, STDERR) else FAILED,
            Operation.SYS_WRITEC: self._write_character,
            Operation.SYS_WRITE0: self._write_string,
            Operation.SYS_WRITE: self._write,
            Operation.SYS_READ: self._read,
            Operation.SYS_READC: lambda _: self.input.popleft() if self.input else FAILED,
            Operation.SYS_ISERROR: lambda parameter: int(self._word(parameter) >= 0x8000_0000),
            Operation.SYS_ISTTY: lambda parameter: int(self._word(parameter) in (STDIN, STDOUT, STDERR)),
            Operation.SYS_FLEN: lambda _: 0,
            Operation.SYS_CLOCK: lambda _: board.clock.now * 100 // board.clock.hertz,
            Operation.SYS_TIME: lambda _: board.clock.now // board.clock.hertz,
            Operation.SYS_ERRNO: lambda _: self._error,
            Operation.SYS_GET_CMDLINE: self._command_line,
            Operation.SYS_HEAPINFO: self._heap_information,
            Operation.SYS_EXIT: self._exit,
            Operation.SYS_EXIT_EXTENDED: lambda parameter: self._end(*self._words(parameter, 2)),
            Operation.SYS_ELAPSED: self._elapsed,
            Operation.SYS_TICKFREQ: lambda _: board.clock.hertz,
        }

    def reset(self) -> None:
        """Forget the exit and the last error."""
        self.exit, self._error = None, 0

    def call(self, operation: int, parameter: int) -> int:
        """Carry out a call; the result goes to the register that held the operation, as 32 bits."""
        action = self._actions.get(operation)
        if action is None:
            return self._refuse(operation) & 0xFFFF_FFFF
        try:
            return action(parameter) & 0xFFFF_FFFF
        except BusError as error:
            self._error = EIO
            self._warn(f"semihosting {Operation(operation).name}: {error}")
            return FAILED & 0xFFFF_FFFF

    def _refuse(self, operation: int) -> int:
        self._error = ENOSYS
        try:
            name = Operation(operation).name
        except ValueError:
            self._warn(f"semihosting operation 0x{operation:02x} is not known; the call fails")
            return FAILED
        self._warn(f"semihosting {name} is refused: firmware cannot reach the host's files or commands")
        return FAILED

    def _warn(self, text: str) -> None:
        self._board.log.warn(self._board.clock.now, self._name, text)

    # Memory

    def _words(self, address: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self._board.bus.read(address, 4 * count))

    def _word(self, address: int) -> int:
        return self._words(address, 1)[0]

    def _string(self, address: int) -> bytes:
        """The bytes before the terminating 0."""
        text = bytearray()
        while len(text) < LONGEST_STRING and (byte := self._board.bus.read(address + len(text), 1)) != b"\0":
            text += byte
        return bytes(text)

    # Console

    def print(self, data: bytes) -> None:
        """Show bytes on the console."""
        for listener in self.console:
            listener(data)

    def _open(self, parameter: int) -> int:
        address, mode, length = self._words(parameter, 3)
        path = self._board.bus.read(address, length)
        if path == b":tt" and mode < 12:
            return (STDIN, STDOUT, STDERR)[mode // 4]
        self._error = ENOSYS
        shown = path.decode("utf-8", "replace")
        self._warn(f"semihosting SYS_OPEN of {shown!r} is refused: only the console ':tt' can be opened")
        return FAILED

    def _write_character(self, parameter: int) -> int:
        self.print(self._board.bus.read(parameter, 1))
        return 0

    def _write_string(self, parameter: int) -> int:
        self.print(self._string(parameter))
        return 0

    def _write(self, parameter: int) -> int:
        """Returns the number of bytes that were not written."""
        handle, address, length = self._words(parameter, 3)
        if handle not in (STDOUT, STDERR):
            self._error = ENOSYS
            self._warn(f"semihosting SYS_WRITE to handle {handle} is refused: it is not the console")
            return length
        self.print(self._board.bus.read(address, length))
        return 0

    def _read(self, parameter: int) -> int:
        """Returns the number of bytes that were not read."""
        _, address, length = self._words(parameter, 3)
        data = bytes(self.input.popleft() for _ in range(min(length, len(self.input))))
        if data:
            self._board.bus.write(address, data)
        return length - len(data)

    # Environment

    def _command_line(self, parameter: int) -> int:
        """An empty command line."""
        address, size = self._words(parameter, 2)
        if size == 0:
            return FAILED
        self._board.bus.write(address, b"\0")
        self._board.bus.write(parameter + 4, struct.pack("<I", 0))
        return 0

    def _heap_information(self, parameter: int) -> int:
        """Zeros mean: unknown, the firmware's linker script decides."""
        self._board.bus.write(self._word(parameter), bytes(16))
        return 0

    def _elapsed(self, parameter: int) -> int:
        self._board.bus.write(parameter, struct.pack("<Q", self._board.clock.now))
        return 0

    # End

    def _exit(self, parameter: int) -> int:
        if self._exit_block:
            return self._end(*self._words(parameter, 2))
        return self._end(parameter, 0)

    def _end(self, reason: int, code: int) -> int:
        success = reason == APPLICATION_EXIT
        self.exit = Exit(code if success else 1, abnormal=not success)
        return 0

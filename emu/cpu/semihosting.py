"""Semihosting: firmware asks the emulator to print, to tell the time, to end the run.

Operation numbers and blocks are those of Arm's "Semihosting for AArch32 and AArch64", which RISC-V shares.
Of the host, firmware reaches the console, and the files of one directory if the user has allowed one; other requests
are refused, with a message in the log.

Inaccuracies: the wall-clock time is `START_OF_TIME` at reset and goes on with emulated time, so that runs repeat.
"""

from __future__ import annotations

import errno
import os
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from emu.bus import BusError
from emu.cpu.host_files import MODES, HostFiles
from emu.device import Board
from emu.state import Saved

APPLICATION_EXIT = 0x20026
"""ADP_Stopped_ApplicationExit: the only reason that means success."""
FAILED = -1
LONGEST_STRING = 1 << 16
STDIN, STDOUT, STDERR = 3, 1, 2
"""Handles that SYS_OPEN gives for ":tt"; handles are not 0."""
CONSOLE = (STDIN, STDOUT, STDERR)
FEATURES_HANDLE = 4
FEATURES = b"SHFB\x03"
"""Contents of ":semihosting-features": SYS_EXIT_EXTENDED is there, and ":tt" opens standard output and error apart."""
START_OF_TIME = 1_767_225_600
"""Seconds from 1970 to 2026, when every machine is reset."""


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
        files: of the host, none unless its directory is set.
        command_line: what SYS_GET_CMDLINE gives.
        exit: set when firmware ended the run.
    """

    saved = ("input", "exit", "files", "_features_at", "_error")
    saved_types: ClassVar = {"exit": Exit | None}

    def __init__(self, board: Board, name: str, *, exit_block: bool) -> None:
        self._board, self._name, self._exit_block = board, name, exit_block
        self.console: list[Callable[[bytes], None]] = []
        self.input: deque[int] = deque()
        self.files = HostFiles()
        self.command_line = b""
        self.exit: Exit | None = None
        self._features_at = 0
        self._error = 0
        self._actions: dict[int, Callable[[int], int]] = {
            Operation.SYS_OPEN: self._open,
            Operation.SYS_CLOSE: self._close,
            Operation.SYS_WRITEC: self._write_character,
            Operation.SYS_WRITE0: self._write_string,
            Operation.SYS_WRITE: self._write,
            Operation.SYS_READ: self._read,
            Operation.SYS_READC: lambda _: self.input.popleft() if self.input else FAILED,
            Operation.SYS_ISERROR: lambda parameter: int(self._word(parameter) >= 0x8000_0000),
            Operation.SYS_ISTTY: self._is_console,
            Operation.SYS_SEEK: self._seek,
            Operation.SYS_FLEN: self._length,
            Operation.SYS_TMPNAM: self._temporary_name,
            Operation.SYS_REMOVE: self._remove,
            Operation.SYS_RENAME: self._rename,
            Operation.SYS_CLOCK: lambda _: board.clock.now * 100 // board.clock.hertz,
            Operation.SYS_TIME: lambda _: START_OF_TIME + board.clock.now // board.clock.hertz,
            Operation.SYS_ERRNO: lambda _: self._error,
            Operation.SYS_GET_CMDLINE: self._command_line,
            Operation.SYS_HEAPINFO: self._heap_information,
            Operation.SYS_EXIT: self._exit,
            Operation.SYS_EXIT_EXTENDED: lambda parameter: self._end(*self._words(parameter, 2)),
            Operation.SYS_ELAPSED: self._elapsed,
            Operation.SYS_TICKFREQ: lambda _: board.clock.hertz,
        }

    def reset(self) -> None:
        """Forget the exit, open files and the last error."""
        self.exit, self._features_at, self._error = None, 0, 0
        self.files.reset()

    def call(self, operation: int, parameter: int) -> int:
        """Carry out a call; the result goes to the register that held the operation, as 32 bits."""
        action = self._actions.get(operation)
        if action is None:
            return self._refuse(operation) & 0xFFFF_FFFF
        try:
            return action(parameter) & 0xFFFF_FFFF
        except BusError as error:
            self._error = errno.EIO
            self._warn(f"semihosting {Operation(operation).name}: {error}")
        except OSError as error:
            self._error = error.errno or errno.EIO
            if self._error == errno.EACCES:
                self._warn(f"semihosting {Operation(operation).name} is refused: {self._allowed}")
        return FAILED & 0xFFFF_FFFF

    @property
    def _allowed(self) -> str:
        """What firmware may open."""
        if self.files.directory is None:
            return "only the console ':tt' can be opened, unless the user allows a directory"
        return f"only the console ':tt' and plain files in {self.files.directory} can be opened"

    def _refuse(self, operation: int) -> int:
        self._error = errno.ENOSYS
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

    def _write_character(self, parameter: int) -> int:
        self.print(self._board.bus.read(parameter, 1))
        return 0

    def _write_string(self, parameter: int) -> int:
        self.print(self._string(parameter))
        return 0

    # Files

    def _text(self, address: int, length: int) -> str:
        return os.fsdecode(self._board.bus.read(address, length))

    def _open(self, parameter: int) -> int:
        address, mode, length = self._words(parameter, 3)
        name = self._text(address, length)
        if mode >= MODES:
            raise _error(errno.EINVAL)
        if name == ":tt":
            return (STDIN, STDOUT, STDERR)[mode // 4]
        if name == ":semihosting-features" and mode < 2:
            self._features_at = 0
            return FEATURES_HANDLE
        return self.files.open(name, mode)

    def _close(self, parameter: int) -> int:
        handle = self._word(parameter)
        if handle not in (*CONSOLE, FEATURES_HANDLE):
            self.files.close(handle)
        return 0

    def _is_console(self, parameter: int) -> int:
        handle = self._word(parameter)
        if handle in (*CONSOLE, FEATURES_HANDLE) or self.files.is_open(handle):
            return int(handle in CONSOLE)
        raise _error(errno.EBADF)

    def _write(self, parameter: int) -> int:
        """Returns the number of bytes that were not written."""
        handle, address, length = self._words(parameter, 3)
        data = self._board.bus.read(address, length)
        if handle in (STDOUT, STDERR):
            self.print(data)
            return 0
        try:
            self.files.write(handle, data)
        except OSError as error:
            self._error = error.errno or errno.EIO
            return length
        return 0

    def _read(self, parameter: int) -> int:
        """Returns the number of bytes that were not read."""
        handle, address, length = self._words(parameter, 3)
        if handle in CONSOLE:
            data = bytes(self.input.popleft() for _ in range(min(length, len(self.input))))
        elif handle == FEATURES_HANDLE:
            data = FEATURES[self._features_at :][:length]
            self._features_at += len(data)
        else:
            try:
                data = self.files.read(handle, length)
            except OSError as error:
                self._error = error.errno or errno.EIO
                return length
        if data:
            self._board.bus.write(address, data)
        return length - len(data)

    def _seek(self, parameter: int) -> int:
        handle, position = self._words(parameter, 2)
        if handle == FEATURES_HANDLE:
            self._features_at = position
        elif handle in CONSOLE:
            raise _error(errno.ESPIPE)
        else:
            self.files.seek(handle, position)
        return 0

    def _length(self, parameter: int) -> int:
        handle = self._word(parameter)
        if handle == FEATURES_HANDLE:
            return len(FEATURES)
        return 0 if handle in CONSOLE else self.files.length(handle)

    def _temporary_name(self, parameter: int) -> int:
        address, number, length = self._words(parameter, 3)
        name = f"semihosting-{number & 0xFF:02x}.tmp\0".encode()
        if len(name) > length:
            return FAILED
        self._board.bus.write(address, name)
        return 0

    def _remove(self, parameter: int) -> int:
        self.files.remove(self._text(*self._words(parameter, 2)))
        return 0

    def _rename(self, parameter: int) -> int:
        old, old_length, new, new_length = self._words(parameter, 4)
        self.files.rename(self._text(old, old_length), self._text(new, new_length))
        return 0

    # Environment

    def _command_line(self, parameter: int) -> int:
        address, size = self._words(parameter, 2)
        if size <= len(self.command_line):
            return FAILED
        self._board.bus.write(address, self.command_line + b"\0")
        self._board.bus.write(parameter + 4, struct.pack("<I", len(self.command_line)))
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


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))

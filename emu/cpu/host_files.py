"""Files of one directory of the host, for firmware that asks for them by semihosting.

Nothing of the host stays open between two calls: an open file is a name, a mode and a position, so that snapshots can
keep it. What it contains is the host's, no state of the machine.

Inaccuracies: reading or writing through a handle of a file that was removed or renamed meanwhile fails.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from emu.state import Saved

MODES = 12
"""C's "r", "rb", "r+", "r+b", "w", "wb", "w+", "w+b", "a", "ab", "a+", "a+b", by number."""
WRITE, APPEND = 1, 2
"""What a mode without its lowest two bits stands for, by 4; 0 is to read."""
UPDATE = 2
"""The bit of a mode that allows both directions."""
FIRST_HANDLE = 8
"""Handles of files; those below are the console's."""
MOST_OPEN = 256


@dataclass
class OpenFile:
    """A file that firmware has opened: its name in the directory, the mode, where it goes on."""

    handle: int
    name: str
    mode: int
    position: int

    @property
    def reads(self) -> bool:
        """Whether it may be read."""
        return self.mode // 4 == 0 or bool(self.mode & UPDATE)

    @property
    def writes(self) -> bool:
        """Whether it may be written."""
        return self.mode // 4 != 0 or bool(self.mode & UPDATE)


class HostFiles(Saved):
    """Opens, reads, writes, removes and renames plain files of a directory.

    All methods raise OSError, with the error number of the host, if it cannot be done.

    Attributes:
        directory: where the files are, or None: firmware reaches no file. No name leads out of it, nor through a
            symbolic link.
    """

    saved = ("_open",)
    saved_types: ClassVar = {"_open": list[OpenFile]}

    def __init__(self) -> None:
        self.directory: Path | None = None
        self._open: list[OpenFile] = []

    def reset(self) -> None:
        """Close all files."""
        self._open = []

    def open(self, name: str, mode: int) -> int:
        """A handle of the file; it is made or emptied as the mode, 0..11, says."""
        path = self._path(name)
        if len(self._open) == MOST_OPEN:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        if mode // 4 == WRITE:
            _write(path, os.O_CREAT | os.O_TRUNC, lambda descriptor: None)
        elif mode // 4 == APPEND:
            _write(path, os.O_CREAT, lambda descriptor: None)
        else:
            _size(path)
        used = {file.handle for file in self._open}
        handle = next(number for number in range(FIRST_HANDLE, FIRST_HANDLE + MOST_OPEN) if number not in used)
        self._open.append(OpenFile(handle, name, mode, 0))
        return handle

    def close(self, handle: int) -> None:
        """Forget the handle."""
        self._open.remove(self._file(handle))

    def read(self, handle: int, length: int) -> bytes:
        """Up to ``length`` bytes from the file's position on, which moves behind them."""
        file = self._file(handle)
        if not file.reads:
            raise _bad_handle()
        path = self._path(file.name)
        there = max(_size(path) - file.position, 0)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            data = os.pread(descriptor, min(length, there), file.position)
        finally:
            os.close(descriptor)
        file.position += len(data)
        return data

    def write(self, handle: int, data: bytes) -> None:
        """Write at the file's position, or at its end if it was opened to append; the position moves behind it."""
        file = self._file(handle)
        if not file.writes:
            raise _bad_handle()
        path = self._path(file.name)
        at = _size(path) if file.mode // 4 == APPEND else file.position
        _write(path, 0, lambda descriptor: os.pwrite(descriptor, data, at))
        file.position = at + len(data)

    def seek(self, handle: int, position: int) -> None:
        """Go on at a byte counted from the beginning."""
        self._file(handle).position = position

    def length(self, handle: int) -> int:
        """Bytes in the file."""
        return _size(self._path(self._file(handle).name))

    def is_open(self, handle: int) -> bool:
        """Whether the handle is one of a file."""
        return any(file.handle == handle for file in self._open)

    def remove(self, name: str) -> None:
        """Remove a file."""
        path = self._path(name)
        _size(path)
        path.unlink()

    def rename(self, old: str, new: str) -> None:
        """Give a file another name; a file that has that name is replaced."""
        source, target = self._path(old), self._path(new)
        _size(source)
        source.replace(target)

    def _file(self, handle: int) -> OpenFile:
        for file in self._open:
            if file.handle == handle:
                return file
        raise _bad_handle()

    def _path(self, name: str) -> Path:
        """Where a file of the directory is. Raises PermissionError if the name leads out of it."""
        if self.directory is None or "\0" in name:
            raise _denied()
        root = Path(os.path.realpath(self.directory))
        path = root / name
        if ".." in path.parts or not path.is_relative_to(root) or os.path.realpath(path.parent) != str(path.parent):
            raise _denied()
        return path


def _bad_handle() -> OSError:
    return OSError(errno.EBADF, os.strerror(errno.EBADF))


def _denied() -> PermissionError:
    return PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _size(path: Path) -> int:
    """Bytes in a plain file. Raises OSError if there is none, PermissionError if it is something else."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise _denied()
    return status.st_size


def _write(path: Path, flags: int, action: Callable[[int], object]) -> None:
    """Do something with a plain file that is open for writing."""
    if path.is_symlink() or path.exists():
        _size(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | flags, 0o644)
    try:
        action(descriptor)
    finally:
        os.close(descriptor)

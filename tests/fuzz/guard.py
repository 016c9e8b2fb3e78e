"""Notices every attempt to reach the computer that runs the tests: files, processes, the network."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WATCHED = ("open", "os.", "shutil.", "socket.", "subprocess.", "urllib.", "glob.", "tempfile.", "ctypes.dlopen")
"""Beginnings of the names of Python's audit events."""


class Guard:
    """Refuses what audit events announce, while it is on.

    Attributes:
        attempts: what was refused.
    """

    def __init__(self) -> None:
        self.attempts: list[str] = []
        self._readable: tuple[Path, ...] = ()
        self._on = False
        sys.addaudithook(self._hear)

    @contextmanager
    def on(self, *readable: Path) -> Iterator[None]:
        """Refuse everything but reading these files and importing modules; raises AssertionError at the end if
        something was refused, even if the code under test hid that.
        """
        self._readable, self._on = readable, True
        self.attempts.clear()
        try:
            yield
        finally:
            self._on = False
        assert not self.attempts, f"host access: {self.attempts}"

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._on or not event.startswith(WATCHED) or self._is_harmless(event, arguments):
            return
        self.attempts.append(f"{event}{arguments!r}")
        raise PermissionError(f"{event} is refused in this test")

    def _is_harmless(self, event: str, arguments: tuple[object, ...]) -> bool:
        if event in ("os.listdir", "os.scandir"):
            return str(arguments[0]) in sys.path
        if event != "open" or arguments[1] not in ("r", "rb", None):
            return False
        path = Path(str(arguments[0]))
        return path in self._readable or path.suffix in (".py", ".pyc", ".so")

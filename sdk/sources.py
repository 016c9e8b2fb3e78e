"""The texts of the source files that debug information names."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from sdk.paths import find_source


class Sources:
    """Source texts by the paths in the debug information of one ELF file.

    Attributes:
        find: the file on this computer by its path in the debug information, None if it is not here.
        lines: the lines of its text, without line ends; empty if it cannot be read.
    """

    def __init__(self, elf: Path) -> None:
        self.find = cache(partial(find_source, elf))
        self.lines = cache(self._lines)

    def _lines(self, path: str) -> list[str]:
        found = self.find(path)
        try:
            return found.read_text(errors="replace").splitlines() if found else []
        except OSError:
            return []

    def line(self, path: str, number: int) -> str | None:
        """One line of the text, counted from 1; None if there is no such file or line."""
        lines = self.lines(path)
        return lines[number - 1] if 1 <= number <= len(lines) else None

"""Finds the source files that debug information names."""

from __future__ import annotations

from functools import cache
from pathlib import Path


class Sources:
    """Source texts by the paths in the debug information.

    Builds keep paths out of the ELF file that only hold on one computer: a user's file is relative to the
    project, one of the library begins with `firmware/`. So a relative path is looked for in the ELF file's
    directory and the ones above it, then beside the library.

    Args:
        elf: the ELF file.
        library: the folder that holds `firmware/`, None without one.
    """

    def __init__(self, elf: Path, library: Path | None = None) -> None:
        directory = elf.resolve().parent
        self.roots = [directory, *directory.parents, *([library] if library else [])]
        self.find = cache(self._find)
        self.lines = cache(self._lines)

    def _find(self, path: str) -> Path | None:
        """The file, None if it is not on this computer."""
        given = Path(path)
        if given.is_absolute():
            return given if given.is_file() else None
        return next((root / given for root in self.roots if (root / given).is_file()), None)

    def _lines(self, path: str) -> list[str]:
        """The lines of the file's text, without line ends; empty if it cannot be read."""
        found = self.find(path)
        try:
            return found.read_text(errors="replace").splitlines() if found else []
        except OSError:
            return []

    def line(self, path: str, number: int) -> str | None:
        """One line of the text, counted from 1; None if there is no such file or line."""
        lines = self.lines(path)
        return lines[number - 1] if 1 <= number <= len(lines) else None

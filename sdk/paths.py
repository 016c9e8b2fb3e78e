"""Where the files are that are not Python: beside the packages, in a checkout and when installed."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def firmware() -> Path:
    """The folder of the driver library, start-up code, linker scripts and libc."""
    return ROOT / "firmware"


def examples() -> Path:
    """The folder of the examples."""
    return ROOT / "examples"


def cache() -> Path:
    """Where results that every project can use are kept; it need not exist. Follows ``XDG_CACHE_HOME``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "imnpu"


def find_source(elf: Path, name: str) -> Path | None:
    """The source file that debug information of ``elf`` calls ``name``.

    ELFs hold no absolute paths, so that a build gives the same bytes everywhere: ``firmware/...`` is the driver
    library, other names are relative to the project, which is a parent folder of the ELF.

    Args:
        elf: the ELF file.
        name: path as debug information has it, its directory included.

    Returns:
        The file, or None if it is not there any more.
    """
    path = Path(os.path.normpath(name))
    if path.is_absolute():
        return path if path.is_file() else None
    if path.parts[:1] == ("firmware",):
        library = firmware() / path.relative_to("firmware")
        if library.is_file():
            return library
    for folder in elf.resolve().parents:
        if (folder / path).is_file():
            return folder / path
    return None

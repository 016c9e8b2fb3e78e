"""Where machine code is kept that was made on this computer."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DAY = 24 * 60 * 60
VERSIONED = re.compile(r".+-[0-9a-f]{24}(\.o)?")
"""Names with a `version_of`; the folder has others, too."""
KEPT_DAYS = 30
"""What was not used for so long is deleted when something is added."""


def folder() -> Path:
    """Where it is kept, beside other things. It may not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")) / "imnpu"


def version_of(sources: Iterable[Path], *texts: str) -> str:
    """A text for file names that changes with the contents of the files and with the texts."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    for text in texts:
        digest.update(text.encode())
    return digest.hexdigest()[:24]


def note_use(path: Path) -> None:
    """It was used today."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > DAY:
            os.utime(path)


def forget_unused() -> None:
    """Delete machine code that has not been used for `KEPT_DAYS`, most of it of older versions.

    Other processes may do the same, or add something. One that has just found what is deleted here goes on with what it
    has opened, or makes it again.
    """
    limit = time.time() - KEPT_DAYS * DAY
    with suppress(OSError):
        for path in folder().iterdir():
            with suppress(OSError):
                if VERSIONED.fullmatch(path.name) and path.stat().st_mtime < limit:
                    if path.is_dir():
                        shutil.rmtree(path)
                    else:
                        path.unlink()


@contextmanager
def kept_for(name: str, sources: Iterable[Path]) -> Iterator[None]:
    """Functions that are defined inside keep their machine code in a directory for these sources. Imports numba.

    numba looks for changes only in the file of a function, not in those that it was inlined from. So the directory of
    its cache has a name that changes with all of them. The variable `NUMBA_CACHE_DIR` has precedence.

    Args:
        name: of the directory, before what depends on the sources.
        sources: all files that the machine code depends on.
    """
    from numba import config

    path = folder() / f"{name}-{version_of(sources)}"
    if path.exists():
        note_use(path)
    else:
        forget_unused()
    before = config.CACHE_DIR
    config.CACHE_DIR = before or str(path)
    try:
        yield
    finally:
        config.CACHE_DIR = before

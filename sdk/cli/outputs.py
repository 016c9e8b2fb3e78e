"""Files that a command writes at its end: found to be wrong at its beginning, not after minutes of work."""

from __future__ import annotations

import os
from pathlib import Path


class OutputError(Exception):
    """A file cannot be written where it was asked for."""


def check_outputs(*paths: Path | None) -> None:
    """Check files that are going to be written; None stands for one that was not asked for.

    *Inaccuracies*: what happens to the folder later, or a full disk, is noticed when the file is written.

    Raises:
        OutputError: there is no such folder, the path is a folder itself, or nobody but others may write there.
    """
    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            raise OutputError(f"{path}: cannot be written: it is a folder: name a file")
        if not path.parent.is_dir():
            raise OutputError(f"{path}: cannot be written: there is no folder {path.parent}: make it, or name another")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise OutputError(f"{path}: cannot be written: permission denied: name a file in a folder of yours")

"""Where numba keeps machine code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


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

    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    before = config.CACHE_DIR
    config.CACHE_DIR = before or str(Path(base) / "imnpu" / f"{name}-{digest.hexdigest()[:24]}")
    try:
        yield
    finally:
        config.CACHE_DIR = before

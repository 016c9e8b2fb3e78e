"""Where numba keeps the machine code of the interpreter."""

from __future__ import annotations

import hashlib
import os
from importlib import import_module
from pathlib import Path
from types import ModuleType

SOURCES = ("compiled.py", "decoding.py", "operations.py", "pointers.py")


def compiled_loop() -> ModuleType:
    """`emu.cpu.interpreter.compiled`. Importing it imports numba.

    numba looks for changes only in the file of a function, not in those that it was inlined from. So the directory
    of its cache has a name that changes with all of them.
    """
    from numba import config

    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update(Path(__file__).with_name(name).read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    before = config.CACHE_DIR
    config.CACHE_DIR = before or str(Path(base) / "imnpu" / f"interpreter-{digest.hexdigest()[:24]}")
    try:
        return import_module("emu.cpu.interpreter.compiled")
    finally:
        config.CACHE_DIR = before

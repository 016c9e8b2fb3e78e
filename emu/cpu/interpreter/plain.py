"""The interpreter's loop without numba: the same source as plain Python on plain integers, thousands of times slower.

It is what the compiled loop has to agree with: nothing in it can overflow, and nothing depends on a compiler.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType


@cache
def plain_loop() -> ModuleType:
    """`emu.cpu.interpreter.compiled`, not compiled."""
    from numba import config

    path = Path(__file__).with_name("compiled.py")
    specification = importlib.util.spec_from_file_location(f"{__package__}.not_compiled", path)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path}: cannot be loaded")
    module = importlib.util.module_from_spec(specification)
    before = config.DISABLE_JIT
    config.DISABLE_JIT = 1
    try:
        specification.loader.exec_module(module)
    finally:
        config.DISABLE_JIT = before
    return module

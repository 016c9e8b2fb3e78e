"""The interpreter's loop without numba: the same source as plain Python on plain integers, thousands of times slower.

It is what the compiled loop has to agree with: nothing in it can overflow, and nothing depends on a compiler.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType


@cache
def plain_loop() -> ModuleType:
    """`emu.cpu.interpreter.compiled`, not compiled."""
    from numba import config

    compiled_decoding = f"{__package__}.decoding"
    before = config.DISABLE_JIT, sys.modules.get(compiled_decoding)
    config.DISABLE_JIT = 1
    try:
        sys.modules[compiled_decoding] = _load("decoding")
        return _load("compiled")
    finally:
        config.DISABLE_JIT = before[0]
        if before[1] is None:
            del sys.modules[compiled_decoding]
        else:
            sys.modules[compiled_decoding] = before[1]


def _load(name: str) -> ModuleType:
    """Another copy of a module of this package."""
    path = Path(__file__).with_name(f"{name}.py")
    specification = importlib.util.spec_from_file_location(f"{__package__}.plain_{name}", path)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path}: cannot be loaded")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module

"""The interpreter's loop without numba: the same source as plain Python on plain integers, thousands of times slower.

It is what the compiled loop has to agree with: nothing in it can overflow, and nothing depends on a compiler.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from types import ModuleType

COMPILED = ("emu.cpu.polling", "emu.cpu.riscv.native", f"{__package__}.decoding", f"{__package__}.arithmetic")
"""Modules with compiled functions, each behind those that it imports."""


@cache
def plain_loop() -> ModuleType:
    """`emu.cpu.riscv.interpreter.compiled`, not compiled."""
    from numba import config

    before = config.DISABLE_JIT, {name: sys.modules.get(name) for name in COMPILED}
    config.DISABLE_JIT = 1
    try:
        for name in COMPILED:
            sys.modules[name] = _load(name)
        return _load(f"{__package__}.compiled")
    finally:
        config.DISABLE_JIT = before[0]
        for name, module in before[1].items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _load(name: str) -> ModuleType:
    """Another copy of a module."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ImportError(f"{name}: cannot be loaded")
    specification = importlib.util.spec_from_file_location(f"{name}_plain", found.origin)
    if specification is None or specification.loader is None:
        raise ImportError(f"{found.origin}: cannot be loaded")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module

"""Where numba keeps the machine code of the interpreter."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from emu.machine_code import kept_for

SOURCES = ("compiled.py", "decoding.py", "operations.py", "pointers.py")


def compiled_loop() -> ModuleType:
    """`emu.cpu.interpreter.compiled`. Importing it imports numba."""
    with kept_for("interpreter", map(Path(__file__).with_name, SOURCES)):
        return import_module("emu.cpu.interpreter.compiled")

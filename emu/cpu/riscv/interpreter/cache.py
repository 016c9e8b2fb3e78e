"""Where numba keeps the machine code of the interpreter."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from emu.machine_code import kept_for

HERE = Path(__file__).parent
SOURCES = (
    *(HERE / name for name in ("arithmetic.py", "compiled.py", "decoding.py", "operations.py", "pointers.py")),
    *(HERE.parent / f"{name}.py" for name in ("atomics", "decode", "native", "state", "traps")),
)
"""What the compiled code depends on."""


def compiled_loop() -> ModuleType:
    """`emu.cpu.riscv.interpreter.compiled`. Importing it imports numba."""
    with kept_for("interpreter", SOURCES):
        return import_module("emu.cpu.riscv.interpreter.compiled")

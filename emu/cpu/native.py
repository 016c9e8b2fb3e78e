"""Addresses of the native code of the CPUs: made once by LLVM, then loaded as an object file.

`emu.cpu.translation` translates the functions, and LLVM optimises them together. The object code is kept in a cache
directory, so that a warm start needs no optimiser.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from emu import clock
from emu.machine_code import folder, forget_unused, note_use, version_of

NAMES = (
    *("block", "timed_block", "thumb_rare_block", "riscv_rare_block", "translated", "fill", "fault"),
    *("trap", "take_pending", "riscv_trap", "riscv_take", "moves", "thumb_steps", "riscv_steps", "run"),
)
_alive: list[Any] = []
"""Engines own the machine code; the process keeps them."""


@cache
def hook_addresses() -> dict[str, int]:
    """Host address of every function of `hooks`, by name."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    path = _cache_path(llvm)
    try:
        code = path.read_bytes()
        note_use(path)
    except OSError:
        if sys.stderr.isatty():
            print("imnpu: making the machine code of the CPUs: once for this version, some seconds", file=sys.stderr)
        code = machine_code(llvm, hooks())
        _store(path, code)
    return load(llvm, code, NAMES)


def load(llvm: Any, code: bytes, names: Iterable[str]) -> dict[str, int]:
    """Addresses of functions of an object file, which stays loaded."""
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target(llvm))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _alive.append(engine)
    return {name: engine.get_function_address(name) for name in names}


def hooks() -> dict[str, Callable[..., Any]]:
    """The functions that are called from outside, by name."""
    from emu.cpu import block_hook
    from emu.cpu.arm import exception_hook
    from emu.cpu.copying import moves
    from emu.cpu.riscv import hook
    from emu.cpu.riscv.interpreter import loop

    return {**block_hook.HOOKS, **moves.HOOKS, **exception_hook.HOOKS, **hook.HOOKS, **loop.HOOKS}


def _target(llvm: Any) -> Any:
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        jit=True,
        codemodel="jitdefault",
    )


def _cache_path(llvm: Any) -> Path:
    """A file name that changes with everything the machine code depends on."""
    version = ".".join(map(str, llvm.llvm_version_info))
    name = version_of(sources(), version, llvm.get_default_triple(), llvm.get_host_cpu_name())
    return folder() / f"hooks-{name}.o"


def sources() -> list[Path]:
    """What is translated and what translates it, and more."""
    return [*sorted(Path(__file__).parent.rglob("*.py")), Path(clock.__file__)]


def _store(path: Path, code: bytes) -> None:
    """Write the cache file at once, so that another process never reads half of it. Without a cache we go on."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(code)
        os.replace(file.name, path)
    except OSError:
        return
    forget_unused()


def machine_code(llvm: Any, functions: Mapping[str, Callable[..., Any]]) -> bytes:
    """An object file of functions by the names that they have there.

    Raises:
        TranslationError: one uses what `emu.cpu.translation.module` does not know.
    """
    from emu.cpu.translation.module import Module

    module, machine = llvm.parse_assembly(str(Module(functions))), _target(llvm)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))

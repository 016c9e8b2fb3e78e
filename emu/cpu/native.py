"""Addresses of the native hooks: compiled by numba once, then loaded as an object file.

numba calls a cfunc's body through a wrapper that it does not inline, which costs as much as the body. The wrapper
and the body are therefore optimised again as one function by llvmlite. The object code is kept in a cache
directory, so that a warm start needs neither numba nor the optimiser.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SOURCES = [
    Path(__file__).parent / folder / name
    for folder, names in {
        ".": (
            "block_hook.py",
            "encoding.py",
            "hook_state.py",
            "native.py",
            "native_calls.py",
            "polling.py",
            "skipping.py",
        ),
        "arm": (
            *("exception_hook.py", "exception_priority.py", "exception_rights.py", "exception_state.py"),
            *("exception_transition.py", "lazy_context.py", "nvic_state.py"),
        ),
        "copying": ("moves.py", "riscv.py", "slots.py", "steps.py", "stream.py", "thumb.py", "walk.py"),
        "riscv": ("atomics.py", "decode.py", "hook.py", "native.py", "state.py", "traps.py"),
        "riscv/interpreter": ("decoding.py", "operations.py", "pointers.py"),
        "timing": ("lookup.py",),
    }.items()
    for name in names
]
NAMES = (
    *("block", "timed_block", "thumb_rare_block", "riscv_rare_block", "fill", "fault"),
    *("trap", "take_pending", "riscv_trap", "riscv_take", "moves", "thumb_steps", "riscv_steps"),
)
_alive: list[Any] = []
"""Engines and modules own the machine code; the process keeps them."""


@cache
def hook_addresses() -> dict[str, int]:
    """Host address of every hook of `emu.cpu.block_hook`, by name."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    path = _cache_path(llvm)
    try:
        code = path.read_bytes()
    except OSError:
        if sys.stderr.isatty():
            print("imnpu: making the machine code of the CPUs: once for this version, a minute", file=sys.stderr)
        from emu.cpu import block_hook
        from emu.cpu.arm import exception_hook
        from emu.cpu.copying import moves
        from emu.cpu.riscv import hook as riscv_hook

        hooks = block_hook.HOOKS | moves.HOOKS | exception_hook.HOOKS | riscv_hook.HOOKS
        try:
            code = _compile(llvm, hooks)
        except RuntimeError:
            # This version of LLVM does not take the module apart as expected: slower, but right.
            _alive.append(hooks)
            return {name: hook.address for name, hook in hooks.items()}
        _store(path, code)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target(llvm))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _alive.append(engine)
    return {name: engine.get_function_address(name) for name in NAMES}


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
    digest = hashlib.sha256()
    for source in SOURCES:
        digest.update(source.read_bytes())
    for package in ("numba", "llvmlite"):
        digest.update(_version_file(package).read_bytes())
    for text in (sys.version, llvm.get_default_triple(), llvm.get_host_cpu_name()):
        digest.update(text.encode())
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    return Path(base) / "imnpu" / f"hooks-{digest.hexdigest()[:24]}.o"


def _version_file(package: str) -> Path:
    """The file that names a package's version; neither it nor `importlib.metadata` is imported: that takes long."""
    spec = find_spec(package)
    assert spec is not None, f"{package} is a dependency"
    assert spec.origin is not None, f"{package} is a package"
    return Path(spec.origin).with_name("_version.py")


def _store(path: Path, code: bytes) -> None:
    """Write the cache file at once, so that another process never reads half of it. Without a cache we go on."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(code)
        os.replace(file.name, path)
    except OSError:
        pass


def _compile(llvm: Any, hooks: dict[str, Any]) -> bytes:
    """Object code of all hooks, each with its body inlined into its wrapper and called by its name.

    Raises:
        RuntimeError: LLVM rejects the module, or it would need symbols of numba's runtime.
    """
    modules = []
    for name, hook in hooks.items():
        text = re.sub(r"(attributes #\d+ = \{[^}]*)\bnoinline\b", r"\1alwaysinline", hook.inspect_llvm())
        module = llvm.parse_assembly(text)
        wrapper = next(function for function in module.functions if function.name.startswith("cfunc"))
        wrapper.name = name
        for function in module.functions:
            if not function.is_declaration and function.name != name:
                function.linkage = llvm.Linkage.internal
        modules.append(module)
    whole = modules[0]
    for module in modules[1:]:
        whole.link_in(module)
    machine = _target(llvm)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(whole, builder)
    needed = [f.name for f in whole.functions if f.is_declaration and not f.name.startswith("llvm.")]
    if needed:
        raise RuntimeError(f"the hooks need {', '.join(needed)}")
    return bytes(machine.emit_object(whole))

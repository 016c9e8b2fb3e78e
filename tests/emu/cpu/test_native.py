"""The native hooks: compiled once into a file, loaded without numba, replaceable by plain numba functions."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from numba.core.dispatcher import Dispatcher

from emu.cpu import block_hook, native
from emu.cpu.arm import exception_hook
from emu.cpu.block_hook import COUNT_SHIFT
from emu.cpu.copying import moves
from emu.cpu.hook_state import FLAG_SHIFT, REPEATS, TAG_MASK, Site
from emu.cpu.riscv import hook as riscv_hook
from tests.emu.cpu.arm_board import assemble

LOAD = "import sys; from emu.cpu.native import hook_addresses; hook_addresses(); print('numba' in sys.modules)"
LOOP = "reset: ldr r2, =1000\n 1: subs r2, #1\n bne 1b\n finish 0\n"


def load_in_new_process(cache: Path) -> str:
    """Whether the process had to import numba."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(Path(native.__file__).parents[2])}
    return subprocess.run(
        [sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_numba_is_needed_only_once(tmp_path: Path) -> None:
    assert load_in_new_process(tmp_path) == "True"
    (file,) = (tmp_path / "imnpu").iterdir()
    assert file.suffix == ".o"
    assert load_in_new_process(tmp_path) == "False"


def compiled_files(hooks: list[Any]) -> set[Path]:
    """The files of the hooks and of all compiled functions that they call, directly or not."""
    functions, waiting = set(), [hook.__wrapped__ for hook in hooks]
    while waiting:
        function = waiting.pop()
        if function not in functions:
            functions.add(function)
            names = inspect.getclosurevars(function)
            called = (names.globals | names.nonlocals).values()
            waiting += [value.py_func for value in called if isinstance(value, Dispatcher)]
    return {Path(function.__code__.co_filename) for function in functions}


def test_a_change_in_any_compiled_file_is_seen() -> None:
    hooks = block_hook.HOOKS | moves.HOOKS | exception_hook.HOOKS | riscv_hook.HOOKS
    assert hooks.keys() == set(native.NAMES)
    files = compiled_files(list(hooks.values()))
    assert len(files) > 3
    assert files <= set(native.SOURCES)


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "imnpu").write_text("a file where the folder would be")
    assert load_in_new_process(tmp_path) == "True"


@pytest.fixture
def plain_hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The hooks as numba makes them, as if llvmlite had refused to inline."""

    def refuse(*_: Any) -> bytes:
        raise RuntimeError("refused")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(native, "_compile", refuse)
    native.hook_addresses.cache_clear()
    yield
    native.hook_addresses.cache_clear()


@pytest.mark.usefixtures("plain_hooks")
def test_plain_hooks_count_the_same(tmp_path: Path) -> None:
    board = assemble(tmp_path, LOOP)
    assert board.machine.run().exit_code == 0
    assert board.core.instructions == 1 + 2 * 1000 + 3


def test_every_flag_of_a_block_has_a_bit_of_its_own() -> None:
    sites = 0
    for site in Site:
        sites |= site
    assert sites & REPEATS == 0
    assert (sites | REPEATS) << FLAG_SHIFT < 1 << COUNT_SHIFT
    assert TAG_MASK < 1 << FLAG_SHIFT

"""The native code of the CPUs: made once into a file, which is loaded again."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from emu.cpu import native
from emu.cpu.block_hook import COUNT_SHIFT
from emu.cpu.hook_state import FLAG_SHIFT, REPEATS, TAG_MASK, Site
from emu.cpu.translation.module import Module

LOAD = """
import sys
from emu.cpu.native import hook_addresses
assert len(set(hook_addresses().values()) - {0}) == len(hook_addresses())
print('emu.cpu.translation.module' in sys.modules, 'numba' in sys.modules)
"""


def load_in_new_process(cache: Path, errors: int = subprocess.PIPE) -> str:
    """Whether the process had to translate, and whether it imported numba."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(Path(native.__file__).parents[2])}
    return subprocess.run(
        [sys.executable, "-c", LOAD], env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, check=True
    ).stdout.strip()


def test_machine_code_is_made_only_once(tmp_path: Path) -> None:
    assert load_in_new_process(tmp_path) == "True False"
    (file,) = (tmp_path / "imnpu").iterdir()
    assert file.suffix == ".o"
    assert load_in_new_process(tmp_path) == "False False"


def test_who_waits_at_a_terminal_is_told_why(tmp_path: Path) -> None:
    reader, writer = pty.openpty()
    load_in_new_process(tmp_path, writer)
    assert os.read(reader, 1000).startswith(b"imnpu: making the machine code of the CPUs: once for this version")
    load_in_new_process(tmp_path, writer)
    os.write(writer, b"nothing more")
    assert os.read(reader, 1000) == b"nothing more"


def test_all_names_are_there() -> None:
    assert native.hooks().keys() == set(native.NAMES)


def test_a_change_in_any_translated_file_is_seen() -> None:
    files = Module(native.hooks()).files
    assert len(files) > 10
    assert files <= set(native.sources())


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "imnpu").write_text("a file where the folder would be")
    assert load_in_new_process(tmp_path) == "True False"


def test_every_flag_of_a_block_has_a_bit_of_its_own() -> None:
    sites = 0
    for site in Site:
        sites |= site
    assert sites & REPEATS == 0
    assert (sites | REPEATS) << FLAG_SHIFT < 1 << COUNT_SHIFT
    assert TAG_MASK < 1 << FLAG_SHIFT

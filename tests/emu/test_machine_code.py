"""Machine code is compiled again when any of its sources changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

INNER = "from numba import njit\n\n\n@njit(cache=True)\ndef inner():\n    return {}\n"
OUTER = (
    "from numba import njit\n\nfrom inner import inner\n\n\n@njit(cache=True)\ndef outer():\n    return inner() + 1\n"
)
PROGRAM = """
from pathlib import Path
from emu.machine_code import kept_for
with kept_for("test", (Path("inner.py"), Path("outer.py"))):
    import outer
from numba import config
assert config.CACHE_DIR == ""
print(outer.outer(), sum(outer.outer.stats.cache_misses.values()))
"""


def run(folder: Path) -> str:
    """What a process prints that compiles the files in a folder."""
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": f"{root}{os.pathsep}{folder}"}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_a_change_in_an_inlined_file_is_seen(tmp_path: Path) -> None:
    (tmp_path / "outer.py").write_text(OUTER)
    (tmp_path / "inner.py").write_text(INNER.format(1))
    assert run(tmp_path) == "2 1"
    assert run(tmp_path) == "2 0"
    (tmp_path / "inner.py").write_text(INNER.format(5))
    assert run(tmp_path) == "6 1"

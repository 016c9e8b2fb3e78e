"""Machine code is compiled again when any of its sources changes, and deleted when nothing uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emu.machine_code import DAY, forget_unused, note_use, version_of

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


def name_of(kind: str, version: str) -> str:
    """Of an entry."""
    return f"{kind}-{version_of((), version)}"


def test_what_was_not_used_for_a_month_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    forget_unused()
    cache = tmp_path / "imnpu"
    old, used, new = (name_of("hooks", version) + ".o" for version in ("old", "used", "new"))
    old_folder, used_folder = name_of("kernels", "old"), name_of("kernels", "used")
    for name in (old, used, new, "firmware/other", f"{old_folder}/inside", f"{used_folder}/inside"):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text("code")
    now = time.time()
    for name, days in ((old, 31), (used, 31), (new, 29), (old_folder, 31), (used_folder, 31), ("firmware", 31)):
        os.utime(cache / name, (now - days * DAY,) * 2)
    for name in (used, used_folder, "absent"):
        note_use(cache / name)
    forget_unused()
    left = {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}
    assert left == {used, new, "firmware/other", f"{used_folder}/inside"}
    assert not (cache / old_folder).exists()


def test_deleting_passes_over_what_another_process_has_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "imnpu").mkdir()
    files = [tmp_path / "imnpu" / name_of("hooks", str(number)) for number in range(3)]
    for file in files:
        file.write_text("code")
        os.utime(file, (0, 0))
    unlink = Path.unlink

    def lose_the_race(path: Path) -> None:
        unlink(path)
        unlink(path)

    monkeypatch.setattr(Path, "unlink", lose_the_race)
    forget_unused()
    assert not any(file.exists() for file in files)

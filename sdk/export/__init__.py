"""Files that are made from the machines' declarations: C headers, SVD, linker regions, manuals.

They are committed, so that firmware builds and people read without running anything;
`python -m sdk.export --check` finds out whether they are up to date.
"""

from __future__ import annotations

from emu.machines import NAMES, machine_map
from sdk.export.c_header import header
from sdk.export.linker import memory_script
from sdk.export.manual import manual
from sdk.export.svd import svd


def outputs() -> dict[str, str]:
    """Text of every generated file by its path in the repository."""
    files: dict[str, str] = {}
    for name in NAMES:
        machine = machine_map(name)
        folder = f"firmware/machines/{name}"
        files[f"{folder}/imnpu_machine.h"] = header(machine)
        files[f"{folder}/memory.ld"] = memory_script(machine)
        files[f"{folder}/{name}.svd"] = svd(machine)
        files[f"docs/registers/{name}.md"] = manual(machine)
    return files

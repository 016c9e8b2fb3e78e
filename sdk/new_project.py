"""Creates a project from the template in ``sdk/template``."""

from __future__ import annotations

import re
from pathlib import Path

from emu.machines import BOARDS, NAMES, machine_map
from sdk.project import ProjectError

TEMPLATE = Path(__file__).with_name("template")
HIDDEN = {"gitignore": ".gitignore", "vscode": ".vscode"}
"""Names in the template, whose own files must not act on this repository, and in the project."""


def create_project(folder: Path, machine: str) -> list[Path]:
    """Writes a project that builds and runs.

    Args:
        folder: where; it is created, or must be empty. Its name becomes the project's.
        machine: name of the machine that the project is for.

    Returns:
        The files, relative to ``folder``.

    Raises:
        ProjectError: the folder is not empty, is a file, or its name cannot be a project's; the machine has no NPU.
        UnknownMachineError: there is no such machine.
        OSError: a file cannot be written.
    """
    machine_map(machine)
    if machine in BOARDS:
        raise ProjectError(f"{machine} has no NPU to program: projects are for {' and '.join(NAMES)}")
    name = folder.resolve().name
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ProjectError(f"{name!r} cannot be the name of a project: use letters, digits, '_', '.' and '-'")
    if folder.exists() and not folder.is_dir():
        raise ProjectError(f"{folder} is a file: name a new or empty folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise ProjectError(f"{folder} is not empty: name a new or empty folder")
    written = []
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
        target = Path(*(HIDDEN.get(part, part) for part in source.relative_to(TEMPLATE).parts))
        text = source.read_text(encoding="utf-8").replace("@NAME@", name).replace("@MACHINE@", machine)
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (folder / target).write_text(text, encoding="utf-8")
        written.append(target)
    return written

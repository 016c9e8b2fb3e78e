"""New projects build and run, and nothing is overwritten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emu.machines import NAMES, UnknownMachineError, machine_map
from sdk.build import BuildOptions, build
from sdk.loader import load_elf
from sdk.new_project import create_project
from sdk.project import ProjectError, open_project
from sdk.runner import Runner


@pytest.mark.parametrize("machine", NAMES)
def test_a_new_project_builds_and_prints_what_its_readme_says(tmp_path: Path, machine: str) -> None:
    folder = tmp_path / "first_steps"
    files = create_project(folder, machine)
    assert {str(path) for path in files} >= {"imnpu.toml", "src/main.c", "program.imn", "README.md", ".gitignore"}
    assert all("@" not in (folder / path).read_text() for path in files)
    made = build(open_project(folder), BuildOptions())
    assert (made.machine, made.elf.name) == (machine, "first_steps.elf")
    result = Runner(load_elf(made.elf), machine_map(machine)).run(1_000_000)
    assert result.exit_code == 0
    readme = (folder / "README.md").read_text()
    assert re.findall(r"^    (kernel \d: .*)$", readme, re.MULTILINE) == result.uart.decode().splitlines()


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    create_project(tmp_path / "empty", "st18")
    assert (tmp_path / "empty" / "src" / "main.c").is_file()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text("mine")
    with pytest.raises(ProjectError, match="is not empty: name a new or empty folder"):
        create_project(tmp_path, "st18")
    with pytest.raises(ProjectError, match="is a file: name a new or empty folder"):
        create_project(tmp_path / "main.c", "st18")
    assert (tmp_path / "main.c").read_text() == "mine"


def test_wrong_names(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="'a b' cannot be the name of a project"):
        create_project(tmp_path / "a b", "st18")
    with pytest.raises(UnknownMachineError, match="did you mean 'st18'"):
        create_project(tmp_path / "new", "st81")
    assert not (tmp_path / "new").exists()


def test_a_board_has_nothing_to_program(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"^virt has no NPU to program: projects are for st18 and st18-rv32$"):
        create_project(tmp_path / "project", "virt")
    assert not (tmp_path / "project").exists()

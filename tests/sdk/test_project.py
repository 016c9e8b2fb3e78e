"""Project files: what they may say, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from asm.rules import ElementFormat
from sdk.project import ProjectError, TensorFile, load_project, open_project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("main.c", "other.c", "work.imn", "weights.npz"):
        (tmp_path / name).touch()
    (tmp_path / "headers").mkdir()
    return tmp_path


def load(folder: Path, text: str):  # type: ignore[no-untyped-def]
    (folder / "imnpu.toml").write_text(text)
    return load_project(folder / "imnpu.toml")


def test_an_empty_project_file_means_main_c(folder: Path) -> None:
    project = load(folder, "")
    assert (project.name, project.machine) == (folder.name, "st18")
    assert project.sources == (folder / "main.c",)
    assert project.include == project.programs == project.tensors == ()


def test_everything(folder: Path) -> None:
    project = load(
        folder,
        """
        name = "all-of-it"
        machine = "st18-rv32"
        sources = ["main.c", "other.c"]
        include = ["headers"]
        programs = ["work.imn"]
        [tensors.first]
        file = "weights.npz"
        key = "one"
        layout = "kernels"
        format = "s4"
        chain = 4
        memory = "sysmem"
        [tensors.second]
        file = "weights.npz"
        layout = "requantise"
        """,
    )
    assert (project.name, project.machine) == ("all-of-it", "st18-rv32")
    assert project.sources == (folder / "main.c", folder / "other.c")
    assert (project.include, project.programs) == ((folder / "headers",), (folder / "work.imn",))
    weights = folder / "weights.npz"
    assert project.tensors == (
        TensorFile("first", weights, "one", "kernels", ElementFormat.s4, 4, "sysmem"),
        TensorFile("second", weights, "second", "requantise", None, 1, "flash"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "is not a TOML file"),
        ("nam = 'x'", r"nam is unknown \(did you mean 'name'\?\); known: name, machine,"),
        ("name = 'a/b'", "name must be letters, digits"),
        ("name = 3", "name must be a string, not 3"),
        ("machine = 'st81'", "machine must be one of st18, st18-rv32, not 'st81'.*did you mean 'st18'"),
        ("sources = 'main.c'", "sources must be a list of strings"),
        ("sources = []", "sources must name at least one C file"),
        ("sources = ['gone.c']", "sources names gone.c, which is not there"),
        ("include = ['main.c']", "include names main.c, which is not there"),
        ("tensors = 1", r"tensors must be tables \[tensors.<symbol>\]"),
        ("tensors.a-b.layout = 'bytes'", "tensors.a-b must be called as a C variable may be"),
        ("tensors.a.layout = 'kernel'", "tensors.a.layout must be one of kernels, .*did you mean 'kernels'"),
        ("tensors.a.layout = 'bytes'", "tensors.a.file is missing"),
        ("tensors.a.shape = 1", "tensors.a.shape is unknown"),
        ("[tensors.a]\nlayout = 'tensor'\nfile = 'weights.npz'", "tensors.a.format is missing"),
        ("[tensors.a]\nlayout = 'bytes'\nformat = 's4'\nfile = 'weights.npz'", "tensors.a.format has no meaning"),
        ("[tensors.a]\nlayout = 'kernels'\nchain = 9\nfile = 'weights.npz'", "tensors.a.chain must be 1..8, not 9"),
        (
            "[tensors.a]\nlayout = 'bytes'\nmemory = 'ram'\nfile = 'weights.npz'",
            "memory must be one of flash, sysmem, extmem",
        ),
    ],
)
def test_wrong_project_files(folder: Path, text: str, message: str) -> None:
    with pytest.raises(ProjectError, match=message) as caught:
        load(folder, text)
    assert str(folder / "imnpu.toml") in str(caught.value)


def test_what_can_be_opened(folder: Path) -> None:
    assert open_project(folder / "other.c").name == "other"
    with pytest.raises(ProjectError, match=r"has no imnpu\.toml: .*imnpu new DIR"):
        open_project(folder)
    with pytest.raises(ProjectError, match="there is no file or folder"):
        open_project(folder / "gone")
    with pytest.raises(ProjectError, match="neither a folder"):
        open_project(folder / "work.imn")

"""The project file ``imnpu.toml``: what a firmware is made of.

Example:
    name = "digits"
    machine = "st18"
    sources = ["main.c"]
    programs = ["digits.imn"]

    [tensors.conv1_weights]
    file = "weights.npz"
    layout = "kernels"
    format = "s4"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from asm.rules import TILES, ElementFormat
from emu.machines import NAMES

FILE_NAME = "imnpu.toml"
LAYOUTS = ("kernels", "requantise", "tensor", "bytes")
"""How an array is laid out in memory (`sdk.tensors`); ``bytes`` takes a file or an array as it is."""
MEMORIES = ("flash", "sysmem", "extmem")
"""Where a tensor may lie: in flash, in system memory, where start-up code copies it, or in external memory."""


class ProjectError(Exception):
    """A project file or a source file is missing or wrong; the text names the place."""


@dataclass(frozen=True)
class TensorFile:
    """A constant array of the firmware that comes from a file.

    Attributes:
        symbol: name of the C array.
        file: ``.npz``, ``.npy``, or with the layout ``bytes`` any file.
        key: the array in a ``.npz``.
        layout: one of `LAYOUTS`.
        format: element format; None for the layouts that need none.
        chain: tiles over which kernels are split.
        memory: one of `MEMORIES`.
    """

    symbol: str
    file: Path
    key: str
    layout: str
    format: ElementFormat | None
    chain: int
    memory: str


@dataclass(frozen=True)
class Project:
    """A firmware and where its parts are; all paths are absolute.

    Attributes:
        root: folder that debug information is relative to.
        machine: name of the machine that the project asks for.
        include: folders of C headers.
    """

    root: Path
    name: str
    machine: str
    sources: tuple[Path, ...]
    include: tuple[Path, ...] = ()
    programs: tuple[Path, ...] = ()
    tensors: tuple[TensorFile, ...] = ()


def open_project(path: Path) -> Project:
    """The project of a folder, of a project file, or of a single C file without a project file.

    Raises:
        ProjectError: there is no such file, or the project file is wrong.
    """
    if path.is_dir():
        file = path / FILE_NAME
        if not file.is_file():
            raise ProjectError(
                f"{path} has no {FILE_NAME}: give a folder that has one, give a C file, or make a project "
                "with 'imnpu new DIR'"
            )
        return load_project(file)
    if not path.is_file():
        raise ProjectError(f"there is no file or folder {path}")
    if path.suffix == ".toml":
        return load_project(path)
    if path.suffix != ".c":
        raise ProjectError(f"{path} is neither a folder with {FILE_NAME} nor a C file (.c)")
    source = path.resolve()
    return Project(source.parent, source.stem, NAMES[0], (source,))


def load_project(file: Path) -> Project:
    """Reads a project file.

    Raises:
        ProjectError: it is not TOML, a key is unknown or has a wrong value, or a file that it names is missing.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{file} is not a TOML file: {error}") from None
    except OSError as error:
        raise ProjectError(f"{file} cannot be read: {error.strerror}") from None
    return _Reader(file).project(table)


class _Reader:
    """Turns the tables of one project file into a `Project`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.root = file.resolve().parent

    def project(self, table: Mapping[str, Any]) -> Project:
        self._known(table, ("name", "machine", "sources", "include", "programs", "tensors"), "")
        name = self._text(table, "name", "", self.root.name)
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            raise self._error("name", f"must be letters, digits, '_', '.' and '-', not {name!r}")
        tensors = table.get("tensors", {})
        if not isinstance(tensors, dict):
            raise self._error("tensors", "must be tables [tensors.<symbol>]")
        project = Project(
            root=self.root,
            name=name,
            machine=self._choice(table, "machine", "", NAMES, NAMES[0]),
            sources=self._paths(table, "sources", Path.is_file, ["main.c"]),
            include=self._paths(table, "include", Path.is_dir, []),
            programs=self._paths(table, "programs", Path.is_file, []),
            tensors=tuple(self._tensor(symbol, entry) for symbol, entry in tensors.items()),
        )
        if not project.sources:
            raise self._error("sources", "must name at least one C file")
        return project

    def _tensor(self, symbol: str, table: Any) -> TensorFile:
        place = f"tensors.{symbol}"
        if not isinstance(table, dict):
            raise self._error(place, "must be a table")
        if not re.fullmatch(r"[A-Za-z_]\w*", symbol, re.ASCII):
            raise self._error(place, "must be called as a C variable may be")
        self._known(table, ("file", "key", "layout", "format", "chain", "memory"), place + ".")
        prefix = place + "."
        layout = self._choice(table, "layout", prefix, LAYOUTS, None)
        chain = table.get("chain", 1)
        if not isinstance(chain, int) or not 1 <= chain <= TILES:
            raise self._error(prefix + "chain", f"must be 1..{TILES}, not {chain!r}")
        return TensorFile(
            symbol=symbol,
            file=self._path(self._text(table, "file", prefix, None), prefix + "file", Path.is_file),
            key=self._text(table, "key", prefix, symbol),
            layout=layout,
            format=self._format(table, prefix, layout),
            chain=chain,
            memory=self._choice(table, "memory", prefix, MEMORIES, MEMORIES[0]),
        )

    def _format(self, table: Mapping[str, Any], prefix: str, layout: str) -> ElementFormat | None:
        if layout in ("kernels", "tensor"):
            names = tuple(item.name for item in ElementFormat)
            return ElementFormat[self._choice(table, "format", prefix, names, None)]
        if "format" in table:
            raise self._error(prefix + "format", f"has no meaning with layout = {layout!r}")
        return None

    def _error(self, key: str, rule: str) -> ProjectError:
        return ProjectError(f"{self.file}: {key} {rule}")

    def _known(self, table: Mapping[str, Any], keys: tuple[str, ...], prefix: str) -> None:
        for key in table:
            if key not in keys:
                raise self._error(prefix + key, f"is unknown{_suggestion(key, keys)}; known: {', '.join(keys)}")

    def _text(self, table: Mapping[str, Any], key: str, prefix: str, default: str | None) -> str:
        value = table.get(key, default)
        if value is None:
            raise self._error(prefix + key, "is missing")
        if not isinstance(value, str):
            raise self._error(prefix + key, f"must be a string, not {value!r}")
        return value

    def _choice(
        self, table: Mapping[str, Any], key: str, prefix: str, choices: tuple[str, ...], default: str | None
    ) -> str:
        value = self._text(table, key, prefix, default)
        if value not in choices:
            raise self._error(
                prefix + key, f"must be one of {', '.join(choices)}, not {value!r}{_suggestion(value, choices)}"
            )
        return value

    def _paths(
        self, table: Mapping[str, Any], key: str, exists: Callable[[Path], bool], default: list[str]
    ) -> tuple[Path, ...]:
        values = table.get(key, default)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self._error(key, f"must be a list of strings, not {values!r}")
        return tuple(self._path(value, key, exists) for value in values)

    def _path(self, value: str, key: str, exists: Callable[[Path], bool]) -> Path:
        path = self.root / value
        if not exists(path):
            raise self._error(key, f"names {value}, which is not there (looked for {path})")
        return path


def _suggestion(word: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""

"""Compiles many files in parallel, and only those whose inputs have changed."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sdk.toolchain import CompileError, Toolchain, ToolchainError


@dataclass(frozen=True)
class Unit:
    """One file to compile.

    Attributes:
        folder: where the compiler runs; debug information is relative to it.
        source: path relative to ``folder``, or absolute.
        output: the object.
        inputs: further files that the object is made of, beside those that the compiler reports.
    """

    folder: Path
    source: str
    output: Path
    inputs: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Compiled:
    """What became of the units.

    Attributes:
        count: units that had to be compiled; the others were up to date.
        messages: warnings of the compiler.
    """

    count: int
    messages: tuple[str, ...]


class Compiler:
    """A toolchain with the options of one build.

    Args:
        options: options of every unit, after the toolchain's own.
    """

    def __init__(self, toolchain: Toolchain, options: Sequence[str]) -> None:
        self.toolchain, self.options = toolchain, tuple(options)

    def command(self, unit: Unit) -> list[str]:
        """The command line of a unit."""
        return self.toolchain.compile_command(unit.source, unit.output, self.options)

    def database(self, units: Iterable[Unit]) -> list[dict[str, Any]]:
        """Entries of ``compile_commands.json``."""
        return [{"directory": str(unit.folder), "file": unit.source, "arguments": self.command(unit)} for unit in units]

    def compile(self, units: Sequence[Unit]) -> Compiled:
        """Brings the objects of all units up to date.

        Raises:
            CompileError: some do not compile; the text has what the compiler says about all of them.
        """
        digest = cache(_file_digest)
        outdated = [unit for unit in units if not self._is_current(unit, digest)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(self._compile_one, outdated))
        failures = [str(result) for result in results if isinstance(result, ToolchainError)]
        if failures:
            raise CompileError("\n".join(failures))
        digest = cache(_file_digest)
        for unit in outdated:
            _stamp(unit).write_text(self._key(unit, digest) or "")
        return Compiled(len(outdated), tuple(str(result).strip() for result in results if str(result).strip()))

    def _is_current(self, unit: Unit, digest: Any) -> bool:
        key = self._key(unit, digest)
        return key is not None and key == _read(_stamp(unit))

    def _compile_one(self, unit: Unit) -> str | ToolchainError:
        unit.output.parent.mkdir(parents=True, exist_ok=True)
        _stamp(unit).unlink(missing_ok=True)
        try:
            return self.toolchain.run(self.command(unit), unit.folder)
        except ToolchainError as error:
            return error

    def _key(self, unit: Unit, digest: Any) -> str | None:
        """Hash of all that the object is made of; None where something of it is not there."""
        depfile = _read(unit.output.with_suffix(".d"))
        if depfile is None or not unit.output.exists():
            return None
        whole = hashlib.sha256("\0".join([self.toolchain.identity, *self.command(unit)]).encode())
        for path in (*_dependencies(depfile, unit.folder), *unit.inputs):
            part = digest(path)
            if part is None:
                return None
            whole.update(part)
        return whole.hexdigest()


def _stamp(unit: Unit) -> Path:
    """The file beside the object that holds the key it was compiled with."""
    return unit.output.with_suffix(".key")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _file_digest(path: Path) -> bytes | None:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None


def _dependencies(depfile: str, folder: Path) -> list[Path]:
    """Paths in a make rule: separated by blanks, a blank inside of a path has a backslash before it."""
    names = depfile.replace("\\\n", " ").partition(": ")[2]
    return [folder / re.sub(r"\\([ #\\])", r"\1", name) for name in re.findall(r"(?:\\.|[^\s\\])+", names)]

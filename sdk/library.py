"""The objects of the firmware library: compiled once for a machine, a compiler and its options, then kept."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sdk.compile import Compiler, Unit
from sdk.toolchain import Target, Toolchain, prefix_map

HEADERS = ("include", "libc/include")
"""Folders of headers in ``firmware/``, beside that of the machine."""


@dataclass(frozen=True)
class Library:
    """The driver library, start-up code and libc for one machine.

    Attributes:
        folder: ``firmware/``.
        machine: name of the machine.
        target: its host CPU.
    """

    folder: Path
    machine: str
    target: Target

    @property
    def machine_folder(self) -> Path:
        """Where the generated header and memory regions of the machine are."""
        return self.folder / "machines" / self.machine

    @property
    def linker_script(self) -> Path:
        """Script of the host CPU; it includes ``memory.ld`` of `machine_folder`."""
        return self.folder / "startup" / self.target.startup / "link.ld"

    @property
    def include_options(self) -> list[str]:
        """Options that name the folders of headers."""
        return [f"-I{self.folder / name}" for name in HEADERS] + [f"-I{self.machine_folder}"]

    @property
    def path_options(self) -> list[str]:
        """Options that make debug information say ``firmware/...``, wherever the library is."""
        return prefix_map(self.folder, "firmware")

    @property
    def sources(self) -> list[Path]:
        """C and assembly files, in the order in which they are linked."""
        startup = self.target.startup
        folders = (f"startup/{startup}", "src", f"src/{startup}", "libc/src")
        return [
            path
            for folder in folders
            for path in sorted((self.folder / folder).iterdir())
            if path.suffix in (".c", ".S")
        ]

    def units(self, output: Path) -> list[Unit]:
        """What to compile, into the folder ``output``."""
        names = [path.relative_to(self.folder).as_posix() for path in self.sources]
        return [Unit(self.folder, name, output / (name.replace("/", "-") + ".o")) for name in names]

    def compile(self, toolchain: Toolchain, optimisation: str, cache: Path) -> tuple[list[Unit], bool]:
        """Objects of the library out of ``cache``, compiled if they are not there.

        Args:
            toolchain: for the machine's host CPU.
            optimisation: 0, s or 2.
            cache: folder that all projects share.

        Returns:
            The units, whose outputs exist; whether they had to be compiled.

        Raises:
            ToolchainError: the library does not compile.
        """
        folder = cache / "firmware" / self._key(toolchain, optimisation)
        if folder.is_dir():
            return self.units(folder), False
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            made = Path(name) / "objects"
            self.compiler(toolchain, optimisation).compile(self.units(made))
            try:
                made.rename(folder)
            except OSError:  # another build was faster
                if not folder.is_dir():
                    raise
        return self.units(folder), True

    def compiler(self, toolchain: Toolchain, optimisation: str) -> Compiler:
        """The compiler as the library's own files are compiled."""
        return Compiler(toolchain, [f"-O{optimisation}", *self.path_options, *self.include_options])

    def _key(self, toolchain: Toolchain, optimisation: str) -> str:
        """Hash of all files of the library and of how they are compiled, without absolute paths."""
        whole = hashlib.sha256()
        command = self.compiler(toolchain, optimisation).command(Unit(self.folder, "", Path("o")))[1:]
        options = [option.replace(str(self.folder), "firmware") for option in command]
        whole.update("\0".join([toolchain.identity, self.machine, *options]).encode())
        for folder, names, files in os.walk(self.folder):
            names.sort()
            for name in sorted(files):
                path = Path(folder) / name
                whole.update(f"\0{path.relative_to(self.folder).as_posix()}\0".encode() + path.read_bytes())
        return whole.hexdigest()[:24]

"""From a project to an ELF file: compile, assemble, pack, link."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from emu.machines import NAMES, machine_map
from sdk import paths
from sdk.assets import write_assets
from sdk.compile import Compiler, Unit
from sdk.library import Library
from sdk.memory_usage import Usage, memory_usage, read_regions
from sdk.project import Project, ProjectError
from sdk.toolchain import TARGETS, Toolchain, find_toolchain, prefix_map


@dataclass(frozen=True)
class BuildOptions:
    """How to build.

    Attributes:
        machine: name of the machine; None: the one that the project names.
        toolchain: ``zig`` or ``gcc``.
        optimisation: ``0``, ``s`` or ``2``.
        output: the ELF file; None: ``build/<machine>/<name>.elf`` in the project.
    """

    machine: str | None = None
    toolchain: str = "zig"
    optimisation: str = "s"
    output: Path | None = None


@dataclass(frozen=True)
class Build:
    """What was built.

    Attributes:
        elf: the firmware.
        map: the linker's map file.
        compile_commands: for editors and checkers.
        machine: name of the machine that it is for.
        compiled: files that had to be compiled, without the library.
        library_compiled: whether the firmware library had to be compiled.
        linked: whether the ELF file was written; False: it was up to date.
        usage: bytes in each memory.
        messages: warnings of the compiler.
    """

    elf: Path
    map: Path
    compile_commands: Path
    machine: str
    compiled: int
    library_compiled: bool
    linked: bool
    usage: list[Usage]
    messages: tuple[str, ...]


def build(project: Project, options: BuildOptions) -> Build:
    """Brings the ELF file of a project up to date. The same sources give the same bytes, in whatever folder.

    Raises:
        UnknownMachineError: there is no such machine.
        ToolchainError: the compiler is missing, or refuses a source.
        AssemblyErrors: an accelerator program has errors.
        ProjectError: there is no firmware library for the machine; an array cannot be read or packed.
        OSError: a file cannot be written.
    """
    machine = options.machine or project.machine
    host = machine_map(machine).host
    if machine not in NAMES:
        raise ProjectError(
            f"there is no firmware library for {machine}, which runs firmware that exists already: build for "
            f"{' or '.join(NAMES)}"
        )
    toolchain = find_toolchain(options.toolchain, host, paths.cache())
    library = Library(paths.firmware(), machine, TARGETS[host])
    elf = (options.output or project.root / "build" / machine / f"{project.name}.elf").resolve()
    work = elf.with_suffix(".objects")
    work.mkdir(parents=True, exist_ok=True)

    assets = write_assets(project, TARGETS[host].architecture, work)
    compiler = Compiler(toolchain, _project_options(project, library, options.optimisation, work))
    units = [*_source_units(project, work), *assets.units]
    compiled = compiler.compile(units)
    library_units, library_compiled = library.compile(toolchain, options.optimisation, paths.cache())
    commands = elf.parent / "compile_commands.json"
    database = compiler.database(units) + library.compiler(toolchain, options.optimisation).database(library_units)
    commands.write_text(json.dumps(database, indent=1) + "\n", encoding="utf-8")

    objects = [unit.output for unit in (*library_units, *units)] + assets.objects
    linked = _link(toolchain, library, objects, elf)
    return Build(
        elf=elf,
        map=elf.with_suffix(".map"),
        compile_commands=commands,
        machine=machine,
        compiled=compiled.count,
        library_compiled=library_compiled,
        linked=linked,
        usage=memory_usage(elf, read_regions(library.machine_folder / "memory.ld")),
        messages=compiled.messages,
    )


def _project_options(project: Project, library: Library, optimisation: str, work: Path) -> list[str]:
    """Options of the project's files. Of several prefix maps that fit, compilers take the last."""
    return [
        f"-O{optimisation}",
        *prefix_map(project.root, "."),
        *prefix_map(work, "build"),
        *library.path_options,
        *(f"-I{folder}" for folder in project.include),
        f"-I{work}",
        *library.include_options,
    ]


def _source_units(project: Project, work: Path) -> list[Unit]:
    """The project's own sources; names of objects keep the folders, so that equal file names do not meet."""
    units = []
    for source in project.sources:
        inside = source.is_relative_to(project.root)
        name = source.relative_to(project.root).as_posix() if inside else str(source)
        units.append(Unit(project.root, name, work / "source" / (name.replace("/", "-") + ".o")))
    return units


def _link(toolchain: Toolchain, library: Library, objects: list[Path], elf: Path) -> bool:
    """Links if the ELF file is not what these objects make; returns whether it did."""
    command = toolchain.link_command(objects, library.linker_script, library.machine_folder, elf)
    whole = hashlib.sha256("\0".join([toolchain.identity, *command]).encode())
    for path in (*objects, library.linker_script, library.machine_folder / "memory.ld"):
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    stamp = elf.with_suffix(".objects") / "link.key"
    key = whole.hexdigest()
    if elf.exists() and elf.with_suffix(".map").exists() and stamp.exists() and stamp.read_text() == key:
        return False
    stamp.unlink(missing_ok=True)
    elf.unlink(missing_ok=True)
    toolchain.run(command, elf.parent)
    stamp.write_text(key)
    return True

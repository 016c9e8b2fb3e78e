"""Every source of the library compiles without a warning, with both compilers at every optimisation."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from emu.machines import NAMES, machine_map
from sdk import paths
from sdk.compile import Compiler, Unit
from sdk.library import Library
from sdk.toolchain import NAMES as TOOLCHAINS
from sdk.toolchain import OPTIMISATIONS, TARGETS, ToolchainError
from tests.firmware.boards import need_toolchain

STRICT = ["-Werror", "-Wconversion", "-Wshadow", "-Wundef", "-Wstrict-prototypes"]
FIRMWARE = paths.firmware()


def library_of(machine: str) -> Library:
    return Library(FIRMWARE, machine, TARGETS[machine_map(machine).host])


def strict_compiler(machine: str, toolchain: str, optimisation: str) -> Compiler:
    compiler = library_of(machine).compiler(need_toolchain(toolchain, machine), optimisation)
    return Compiler(compiler.toolchain, [*compiler.options, *STRICT])


@pytest.mark.parametrize(("machine", "toolchain", "optimisation"), list(product(NAMES, TOOLCHAINS, OPTIMISATIONS)))
def test_library_has_no_warnings(machine: str, toolchain: str, optimisation: str, tmp_path: Path) -> None:
    units = library_of(machine).units(tmp_path)
    assert len(units) > 20
    assert strict_compiler(machine, toolchain, optimisation).compile(units).messages == ()


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_a_warning_would_be_noticed(toolchain: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.c").write_text("int f(long long x); int f(long long x) { return x; }\n")
    with pytest.raises(ToolchainError, match="-Werror"):
        strict_compiler("st18", toolchain, "s").compile([Unit(tmp_path, "wrong.c", tmp_path / "wrong.o")])


HEADERS = sorted(
    path.relative_to(folder).as_posix()
    for folder in (FIRMWARE / "include", FIRMWARE / "libc" / "include")
    for path in folder.rglob("*.h")
)


@pytest.mark.parametrize("machine", NAMES)
def test_every_header_stands_alone_and_may_be_included_twice(machine: str, tmp_path: Path) -> None:
    units = []
    for header in HEADERS:
        name = header.replace("/", "_") + ".c"
        (tmp_path / name).write_text(f"#include <{header}>\n#include <{header}>\nextern int one;\n")
        units.append(Unit(tmp_path, name, tmp_path / f"{name}.o"))
    assert strict_compiler(machine, "zig", "s").compile(units).messages == ()


def test_a_register_that_moved_is_a_compile_error(tmp_path: Path) -> None:
    library = library_of("st18")
    header = (library.machine_folder / "imnpu_machine.h").read_text()
    moved = header.replace("uint32_t TILE_MODE;", "uint32_t SOMETHING_NEW, TILE_MODE;", 1)
    assert moved != header
    (tmp_path / "imnpu_machine.h").write_text(moved)
    (tmp_path / "main.c").write_text('#include "imnpu_machine.h"\n')
    with pytest.raises(ToolchainError, match="TILE_MODE"):
        strict_compiler("st18", "zig", "s").compile([Unit(tmp_path, "main.c", tmp_path / "main.o")])


def test_every_source_has_its_licence() -> None:
    folders = ("include", "src", "startup", "libc", "machines")
    files = [
        path
        for folder in folders
        for path in (FIRMWARE / folder).rglob("*")
        if path.suffix in (".c", ".h", ".S", ".ld")
    ]
    assert len(files) > 50
    assert [path for path in files if "SPDX-License-Identifier: BSD-3-Clause" not in path.read_text()[:200]] == []

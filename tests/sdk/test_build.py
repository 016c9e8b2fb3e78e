"""Builds: what they contain, that they repeat, and what they say about wrong input."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from asm.errors import AssemblyErrors
from emu.machines import NAMES, UnknownMachineError, machine_map
from sdk import paths
from sdk.build import Build, BuildOptions, build
from sdk.loader import load_elf
from sdk.project import ProjectError, open_project
from sdk.runner import Runner
from sdk.toolchain import TARGETS, ToolchainError

MAIN = """\
#include <stdio.h>
#include "greeting.h"
#include "project_data.h"
int main(void) { puts(GREETING); return sizeof ramp == 8 && work[0] ? ramp[1] : 99; }
"""
PROJECT = """\
name = "test"
sources = ["src/main.c"]
include = ["include"]
programs = ["work.imn"]

[tensors.ramp]
file = "arrays.npz"
layout = "tensor"
format = "u8"
"""
PROGRAM = "program work\n    nop\n    halt\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with one of everything."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "include").mkdir()
    (folder / "src" / "main.c").write_text(MAIN)
    (folder / "include" / "greeting.h").write_text('#define GREETING "hello"\n')
    (folder / "imnpu.toml").write_text(PROJECT)
    (folder / "work.imn").write_text(PROGRAM)
    np.savez(folder / "arrays.npz", ramp=np.arange(8, dtype=np.uint8).reshape(1, 8, 1))
    return folder


def built(folder: Path, machine: str = "st18", toolchain: str = "zig") -> Build:
    target = TARGETS[machine_map(machine).host]
    if toolchain == "gcc" and shutil.which(target.gcc) is None:
        pytest.skip(f"{target.gcc} is missing: apt install {target.gcc_package}")
    return build(open_project(folder), BuildOptions(machine=machine, toolchain=toolchain))


def run(elf: Path, machine: str) -> tuple[int | None, str]:
    result = Runner(load_elf(elf), machine_map(machine)).run(1_000_000)
    return result.exit_code, result.uart.decode()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize("machine", NAMES)
def test_a_project_builds_and_runs(project: Path, machine: str, toolchain: str) -> None:
    made = built(project, machine, toolchain)
    assert made.elf == project / "build" / machine / "test.elf"
    assert made.map.stat().st_size > 0
    assert made.messages == ()
    assert run(made.elf, machine) == (1, "hello\n")


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize("machine", NAMES)
def test_the_same_sources_give_the_same_bytes_in_another_folder(
    project: Path, machine: str, toolchain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = built(project, machine, toolchain).elf.read_bytes()
    other = tmp_path / "a much longer way" / "to the same project"
    shutil.copytree(project, other, ignore=shutil.ignore_patterns("build"))
    library = tmp_path / "library elsewhere" / "firmware"
    shutil.copytree(paths.firmware(), library)
    monkeypatch.setattr(paths, "firmware", lambda: library)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    second = built(other, machine, toolchain)
    assert second.library_compiled
    assert second.elf.read_bytes() == first
    assert b"much longer way" not in first + second.elf.read_bytes()


def test_only_what_changed_is_compiled(project: Path) -> None:
    assert built(project).compiled == 2
    again = built(project)
    assert (again.compiled, again.linked, again.library_compiled) == (0, False, False)

    edit(project / "include" / "greeting.h", "hello", "bye")
    changed = built(project)
    assert (changed.compiled, changed.linked) == (1, True)
    assert run(changed.elf, "st18") == (1, "bye\n")

    np.savez(project / "arrays.npz", ramp=np.full((1, 8, 1), 7, np.uint8))
    changed = built(project)
    assert (changed.compiled, changed.linked) == (1, True)
    assert run(changed.elf, "st18") == (7, "bye\n")

    edit(project / "work.imn", "nop", "nop\n    nop")
    changed = built(project)
    assert changed.linked
    with changed.elf.open("rb") as stream:
        symbol = ELFFile(stream).get_section_by_name(".symtab").get_symbol_by_name("work")[0]
    assert symbol["st_size"] == 16 + 4 * 3


def test_another_optimisation_compiles_again(project: Path) -> None:
    small = build(open_project(project), BuildOptions(optimisation="s"))
    size = small.usage[0].used
    plain = build(open_project(project), BuildOptions(optimisation="0"))
    assert plain.compiled == 2
    assert plain.usage[0].used > size


def test_a_failed_build_leaves_no_elf_of_old_sources(project: Path) -> None:
    elf = built(project).elf
    edit(project / "src" / "main.c", "return", "return missing() +")
    with pytest.raises(ToolchainError):
        built(project)
    edit(project / "src" / "main.c", "return missing() +", "int missing(void); return missing() +")
    with pytest.raises(ToolchainError, match="missing"):
        built(project)
    assert not elf.exists()


def test_debug_information_names_relative_paths_that_can_be_found(project: Path) -> None:
    made = built(project)
    names = set()
    with made.elf.open("rb") as stream:
        for unit in ELFFile(stream).get_dwarf_info().iter_CUs():
            die = unit.get_top_DIE().attributes
            names.add(f"{die['DW_AT_comp_dir'].value.decode()}/{die['DW_AT_name'].value.decode()}")
    found = {name: paths.find_source(made.elf, name) for name in names}
    assert found["./src/main.c"] == project / "src" / "main.c"
    assert found["./work.imn"] == project / "work.imn"
    assert found["firmware/src/uart.c"] == paths.firmware() / "src" / "uart.c"
    assert [name for name, path in found.items() if path is None] == []


@pytest.mark.parametrize("machine", NAMES)
def test_sizes_are_those_of_readelf(project: Path, machine: str) -> None:
    if shutil.which("readelf") is None:
        pytest.skip("readelf is missing: apt install binutils")
    made = built(project, machine)
    segments = subprocess.run(["readelf", "-lW", str(made.elf)], capture_output=True, text=True, check=True).stdout
    flash = sram = 0
    for line in segments.splitlines():
        words = line.split()
        if words[:1] == ["LOAD"]:
            physical, in_file, in_memory = int(words[3], 16), int(words[4], 16), int(words[5], 16)
            virtual = int(words[2], 16)
            flash += in_file if 0x0800_0000 <= physical < 0x0820_0000 else 0
            sram += in_memory if 0x2000_0000 <= virtual < 0x2004_0000 else 0
    used = {usage.region.name: usage.used for usage in made.usage}
    assert used["flash"] == pytest.approx(flash, abs=16)  # readelf counts the gaps between sections too
    assert used["sram"] == pytest.approx(sram, abs=32)


def test_compile_commands_can_be_repeated(project: Path) -> None:
    made = built(project)
    entries = {entry["file"]: entry for entry in json.loads(made.compile_commands.read_text())}
    assert {"src/main.c", "src/uart.c"} <= set(entries)
    entry = entries["src/main.c"]
    assert entry["directory"] == str(project)
    subprocess.run([*entry["arguments"], "-fsyntax-only"], cwd=entry["directory"], check=True)


def test_a_single_file_needs_no_project(tmp_path: Path) -> None:
    (tmp_path / "alone.c").write_text("int main(void) { return 42; }\n")
    made = build(open_project(tmp_path / "alone.c"), BuildOptions(output=tmp_path / "out" / "fw.elf"))
    assert made.elf == tmp_path / "out" / "fw.elf"
    assert run(made.elf, "st18")[0] == 42


def test_initialised_system_memory_is_copied_from_flash(project: Path) -> None:
    edit(project / "imnpu.toml", 'format = "u8"', 'format = "u8"\nmemory = "sysmem"')
    edit(project / "src" / "main.c", "return sizeof", "if ((unsigned)ramp >> 28 != 3) return 98; return sizeof")
    made = built(project)
    assert run(made.elf, "st18") == (1, "hello\n")
    sections = {usage.region.name: usage.sections for usage in made.usage}
    assert sections["sysmem"][".sysmem.data"] == sections["flash"][".sysmem.data"] == 8


def test_arrays_in_external_memory_take_no_flash(project: Path) -> None:
    edit(project / "imnpu.toml", 'format = "u8"', 'format = "u8"\nmemory = "extmem"')
    edit(project / "src" / "main.c", "return sizeof", "if ((unsigned)ramp >> 28 != 6) return 98; return sizeof")
    made = built(project)
    assert run(made.elf, "st18") == (1, "hello\n")
    sections = {usage.region.name: usage.sections for usage in made.usage}
    assert sections["extmem"] == {".extmem.data": 8}
    assert ".extmem.data" not in sections["flash"]


def test_paths_with_blanks_are_followed(tmp_path: Path) -> None:
    folder = tmp_path / "my project"
    folder.mkdir()
    (folder / "a value.h").write_text("#define VALUE 1\n")
    (folder / "main.c").write_text('#include "a value.h"\nint main(void) { return VALUE; }\n')
    assert run(built(folder / "main.c").elf, "st18")[0] == 1
    edit(folder / "a value.h", "1", "2")
    assert run(built(folder / "main.c").elf, "st18")[0] == 2


def test_compiler_errors_are_shown_as_they_are(project: Path) -> None:
    edit(project / "src" / "main.c", "return", "retrun")
    with pytest.raises(ToolchainError, match=r"src/main\.c:4:\d+: error: .*retrun"):
        built(project)


def test_firmware_that_does_not_fit_is_refused(project: Path) -> None:
    edit(project / "src" / "main.c", "int main", "char large[300000];\nint main")
    edit(project / "src" / "main.c", "return sizeof", "large[0] = 1; return large[1] + sizeof")
    with pytest.raises(ToolchainError, match="sram"):
        built(project)


def test_errors_of_a_program_come_from_the_assembler(project: Path) -> None:
    edit(project / "work.imn", "nop", "nob")
    with pytest.raises(AssemblyErrors, match=r"work\.imn:2:5: error: there is no instruction nob"):
        built(project)


def test_unknown_machine(project: Path) -> None:
    with pytest.raises(UnknownMachineError, match="did you mean 'st18-rv32'"):
        build(open_project(project), BuildOptions(machine="st18-rv23"))


def test_missing_gcc(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolchainError, match=r"arm-none-eabi-gcc is not on PATH: install it .*--toolchain zig"):
        build(open_project(project), BuildOptions(toolchain="gcc"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ramp]", 'work]\nkey = "ramp"', "the name work is taken"),
        ('file = "arrays.npz"', 'file = "arrays.npz"\nkey = "rump"', "has no array 'rump'; it has ramp"),
        ('format = "u8"', 'format = "u2"', r"arrays.npz\[ramp\]\[0, 4, 0\] is 4; u2 holds 0..3"),
        ('layout = "tensor"', 'layout = "kernels"', "tensors.ramp: .* must have 4 axes"),
        ("arrays.npz", "work.imn", "work.imn is not a NumPy file"),
    ],
)
def test_wrong_tensors(project: Path, old: str, new: str, message: str) -> None:
    edit(project / "imnpu.toml", old, new)
    with pytest.raises(ProjectError, match=message):
        built(project)

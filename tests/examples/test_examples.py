"""The small examples build for both hosts and print what their READMEs say."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from emu.machines import NAMES, machine_map
from sdk import paths
from sdk.build import BuildOptions, build
from sdk.loader import load_elf
from sdk.project import open_project
from sdk.runner import Runner

EXAMPLES = ("hello", "interrupts", "tile_by_hand", "conv_program", "rnn", "lstm")
CYCLES = 100_000_000


def documented_output(folder: Path) -> str:
    """The indented block behind "Output" in the README."""
    block = re.search(r"^Output.*:\n\n((?:    .*\n)+)", (folder / "README.md").read_text(), re.MULTILINE)
    assert block is not None
    return re.sub(r"^    ", "", block[1], flags=re.MULTILINE)


@pytest.mark.parametrize("machine", NAMES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, machine: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(paths.examples() / name, folder, ignore=shutil.ignore_patterns("build"))
    made = build(open_project(folder), BuildOptions(machine=machine))
    assert made.messages == ()
    result = Runner(load_elf(made.elf), machine_map(machine)).run(CYCLES)
    assert result.uart.decode() == documented_output(folder)
    assert result.exit_code == 0


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_uniform(name: str) -> None:
    folder = paths.examples() / name
    for file in ("README.md", "imnpu.toml", "main.c"):
        assert (folder / file).is_file()
    for path in folder.iterdir():
        if path.suffix in (".c", ".toml", ".imn"):
            assert "SPDX-License-Identifier: BSD-3-Clause" in path.read_text()[:200]


def test_digits_on_both_hosts(tmp_path: Path) -> None:
    """The firmware prints what its README says; the demo's tests compare the logits with the reference."""
    folder = tmp_path / "digits"
    shutil.copytree(paths.examples() / "digits", folder, ignore=shutil.ignore_patterns("build"))
    images = (folder / "images.bin").read_bytes()
    printed = []
    for machine in NAMES:
        made = build(open_project(folder), BuildOptions(machine=machine))
        result = Runner(load_elf(made.elf), machine_map(machine), stream=images).run(CYCLES)
        assert result.exit_code == 0
        printed.append(result.uart.decode())
    assert printed[0] == printed[1]
    lines = printed[0].splitlines()
    first, last = documented_output(folder).split("...\n")
    assert lines[:2] == first.splitlines()
    assert lines[-3:] == last.splitlines()
    for number, line in enumerate(lines[:-3]):
        words = line.split()
        assert words[:2] == ["digit", f"{number}:"]
        logits = [int(word) for word in words[4:]]
        assert len(logits) == 10
        assert int(words[2]) == logits.index(max(logits))

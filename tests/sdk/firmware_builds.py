"""Builds test programs with the firmware library."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdk.build import BuildOptions, build
from sdk.project import open_project
from sdk.toolchain import ToolchainError

MACHINES = ("st18", "st18-rv32")


def build_firmware(
    source: Path, machine: str, output: Path, *, toolchain: str = "zig", optimisation: str = "s"
) -> Path:
    """The ELF file of a project or C file; skips where the compiler is not installed."""
    options = BuildOptions(machine=machine, toolchain=toolchain, optimisation=optimisation, output=output)
    try:
        return build(open_project(source), options).elf
    except ToolchainError as error:
        if "missing" in str(error) or "PATH" in str(error):
            pytest.skip(str(error))
        raise

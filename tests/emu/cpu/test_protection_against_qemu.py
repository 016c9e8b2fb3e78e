"""Faults, protection and exclusive accesses are those of QEMU: programs that print the same lines there and here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emu.cpu.qemu import compile_program, run_ours, run_qemu


@pytest.mark.parametrize(("program", "machine"), [("exclusive", "mps2-an385")])
def test_the_same_lines(tmp_path: Path, program: str, machine: str) -> None:
    elf = compile_program(tmp_path, program, machine)
    assert run_ours(elf, machine) == run_qemu(elf, machine)

"""The linker's regions, as GNU ld reads them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from emu.machines import machine_map
from sdk.export.linker import memory_script


def test_gnu_ld_sees_the_memories(tmp_path: Path) -> None:
    if shutil.which("arm-none-eabi-ld") is None:
        pytest.skip("arm-none-eabi-ld is not installed: apt install binutils-arm-none-eabi")
    (tmp_path / "memory.ld").write_text(memory_script(machine_map("st18")))
    names = ("flash", "sram", "sysmem", "tiles")
    symbols = "".join(f"{n}_origin = ORIGIN({n}); {n}_length = LENGTH({n});\n" for n in names)
    (tmp_path / "script.ld").write_text("INCLUDE memory.ld\n" + symbols)
    subprocess.run(["arm-none-eabi-ld", "script.ld", "-o", "out.elf"], cwd=tmp_path, check=True)
    with open(tmp_path / "out.elf", "rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        found = {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}
    expected = {
        "flash": (0x0800_0000, 2 << 20),
        "sram": (0x2000_0000, 256 << 10),
        "sysmem": (0x3000_0000, 2 << 20),
        "tiles": (0x3800_0000, 256 << 10),
    }
    assert {name: (found[f"{name}_origin"], found[f"{name}_length"]) for name in names} == expected


def test_fewer_clusters_have_fewer_tiles() -> None:
    assert "tiles  (rw)  : ORIGIN = 0x38000000, LENGTH = 32K\n" in memory_script(machine_map("st18", 1))
    assert "tiles  (rw)  : ORIGIN = 0x38000000, LENGTH = 96K\n" in memory_script(machine_map("st18", 3))

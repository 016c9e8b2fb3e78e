"""The project in docs/firmware.md builds and runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emu.machines import machine_map
from sdk.loader import load_elf
from sdk.runner import Outcome, Runner
from tests.firmware.boards import CYCLES
from tests.sdk.firmware_builds import MACHINES, build_firmware

PAGE = (Path(__file__).parents[2] / "docs" / "firmware.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## A layer on two clusters")[1].split("\n## ")[0]


def blocks(language: str) -> list[str]:
    """The section's code in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)


def exit_code(folder: Path, machine: str, lower: str) -> int | None:
    """Builds and runs the section's project with this program for the lower half."""
    (main,), (upper, _) = blocks("c"), blocks("imn")
    for name, text in (("main.c", main), ("upper.imn", upper), ("lower.imn", lower)):
        (folder / name).write_text(text)
    (folder / "imnpu.toml").write_text('sources = ["main.c"]\nprograms = ["upper.imn", "lower.imn"]\n')
    elf = build_firmware(folder, machine, folder / "two.elf")
    result = Runner(load_elf(elf), machine_map(machine)).run(CYCLES)
    assert result.outcome is not Outcome.ABNORMAL, result.uart
    return result.exit_code


@pytest.mark.parametrize("machine", MACHINES)
def test_two_clusters_share_a_layer(machine: str, tmp_path: Path) -> None:
    assert exit_code(tmp_path, machine, blocks("imn")[1]) == 0


def test_a_band_that_is_missing_is_noticed(tmp_path: Path) -> None:
    shorter = blocks("imn")[1].replace("pooled[7:14, :, :]", "pooled[7:13, :, :]")
    assert exit_code(tmp_path, "st18", shorter) == 1

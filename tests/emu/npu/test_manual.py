"""The programming model names every register and every error cause."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asm.rules import Cause
from emu.npu.cluster import Cluster
from emu.registers import Register

MANUAL = (Path(__file__).parents[3] / "docs" / "npu.md").read_text()


@pytest.mark.parametrize("register", Cluster.registers, ids=lambda register: register.name)
def test_every_register_is_explained(register: Register) -> None:
    name = re.sub("_(LOW|HIGH)$", "", register.name) if register.offset >= 0x200 else register.name
    assert re.search(rf"^\|.*\b{name}\b.*\|", MANUAL, re.MULTILINE), f"docs/npu.md does not explain {name}"


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_explained(cause: Cause) -> None:
    assert f"| {cause.name} | {cause.value} |" in MANUAL

"""The programs of docs/assembly.md run on clusters."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import asm
from asm.rules import ElementFormat
from emu.npu.compression import compress_slices
from tests.emu.npu.small_machine import DONE, SYSTEM, SmallMachine

PAGE = (Path(__file__).parents[3] / "docs" / "assembly.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"^```imn\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) if "halt" in text]
CODE, DATA = SYSTEM + 0xF_0000, SYSTEM + 0x8_0000
DATA_STEP = 0x4000


def blob(text: str, machine: SmallMachine) -> bytes:
    """The program, with each extern at memory of its own: zeros, or compressed kernels of zeros."""
    program = asm.assemble(text)
    defines = {name: DATA + index * DATA_STEP for index, name in enumerate(program.externs)}
    for name in re.findall(r"^ *load (\w+), compressed", text, re.MULTILINE):
        declared = re.search(rf"kernels {name} +: s2\[(\d+), 1, 1, (\d+)\] at extern (\w+)", text)
        assert declared is not None
        kernels, channels, symbol = declared.groups()
        slices = [np.zeros(int(channels) // 2, np.int8)] * 2 * int(kernels)  # over a chain of two tiles
        machine.bus.program(defines[symbol], compress_slices(slices, ElementFormat.s2))
    return program.blob(defines)


def start(machine: SmallMachine, text: str, cluster: int = 0) -> None:
    """Starts a program, which gets the arguments that the page says."""
    address = CODE + cluster * 0x4000
    machine.bus.program(address, blob(text, machine))
    machine.set("R", SYSTEM, 2, cluster=cluster)
    machine.set("PROGRAM_BASE", address, cluster=cluster)
    machine.set("CONTROL", 1, cluster=cluster)


def name_of(text: str) -> str:
    """The program's name, if it has one."""
    found = re.search(r"program (\w+)", text)
    return found[1] if found else ""


ALONE = [text for text in EXAMPLES if "unchecked" not in text and "barrier" not in text]


def test_there_are_examples() -> None:
    assert len(ALONE) == 5


@pytest.mark.parametrize("text", ALONE, ids=range(len(ALONE)))
def test_example_runs_to_its_end(text: str) -> None:
    machine = SmallMachine(system_bytes=2 << 20)
    start(machine, text)
    machine.run()
    assert machine.messages == []
    assert machine.get("INTERRUPT_STATUS") & DONE


def test_two_clusters_share_a_layer() -> None:
    machine = SmallMachine(clusters=2)
    halves = {name_of(text): text for text in EXAMPLES if "barrier" in text}
    start(machine, halves["upper_half"], cluster=0)
    start(machine, halves["lower_half"], cluster=1)
    machine.run()
    assert machine.messages == []
    assert [machine.get("INTERRUPT_STATUS", cluster) & DONE for cluster in (0, 1)] == [DONE, DONE]
    assert machine.get("LOAD_COUNT", 1) == 32

"""Unaligned loads and stores; what is a fault is compared with QEMU in `tests.boards`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from unicorn import UC_ARCH_ARM, UC_MODE_THUMB, Uc

from emu.cpu.arm.alignment import features_of
from emu.cpu.arm.models import CORTEX_M0, MODELS, CortexModel
from emu.cpu.timing.costs import CORE, CpuTiming
from emu.machine import MachineMap, StopReason
from tests.emu.cpu.arm_board import MAP, PRELUDE, Board, assemble, build

TIMED = replace(MAP, cpu_timing=CpuTiming(CORE))
TRAFFIC = """
.word 0, fault + 1, fault + 1, fault + 1, fault + 1
.space 32
.word tick + 1
.text
reset:
    ldr r0, =0xe000e010
    movs r1, #99
    str r1, [r0, #4]
    movs r1, #7
    str r1, [r0]
    ldr r4, =0x20010001
    ldr r6, =0x20010000
    movw r5, #3000
loop:
    ldr r0, [r4]
    add r0, r5
    str.w r0, [r4, #6]
    ldrh.w r1, [r4, #8]
    eor r0, r0, r1, ror #3
    str r0, [r4]
mixed:
    ldr r0, [r4, #8]
    ldrd r2, r3, [r6]
    eors r2, r0
    str r2, [r4, #8]
    ands r2, r5, #63
    bne 1f
    msr basepri, r2
1:  subs r5, #1
    bne loop
    finish 0
tick:
    ldr r0, =0x20010103
    ldr r1, [r0]
    adds r1, #1
    str r1, [r0]
    bx lr
fault:
    finish 1
"""


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_where_the_features_are(model: CortexModel) -> None:
    for _ in range(3):
        uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB)
        uc.ctl_set_cpu_model(model.unicorn)
        assert (features_of(uc) is None) == (model is CORTEX_M0)


def states(
    elf: Path, machine_map: MachineMap, slice_cycles: int, *, restored: bool = False
) -> list[tuple[int, int, str]]:
    """Time, instructions and state hash after every slice; ``restored``: each runs on a machine of its own."""
    board, found = Board(elf, machine_map), []
    while True:
        stop = board.machine.run(slice_cycles)
        found.append((stop.time, board.core.instructions, board.machine.state_hash()))
        if stop.reason is StopReason.EXIT:
            assert stop.exit_code == 0
            return found
        assert stop.reason is StopReason.LIMIT
        if restored:
            snapshot = board.machine.snapshot()
            board = Board(elf, machine_map)
            board.machine.restore(snapshot)


@pytest.mark.parametrize("machine_map", [MAP, TIMED], ids=["one cycle", "core"])
def test_the_first_unaligned_access_of_a_block_leaves_no_trace(tmp_path: Path, machine_map: MachineMap) -> None:
    """Blocks that are translated again, and those that cannot be, end where they would anyway."""
    elf = build(tmp_path, PRELUDE + TRAFFIC)
    expected = states(elf, machine_map, 1777)
    assert len(expected) > 20
    assert states(elf, machine_map, 1777, restored=True) == expected
    assert states(elf, machine_map, 10_000_000) == expected[-1:]


def test_without_a_way_to_find_the_features_nothing_traps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> int:
        raise FileNotFoundError

    monkeypatch.setattr(os, "open", absent)
    board = assemble(tmp_path, "reset:\n ldr r0, =0x20010001\n ldrd r2, r3, [r0]\n finish 0\n")
    monkeypatch.undo()
    assert board.machine.run(100).exit_code == 0


def test_the_feature_is_there_outside_of_runs(tmp_path: Path) -> None:
    board = assemble(tmp_path, "reset:\n ldr r0, =0x20010001\n 1: ldr r1, [r0]\n b 1b\n")
    board.machine.run(1000)
    board.core.write_register("basepri", 0x40)
    board.core.write_register("faultmask", 1)
    assert board.core.read_register("basepri") == 0x40
    assert board.core.read_register("faultmask") == 1

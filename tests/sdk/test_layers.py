"""Commands are counted for the label that they stand behind."""

from __future__ import annotations

from pathlib import Path

from asm.parameters import CommandCode
from emu.npu.energy import Energy
from emu.npu.record import CommandRecord
from emu.npu.timing import Cost, Cycles
from sdk.layers import HOST, layers
from sdk.loader import Image


def record(pc: int | None, kind: CommandCode, load: int = 0, work: int = 0, utilisation: float = 0.0) -> CommandRecord:
    cost = Cost(macs=10 * work, utilisation=utilisation)
    return CommandRecord(
        cluster=0, kind=kind, pc=pc, start=0, end=load + work, cycles=Cycles(load, work),
        published_cycles=load + work, strict_cycles=load + work, control_cycles=2, wait_cycles=0, cost=cost,
        work_energy=Energy(array=1000), leakage=0,
    )  # fmt: skip


def test_commands_belong_to_the_last_label_before_them() -> None:
    image = Image(Path("x.elf"), "arm", 0, (), {"first": 0x110, "$d": 0x124, "program": 0x100, "second": 0x140})
    found = layers(
        [
            record(0x120, CommandCode.load, load=5),
            record(0x128, CommandCode.convolve, work=30, utilisation=1.0),
            record(0x140, CommandCode.convolve, work=10, utilisation=0.5),
            record(0x128, CommandCode.convolve, work=10, utilisation=0.0),
            record(None, CommandCode.copy),
        ],
        image,
    )
    assert [(layer.name, layer.convolutions, layer.load_cycles, layer.work_cycles) for layer in found] == [
        ("first", 2, 5, 40),
        ("second", 1, 0, 10),
        (HOST, 0, 0, 0),
    ]
    first = found[0]
    assert (first.control_cycles, first.cycles, first.macs, first.energy_fj) == (6, 51, 400, 3000)
    assert first.energy == Energy(array=3000)
    assert first.utilisation == 0.75, "weighted by the cycles: 30 of 40 at full use"
    assert found[2].utilisation == 0.0

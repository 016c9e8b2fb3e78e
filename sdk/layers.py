"""What each layer of an accelerator program costs: command records gathered by the program's labels."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from asm.parameters import CommandCode
from emu.npu.energy import Energy
from emu.npu.record import CommandRecord
from sdk.loader import Image

HOST = "host"
"""Name of the layer of commands that the host started by registers."""


@dataclass
class Layer:
    """The commands between one label and the next, over a whole run.

    Attributes:
        name: the label.
        convolutions: how often it convolved.
        control_cycles: set-up and control instructions before the commands.
        macs: multiply-accumulates, those with padding included.
        busy_work: utilisation times work cycles, summed.
        energy: femtojoules by component.
    """

    name: str
    convolutions: int = 0
    load_cycles: int = 0
    work_cycles: int = 0
    copy_cycles: int = 0
    control_cycles: int = 0
    macs: int = 0
    busy_work: float = 0.0
    energy: Energy = field(default_factory=Energy)

    @property
    def cycles(self) -> int:
        """All cycles of the layer."""
        return self.load_cycles + self.work_cycles + self.copy_cycles + self.control_cycles

    @property
    def energy_fj(self) -> int:
        """Femtojoules of all components."""
        return self.energy.total

    @property
    def utilisation(self) -> float:
        """Share of the cluster's array that was read in a cycle of work, 0..1."""
        return self.busy_work / self.work_cycles if self.work_cycles else 0.0

    def add(self, record: CommandRecord) -> None:
        """Count a command."""
        self.convolutions += record.kind is CommandCode.convolve
        self.load_cycles += record.cycles.load
        self.work_cycles += record.cycles.work
        self.copy_cycles += record.cycles.copy
        self.control_cycles += record.control_cycles
        self.macs += record.cost.macs
        self.busy_work += record.cost.utilisation * record.cycles.work
        self.energy += record.energy


def layers(records: Iterable[CommandRecord], image: Image) -> list[Layer]:
    """Layers in the order in which they first ran.

    A command belongs to the last label (or program name) before its instruction.
    """
    places = sorted((address, name) for name, address in image.symbols.items() if not name.startswith("$"))
    addresses = [address for address, _ in places]
    found: dict[str, Layer] = {}
    for record in records:
        index = -1 if record.pc is None else bisect_right(addresses, record.pc) - 1
        name = places[index][1] if index >= 0 else HOST
        found.setdefault(name, Layer(name)).add(record)
    return list(found.values())

"""What a cluster counts: cycles by cause, work, traffic, energy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asm.rules import ROW_BITS
from emu.npu.energy import FEMTO_PER_PICO, Energy
from emu.npu.timing import KERNEL_PORT_BITS
from emu.registers import Access, Register, Word

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster


@dataclass(slots=True)
class Counters:
    """Totals since reset or COUNTER_CONTROL.CLEAR.

    Work and loads are kept in the units in which they are whole numbers; the properties round down.

    Attributes:
        load_cycles, work_cycles, copy_cycles, control_cycles: machine cycles by cause.
        row_bits: kernel bits that tiles worked through; 1024 of them are a tile-cycle.
        kernel_bits: useful weight bits that were loaded.
        activation_bytes: bytes of tensors streamed in and out.
        commands: commands that ended without error.
        energy: femtojoules by component, leakage included.
        latch: upper half of the counter whose lower half was read last.
    """

    load_cycles: int = 0
    work_cycles: int = 0
    copy_cycles: int = 0
    control_cycles: int = 0
    row_bits: int = 0
    kernel_bits: int = 0
    activation_bytes: int = 0
    commands: int = 0
    energy: Energy = field(default_factory=Energy)
    latch: int = 0

    @property
    def busy_cycles(self) -> int:
        """Cycles in which a command was running."""
        return self.load_cycles + self.work_cycles + self.copy_cycles

    @property
    def tile_cycles(self) -> int:
        """Full rows of a tile that were worked through."""
        return self.row_bits // ROW_BITS

    @property
    def kernel_words(self) -> int:
        """Words of weights that the kernel port brought."""
        return self.kernel_bits // KERNEL_PORT_BITS

    @property
    def energy_fj(self) -> int:
        """Energy in femtojoules."""
        return self.energy.total

    @property
    def energy_pj(self) -> int:
        """Energy in picojoules."""
        return self.energy_fj // FEMTO_PER_PICO


def counter(offset: int, attribute: str, doc: str) -> tuple[Register, Register]:
    """The two registers of a 64-bit counter: the low half at ``offset``, the high half behind it.

    Args:
        attribute: name in `Counters`.
        doc: what it counts.
    """
    low = Register(offset, Word, f"{doc} Bits 31..0; reading them latches bits 63..32.", access=Access.RO)
    high = Register(offset + 4, Word, f"{doc} Bits 63..32 at the last read of any low half.", access=Access.RO)

    @low.on_read
    def _low(cluster: Cluster) -> int:
        value: int = getattr(cluster.counters, attribute)
        cluster.counters.latch = value >> 32
        return value & 0xFFFF_FFFF

    @high.on_read
    def _high(cluster: Cluster) -> int:
        return cluster.counters.latch

    return low, high

"""What the firmware of a network keeps of each cluster's counters, layer after layer."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Measured:
    """What one cluster counted in one layer; the fields are those of `imnpu_counters` in the driver library."""

    load_cycles: int
    work_cycles: int
    control_cycles: int
    tile_cycles: int
    kernel_words: int
    activation_bytes: int
    energy_pj: int
    stall_input_cycles: int
    stall_output_cycles: int
    stall_port_cycles: int
    wait_cycles: int

    @property
    def stall_cycles(self) -> int:
        """Cycles in which commands waited for their streams."""
        return self.stall_input_cycles + self.stall_output_cycles + self.stall_port_cycles


COUNTERS = tuple(field.name for field in fields(Measured))
"""Counters that the firmware keeps, in this order."""
SYMBOL = "counted"
"""The array of 64-bit totals, (layers, clusters, counters)."""

"""What the programs of a network keep of each cluster's counters, layer after layer."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from emu.npu.counters import KEPT


@dataclass(frozen=True, slots=True)
class Measured:
    """What one cluster counted in one layer; the fields are those of `imnpu_counters` in the driver library."""

    load_cycles: int
    work_cycles: int
    copy_cycles: int
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


SYMBOL = "counted"
"""The array of totals, one `imnpu_counters` for each layer and cluster."""
KEPT_TOTALS = np.dtype([(name, "<u8") for name in KEPT])
"""One element of it."""


def counted_offset(layer: int, cluster: int, clusters: int) -> int:
    """Bytes from the start of the array to the totals of a cluster behind a layer."""
    return (layer * clusters + cluster) * KEPT_TOTALS.itemsize


def layer_counters(data: bytes, layers: int, clusters: int) -> tuple[tuple[Measured, ...], ...]:
    """What each cluster counted in each layer: the differences between the totals in ``data``."""
    totals = np.frombuffer(data, KEPT_TOTALS).reshape(layers, clusters)
    wanted = [totals[field.name].astype(np.int64) for field in fields(Measured)]
    counted = np.diff(np.stack(wanted, axis=-1), axis=0, prepend=0)
    return tuple(tuple(Measured(*cluster) for cluster in layer) for layer in counted.tolist())

"""The clusters as a debugger shows them: what they are doing, what their tiles hold."""

from __future__ import annotations

from dataclasses import dataclass

from asm import parameters
from asm.rules import Cause, ElementFormat
from emu.machine import Machine
from emu.npu import layouts
from emu.npu.cluster import Cluster


@dataclass(frozen=True, slots=True)
class TileState:
    """One tile.

    Attributes:
        compute: in compute mode; otherwise it is plain memory.
        weights: format of the kernels inside, None if the kernel port has brought none.
        features: format that they are multiplied with, None likewise.
        kernels: rows that hold kernels.
        occupancy: share of the array's bits that hold weights, 0..1.
    """

    number: int
    compute: bool
    weights: ElementFormat | None
    features: ElementFormat | None
    kernels: int
    occupancy: float


def clusters_of(machine: Machine) -> list[Cluster]:
    """The machine's clusters in the order of their numbers."""
    return [device for device in machine.devices.values() if isinstance(device, Cluster)]


def status_of(cluster: Cluster) -> str:
    """What the cluster is doing, in a word; with the cause if it stopped with an error."""
    status = layouts.Status.unpack(cluster.read(Cluster.STATUS.offset, 4))
    if status["ERROR"]:
        cause = layouts.ErrorCause.CAUSE.extract(cluster.read(Cluster.ERROR_CAUSE.offset, 4))
        return f"error: {Cause(cause).name}"
    return next((name.lower() for name in ("WAITING", "BUSY", "RUNNING") if status[name]), "idle")


def tiles_of(cluster: Cluster) -> list[TileState]:
    """The tiles of a cluster."""
    features = ElementFormat(parameters.KernelFormat.features.extract(cluster.KERNEL_FORMAT))
    return [
        TileState(
            number=tile.number,
            compute=tile.compute,
            weights=tile.weights,
            features=None if tile.weights is None else features,
            kernels=tile.rows_used,
            occupancy=tile.occupancy,
        )
        for tile in cluster.tiles.tiles
    ]

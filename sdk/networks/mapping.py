"""How a layer lies on the tiles.

A *round* is the kernels that the tiles hold at a time. Kernels that no chain of tiles holds are cut into *parts* of
their channels; each part starts from the psums of the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from asm.rules import KERNEL_ROWS, ROW_BITS, TILES, KernelGeometry, RuleError, check_topology
from sdk.networks.layers import NetworkError
from sdk.networks.workload import Workload


@dataclass(frozen=True, slots=True)
class Mapping:
    """``stripes`` copies of ``parallel`` chains of ``chain`` tiles.

    Attributes:
        parts: parts of the channels of a kernel.
        interleave: each stripe works on every n-th row instead of consecutive ones (striding).
        overlap: kernels are loaded while the tiles work on the convolution before, also that of another layer.
        compressed: kernels are compressed in memory, and decompressed on their way to the tiles.
        broadcast: clusters that read the same features take them from one stream.
    """

    stripes: int = 1
    chain: int = 1
    parallel: int = 1
    parts: int = 1
    interleave: bool = False
    overlap: bool = False
    compressed: bool = False
    broadcast: bool = False

    @property
    def tiles(self) -> int:
        """Tiles in use."""
        return self.stripes * self.chain * self.parallel

    def check(self, workload: Workload) -> None:
        """Raises `NetworkError` if there are not that many tiles, or kernels do not fit."""
        layer = workload.layer
        where = f"layer {layer.name}:"
        if layer.kind.elementwise:
            raise NetworkError(f"{where} a {layer.kind.value} takes no tiles; leave its mapping out")
        unit = _channel_unit(workload)
        most = -(-workload.kernel_channels // unit)
        if not 1 <= self.parts <= most:
            raise NetworkError(
                f"{where} parts must be 1..{most}, not {self.parts}: a kernel has {workload.kernel_channels} channels, "
                f"and a part begins at a multiple of {unit}"
            )
        if self.broadcast:
            _check_broadcast(workload, where)
        try:
            check_topology(self.chain, self.parallel, self.stripes)
            for channels in self.channel_parts(workload):
                self.geometry(workload, channels).check()
        except RuleError as error:
            raise NetworkError(f"{where} {error}") from None

    def geometry(self, workload: Workload, channels: range) -> KernelGeometry:
        """The part of a kernel that has these channels, as a chain holds it."""
        layer = workload.layer
        return KernelGeometry(*layer.size, len(channels), layer.weights, self.chain, layer.depthwise)

    def channel_parts(self, workload: Workload) -> list[range]:
        """Channels of each part of a kernel: equally many, and each begins at a whole byte of the input."""
        return _cut(workload.kernel_channels, self.parts, _channel_unit(workload))

    def rounds(self, workload: Workload) -> int:
        """Times that kernels are loaded."""
        return 1 if workload.layer.kind.elementwise else -(-workload.kernels // (KERNEL_ROWS * self.parallel))

    def shares(self, workload: Workload) -> list[range]:
        """The kernels of each round: equally many, and every round's first channel begins at a whole byte."""
        bits = workload.layer.output.bits
        if workload.layer.depthwise:
            bits = min(bits, workload.input.format.bits)
        return _cut(workload.kernels, self.rounds(workload), max(1, 8 // bits))

    def utilisation(self, workload: Workload) -> float:
        """Share of the cluster's array that is read in a cycle of work, 0..1."""
        return workload.kernel_bits * self.parallel * self.stripes / (self.parts * TILES * ROW_BITS)


def _check_broadcast(workload: Workload, where: str) -> None:
    """Raises `NetworkError` if clusters have no features in common."""
    reason = "its input is one unshared stream" if workload.layer.unshared else ""
    if workload.layer.depthwise:
        reason = "the kernels of each round read channels of their own"
    if reason:
        raise NetworkError(f"{where} features cannot be broadcast: {reason}; leave broadcast out of its mapping")


def _channel_unit(workload: Workload) -> int:
    """Channels of the input that fill whole bytes."""
    return max(1, 8 // workload.input.format.bits)


def _cut(count: int, pieces: int, unit: int) -> list[range]:
    """0..count in pieces that begin at multiples of ``unit``, as equal as that allows."""
    units = -(-count // unit)
    edges = [min(place * units // pieces * unit, count) for place in range(pieces + 1)]
    return [range(first, last) for first, last in pairwise(edges)]

"""Loads kernels into the tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from asm import parameters
from asm.parameters import CommandCode
from asm.rules import LOAD_BYTES, Cause, RuleError
from emu.npu.commands.command import Command, other_clusters
from emu.npu.compression import HEADER, check_header
from emu.npu.formats import BYTE_BITS
from emu.npu.kernel_sets import KernelSet
from emu.npu.kernels import LoadedKernels
from emu.npu.tile import TileArray
from emu.npu.timing import Cost

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster


@dataclass(frozen=True)
class LoadKernels(Command):
    """From memory into the rows of the tiles, in any mode: the kernel port is not the bus.

    Attributes:
        address: of the first slice, or of the compressed set.
        compressed: bytes of the compressed set; 0: the kernels are not compressed.
        clusters: numbers of the other clusters that get the same kernels.
        overlap: the load hides behind the convolution before it.
    """

    kind = CommandCode.load

    kernels: LoadedKernels
    address: int
    compressed: int
    clusters: tuple[int, ...]
    overlap: bool

    @classmethod
    def of_registers(cls, cluster: Cluster) -> LoadKernels:
        how = parameters.LoadCount.unpack(cluster.LOAD_COUNT)
        kernels, address = loaded_kernels(cluster), cluster.LOAD_ADDRESS
        compressed = 0
        if how["compressed"]:
            _check(kernels, address)
            compressed = check_header(cluster.bus.read(address, HEADER.size), len(kernels.slice_order))
        others = other_clusters(cluster, how["clusters"])
        return cls(kernels, address, compressed, others, bool(how["overlap"]))

    @property
    def memory_bytes(self) -> int:
        """Bytes that pass the kernel port."""
        return self.compressed or self.kernels.memory_bytes

    @property
    def fetched(self) -> tuple[tuple[int, bytes], ...] | None:
        return None if self.compressed else ()

    @cached_property
    def cost(self) -> Cost:
        return Cost(
            kernel_bits=self.compressed * BYTE_BITS or self.kernels.weight_bits,
            tiles=self.kernels.topology.tiles,
            load_bytes=self.memory_bytes,
            clusters=self.clusters,
            overlap=self.overlap,
        )

    def check(self) -> None:
        _check(self.kernels, self.address)

    def check_machine(self, cluster: Cluster) -> None:
        cluster.bus.view(self.address, self.memory_bytes)
        for number in self.clusters:
            self._check_other(cluster, number)

    def _check_other(self, cluster: Cluster, number: int) -> None:
        """Raises `RuleError` unless a cluster of the broadcast can take the kernels."""
        other = self._other(cluster, number)
        if other.running is not None:
            raise RuleError(Cause.busy, f"the load is also for cluster {number}, which is working")
        for name in ("TOPOLOGY", "KERNEL_SHAPE", "KERNEL_FORMAT"):
            own, its = getattr(cluster, name), getattr(other, name)
            if own != its:
                raise RuleError(
                    Cause.shape_mismatch,
                    f"cluster {number} must have the same {name} as cluster {cluster.index} to get the same kernels: "
                    f"0x{own:08x}, not 0x{its:08x}",
                )

    def carry_out(self, cluster: Cluster) -> Cost:
        found = self._found(cluster)
        for number in self.clusters:
            self._check_other(cluster, number)
        others = [self._other(cluster, number) for number in self.clusters]
        for each in (cluster, *others):
            self._put(found, each.tiles)
        for other in others:
            other.LOAD_COUNT = self.kernels.count
        return self.cost

    def bound(self, cluster: Cluster) -> Callable[[], object]:
        if self.compressed or self.clusters or not cluster.bus.memory_at(self.address).constant:
            return super().bound(cluster)
        return partial(self._put, self._found(cluster), cluster.tiles)

    def _put(self, found: KernelSet, tiles: TileArray) -> None:
        tiles.store(found, self.kernels.topology.tiles)
        self.kernels.describe(tiles)

    def _found(self, cluster: Cluster) -> KernelSet:
        """What lies at the address now. Raises `RuleError`, `BusError`."""
        if self.compressed:
            data = cluster.bus.view(self.address, self.memory_bytes)
            return cluster.kernel_sets.of_bytes(self.kernels, self.kernels.decompress(data))
        return cluster.kernel_sets.load(self.kernels, cluster.bus, self.address)

    @staticmethod
    def _other(cluster: Cluster, number: int) -> Cluster:
        other = cluster.peer(number)
        assert other is not None
        return other


def _check(kernels: LoadedKernels, address: int) -> None:
    """Raises `RuleError` if the kernels do not fit, there are none, or they cannot lie there."""
    kernels.check()
    if kernels.count < 1:
        raise RuleError(Cause.bad_field, "LOAD_COUNT must be at least 1, not 0")
    if address % LOAD_BYTES:
        raise RuleError(Cause.misaligned, f"kernels must lie at a multiple of {LOAD_BYTES}, not at 0x{address:08x}")


def loaded_kernels(cluster: Cluster) -> LoadedKernels:
    """What the registers say about the kernels in the tiles. Raises `RuleError`."""
    return LoadedKernels.of_words(cluster.TOPOLOGY, cluster.KERNEL_SHAPE, cluster.KERNEL_FORMAT, cluster.LOAD_COUNT)

"""Sets of kernels, and what they are to the arithmetic: unpacked once, however often they are loaded.

What decides is always the bytes. They are compared with those that were unpacked, except where nobody can have changed
them: in read-only memory, and in tiles whose modes are still those that they had when the kernels were stored there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from emu.bus import Bus
from emu.memory import Moment
from emu.npu.convolution import Weights
from emu.npu.kernels import LoadedKernels
from emu.npu.sparsity import unpack_slices
from emu.npu.tile import TileArray

KEPT = 64
"""Sets that a cluster keeps."""

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(eq=False)
class KernelSet:
    """Kernels as they lie in memory.

    Attributes:
        data: all bytes, (memory_bytes,).
    """

    kernels: LoadedKernels
    data: bytes = field(repr=False)

    @property
    def layout(self) -> LoadedKernels:
        """Which places in the tiles it takes."""
        return self.kernels

    def write(self, array: NDArray[np.uint8]) -> None:
        """Write it into an array of all tiles, (8, 32, 128)."""
        self.kernels.store(array, self.chains)

    @cached_property
    def chains(self) -> list[NDArray[np.uint8]]:
        """What each parallel chain holds, see `LoadedKernels.chains`."""
        return self.kernels.chains(np.frombuffer(self.data, np.uint8))

    @cached_property
    def weights(self) -> Weights:
        """What the arithmetic multiplies with."""
        shape, slices = self.kernels.geometry, self.kernels.slices
        chains = []
        for held in self.chains:
            parts = []
            for place, (first, last) in enumerate(slices):
                part = unpack_slices(held[place], shape, shape.slice_weights[place])
                parts.append(part.reshape(held.shape[1], shape.height, shape.width, last - first))
            chains.append(np.concatenate(parts, axis=3))
        return Weights.of_kernels(np.concatenate(chains), slices, shape.depthwise)


class KernelSets:
    """The sets that a cluster has seen last."""

    def __init__(self) -> None:
        self._by_bytes: dict[tuple[LoadedKernels, bytes], KernelSet] = {}
        self._constant: dict[tuple[LoadedKernels, int], tuple[Moment, KernelSet]] = {}

    def load(self, kernels: LoadedKernels, bus: Bus, address: int) -> KernelSet:
        """The set at an address, not compressed. Raises `BusError`."""
        known = self._constant.get((kernels, address))
        if known is not None and known[0].lasts:
            return known[1]
        found = self.of_bytes(kernels, bus.view(address, kernels.memory_bytes))
        memory = bus.memory_at(address)
        if memory.constant:
            _keep(self._constant, (kernels, address), (memory.moment, found))
        return found

    def read(self, kernels: LoadedKernels, tiles: TileArray) -> list[Weights]:
        """What the tiles hold: one for each stripe, or a single one if all stripes hold the same."""
        held = tiles.held
        if isinstance(held, KernelSet) and held.kernels == kernels:
            return [held.weights]
        stripes = range(kernels.topology.stripes)
        found = [self.of_bytes(kernels, kernels.read(tiles, stripe)) for stripe in stripes]
        alike = all(each is found[0] for each in found)
        return [each.weights for each in (found[:1] if alike else found)]

    def of_bytes(self, kernels: LoadedKernels, data: NDArray[np.uint8]) -> KernelSet:
        """The set of bytes, (memory_bytes,)."""
        # A few bytes tell where to look; then all of them are compared, which is faster than hashing them.
        key = kernels, data[: kernels.geometry.slice_bytes].tobytes()
        known, held = self._by_bytes.get(key), data.tobytes()
        if known is None or known.data != held:
            known = KernelSet(kernels, held)
            _keep(self._by_bytes, key, known)
        return known


def _keep(kept: dict[Key, Value], key: Key, value: Value) -> None:
    """Add something; the oldest one goes if there are too many."""
    kept.pop(key, None)
    if len(kept) >= KEPT:
        kept.pop(next(iter(kept)))
    kept[key] = value

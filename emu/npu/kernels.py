"""Kernels in the tiles: which are where, and how they get there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from asm import parameters
from asm.rules import KERNEL_ROWS, Cause, KernelGeometry, RuleError, slice_channels
from emu.npu.compression import decompress_slices
from emu.npu.sparsity import check_groups, pack_slices
from emu.npu.stream import element_format
from emu.npu.tile import ROW_BYTES, TileArray
from emu.npu.topology import Topology

CACHED = 64
"""Words of registers whose meaning is kept."""


@dataclass(frozen=True)
class LoadedKernels:
    """Which kernels are where.

    Attributes:
        count: kernels, over all parallel chains; every stripe holds the same number.
    """

    geometry: KernelGeometry
    topology: Topology
    count: int

    @classmethod
    @lru_cache(maxsize=CACHED)
    def of_words(cls, topology: int, shape: int, layout: int, count: int) -> LoadedKernels:
        """From the words of TOPOLOGY, KERNEL_SHAPE, KERNEL_FORMAT and LOAD_COUNT. Raises `RuleError`."""
        wiring = Topology.of_word(topology)
        size, kind = parameters.KernelShape.unpack(shape), parameters.KernelFormat.unpack(layout)
        weights = element_format(kind["weights"])
        geometry = KernelGeometry(
            size["height"],
            size["width"],
            kind["channels"],
            weights,
            wiring.chain,
            bool(kind["depthwise"]),
            bool(kind["sparse"]),
        )
        return cls(geometry, wiring, parameters.LoadCount.unpack(count)["kernels"])

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Everything that is loaded or read is looked up by it."""
        return hash((self.geometry, self.topology, self.count))

    def check(self) -> None:
        """Raises `RuleError` if the tiles cannot be wired so, or the kernels do not fit."""
        self.topology.check()
        self.geometry.check()
        if self.count > self.topology.kernels:
            raise RuleError(
                Cause.bad_field,
                f"{self.topology.parallel} parallel chains hold at most {self.topology.kernels} kernels, "
                f"not {self.count}",
            )

    @cached_property
    def memory_bytes(self) -> int:
        """Bytes of the kernels in memory."""
        return self.count * self.geometry.kernel_bytes

    @cached_property
    def weight_bits(self) -> int:
        """Bits of the weights (sparse ones: with their places), without the padding of slices."""
        return self.count * self.geometry.kernel_bits

    @cached_property
    def slices(self) -> tuple[tuple[int, int], ...]:
        """Channels of each tile of a chain: (first, one past the last)."""
        shape = self.geometry
        step = slice_channels(shape.channels, shape.chain)
        edges = [min(place * step, shape.channels) for place in range(shape.chain + 1)]
        return tuple(pairwise(edges))

    def places(self, stripe: int) -> Iterator[tuple[int, int, int]]:
        """Tile number, place in the chain, kernels inside: for every tile of a stripe, chain after chain."""
        for parallel in range(self.topology.parallel):
            kernels = self.topology.kernels_of(parallel, self.count)
            for chain in range(self.topology.chain):
                yield self.topology.tile(stripe, parallel, chain), chain, kernels

    @property
    def slice_order(self) -> list[int]:
        """Weights of every slice, in the order in which they are loaded."""
        weights = self.geometry.slice_weights
        return [weights[chain] for _, chain, kernels in self.places(0) for _ in range(kernels)]

    def decompress(self, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A compressed set as it would lie in memory, (memory_bytes,). Raises `RuleError`.

        Sparse kernels have all their weights in the set; the two of each group and their places are made here.
        """
        geometry = self.geometry
        slices = np.zeros((len(self.slice_order), geometry.slice_bytes), np.uint8)
        found = decompress_slices(data, self.slice_order, geometry.weights)
        for number, (row, weights) in enumerate(zip(slices, found, strict=True)):
            if geometry.sparse:
                check_groups(weights, number)
            packed = pack_slices(weights[np.newaxis], geometry)[0]
            row[: len(packed)] = packed
        return slices.reshape(-1)

    def describe(self, tiles: TileArray) -> None:
        """Note in the tiles what they hold."""
        if tiles.kernels is self:
            return
        tiles.kernels = self
        for number, kernels, bits in self._described:
            tiles[number].describe(self.geometry.weights, kernels, bits)

    @cached_property
    def _described(self) -> list[tuple[int, int, int]]:
        """Number of each tile in use, rows with kernels and bits in each of these."""
        bits = [self.geometry.stored_bits(weights) for weights in self.geometry.slice_weights]
        stripes = range(self.topology.stripes)
        return [(number, rows, bits[chain]) for stripe in stripes for number, chain, rows in self.places(stripe)]

    def store(self, array: NDArray[np.uint8], chains: Sequence[NDArray[np.uint8]]) -> None:
        """Write kernels into the rows of the tiles, the same ones into every stripe.

        Args:
            array: of all tiles, uint8 (8, 32, 128).
            chains: what each parallel chain gets, see below.
        """
        stripes = array[: self.topology.tiles].reshape(self.topology.stripes, -1, KERNEL_ROWS, ROW_BYTES)
        place = 0
        for part in chains:
            chain, kernels, size = part.shape
            stripes[:, place : place + chain, :kernels, :size] = part
            place += chain

    def chains(self, data: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Of a set as it lies in memory, what each parallel chain holds: uint8 (chain, kernels, slice bytes), views."""
        size, chain = self.geometry.slice_bytes, self.topology.chain
        found, start = [], 0
        for parallel in range(self.topology.parallel):
            kernels = self.topology.kernels_of(parallel, self.count)
            end = start + chain * kernels * size
            found.append(data[start:end].reshape(chain, kernels, size))
            start = end
        return found

    def read(self, tiles: TileArray, stripe: int) -> NDArray[np.uint8]:
        """The set in the tiles of a stripe, as it would lie in memory, uint8 (memory_bytes,)."""
        size, chain = self.geometry.slice_bytes, self.topology.chain
        found = []
        for parallel in range(self.topology.parallel):
            first = self.topology.tile(stripe, parallel, 0)
            kernels = self.topology.kernels_of(parallel, self.count)
            found.append(tiles.array[first : first + chain, :kernels, :size].reshape(-1))
        return np.concatenate(found)

"""Which tile does what: chains that add up one kernel, parallel chains, stripes of the output."""

from __future__ import annotations

from dataclasses import dataclass

from asm import parameters
from asm.rules import KERNEL_ROWS, check_topology


@dataclass(frozen=True, slots=True)
class Topology:
    """``stripes`` copies of ``parallel`` chains of ``chain`` tiles.

    ``interleave``: 0, a stripe works on consecutive rows (striping); 1, on every n-th row (striding).
    """

    chain: int = 1
    parallel: int = 1
    stripes: int = 1
    interleave: int = 0

    @classmethod
    def of_word(cls, word: int) -> Topology:
        """The topology that a word of the TOPOLOGY register means; not checked."""
        return cls(**parameters.Topology.unpack(word))

    def check(self) -> None:
        """Raises `RuleError` unless the cluster has tiles for it."""
        check_topology(self.chain, self.parallel, self.stripes)

    @property
    def tiles(self) -> int:
        """Tiles in use: numbers 0 .. tiles - 1."""
        return self.chain * self.parallel * self.stripes

    @property
    def kernels(self) -> int:
        """Most kernels that are loaded at once."""
        return KERNEL_ROWS * self.parallel

    def tile(self, stripe: int, parallel: int, chain: int) -> int:
        """Number of the tile at a place."""
        return (stripe * self.parallel + parallel) * self.chain + chain

    def kernels_of(self, parallel: int, count: int) -> int:
        """How many of ``count`` kernels the chain ``parallel`` holds: they fill one chain after the other."""
        return min(max(count - parallel * KERNEL_ROWS, 0), KERNEL_ROWS)

    def rows_of(self, stripe: int, height: int) -> range:
        """Rows of a result of ``height`` rows that a stripe works on."""
        if self.interleave:
            return range(min(stripe, height), height, self.stripes)
        rows = -(-height // self.stripes)
        return range(min(stripe * rows, height), min((stripe + 1) * rows, height))

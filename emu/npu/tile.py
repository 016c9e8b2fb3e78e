"""A tile: 32 rows of 1024 bits that are memory, or multiply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from asm.rules import KERNEL_ROWS, ROW_BITS, TILES, ElementFormat
from emu.memory import PAGE, Memory
from emu.state import Saved, State

ROW_BYTES = ROW_BITS // 8
TILE_BYTES = KERNEL_ROWS * ROW_BYTES
"""Bytes of one tile's array; a page, so that each tile can be taken from the bus by itself."""
BLOCKED = "the tile is in compute mode; clear its bit in TILE_MODE to use it as memory"


class Tile(Saved):
    """One array.

    Attributes:
        number: place in the cluster.
        rows: the array, uint8 (32, 128): the cluster's memory itself, not a copy.
        compute: True in compute mode: the array is not on the bus.
        weights: format of the kernels inside, None if there are none.
        rows_used: rows that hold kernels.
        bits_used: weight bits in each of those rows.
    """

    saved = ("compute", "weights", "rows_used", "bits_used")
    saved_types: ClassVar = {"weights": ElementFormat | None}

    def __init__(self, number: int, memory: Memory) -> None:
        start = number * TILE_BYTES
        self.number = number
        self.rows: NDArray[np.uint8] = memory.data[start : start + TILE_BYTES].reshape(KERNEL_ROWS, ROW_BYTES)
        self.compute = False
        self.describe(None, 0, 0)

    def describe(self, weights: ElementFormat | None, rows_used: int, bits_used: int) -> None:
        """Note what the array holds, for people; the arithmetic does not ask."""
        self.weights, self.rows_used, self.bits_used = weights, rows_used, bits_used

    @property
    def occupancy(self) -> float:
        """Share of the array's bits that hold weights, 0..1."""
        return self.rows_used * self.bits_used / (KERNEL_ROWS * ROW_BITS)


class TileArray(Saved):
    """The tiles of a cluster in the memory that holds their bits.

    Attributes:
        array: all bits, uint8 (8, 32, 128): the memory itself, not a copy.
        kernels: what `emu.npu.kernels` noted last about the contents, None if nothing yet.

    *Inaccuracies*: changing the mode takes no time of its own. Segments and the gating of unused tensor space
    have no effect.
    """

    saved = ("tiles", "_modes")

    def __init__(self, memory: Memory) -> None:
        if memory.size != TILES * TILE_BYTES or TILE_BYTES != PAGE:
            raise ValueError(f"memory {memory.name} must have {TILES * TILE_BYTES} bytes for tiles, not {memory.size}")
        self.memory = memory
        memory.block_reason = BLOCKED
        self.array: NDArray[np.uint8] = memory.data.reshape(TILES, KERNEL_ROWS, ROW_BYTES)
        self.tiles = [Tile(number, memory) for number in range(TILES)]
        self.kernels: object = None
        self._held: tuple[object, int] | None = None
        self._modes = 0

    def set_state(self, state: Mapping[str, State]) -> None:
        """Take back what `get_state` gave."""
        super().set_state(state)
        self.kernels = None

    def __getitem__(self, number: int) -> Tile:
        return self.tiles[number]

    def forget(self) -> None:
        """Nothing is known about the contents any more."""
        self.kernels = None
        for tile in self.tiles:
            tile.describe(None, 0, 0)

    def hold(self, kernels: object) -> None:
        """Note what was just stored."""
        self._held = kernels, self.memory.version

    @property
    def held(self) -> object:
        """What `hold` noted last, None if it may have changed since.

        Tiles that compute are not on the bus: after a change of the modes, and if tools have written, nothing is known.
        """
        return self._held[0] if self._held is not None and self._held[1] == self.memory.version else None

    @property
    def modes(self) -> int:
        """The word of TILE_MODE: a bit for each tile in compute mode."""
        return self._modes

    @modes.setter
    def modes(self, word: int) -> None:
        modes = word & ((1 << TILES) - 1)
        if modes == self._modes:
            return
        self._modes, self._held = modes, None
        for tile in self.tiles:
            tile.compute = bool(modes >> tile.number & 1)
        self.memory.choose_blocked(np.array([tile.compute for tile in self.tiles]))

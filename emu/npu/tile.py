"""A tile: 32 rows of 1024 bits that are memory, or multiply."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from asm.rules import KERNEL_ROWS, ROW_BITS, TILES, ElementFormat
from emu.memory import PAGE, Memory
from emu.state import Saved, State

ROW_BYTES = ROW_BITS // 8
TILE_BYTES = KERNEL_ROWS * ROW_BYTES
"""Bytes of one tile's array; a page, so that each tile can be taken from the bus by itself."""
BLOCKED = "the tile is in compute mode; clear its bit in TILE_MODE to use it as memory"
OWED = 12
"""Contents that may be still to be written."""


class Contents(Protocol):
    """What tiles can hold.

    Attributes:
        layout: tells which places it takes.
    """

    @property
    def layout(self) -> Hashable: ...

    def write(self, array: NDArray[np.uint8]) -> None:
        """Write it into an array of all tiles, (8, 32, 128)."""


class Tile(Saved):
    """One array.

    Attributes:
        number: place in the cluster.
        compute: True in compute mode: the array is not on the bus.
        weights: format of the kernels inside, None if there are none.
        rows_used: rows that hold kernels.
        bits_used: weight bits in each of those rows.
    """

    saved = ("compute", "weights", "rows_used", "bits_used")
    saved_types: ClassVar = {"weights": ElementFormat | None}

    def __init__(self, number: int) -> None:
        self.number = number
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
        self.tiles = [Tile(number) for number in range(TILES)]
        self.kernels: object = None
        self._held: tuple[Contents, int] | None = None
        self._owed: dict[Hashable, Contents] = {}
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

    @property
    def array(self) -> NDArray[np.uint8]:
        """All bits, uint8 (8, 32, 128): the memory itself, not a copy."""
        return self.memory.data.reshape(TILES, KERNEL_ROWS, ROW_BYTES)

    def store(self, contents: Contents, tiles: int) -> None:
        """Let the first ``tiles`` tiles hold something.

        Tiles that compute are not on the bus: their bytes are written when somebody looks at the memory, or when the
        modes change.
        """
        compute = (1 << tiles) - 1
        if self._modes & compute == compute:
            # What has the same layout takes the same places.
            self._owed.pop(contents.layout, None)
            self._owed[contents.layout] = contents
            self.memory.owed = self._write_owed
            if len(self._owed) > OWED:
                self._write_owed()
        else:
            contents.write(self.array)
        self._held = contents, self.memory.version

    def _write_owed(self) -> None:
        self.memory.owed = None
        owed, self._owed = self._owed, {}
        for contents in owed.values():
            contents.write(self.array)

    @property
    def held(self) -> Contents | None:
        """What was stored last, None if somebody may have written there since.

        That takes a change of the modes, or tools.
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
        self._write_owed()
        self._modes, self._held = modes, None
        for tile in self.tiles:
            tile.compute = bool(modes >> tile.number & 1)
        self.memory.choose_blocked(np.array([tile.compute for tile in self.tiles]))

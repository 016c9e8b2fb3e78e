"""Memory for what is between: the same every time, because new memory is slow at its first use."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emu.npu.native.layout import GROUP_BYTES, empty


class RoomSize(NamedTuple):
    """Numbers of one type, for what has this name."""

    name: str
    dtype: np.dtype[Any]
    size: int


_rooms: dict[tuple[str, np.dtype[Any]], NDArray[Any]] = {}


def room(wanted: RoomSize) -> NDArray[Any]:
    """At least so many numbers, of any value."""
    name, dtype, size = wanted
    found = _rooms.get((name, dtype))
    if found is None or len(found) < size:
        found = _rooms[name, dtype] = empty(size, dtype)
    return found


def tile_rooms(dtype: np.dtype[Any], channels: int, tiled: bool) -> tuple[RoomSize, RoomSize]:
    """For transformed features of this dtype and their sums; of any size if not ``tiled``."""
    from emu.npu.native.compiled import BLOCK, HALF_SUMS, POSITIONS, TILES, VECTOR_BYTES, channel_vectors

    vectors = channel_vectors(channels, dtype.itemsize) if tiled else 0
    features = vectors * POSITIONS * TILES * VECTOR_BYTES // dtype.itemsize
    sums = TILES * HALF_SUMS * BLOCK if tiled else 0
    return RoomSize("transformed", dtype, features), RoomSize("sums", np.dtype(np.int32), sums)


def behind(line: int, channels: int, tiled: bool) -> int:
    """Features of any value that are read behind the last row, whose length is ``line``.

    Groups, and vectors of transformed features, reach past the last pixel; the last tile may have a row and a column
    more than there are.
    """
    from emu.npu.native.compiled import VECTOR_BYTES

    return line + channels + VECTOR_BYTES if tiled else GROUP_BYTES

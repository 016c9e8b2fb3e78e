"""Convolution and requantisation as numba functions.

Importing it imports numba: wait until something is to be computed.

Features and weights are multiplied in *groups* of 32 bits along the channels: four elements of 8 bits where the
processor has VNNI, which multiplies unsigned features by signed weights, else two elements of 16 bits. The dtype of
the features says which. One step multiplies a group of some pixels by a group of some kernels, one kernel in each
lane of a vector, and adds to psums that stay in registers. Psums wrap around at 32 bits; a sum that ends within
32 bits is exact, whatever happens on the way.

Inaccuracies: none.
"""

from __future__ import annotations

from pathlib import Path

from emu.machine_code import kept_for

with kept_for("convolution", sorted(Path(__file__).parent.glob("*.py"))):
    from emu.npu.native.compiled.activation import NO_SCALING, SCALING, requantise
    from emu.npu.native.compiled.convolution import NO_ELEMENTS, NO_PSUMS, convolve, convolve_memory
    from emu.npu.native.compiled.memory import Coding, Runs
    from emu.npu.native.compiled.products import Window
    from emu.npu.native.compiled.vectors import BLOCK, HAS_VNNI, LANES
    from emu.npu.native.compiled.winograd import (
        HALF_SUMS,
        OFFSET,
        POSITIONS,
        TILES,
        VECTOR_BYTES,
        Room,
        channel_vectors,
    )

__all__ = (
    "BLOCK",
    "HALF_SUMS",
    "HAS_VNNI",
    "LANES",
    "NO_ELEMENTS",
    "NO_PSUMS",
    "NO_SCALING",
    "OFFSET",
    "POSITIONS",
    "SCALING",
    "TILES",
    "VECTOR_BYTES",
    "Coding",
    "Room",
    "Runs",
    "Window",
    "channel_vectors",
    "convolve",
    "convolve_memory",
    "requantise",
)

"""A whole convolution by one call of compiled code: features out of memory, outputs into it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asm.rules import ElementFormat
from emu.npu.formats import BYTE_BITS, element_dtype
from emu.npu.native.kernels import Kernels, Operand
from emu.npu.native.layout import SIGN_BIT, adds_offset
from emu.npu.native.requantisation import Requantisation
from emu.npu.native.rooms import RoomSize, behind, room, tile_rooms
from emu.npu.stream import Tensor
from emu.npu.streamed import Streamed


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A convolution, ready to be carried out.

    Attributes:
        numbers: int64, the job of `convolve_memory`.
        start: byte of the source at which the needed rows begin.
        rooms: for what is between.
        scaling: of the requantisation.
        compiled: what carries it out.
    """

    numbers: NDArray[np.int64]
    start: int
    rooms: tuple[NDArray[Any], ...]
    operand: Operand
    scaling: NDArray[np.int64]
    compiled: Callable[..., None]


def prepare(job: Streamed, kernels: Kernels, requantisation: Requantisation, pooled: bool) -> Prepared | None:
    """What `run` needs besides the bytes; None if the elements do not lie as compiled code expects."""
    from emu.npu.native.compiled import Window, convolve_memory

    source_runs, target_runs = runs_of(job.source), runs_of(job.destination)
    first, last, above, below = job.input_rows(kernels.shape[1])
    if source_runs is None or target_runs is None or not _whole_bytes(job.destination) or first >= last:
        return None
    _, _, left, right = job.padding
    count, height, width, channels = kernels.shape
    columns = left + job.source.width + right
    line = columns * channels
    window = Window(height, kernels.groups, line, job.strides[0] * line, job.strides[1] * channels)
    shape = len(job.rows), (columns - width) // job.strides[1] + 1, count
    if job.destination.channels != count:
        return None
    padding = above, below, left * channels, right * channels
    dtype = element_dtype(job.source.element)
    operand = kernels.operand(dtype, job.strides, shape[:2], job.largest)
    source_runs = source_runs._replace(rows=last - first)
    coding = _coding(job.source.element, adds_offset(kernels.way, dtype))
    features = (above + last - first + below) * line + behind(line, channels, operand.tiled)
    between = kernels.way.feature_dtype
    rooms = (
        RoomSize("elements", np.dtype(np.uint8), math.prod(shape)),
        RoomSize("features", between, features),
        *tile_rooms(between, channels, operand.tiled),
    )
    return Prepared(
        np.array([*target_runs, *source_runs, *coding, *padding, *window, *shape, pooled, operand.tiled], np.int64),
        first * job.source.line_stride,
        tuple(map(room, rooms)),
        operand,
        requantisation.scaling,
        convolve_memory,
    )


def bind(job: Prepared, source: NDArray[np.uint8], target: NDArray[np.uint8]) -> Callable[[], None]:
    """What carries out a convolution.

    Args:
        source, target: bytes of both tensors, from the first one on.
    """
    elements, features, transformed, sums = job.rooms
    packed, initial, _ = job.operand
    return partial(
        job.compiled,
        job.numbers,
        target,
        source[job.start :],
        elements,
        features,
        packed,
        initial,
        job.scaling,
        transformed,
        sums,
    )


def runs_of(tensor: Tensor) -> Any:
    """How the elements of a tensor lie, a `Runs`; None if they are compressed, wide, or begin inside of bytes."""
    from emu.npu.native.compiled import Runs

    bits = tensor.element.bits
    if tensor.compressed or bits > BYTE_BITS:
        return None
    if tensor.pixel_stride == tensor.channels * bits:
        return Runs(tensor.height, 1, tensor.width * tensor.channels, tensor.line_stride, 0, bits)
    if tensor.pixel_stride % BYTE_BITS == 0:
        pitch = tensor.pixel_stride // BYTE_BITS
        return Runs(tensor.height, tensor.width, tensor.channels, tensor.line_stride, pitch, bits)
    return None


def _whole_bytes(tensor: Tensor) -> bool:
    """Whether runs end where bytes end, and elements have more than a bit."""
    runs = runs_of(tensor)
    return tensor.element.bits > 1 and runs.elements * runs.bits % BYTE_BITS == 0


def _coding(element: ElementFormat, offset: bool) -> Any:
    """What the bits of a feature mean, a `Coding`; with ``offset``, 128 is added."""
    from emu.npu.native.compiled import Coding

    zero = SIGN_BIT if offset else 0
    if element is ElementFormat.s1:
        return Coding(0, 2, zero - 1, zero)
    sign = 1 << (element.bits - 1) if element.signed else 0
    return Coding(sign, 1, zero - sign, zero)

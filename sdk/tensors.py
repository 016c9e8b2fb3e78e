"""Arrays packed into the memory formats of the NPU: tensors, kernels, requantisation tables.

Everything here checks values against the format and says which element is wrong; `emu.npu.formats` does the packing.
Tensors are height x width x channels; pixels are packed tightly and every row starts at a whole byte.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asm.rules import KERNEL_ROWS, SPARSE_GROUP, SPARSE_STORED, ElementFormat, KernelGeometry, slice_channels
from emu.npu import compression, formats, sparsity

Integers = NDArray[np.integer[Any]]
Bytes = NDArray[np.uint8]

REQUANT_COLUMNS = ("bias", "multiplier", "shift", "offset")
"""What a row of a requantisation table holds: four int32 for each kernel."""
SHIFT_MAX = 62
"""Largest shift of the activation unit."""


class TensorError(ValueError):
    """An array cannot be packed or unpacked: wrong shape, wrong type, or a value that the format does not hold."""


def check_elements(values: Integers, element: ElementFormat, name: str = "values") -> None:
    """Raises `TensorError` naming the first element that ``element`` does not hold."""
    _check_integers(values, name)
    wrong = (values < element.low) | (values > element.high)
    holds = f"{element.low}..{element.high}"
    if element is ElementFormat.s1:
        wrong |= values == 0
        holds = "-1 and 1"
    _refuse(values, wrong, name, f"{element.name} holds {holds}")


def pack_elements(values: Integers, element: ElementFormat, name: str = "values") -> Bytes:
    """One run of elements: the array, whatever its shape, in C order.

    Args:
        values: integers.
        element: the format.
        name: what error messages call the array.

    Returns:
        uint8, (bytes,); the bits after the last element are 0.

    Raises:
        TensorError: not integers, or out of range.
    """
    check_elements(values, element, name)
    return formats.pack(values.reshape(-1), element)


def unpack_elements(data: bytes | Bytes, count: int, element: ElementFormat) -> Integers:
    """The first ``count`` elements of a run: (count,), of the type `emu.npu.formats.element_dtype` names.

    Raises:
        TensorError: there are not that many.
    """
    run = _as_bytes(data)
    needed = formats.packed_bytes(count, element)
    if run.size < needed:
        raise TensorError(f"{count} elements of {element.name} take {needed} bytes, not {run.size}")
    return formats.unpack(run, count, element)


def pack_tensor(tensor: Integers, element: ElementFormat, name: str = "tensor") -> Bytes:
    """A tensor as it lies in memory, its rows one behind the other.

    Args:
        tensor: integers, (height, width, channels).
        element: the format.
        name: what error messages call the array.

    Returns:
        uint8, (height, line stride); the line stride is the fewest bytes that hold a row.

    Raises:
        TensorError: not three axes, not integers, or out of range.
    """
    _check_axes(tensor.shape, 3, name, "height, width, channels")
    check_elements(tensor, element, name)
    return formats.pack(tensor.reshape(tensor.shape[0], math.prod(tensor.shape[1:])), element)


def unpack_tensor(data: bytes | Bytes, shape: tuple[int, int, int], element: ElementFormat) -> Integers:
    """A tensor of ``shape`` (height, width, channels) from what `pack_tensor` returns.

    Raises:
        TensorError: the number of bytes is another one.
    """
    height, width, channels = shape
    line = formats.packed_bytes(width * channels, element)
    run = _as_bytes(data)
    if run.size != height * line:
        raise TensorError(
            f"a {height} x {width} x {channels} tensor of {element.name} takes {height * line} bytes, not {run.size}"
        )
    return formats.unpack(run.reshape(height, line), width * channels, element).reshape(shape)


def compress_tensor(tensor: Integers, element: ElementFormat, name: str = "tensor") -> Bytes:
    """A compressed tensor as it lies in memory: each row a bit mask and its elements that are not 0.

    Args:
        tensor: integers, (height, width, channels).
        element: the format.
        name: what error messages call the array.

    Returns:
        uint8, (height, line stride); the line stride holds a row without zeros, what a row does not need is 0.

    Raises:
        TensorError: not three axes, not integers, or out of range.
    """
    _check_axes(tensor.shape, 3, name, "height, width, channels")
    check_elements(tensor, element, name)
    rows = np.zeros((len(tensor), compression.most_bytes(math.prod(tensor.shape[1:]), element)), np.uint8)
    for row, elements in zip(rows, tensor, strict=True):
        run = compression.compress(elements.reshape(-1), element)
        row[: len(run)] = run
    return rows


def decompress_tensor(data: bytes | Bytes, shape: tuple[int, int, int], element: ElementFormat) -> Integers:
    """A tensor of ``shape`` (height, width, channels) from what `compress_tensor` returns.

    Raises:
        TensorError: the number of bytes is another one.
    """
    height, width, channels = shape
    line = compression.most_bytes(width * channels, element)
    run = _as_bytes(data)
    if run.size != height * line:
        raise TensorError(
            f"a compressed {height} x {width} x {channels} tensor of {element.name} takes {height * line} bytes, "
            f"not {run.size}"
        )
    rows = [compression.decompress(row, width * channels, element) for row in run.reshape(height, line)]
    return np.array(rows).reshape(shape)


def pack_kernels(
    weights: Integers, element: ElementFormat, chain: int = 1, name: str = "weights", sparse: bool = False
) -> bytes:
    """Kernels in the order in which the tiles load them.

    For every chunk of 32 kernels, for every tile of the chain, for every kernel of the chunk: the kernel's weights for
    the channels of that tile, (height, width, channels of the tile), padded with zeros to the slice size of
    `KernelGeometry`.

    Args:
        weights: integers, (kernels, height, width, channels).
        element: the format, one that tiles multiply.
        chain: tiles over which the channels are split.
        name: what error messages call the array.
        sparse: store two of every four weights of a slice.

    Raises:
        TensorError: not four axes, not integers, out of range, or more than two of four sparse weights are not 0.
        RuleError: kernels of this size do not fit a chain of this length, or the format is none of the tiles'.
    """
    geometry = _checked_geometry(weights, element, chain, name, sparse)
    count = len(weights)
    slices = np.zeros((chain, count, geometry.slice_bytes), np.uint8)
    for tile, own in enumerate(_tile_channels(geometry)):
        part = weights[..., own]
        dense = part.reshape(count, math.prod(part.shape[1:]))
        if sparse:
            _check_groups(dense, name, tile)
        packed = sparsity.pack_slices(dense, geometry)
        slices[tile, :, : packed.shape[1]] = packed
    return b"".join(slices[:, chunk].tobytes() for chunk in _chunks(count))


def compress_kernels(weights: Integers, element: ElementFormat, chain: int = 1, name: str = "weights") -> bytes:
    """A compressed set of kernels, in the order in which the tiles load them; sparse ones are compressed likewise.

    Args:
        weights: integers, (kernels, height, width, channels).
        element: the format, one that tiles multiply.
        chain: tiles over which the channels are split.
        name: what error messages call the array.

    Raises:
        TensorError: not four axes, not integers, or out of range.
        RuleError: kernels of this size do not fit a chain of this length, or the format is none of the tiles'.
    """
    geometry = _checked_geometry(weights, element, chain, name, sparse=False)
    slices = (
        kernel[..., own].reshape(-1)
        for chunk in _chunks(len(weights))
        for own in _tile_channels(geometry)
        for kernel in weights[chunk]
    )
    return compression.compress_slices(slices, element)


def unpack_kernels(
    data: bytes | Bytes,
    shape: tuple[int, int, int, int],
    element: ElementFormat,
    chain: int = 1,
    sparse: bool = False,
) -> Integers:
    """Kernels of ``shape`` (kernels, height, width, channels) from what `pack_kernels` returns.

    Raises:
        TensorError: the number of bytes is another one.
        RuleError: kernels of this size do not fit a chain of this length, or the format is none of the tiles'.
    """
    count, height, width, channels = shape
    geometry = KernelGeometry(height, width, channels, element, chain, sparse=sparse)
    geometry.check()
    run = _as_bytes(data)
    if run.size != count * geometry.kernel_bytes:
        raise TensorError(
            f"{count} kernels of {geometry.kernel_bytes} bytes take {count * geometry.kernel_bytes} bytes, "
            f"not {run.size}"
        )
    weights = np.zeros(shape, formats.element_dtype(element))
    for chunk in _chunks(count):
        start, end = chunk.start * geometry.kernel_bytes, chunk.stop * geometry.kernel_bytes
        slices = run[start:end].reshape(chain, chunk.stop - chunk.start, geometry.slice_bytes)
        for tile, own in enumerate(_tile_channels(geometry)):
            part = weights[chunk, :, :, own]
            dense = sparsity.unpack_slices(slices[tile], geometry, height * width * part.shape[-1])
            part[...] = dense.reshape(part.shape)
    return weights


def pack_requant(table: Integers, name: str = "requant") -> bytes:
    """A requantisation table: for every kernel int32 bias, multiplier, shift and offset, 16 bytes in all.

    Args:
        table: integers, (kernels, 4).
        name: what error messages call the array.

    Raises:
        TensorError: wrong shape, not integers, a multiplier below 0, a shift that is not 0..62, or not 32 bits.
    """
    _check_axes(table.shape, 2, name, "kernels, (bias, multiplier, shift, offset)")
    if table.shape[1] != len(REQUANT_COLUMNS):
        raise TensorError(f"{name} must have the columns {', '.join(REQUANT_COLUMNS)}, not {table.shape[1]} columns")
    check_elements(table, ElementFormat.s32, name)
    _, multiplier, shift, _ = np.hsplit(table, len(REQUANT_COLUMNS))
    wrong = np.zeros(table.shape, bool)
    wrong[:, 1:2] = multiplier < 0
    _refuse(table, wrong, name, "a multiplier must not be negative")
    wrong[:, 1] = False
    wrong[:, 2:3] = (shift < 0) | (shift > SHIFT_MAX)
    _refuse(table, wrong, name, f"a shift must be 0..{SHIFT_MAX}")
    return formats.pack(table, ElementFormat.s32).tobytes()


def unpack_requant(data: bytes | Bytes) -> Integers:
    """The table, int32 (kernels, 4), that `pack_requant` made ``data`` of.

    Raises:
        TensorError: not a whole number of rows.
    """
    run = _as_bytes(data)
    row = 4 * len(REQUANT_COLUMNS)
    if run.size % row:
        raise TensorError(f"a requantisation table has {row} bytes a kernel; {run.size} bytes are not whole rows")
    return formats.unpack(run, run.size // 4, ElementFormat.s32).reshape(-1, len(REQUANT_COLUMNS))


def _checked_geometry(weights: Integers, element: ElementFormat, chain: int, name: str, sparse: bool) -> KernelGeometry:
    """The geometry of kernels whose shape and values are right."""
    _check_axes(weights.shape, 4, name, "kernels, height, width, channels")
    _, height, width, channels = weights.shape
    geometry = KernelGeometry(height, width, channels, element, chain, sparse=sparse)
    geometry.check()
    check_elements(weights, element, name)
    return geometry


def _check_groups(dense: Integers, name: str, tile: int) -> None:
    """Raises `TensorError` if of four weights of a slice, (kernels, weights), more than two are not 0."""
    kernels, weights = dense.shape
    filled = np.zeros((kernels, -(-weights // SPARSE_GROUP) * SPARSE_GROUP), bool)
    filled[:, :weights] = dense != 0
    crowded = filled.reshape(kernels, -1, SPARSE_GROUP).sum(axis=2) > SPARSE_STORED
    if crowded.any():
        kernel, group = np.unravel_index(int(crowded.argmax()), crowded.shape)
        first = int(group) * SPARSE_GROUP
        raise TensorError(
            f"{name}[{kernel}] is not sparse: of its weights {first}..{first + SPARSE_GROUP - 1} in tile {tile} of the "
            f"chain more than {SPARSE_STORED} are not 0"
        )


def _tile_channels(geometry: KernelGeometry) -> Iterator[slice]:
    """The channels of each tile of the chain; the last tiles may get fewer, or none."""
    width = slice_channels(geometry.channels, geometry.chain)
    for tile in range(geometry.chain):
        yield slice(tile * width, (tile + 1) * width)


def _chunks(kernels: int) -> Iterator[slice]:
    """Kernels that are in the tiles at the same time."""
    for first in range(0, kernels, KERNEL_ROWS):
        yield slice(first, min(first + KERNEL_ROWS, kernels))


def _as_bytes(data: bytes | Bytes) -> Bytes:
    """``data`` as a flat array of bytes."""
    return data.reshape(-1) if isinstance(data, np.ndarray) else np.frombuffer(data, np.uint8)


def _check_axes(shape: tuple[int, ...], axes: int, name: str, meaning: str) -> None:
    if len(shape) != axes:
        raise TensorError(f"{name} must have {axes} axes ({meaning}), not the shape {shape}")


def _check_integers(values: Integers, name: str) -> None:
    if not np.issubdtype(values.dtype, np.integer):
        raise TensorError(f"{name} must hold integers, not {values.dtype}")


def _refuse(values: Integers, wrong: NDArray[np.bool_], name: str, rule: str) -> None:
    """Raises `TensorError` with place and value of the first element that is ``wrong``, if there is one."""
    if not wrong.any():
        return
    place = np.unravel_index(int(wrong.argmax()), wrong.shape)
    raise TensorError(f"{name}[{', '.join(str(index) for index in place)}] is {values[place]}; {rule}")

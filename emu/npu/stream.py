"""Stream engines: tensors in memory to arrays and back.

A tensor is height x width x channels, channels innermost. Rows are whole bytes apart, pixels are whole elements
apart: a slice of the channels, or a window of the columns, is a tensor too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from asm import parameters
from asm.rules import Cause, ElementFormat, RuleError
from emu.bus import Bus
from emu.npu.compression import compress, decompress, most_bytes, run_bytes
from emu.npu.formats import Integers, pack, unpack

CODES = {1: ElementFormat.u1, 2: ElementFormat.u2, 4: ElementFormat.u4}
"""The format that gives back the plain bits of elements that may share a byte."""


def element_format(value: int) -> ElementFormat:
    """The format of that number. Raises `RuleError` if there is none."""
    try:
        return ElementFormat(value)
    except ValueError:
        raise RuleError(Cause.bad_field, f"{value} is not an element format; formats are 0..9") from None


@dataclass(frozen=True)
class Tensor:
    """Where a tensor is and what it looks like.

    Attributes:
        address: first byte; element 0 is in its low bits.
        line_stride: bytes from row to row.
        pixel_stride: bits from pixel to pixel.
        compressed: whether each row is a bit mask and its elements that are not 0.
        row_sizes: of a compressed input, bytes of each row; empty if they were not measured.
    """

    address: int
    element: ElementFormat
    channels: int
    height: int
    width: int
    line_stride: int
    pixel_stride: int
    compressed: bool = False
    row_sizes: tuple[int, ...] = ()

    @classmethod
    def of_words(cls, words: tuple[int, ...]) -> Tensor:
        """From the five words of `parameters.TENSOR`. Raises `RuleError` if there is no such format."""
        address, layout, shape, line_stride, pixel_stride = words
        kind = parameters.TensorFormat.unpack(layout)
        size = parameters.TensorShape.unpack(shape)
        element = element_format(kind["format"])
        return cls(
            address,
            element,
            kind["channels"],
            size["height"],
            size["width"],
            line_stride,
            pixel_stride,
            bool(kind["compressed"]),
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.height, self.width, self.channels

    @property
    def row_bits(self) -> int:
        """Bits from the first to the last element of a row, both included."""
        return (self.width - 1) * self.pixel_stride + self.channels * self.element.bits

    @property
    def row_bytes(self) -> int:
        """Bytes that a row touches; a compressed one, at most."""
        if self.compressed:
            return most_bytes(self.width * self.channels, self.element)
        return -(-self.row_bits // 8)

    @cached_property
    def extent(self) -> int:
        """Bytes from the first to the last one that the tensor touches, both included."""
        return (self.height - 1) * self.line_stride + self.row_bytes

    @property
    def stream_bytes(self) -> int:
        """Bytes of its elements alone, packed tightly; of a compressed tensor that is not measured, at most."""
        return self.bytes_of_rows(range(self.height))

    def bytes_of_rows(self, rows: range) -> int:
        """The same for some of its rows."""
        if self.row_sizes:
            return sum(self.row_sizes[rows.start : rows.stop])
        if self.compressed:
            return len(rows) * self.row_bytes
        return -(-len(rows) * self.width * self.channels * self.element.bits // 8)

    def measured(self, bus: Bus) -> Tensor:
        """The same; if it is compressed, with the bytes that its rows have now. Raises `BusError`."""
        if not self.compressed:
            return self
        rows = self.rows(bus.view(self.address, self.extent))
        sizes = (run_bytes(row, self.width * self.channels, self.element) for row in rows)
        return replace(self, row_sizes=tuple(sizes))

    def check(self, name: str) -> None:
        """Raises `RuleError` unless it has elements and whole elements from pixel to pixel."""
        if min(self.height, self.width, self.channels) < 1:
            raise RuleError(
                Cause.shape_mismatch,
                f"the {name} must be at least 1 x 1 x 1, not {self.height} x {self.width} x {self.channels}",
            )
        if self.pixel_stride % self.element.bits:
            raise RuleError(
                Cause.bad_field,
                f"the {name}'s pixel stride must be a multiple of {self.element.bits} bits "
                f"({self.element.name}), not {self.pixel_stride}",
            )
        if self.compressed:
            self._check_compressed(name)

    def _check_compressed(self, name: str) -> None:
        tight = self.channels * self.element.bits
        if self.pixel_stride != tight:
            raise RuleError(
                Cause.bad_field,
                f"the {name} is compressed: its pixel stride must be {tight} bits, not {self.pixel_stride}",
            )
        if self.height > 1 and self.line_stride < self.row_bytes:
            raise RuleError(
                Cause.shape_mismatch,
                f"the {name} is compressed: its line stride must be at least {self.row_bytes} bytes, "
                f"for rows without zeros, not {self.line_stride}",
            )

    def check_writable(self, name: str) -> None:
        """Raises `RuleError` if two elements share bits, so that it cannot be written."""
        if self.width > 1 and self.pixel_stride < self.channels * self.element.bits:
            raise RuleError(
                Cause.shape_mismatch,
                f"the {name}'s pixels overlap: the pixel stride must be at least "
                f"{self.channels * self.element.bits} bits, not {self.pixel_stride}",
            )
        if self.height > 1 and self.line_stride < self.row_bytes:
            raise RuleError(
                Cause.shape_mismatch,
                f"the {name}'s rows overlap: the line stride must be at least {self.row_bytes} bytes, "
                f"not {self.line_stride}",
            )

    def rows(self, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The bytes of each row, (height, row_bytes), as a view of the ``extent`` bytes of the tensor."""
        return as_strided(block, (self.height, self.row_bytes), (self.line_stride, 1))

    def pixel_bytes(self, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The bytes of each pixel, (height, width, bytes), of a tensor whose pixels are whole bytes, as a view."""
        size = self.channels * self.element.bits // 8
        return as_strided(block, (self.height, self.width, size), (self.line_stride, self.pixel_stride // 8, 1))

    def pixels(self, elements: NDArray[Any]) -> NDArray[Any]:
        """The tensor, (height, width, channels), as a view of the elements of its rows, (height, elements)."""
        row, element = elements.strides
        step = self.pixel_stride // self.element.bits * element
        return as_strided(elements, (self.height, self.width, self.channels), (row, step, element))


def read(bus: Bus, tensor: Tensor) -> Integers:
    """The elements, (height, width, channels), dtype as `formats.unpack`. Raises `BusError`."""
    rows = tensor.rows(bus.view(tensor.address, tensor.extent))
    if tensor.compressed:
        count = tensor.width * tensor.channels
        return np.stack([decompress(row, count, tensor.element) for row in rows]).reshape(tensor.shape)
    return tensor.pixels(unpack(rows, tensor.row_bits // tensor.element.bits, tensor.element))


def write(bus: Bus, tensor: Tensor, values: Integers) -> int:
    """Store elements; bits between and behind them keep their values.

    Args:
        values: (height, width, channels), integers that the tensor's format holds. `s1` stores the sign: +1
            for values above 0.

    Returns:
        Bytes of the elements as they are stored.

    Raises:
        BusError: not writable memory; nothing is written then.
    """
    block = bus.view(tensor.address, tensor.extent, write=True)
    element, run = tensor.element, tensor.channels * tensor.element.bits
    size = tensor.stream_bytes
    if tensor.compressed:
        size = _write_compressed(tensor.rows(block), values.reshape(tensor.height, -1), element)
    elif tensor.row_bits == 8 * tensor.row_bytes == tensor.width * run:
        tensor.rows(block)[:] = pack(values.reshape(tensor.height, -1), element)
    elif tensor.pixel_stride % 8 == 0 == run % 8:
        tensor.pixel_bytes(block)[:] = pack(values, element)
    else:
        rows, codes = tensor.rows(block), CODES[element.bits]
        elements = unpack(rows, 8 * tensor.row_bytes // element.bits, codes)
        tensor.pixels(elements)[:] = values > 0 if element is ElementFormat.s1 else values & ((1 << element.bits) - 1)
        rows[:] = pack(elements, codes)
    bus.written(tensor.address, tensor.extent)
    return size


def _write_compressed(rows: NDArray[np.uint8], values: Integers, element: ElementFormat) -> int:
    """Store each row with its mask; returns the bytes of all of them."""
    if element is ElementFormat.s1:
        values = np.where(values > 0, 1, -1)
    size = 0
    for row, elements in zip(rows, values, strict=True):
        run = compress(elements, element)
        row[: len(run)] = run
        size += len(run)
    return size

"""Elements of tensors packed into bytes, and back.

Element 0 sits in the low bits of byte 0. A run of elements fills whole bytes: the bits after the last
element are 0. `s1` stores +1 as a set bit and -1 as a clear one; the other signed formats are two's
complement.

Inaccuracies: none; the formats are a convention of this project, nothing of them is measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asm.rules import PSUM_BITS, ElementFormat

Integers = NDArray[np.integer[Any]]
"""An array of any integer dtype."""

BYTE_BITS = 8
_GROUP: dict[int, np.dtype[Any]] = {2: np.dtype("<u4"), 4: np.dtype("<u2")}
"""By element bits: the word whose bytes are the elements of one packed byte."""


def packed_bytes(count: int, element: ElementFormat) -> int:
    """Bytes that ``count`` elements in a run fill."""
    return -(-count * element.bits // BYTE_BITS)


def element_dtype(element: ElementFormat) -> np.dtype[Any]:
    """What `unpack` makes of a format: int32 for `s32` and `psum64`, else int8 (signed formats) or uint8."""
    if element.bits >= PSUM_BITS:
        return np.dtype(np.int32)
    return np.dtype(np.int8 if element.signed else np.uint8)


def pack(values: Integers, element: ElementFormat) -> NDArray[np.uint8]:
    """Packs the last axis of ``values`` into bytes.

    Args:
        values: integers of any dtype, (..., count), each one that ``element`` holds. That is not checked here,
            for speed: of other values the low bits are kept (of `u1` and `s1`: whether they are positive).
        element: the format.

    Returns:
        uint8, (..., packed_bytes(count, element)), a new C-contiguous array.
    """
    if element is ElementFormat.psum64:
        return values.astype(np.int32).astype("<i8", order="C").view(np.uint8)
    if element is ElementFormat.s32:
        return values.astype("<i4", order="C").view(np.uint8)
    if element.bits == BYTE_BITS:
        return values.astype(np.uint8, order="C")
    if element.bits == 1:
        return np.packbits(values > 0, axis=-1, bitorder="little")
    count = values.shape[-1]
    per_byte = BYTE_BITS // element.bits
    spread = np.bitwise_and(values.astype(np.uint8, copy=False), (1 << element.bits) - 1, order="C")
    if count % per_byte:
        filled = np.zeros((*values.shape[:-1], packed_bytes(count, element) * per_byte), np.uint8)
        filled[..., :count] = spread
        spread = filled
    # Each group of bytes is one word: moving byte i down by i * (8 - bits) puts its element beside its neighbour.
    groups = spread.view(_GROUP[element.bits])
    packed = groups >> (BYTE_BITS - element.bits)
    packed |= groups
    for place in range(2, per_byte):
        packed |= groups >> (place * (BYTE_BITS - element.bits))
    return packed.astype(np.uint8)


def unpack(data: NDArray[np.uint8], count: int, element: ElementFormat) -> Integers:
    """The first ``count`` elements of each run of bytes.

    Args:
        data: uint8, (..., bytes), at least ``packed_bytes(count, element)`` of them.
        count: elements wanted, of each run.
        element: the format.

    Returns:
        `element_dtype(element)`, (..., count), a new array.
    """
    used = np.ascontiguousarray(data[..., : packed_bytes(count, element)])
    if element is ElementFormat.psum64:
        return used.view("<i8").astype(np.int32)
    if element is ElementFormat.s32:
        return used.view("<i4").astype(np.int32)
    if element.bits == BYTE_BITS:
        return used.view(element_dtype(element)).copy()
    if element.bits == 1:
        ones = np.unpackbits(used, axis=-1, count=count, bitorder="little")
        return ones if element is ElementFormat.u1 else _signed_ones(ones)
    return _spread(used, element)[..., :count]


def _signed_ones(ones: NDArray[np.uint8]) -> NDArray[np.int8]:
    """0 and 1 made -1 and +1, in place."""
    signed = ones.view(np.int8)
    signed += signed
    signed -= 1
    return signed


def _spread(data: NDArray[np.uint8], element: ElementFormat) -> Integers:
    """All elements of 2 or 4 bits in ``data``: (..., bytes) becomes (..., bytes * 8 // bits)."""
    group = _GROUP[element.bits]
    groups = data.astype(group)
    packed = groups.copy()
    for place in range(1, BYTE_BITS // element.bits):
        groups |= packed << (place * (BYTE_BITS - element.bits))
    elements = groups.view(np.uint8)
    elements &= (1 << element.bits) - 1
    if not element.signed:
        return elements
    # Flipping the sign bit and subtracting its weight extends the sign.
    sign = 1 << (element.bits - 1)
    elements ^= sign
    signed = elements.view(np.int8)
    signed -= sign
    return signed

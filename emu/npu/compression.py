"""Compression by bit masks: a bit for each element that is not 0, then those elements, packed into whole bytes.

A compressed set of kernels is

    uint32 bytes of all of it, a multiple of 8 | uint32 number of slices | each slice: mask, elements | zeros

with the slices in the order in which they are loaded. Each row of a compressed tensor is a mask and its elements.
Where the mask has a 0, the element's code is 0 (of `s1`, which has no 0, that is -1).

*Inaccuracies*: published is that weights and feature maps are compressed; the encoding is our own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from asm.rules import LOAD_BYTES, Cause, ElementFormat, RuleError
from emu.npu.formats import Integers, element_dtype, pack, packed_bytes, unpack

HEADER = struct.Struct("<II")
MASK = ElementFormat.u1
Bytes = NDArray[np.uint8]


def most_bytes(count: int, element: ElementFormat) -> int:
    """Bytes that a compressed run of ``count`` elements takes at most."""
    return packed_bytes(count, MASK) + packed_bytes(count, element)


def run_bytes(data: Bytes, count: int, element: ElementFormat) -> int:
    """Bytes of the compressed run of ``count`` elements at the start of ``data``, which has its mask at least."""
    kept = int(np.count_nonzero(unpack(data, count, MASK)))
    return packed_bytes(count, MASK) + packed_bytes(kept, element)


def compress(elements: Integers, element: ElementFormat) -> Bytes:
    """A compressed run of ``elements``, (count,)."""
    kept = elements != 0
    return np.concatenate([pack(kept.astype(np.uint8), MASK), pack(elements[kept], element)])


def decompress(data: Bytes, count: int, element: ElementFormat) -> Integers:
    """The elements, (count,), of the compressed run at the start of ``data``, which has all its bytes."""
    mask = unpack(data, count, MASK).astype(bool)
    elements = np.full(count, -1 if element is ElementFormat.s1 else 0, element_dtype(element))
    elements[mask] = unpack(data[packed_bytes(count, MASK) :], int(mask.sum()), element)
    return elements


def compress_slices(slices: Iterable[Integers], element: ElementFormat) -> bytes:
    """A compressed set of kernels from the weights of each slice, (weights,)."""
    runs = [compress(weights, element).tobytes() for weights in slices]
    body = b"".join(runs)
    total = -(-(HEADER.size + len(body)) // LOAD_BYTES) * LOAD_BYTES
    return (HEADER.pack(total, len(runs)) + body).ljust(total, b"\0")


def check_header(header: bytes, slices: int) -> int:
    """Bytes of a compressed set of kernels that begins with ``header`` and must have ``slices``.

    Raises:
        RuleError: it does not have as many, or its size is impossible.
    """
    total, found = (int(word) for word in HEADER.unpack(header))
    if total % LOAD_BYTES or total < HEADER.size:
        raise RuleError(
            Cause.bad_encoding,
            f"compressed kernels have a multiple of {LOAD_BYTES} bytes, {HEADER.size} at least; "
            f"the header says {total}",
        )
    if found != slices:
        raise RuleError(Cause.bad_encoding, f"{slices} slices are loaded; the compressed kernels have {found}")
    return total


def decompress_slices(data: Bytes, weights: Iterable[int], element: ElementFormat) -> Iterator[Integers]:
    """The weights of each slice, (weights,), of a compressed set of kernels.

    Args:
        data: all bytes of the set.
        weights: how many weights each slice has.

    Raises:
        RuleError: the slices do not fill the set up to its padding.
    """
    left, number = data[HEADER.size :], 0
    for number, count in enumerate(weights, 1):
        size = packed_bytes(count, MASK)
        size = run_bytes(left, count, element) if size <= len(left) else size
        if size > len(left):
            raise RuleError(
                Cause.bad_encoding, f"slice {number - 1} of the compressed kernels runs past their {len(data)} bytes"
            )
        yield decompress(left, count, element)
        left = left[size:]
    if len(left) >= LOAD_BYTES or left.any():
        raise RuleError(Cause.bad_encoding, f"{len(left)} bytes follow the {number} slices of the compressed kernels")

"""The NPU's arithmetic and memory formats in plain integers: the oracle of the tests.

Nothing here comes from `asm`, `emu` or `sdk`; formats are given by name ("u4", "s1", "s32").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer[Any]]

LOWEST = -(2**31)
HIGHEST = 2**31 - 1
KERNELS_PER_CHUNK = 32


def conv2d(
    features: Integers, weights: Integers, stride: int = 1, padding: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> NDArray[np.int64]:
    """Exact sums of a convolution (no kernel flip), with zeros around the input.

    Args:
        features: (height, width, channels).
        weights: (kernels, kernel height, kernel width, channels).
        stride: the same in both directions.
        padding: rows above, rows below, columns left, columns right.

    Returns:
        int64, (output height, output width, kernels).
    """
    top, bottom, left, right = padding
    padded = np.pad(features.astype(np.int64), ((top, bottom), (left, right), (0, 0)))
    kernels, kernel_height, kernel_width, _ = weights.shape
    height = (padded.shape[0] - kernel_height) // stride + 1
    width = (padded.shape[1] - kernel_width) // stride + 1
    sums = np.zeros((height, width, kernels), np.int64)
    for y in range(height):
        for x in range(width):
            row, column = y * stride, x * stride
            window = padded[row : row + kernel_height, column : column + kernel_width]
            sums[y, x] = np.einsum("ijc,kijc->k", window, weights.astype(np.int64))
    return sums


def saturate32(value: int) -> int:
    """The nearest number of 32 bits, two's complement."""
    return max(LOWEST, min(HIGHEST, int(value)))


def saturating_sum(parts: Iterable[int], start: int = 0) -> int:
    """Adds one part after the other; each step saturates, as along a chain of tiles."""
    total = start
    for part in parts:
        total = saturate32(total + int(part))
    return total


def divide_rounding(numerator: int, shift: int) -> int:
    """``numerator / 2**shift`` to the nearest integer, halves away from zero."""
    unit: int = 2**shift
    quotient, rest = divmod(abs(numerator), unit)
    if 2 * rest >= unit:
        quotient += 1
    return -quotient if numerator < 0 else quotient


def requantise(psums: Integers, table: Integers, relu: bool, low: int, high: int) -> NDArray[np.int64]:
    """The activation unit on the last axis of ``psums``.

    Args:
        psums: (..., kernels), saturated to 32 bits first.
        table: (kernels, 4): bias, multiplier, shift, offset.
        relu: raises the lower bound to the offset.
        low, high: bounds of the result, those of the output's format or tighter.

    Returns:
        int64, the shape of ``psums``.
    """
    result = np.empty(psums.shape, np.int64)
    for position in np.ndindex(*psums.shape):
        bias, multiplier, shift, offset = (int(entry) for entry in table[position[-1]])
        total = saturate32(saturate32(int(psums[position])) + bias)
        value = divide_rounding(total * multiplier, shift) + offset
        lowest = max(low, offset) if relu else low
        result[position] = min(max(value, lowest), high)
    return result


def element_bits(name: str) -> int:
    """Bits of one element: the number in the format's name."""
    return int(name.lstrip("psum"))


def pack(elements: Sequence[int] | Integers, name: str) -> bytes:
    """A run of elements, element 0 in the lowest bits of the first byte, as one large number."""
    bits = element_bits(name)
    number = 0
    for place, element in enumerate(elements):
        code = (1 if element == 1 else 0) if name == "s1" else int(element) % 2**bits
        number += code << (place * bits)
    return number.to_bytes((len(elements) * bits + 7) // 8, "little")


def unpack(data: bytes, count: int, name: str) -> list[int]:
    """The first ``count`` elements of a run."""
    bits = element_bits(name)
    number = int.from_bytes(data, "little")
    elements = []
    for place in range(count):
        code = (number >> (place * bits)) % 2**bits
        if name == "s1":
            code = 1 if code else -1
        elif name == "psum64":
            code = saturate32((code + 2**31) % 2**32 - 2**31)
        elif name[0] == "s" and code >= 2 ** (bits - 1):
            code -= 2**bits
        elements.append(code)
    return elements


def pack_tensor(tensor: Integers, name: str) -> bytes:
    """A (height, width, channels) tensor: pixels packed tightly, each row in whole bytes."""
    return b"".join(pack(row.reshape(-1), name) for row in tensor)


def pack_kernels(weights: Integers, name: str, chain: int) -> bytes:
    """Kernels, (kernels, height, width, channels), in the order in which the tiles of a chain load them."""
    kernels, height, width, channels = weights.shape
    per_tile = (channels + chain - 1) // chain
    slice_bytes = (height * width * per_tile * element_bits(name) + 63) // 64 * 8
    memory = b""
    for first in range(0, kernels, KERNELS_PER_CHUNK):
        for tile in range(chain):
            for kernel in weights[first : first + KERNELS_PER_CHUNK]:
                part = kernel[:, :, tile * per_tile : (tile + 1) * per_tile]
                memory += pack(part.reshape(-1), name).ljust(slice_bytes, b"\0")
    return memory

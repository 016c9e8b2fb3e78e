"""Elements out of memory and into it."""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import njit

from emu.npu.native.compiled.vectors import OPTIONS


class Runs(NamedTuple):
    """Where the elements of a tensor are in its bytes: runs of elements that follow each other without gaps.

    Attributes:
        rows: rows of the tensor.
        runs: runs in a row.
        elements: of a run.
        line, pitch: bytes from row to row, from run to run.
        bits: of an element, 1, 2, 4 or 8.
    """

    rows: int
    runs: int
    elements: int
    line: int
    pitch: int
    bits: int


class Coding(NamedTuple):
    """What the bits of an element mean: ((bits ^ flip) * scale) + add; padding is ``zero``."""

    flip: int
    scale: int
    add: int
    zero: int


@njit(**OPTIONS)
def unpack_run(target: Any, source: Any, count: int, bits: int, coding: Coding) -> None:
    """``count`` elements out of bytes."""
    flip, scale, add, _ = coding
    done = 0
    if bits == 4:
        done = count & ~1
        for byte in range(count >> 1):
            target[2 * byte] = ((source[byte] & 15) ^ flip) * scale + add
            target[2 * byte + 1] = ((source[byte] >> 4) ^ flip) * scale + add
    each, mask = 8 // bits, (1 << bits) - 1
    for place in range(done, count):
        target[place] = (((source[place // each] >> (place % each * bits)) & mask) ^ flip) * scale + add


@njit(**OPTIONS)
def pack_run(target: Any, source: Any, count: int, bits: int) -> None:
    """``count`` elements of 2, 4 or 8 bits into whole bytes."""
    if bits == 8:
        for byte in range(count):
            target[byte] = source[byte]
    elif bits == 4:
        for byte in range(count >> 1):
            target[byte] = source[2 * byte] & 15 | source[2 * byte + 1] << 4
    else:
        for byte in range(count >> 2):
            four = source[4 * byte : 4 * byte + 4]
            target[byte] = four[0] & 3 | (four[1] & 3) << 2 | (four[2] & 3) << 4 | four[3] << 6


@njit(**OPTIONS)
def read_features(features: Any, source: Any, runs: Runs, coding: Coding, padding: Any, line: int) -> None:
    """Features out of memory, with their padding.

    Args:
        features: uint8 or int16, flat, written.
        source: uint8, from the first byte of the first row on.
        padding: rows above and below, elements left and right.
        line: elements of ``features`` from row to row.
    """
    above, below, left, right = padding
    features[: above * line] = coding.zero
    features[(above + runs.rows) * line : (above + runs.rows + below) * line] = coding.zero
    for row in range(runs.rows):
        start = (above + row) * line
        features[start : start + left] = coding.zero
        features[start + line - right : start + line] = coding.zero
        for run in range(runs.runs):
            place = start + left + run * runs.elements
            packed = source[row * runs.line + run * runs.pitch :]
            unpack_run(features[place : place + runs.elements], packed, runs.elements, runs.bits, coding)


@njit(**OPTIONS)
def write_elements(target: Any, runs: Runs, elements: Any) -> None:
    """The first rows and columns of (height, width, kernels) elements into memory."""
    pitch = runs.elements
    for row in range(runs.rows):
        made = elements[row].reshape(-1)
        for run in range(runs.runs):
            pack_run(target[row * runs.line + run * runs.pitch :], made[run * pitch :], pitch, runs.bits)

"""Recurrent layers in plain integers, step after step: an Elman layer of s4, an LSTM cell of s8 and u8.

Nothing here comes from `asm`, `emu`, `sdk` or the examples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.reference import integer
from tests.reference.integer import Integers

BYTE = (-128, 127)
WORD = (integer.LOWEST, integer.HIGHEST)


@dataclass(frozen=True)
class Dense:
    """A fully connected layer.

    Attributes:
        weights: (outputs, inputs).
        table: (outputs, 4): bias, multiplier, shift, offset.
    """

    weights: Integers
    table: Integers

    def apply(self, inputs: Integers, low: int, high: int) -> NDArray[np.int64]:
        """(rows, inputs) to (rows, outputs)."""
        bias, multiplier, shift, offset = self.table.astype(np.int64).T
        sums = inputs.astype(np.int64) @ self.weights.astype(np.int64).T + bias
        assert np.abs(sums).max(initial=0) <= integer.HIGHEST
        return np.clip(_divided(sums * multiplier, shift) + offset, low, high)


def elman(inputs: Integers, layer: Dense, tanh: bytes) -> NDArray[np.int64]:
    """States of s4 behind every step.

    Args:
        inputs: (steps, rows, inputs); the layer sees them in front of the state before.
        tanh: look-up table of 256 bytes.
    """
    state = np.zeros((inputs.shape[1], len(layer.weights)), np.int64)
    states = []
    for seen in inputs:
        index = layer.apply(np.concatenate([seen, state], axis=1), *BYTE)
        state = _look_up(index, tanh, np.int8)
        states.append(state)
    return np.stack(states)


def lstm(inputs: Integers, layer: Dense, sigmoid: bytes, tanh: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """States of s8 behind every step, and the last cell, in units of 1/65536.

    Args:
        inputs: (steps, rows, inputs); the layer sees them in front of the state before.
        layer: input, forget, candidate and output gate, one behind the other; the candidate with twice its argument.
        sigmoid: look-up table of 256 bytes, in units of 1/256.
        tanh: the same in units of 1/128.
    """
    rows, hidden = inputs.shape[1], len(layer.weights) // 4
    state = cell = np.zeros((rows, hidden), np.int64)
    states = []
    for seen in inputs:
        index = layer.apply(np.concatenate([seen, state], axis=1), *BYTE)
        gates = _look_up(index, sigmoid, np.uint8).reshape(rows, 4, hidden)
        enter, keep, candidate, leave = gates[:, 0], gates[:, 1], gates[:, 2], gates[:, 3]
        cell = _divided(keep * cell, 8) + enter * (2 * candidate - 256)
        squashed = _look_up(np.clip(_divided(cell, 12), *BYTE), tanh, np.int8)
        state = _divided(leave * squashed, 8)
        states.append(state)
    return np.stack(states), cell


def _divided(values: Integers, shift: int | Integers) -> NDArray[np.int64]:
    """``values / 2**shift`` to the nearest integer, halves away from zero."""
    magnitude: NDArray[np.int64] = (np.abs(values) * 2 + (1 << shift)) >> shift + 1
    return np.where(values < 0, -magnitude, magnitude)


def _look_up(index: Integers, table: bytes, kind: type[np.int8 | np.uint8]) -> NDArray[np.int64]:
    """The byte that each index, -128..127, selects by its two's complement."""
    return np.frombuffer(table, kind)[index % 256].astype(np.int64)

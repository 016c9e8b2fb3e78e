# SPDX-License-Identifier: BSD-3-Clause
"""Trains the adder and writes ``weights.npz`` beside this file. Needs NumPy alone, and some seconds.

    python examples/rnn/train.py

An Elman network sees one bit of two numbers at a time, the lowest first, and says the bit of their sum:

    state = tanh(GAIN * (weights @ [bits, state before]) + bias)
    logit = weights_out @ state + bias_out                        above 0: the bit is 1

It is trained as it will run: in every forward pass weights and states are rounded to s4; gradients pass the rounding as
if it were not there (straight-through estimator). `states` is the same network without any rounding but that of the
weights: what the quantised one is compared with.

Two runs on one machine with the same NumPy write the same bytes. Another BLAS may sum gradients in another order, which
leads to other weights.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]

FOLDER = Path(__file__).parent
SEED = 1
HIDDEN = 16
"""Elements of the state."""
ONE = 7
"""What stands for 1.0 in s4: a set bit is +7, a clear one -7, a state of 1 is 7."""
WEIGHT_MAX = 7
GAIN = 1 / 32
"""One psum is so much in front of tanh, states and bits being in units of 1/7."""
INDEX_SCALE = 16
"""Steps of the look-up table for 1.0 in front of tanh."""
INDEX_SHIFT = 1
"""GAIN * INDEX_SCALE = 1 / 2^INDEX_SHIFT."""
LOGIT_GAIN = 1 / 64
"""Turns the integer logits into the argument of the sigmoid, in training only."""
STEPS, BATCH, ROUNDS, RATE = 12, 64, 1500, 0.03


def look_up_table() -> NDArray[np.uint8]:
    """tanh for every byte, as two's complement: ``round(7 * tanh(byte / 16))``."""
    index = np.arange(256).astype(np.uint8).view(np.int8)
    return np.rint(ONE * np.tanh(index / INDEX_SCALE)).astype(np.int8).view(np.uint8)


def bits_of(numbers: Integers, steps: int) -> Integers:
    """The lowest ``steps`` bits, (steps, ...), the lowest first."""
    return np.stack([numbers >> step & 1 for step in range(steps)])


def states(bits: Integers, weights: Integers, bias: Integers) -> Floats:
    """The network in floating point.

    Args:
        bits: (steps, sums, 2), 0 or 1.
        weights: (HIDDEN, 2 + HIDDEN), integers of s4.
        bias: (HIDDEN,), in units of psums.

    Returns:
        (steps, sums, HIDDEN), in -1..1.
    """
    state, found = np.zeros((bits.shape[1], HIDDEN)), []
    for pair in bits:
        seen = np.concatenate([2.0 * pair - 1, state], axis=1)
        state = np.tanh(GAIN * (ONE * seen @ weights.T + bias))
        found.append(state)
    return np.stack(found)


def rounded_weights(weights: Floats) -> Floats:
    """The weights as the tiles hold them."""
    return np.clip(np.rint(weights), -WEIGHT_MAX, WEIGHT_MAX)


class Adam:
    """Adjusts parameters in place."""

    def __init__(self, parameters: dict[str, Floats]) -> None:
        self.parameters, self.steps = parameters, 0
        self.means = {name: np.zeros_like(value) for name, value in parameters.items()}
        self.squares = {name: np.zeros_like(value) for name, value in parameters.items()}

    def adjust(self, gradients: dict[str, Floats], rates: dict[str, float]) -> None:
        """One step."""
        self.steps += 1
        for name, gradient in gradients.items():
            self.means[name] += 0.1 * (gradient - self.means[name])
            self.squares[name] += 0.001 * (gradient**2 - self.squares[name])
            mean = self.means[name] / (1 - 0.9**self.steps)
            deviation = np.sqrt(self.squares[name] / (1 - 0.999**self.steps)) + 1e-8
            self.parameters[name] -= rates[name] * mean / deviation


def gradients_of(parameters: dict[str, Floats], bits: Floats, wanted: Floats) -> tuple[float, dict[str, Floats]]:
    """Loss of a batch and its gradients.

    Args:
        bits: (steps, batch, 2), +7 or -7.
        wanted: (steps, batch), 0 or 1.
    """
    weights, weights_out = rounded_weights(parameters["weights"]), rounded_weights(parameters["weights_out"])
    steps, batch, _ = bits.shape
    state, seen, exact, after = np.zeros((batch, HIDDEN)), [], [], []
    for pair in bits:
        seen.append(np.concatenate([pair, state], axis=1))
        exact.append(np.tanh(GAIN * (seen[-1] @ weights.T + parameters["bias"])))
        state = np.rint(ONE * exact[-1])
        after.append(state)
    logits = LOGIT_GAIN * (np.stack(after) @ weights_out + parameters["bias_out"])
    chances = 1 / (1 + np.exp(-logits))
    loss = float(-np.log(np.where(wanted > 0, chances, 1 - chances) + 1e-12).mean())

    slopes = LOGIT_GAIN * (chances - wanted) / wanted.size
    found = {name: np.zeros_like(value) for name, value in parameters.items()}
    found["bias_out"] += slopes.sum()
    carried = np.zeros((batch, HIDDEN))
    for step in reversed(range(steps)):
        found["weights_out"] += after[step].T @ slopes[step]
        carried = carried + slopes[step][:, np.newaxis] * weights_out
        inner = carried * ONE * (1 - exact[step] ** 2) * GAIN
        found["weights"] += inner.T @ seen[step]
        found["bias"] += inner.sum(axis=0)
        carried = (inner @ weights)[:, 2:]
    return loss, found


def train() -> dict[str, Floats]:
    """The trained parameters, not rounded yet."""
    generator = np.random.default_rng(SEED)
    parameters = {
        "weights": generator.normal(0, 2.0, (HIDDEN, 2 + HIDDEN)),
        "bias": np.zeros(HIDDEN),
        "weights_out": generator.normal(0, 2.0, HIDDEN),
        "bias_out": np.zeros(1),
    }
    adam = Adam(parameters)
    for number in range(ROUNDS):
        numbers = generator.integers(0, 1 << STEPS - 1, (BATCH, 2))
        bits = ONE * (2.0 * bits_of(numbers, STEPS) - 1)
        loss, gradients = gradients_of(parameters, bits, bits_of(numbers.sum(axis=1), STEPS).astype(np.float64))
        rate = RATE * 0.5 * (1 + np.cos(np.pi * number / ROUNDS))
        adam.adjust(gradients, {"weights": rate, "weights_out": rate, "bias": 20 * rate, "bias_out": 20 * rate})
        for name in ("weights", "weights_out"):
            np.clip(parameters[name], -WEIGHT_MAX, WEIGHT_MAX, out=parameters[name])
        if number % 100 == 99:
            print(f"round {number + 1:4} of {ROUNDS}: loss {loss:.4f}", file=sys.stderr)
    return parameters


def main() -> None:
    """Trains and writes ``weights.npz``."""
    parameters = train()
    table = np.zeros((HIDDEN, 4), np.int32)
    table[:, 0] = np.rint(parameters["bias"])
    table[:, 1:3] = 1, INDEX_SHIFT
    state_weights = rounded_weights(parameters["weights"]).astype(np.int8)
    output_weights = rounded_weights(parameters["weights_out"]).astype(np.int8)
    np.savez(
        FOLDER / "weights.npz",
        state_weights=state_weights.reshape(HIDDEN, 1, 1, 2 + HIDDEN),
        state_requant=table,
        output_weights=output_weights.reshape(1, 1, 1, HIDDEN),
        output_requant=np.array([[np.rint(parameters["bias_out"][0]), 1, 0, 0]], np.int32),
        hyperbolic_tangent=look_up_table(),
    )


if __name__ == "__main__":
    main()

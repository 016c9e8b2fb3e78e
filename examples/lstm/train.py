# SPDX-License-Identifier: BSD-3-Clause
"""Trains the network that recognises waves, and writes ``weights.npz`` beside this file. Needs NumPy alone.

    python examples/lstm/train.py

An LSTM cell hears one sample of a wave at a time and says after each what it takes the wave for:

    input, forget, output = sigmoid(weights @ [sample, state before] + bias)
    candidate             = tanh(weights @ [sample, state before] + bias)
    cell                  = forget * cell before + input * candidate
    state                 = output * tanh(cell)
    logits                = weights_out @ state + bias_out              of four shapes; the largest is the answer

It is trained in floating point (`run` is that network) and quantised afterwards: weights to s8 with a scale for each
kernel, samples and states to s8, gates to u8. The candidate's tanh is made of a sigmoid, so that all gates pass the
same look-up table: tanh(x) = 2 sigmoid(2 x) - 1. The file also holds 64 waves that training has not heard.

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
HIDDEN = 32
"""Elements of the cell and of the state: a gate fills the 32 rows of a tile."""
GATES = 4
"""In the order of the kernels: input, forget, candidate, output."""
CANDIDATE = 2
SHAPES = 4
"""Sine, square, triangle, sawtooth."""
STEPS, WAVES = 32, 64
"""Samples of a wave; waves of the test set."""
UNIT = 128
"""1.0 in the formats of samples and states (s8), and of what comes out of the cell's tanh."""
GATE_UNIT = 256
"""1.0 of a gate (u8). The cell is a sum of products of two gates: 1.0 is its square."""
INDEX_SCALE = 16
"""Steps of the look-up tables for 1.0 in front of sigmoid or tanh."""
WEIGHT_MAX = 127
MULTIPLIER_BITS = 15
"""Precision of the requantisation's multiplier."""
BATCH, ROUNDS, RATE = 64, 900, 0.01


def sigmoid(values: Floats) -> Floats:
    """The logistic function."""
    return 1 / (1 + np.exp(-values))


def make_waves(count: int, generator: np.random.Generator) -> tuple[Integers, Integers]:
    """Waves of all shapes in turn, of any frequency, phase and loudness, with noise on them.

    Returns:
        int8, (STEPS, count), samples in units of 1 / UNIT; uint8, (count,), their shapes.
    """
    shapes = np.arange(count) % SHAPES
    turns = generator.uniform(0.06, 0.14, count) * np.arange(STEPS)[:, np.newaxis] + generator.uniform(0, 1, count)
    part = turns % 1.0
    sine = np.sin(2 * np.pi * part)
    square = np.where(part < 0.5, 1.0, -1.0)
    triangle = 1 - 4 * np.abs(part - 0.5)
    sawtooth = 2 * part - 1
    pure = np.choose(shapes, [sine, square, triangle, sawtooth])
    samples = generator.uniform(0.6, 0.9, count) * pure + generator.normal(0, 0.03, pure.shape)
    return np.clip(np.rint(UNIT * samples), -UNIT, UNIT - 1).astype(np.int8), shapes.astype(np.uint8)


def run(samples: Integers, parameters: dict[str, Floats]) -> dict[str, Floats]:
    """The network in floating point.

    Args:
        samples: (steps, waves), in units of 1 / UNIT.
        parameters: ``weights`` (GATES * HIDDEN, 1 + HIDDEN), ``bias``, ``weights_out`` (SHAPES, HIDDEN), ``bias_out``.

    Returns:
        Of all steps: ``seen`` (steps, waves, 1 + HIDDEN), ``gates`` (steps, waves, GATES, HIDDEN), ``cells``,
        ``states`` (steps, waves, HIDDEN), ``logits`` (steps, waves, SHAPES).
    """
    steps, waves = samples.shape
    found = {
        "seen": np.empty((steps, waves, 1 + HIDDEN)),
        "gates": np.empty((steps, waves, GATES, HIDDEN)),
        "cells": np.empty((steps, waves, HIDDEN)),
        "states": np.empty((steps, waves, HIDDEN)),
    }
    cell = state = np.zeros((waves, HIDDEN))
    for step in range(steps):
        seen = np.concatenate([samples[step][:, np.newaxis] / UNIT, state], axis=1)
        gates = (seen @ parameters["weights"].T + parameters["bias"]).reshape(waves, GATES, HIDDEN)
        gates[:, CANDIDATE] = 2 * gates[:, CANDIDATE]
        gates = sigmoid(gates)
        gates[:, CANDIDATE] = 2 * gates[:, CANDIDATE] - 1
        cell = gates[:, 1] * cell + gates[:, 0] * gates[:, CANDIDATE]
        state = gates[:, 3] * np.tanh(cell)
        for name, value in (("seen", seen), ("gates", gates), ("cells", cell), ("states", state)):
            found[name][step] = value
    found["logits"] = found["states"] @ parameters["weights_out"].T + parameters["bias_out"]
    return found


def gradients_of(parameters: dict[str, Floats], samples: Integers, shapes: Integers) -> tuple[float, dict[str, Floats]]:
    """Loss of a batch, the mean over the second half of the steps, and its gradients."""
    found = run(samples, parameters)
    steps, waves = samples.shape
    scores = found["logits"] - found["logits"].max(axis=2, keepdims=True)
    chances = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    judged = (np.arange(steps) >= steps // 2)[:, np.newaxis]
    weight = judged / (judged.sum() * waves)
    right = np.take_along_axis(chances, np.broadcast_to(shapes, (steps, waves))[..., np.newaxis], axis=2)[..., 0]
    loss = float((-np.log(right + 1e-12) * weight).sum())
    slopes = chances - np.eye(SHAPES)[shapes]
    slopes *= weight[..., np.newaxis]

    gradients = {name: np.zeros_like(value) for name, value in parameters.items()}
    gradients["weights_out"] += np.einsum("twc,twh->ch", slopes, found["states"])
    gradients["bias_out"] += slopes.sum(axis=(0, 1))
    to_state, to_cell = np.zeros((waves, HIDDEN)), np.zeros((waves, HIDDEN))
    for step in reversed(range(steps)):
        gates, cell = found["gates"][step], found["cells"][step]
        before = found["cells"][step - 1] if step else np.zeros_like(cell)
        to_state = to_state + slopes[step] @ parameters["weights_out"]
        squashed = np.tanh(cell)
        to_cell = to_cell + to_state * gates[:, 3] * (1 - squashed**2)
        to_gates = np.stack(
            [to_cell * gates[:, CANDIDATE], to_cell * before, to_cell * gates[:, 0], to_state * squashed], axis=1
        )
        bend = gates * (1 - gates)
        bend[:, CANDIDATE] = 1 - gates[:, CANDIDATE] ** 2
        inner = (to_gates * bend).reshape(waves, GATES * HIDDEN)
        gradients["weights"] += inner.T @ found["seen"][step]
        gradients["bias"] += inner.sum(axis=0)
        to_state = (inner @ parameters["weights"])[:, 1:]
        to_cell = to_cell * gates[:, 1]
    return loss, gradients


def train() -> dict[str, Floats]:
    """The trained parameters of `run`."""
    generator = np.random.default_rng(SEED)
    parameters = {
        "weights": generator.normal(0, 0.3, (GATES * HIDDEN, 1 + HIDDEN)),
        "bias": np.repeat([0.0, 1.0, 0.0, 0.0], HIDDEN),
        "weights_out": generator.normal(0, 0.3, (SHAPES, HIDDEN)),
        "bias_out": np.zeros(SHAPES),
    }
    means = {name: np.zeros_like(value) for name, value in parameters.items()}
    squares = {name: np.zeros_like(value) for name, value in parameters.items()}
    for number in range(1, ROUNDS + 1):
        loss, gradients = gradients_of(parameters, *make_waves(BATCH, generator))
        rate = RATE * 0.5 * (1 + np.cos(np.pi * number / ROUNDS))
        size = np.sqrt(sum(float((gradient**2).sum()) for gradient in gradients.values()))
        for name, gradient in gradients.items():
            gradient /= max(size, 1.0)
            means[name] += 0.1 * (gradient - means[name])
            squares[name] += 0.001 * (gradient**2 - squares[name])
            deviation = np.sqrt(squares[name] / (1 - 0.999**number)) + 1e-8
            parameters[name] -= rate * means[name] / (1 - 0.9**number) / deviation
        if number % 100 == 0:
            print(f"round {number:4} of {ROUNDS}: loss {loss:.4f}", file=sys.stderr)
    return parameters


def look_up_tables() -> dict[str, NDArray[np.uint8]]:
    """Sigmoid in units of 1 / GATE_UNIT, tanh in units of 1 / UNIT (two's complement), for every byte as an index."""
    index = np.arange(256).astype(np.uint8).view(np.int8) / INDEX_SCALE
    tanh = np.clip(np.rint(UNIT * np.tanh(index)), -UNIT, UNIT - 1).astype(np.int8)
    return {
        "sigmoid": np.clip(np.rint(GATE_UNIT * sigmoid(index)), 0, GATE_UNIT - 1).astype(np.uint8),
        "hyperbolic_tangent": tanh.view(np.uint8),
    }


def quantised(weights: Floats, bias: Floats, scale: Floats) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Kernels and requantisation table of a layer.

    Args:
        weights: (kernels, channels), for inputs of 1.0.
        bias: (kernels,).
        scale: (kernels,): what 1.0 becomes behind the activation.

    Returns:
        s8 kernels, (kernels, 1, 1, channels); (kernels, 4).
    """
    step = np.abs(weights).max(axis=1) / WEIGHT_MAX
    gain = scale * step / UNIT
    table = np.zeros((len(weights), 4), np.int32)
    table[:, 0] = np.rint(bias * scale / gain)
    table[:, 2] = MULTIPLIER_BITS - np.frexp(gain)[1]
    table[:, 1] = np.rint(np.ldexp(gain, table[:, 2]))
    kernels = np.rint(weights / step[:, np.newaxis]).astype(np.int8)
    return kernels[:, np.newaxis, np.newaxis], table


def shifts(entries: int, shift: int) -> NDArray[np.int32]:
    """A table that divides by ``2 ** shift``."""
    return np.tile(np.array([0, 1, shift, 0], np.int32), (entries, 1))


def main() -> None:
    """Trains and writes ``weights.npz``."""
    parameters = train()
    scale = np.full(GATES * HIDDEN, float(INDEX_SCALE))
    scale[CANDIDATE * HIDDEN :][:HIDDEN] *= 2
    arrays: dict[str, Any] = look_up_tables()
    arrays["gate_weights"], arrays["gate_requant"] = quantised(parameters["weights"], parameters["bias"], scale)
    arrays["shape_weights"], arrays["shape_requant"] = quantised(
        parameters["weights_out"], parameters["bias_out"], np.full(SHAPES, float(UNIT))
    )
    arrays["gate_unit"] = shifts(HIDDEN, (GATE_UNIT - 1).bit_length())
    arrays["cell_index"] = shifts(HIDDEN, (GATE_UNIT**2 // INDEX_SCALE - 1).bit_length())
    arrays |= {f"float_{name}": value.astype(np.float32) for name, value in parameters.items()}
    samples, shapes = make_waves(WAVES, np.random.default_rng(SEED + 1))
    arrays["samples"] = samples.view(np.uint8)
    arrays["shapes"] = shapes
    np.savez(FOLDER / "weights.npz", **arrays)
    answers = run(samples, parameters)["logits"][-1].argmax(axis=1)
    print(f"{(answers == shapes).sum()} of {WAVES} waves of the test set are recognised in floating point")


if __name__ == "__main__":
    main()

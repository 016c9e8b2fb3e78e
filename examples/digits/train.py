# SPDX-License-Identifier: BSD-3-Clause
"""Trains the digits network and writes the files beside this one. Needs scikit-learn; `imnpu demo` does not.

    python examples/digits/train.py

It writes ``weights.npz`` (the quantised network), ``images.bin`` (the test images as a camera would stream them:
32 bytes a frame, two u4 pixels a byte, row by row) and ``labels.txt`` (the digit of each image, one a line).

The network is trained as it will run: in every forward pass weights are rounded to s4 and features to u4; gradients
pass the rounding as if it were not there (straight-through estimator). The 360 test images are split off first and
used once, to print the accuracy at the end. They show digits of the same writers as the training images, so that
accuracy says nothing about other writers.

Reproducibility: two runs on one machine with the same NumPy and scikit-learn write the same bytes (fixed seeds, one
BLAS thread, no dates in the archive). Another BLAS may sum gradients in another order, which leads to other weights
of about the same accuracy; images and labels stay the same everywhere.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import reference
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.integer[Any]]

SEED = 0
TEST_IMAGES = 360
EPOCHS = 100
BATCH = 32
LEARNING_RATE = 0.03
LOGIT_SCALE = 1 / 64
"""Turns the integer logits into the argument of the softmax, in training only."""
WEIGHT_MIN, WEIGHT_MAX = -8, 7
MULTIPLIER_BITS = 15
"""Precision of the requantisation's multiplier."""


@dataclass
class Parameter:
    """An array that Adam adjusts: ``value`` and, after a backward pass, ``gradient``."""

    value: Floats
    rate: float
    """Learning rate relative to `LEARNING_RATE`."""
    gradient: Floats = field(init=False)
    mean: Floats = field(init=False)
    square: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.mean = np.zeros_like(self.value)
        self.square = np.zeros_like(self.value)

    def adjust(self, step: int, learning_rate: float) -> None:
        """One step of Adam; ``step`` counts from 1."""
        self.mean += np.float32(0.1) * (self.gradient - self.mean)
        self.square += np.float32(0.001) * (self.gradient**2 - self.square)
        mean = self.mean / (1 - 0.9**step)
        deviation = np.sqrt(self.square / (1 - 0.999**step)) + 1e-8
        self.value -= (learning_rate * self.rate * mean / deviation).astype(np.float32)


class Layer:
    """A convolution whose weights live in units of their quantised values.

    Output = round((sum + bias) * gain), limited to 0..15, where the sum is over integers; the bias is trained in
    units of the output. ``hidden=False`` makes the last layer: no rounding, no limits, one fixed gain.
    """

    def __init__(
        self, shape: tuple[int, int, int, int], stride: int, padding: int, hidden: bool, spread: float
    ) -> None:
        generator = np.random.default_rng([SEED, *shape])
        self.kernels, self.height, self.width, self.channels = shape
        self.stride, self.padding, self.hidden = stride, padding, hidden
        inputs = self.height * self.width * self.channels
        self.weights = Parameter(generator.normal(0, spread, (inputs, self.kernels)).astype(np.float32), 1.0)
        self.bias = Parameter(np.zeros(self.kernels, np.float32), 1.0)
        self.log_gain = Parameter(np.full(self.kernels, np.log(LOGIT_SCALE), np.float32), 0.2)

    @property
    def parameters(self) -> list[Parameter]:
        """What is trained."""
        return [self.weights, self.bias, self.log_gain] if self.hidden else [self.weights, self.bias]

    def quantised_weights(self) -> Floats:
        """The weights as the tiles hold them, still as float32: (inputs, kernels)."""
        return np.clip(np.rint(self.weights.value), WEIGHT_MIN, WEIGHT_MAX)

    def calibrate(self, features: Floats) -> Floats:
        """Chooses the gain so that outputs of ``features`` use their range; returns these outputs."""
        sums = self._windows(features) @ self.quantised_weights()
        self.log_gain.value[:] = np.log(5 / sums.std(axis=0))
        return self.forward(features)

    def forward(self, features: Floats) -> Floats:
        """(images, height, width, channels) to (images, height, width, kernels)."""
        self.input_shape = features.shape
        self.columns = self._windows(features)
        self.scaled = self.columns @ self.quantised_weights() * np.exp(self.log_gain.value)
        self.exact = self.scaled + self.bias.value
        output = np.clip(np.rint(self.exact), 0, reference.FEATURE_MAX) if self.hidden else self.exact
        return output.reshape(features.shape[0], *self.output_size, self.kernels)

    def backward(self, gradient: Floats) -> Floats:
        """Sets the parameters' gradients; returns the gradient of the input."""
        gradient = gradient.reshape(-1, self.kernels)
        if self.hidden:
            gradient = gradient * ((self.exact > 0) & (self.exact < reference.FEATURE_MAX + 0.5))
        self.bias.gradient = gradient.sum(axis=0)
        self.log_gain.gradient = (gradient * self.scaled).sum(axis=0)
        gradient = gradient * np.exp(self.log_gain.value)
        self.weights.gradient = self.columns.T @ gradient
        return self._scatter(gradient @ self.quantised_weights().T)

    def keep_in_range(self) -> None:
        """Weights beyond the format would stop moving: their gradient says nothing about the limit."""
        np.clip(self.weights.value, WEIGHT_MIN, WEIGHT_MAX, out=self.weights.value)

    def export(self) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
        """The layer for the NPU: weights (kernels, height, width, channels), requantisation table (kernels, 4)."""
        shape = (self.height, self.width, self.channels, self.kernels)
        weights = np.moveaxis(self.quantised_weights().reshape(shape), -1, 0).astype(np.int8)
        gain = np.exp(self.log_gain.value.astype(np.float64))
        table = np.zeros((self.kernels, 4), np.int32)
        table[:, 0] = np.rint(self.bias.value / gain)
        if self.hidden:
            _, exponent = np.frexp(gain)
            table[:, 2] = MULTIPLIER_BITS - exponent
            table[:, 1] = np.rint(np.ldexp(gain, table[:, 2]))
        else:
            table[:, 1] = 1
        return np.ascontiguousarray(weights), table

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the output."""
        _, height, width, _ = self.input_shape
        added = 2 * self.padding
        return (height + added - self.height) // self.stride + 1, (width + added - self.width) // self.stride + 1

    def _windows(self, features: Floats) -> Floats:
        """Every kernel position's inputs as a row: (positions, inputs)."""
        zeros = (self.padding, self.padding)
        padded = np.pad(features, ((0, 0), zeros, zeros, (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (self.height, self.width), axis=(1, 2))
        windows = windows[:, :: self.stride, :: self.stride].transpose(0, 1, 2, 4, 5, 3)
        return windows.reshape(-1, self.height * self.width * self.channels)

    def _scatter(self, columns: Floats) -> Floats:
        """The opposite of `_windows`: adds every row up where its elements came from."""
        images, height, width, channels = self.input_shape
        rows, places = self.output_size
        first = self.padding
        taps = columns.reshape(images, rows, places, self.height, self.width, channels)
        padded = np.zeros((images, height + 2 * first, width + 2 * first, channels), np.float32)
        for y in range(self.height):
            for x in range(self.width):
                part = padded[:, y : y + rows * self.stride : self.stride, x : x + places * self.stride : self.stride]
                part += taps[:, :, :, y, x]
        return padded[:, first : first + height, first : first + width]


def make_layers() -> dict[str, Layer]:
    """The untrained network, by layer name, first layer first."""
    return {
        "conv1": Layer((16, 3, 3, 1), stride=1, padding=1, hidden=True, spread=3.0),
        "conv2": Layer((64, 3, 3, 16), stride=2, padding=1, hidden=True, spread=2.5),
        "dense": Layer((10, 4, 4, 64), stride=1, padding=0, hidden=False, spread=1.0),
    }


def shifted(images: Floats, generator: np.random.Generator) -> Floats:
    """Each image moved by up to one pixel in both directions; what comes in is 0."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (reference.SIZE, reference.SIZE), axis=(1, 2))
    down, right = generator.integers(0, 3, (2, len(images)))
    moved: Floats = windows[np.arange(len(images)), down, right]
    return moved


def train(images: Floats, labels: Integers) -> dict[str, Layer]:
    """The trained network. ``images``: (images, 8, 8), 0..15; ``labels``: (images,), 0..9."""
    generator = np.random.default_rng(SEED)
    layers = make_layers()
    features = images[:, :, :, np.newaxis]
    for layer in layers.values():
        if layer.hidden:
            features = layer.calibrate(features)
    batches = len(images) // BATCH
    step = 0
    for epoch in range(EPOCHS):
        order = generator.permutation(len(images))[: batches * BATCH]
        losses = []
        for batch in order.reshape(batches, BATCH):
            step += 1
            losses.append(_train_batch(layers, shifted(images[batch], generator), labels[batch]))
            learning_rate = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * step / (EPOCHS * batches)))
            for layer in layers.values():
                for parameter in layer.parameters:
                    parameter.adjust(step, learning_rate)
                layer.keep_in_range()
        print(f"epoch {epoch + 1:3} of {EPOCHS}: loss {np.mean(losses):.4f}", file=sys.stderr)
    return layers


def _train_batch(layers: dict[str, Layer], images: Floats, labels: Integers) -> float:
    """Forward and backward through all layers; returns the mean cross-entropy."""
    features = images[:, :, :, np.newaxis]
    for layer in layers.values():
        features = layer.forward(features)
    scores = features[:, 0, 0] - features[:, 0, 0].max(axis=1, keepdims=True)
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float(-np.log(chances[rows, labels] + 1e-12).mean())
    chances[rows, labels] -= 1
    gradient = chances / np.float32(len(labels))
    for layer in reversed(layers.values()):
        gradient = layer.backward(gradient)
    return loss


def load_split() -> tuple[Integers, Integers, Integers, Integers]:
    """Training images, training labels, test images, test labels. Pixel value 16 becomes 15, the largest u4."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = np.minimum(digits.images, reference.FEATURE_MAX).astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    seen, unseen, seen_labels, unseen_labels = train_test_split(
        images, labels, test_size=TEST_IMAGES, random_state=0, stratify=labels
    )
    return seen, seen_labels, unseen, unseen_labels


def main() -> None:
    """Trains, writes the files, prints the accuracy that they have."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    folder = Path(__file__).parent
    images, labels, test_images, test_labels = load_split()
    with threadpool_limits(1):
        layers = train(images.astype(np.float32), labels)
    network: dict[str, Any] = {}
    for name, layer in layers.items():
        network[f"{name}_weights"], network[f"{name}_requant"] = layer.export()
    np.savez(folder / "weights.npz", **network)
    (folder / "images.bin").write_bytes((test_images[:, :, ::2] | test_images[:, :, 1::2] << 4).tobytes())
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in test_labels))
    for name, some, truth in (("training", images, labels), ("test", test_images, test_labels)):
        correct = int((reference.logits(some, network).argmax(axis=1) == truth).sum())
        print(f"{name}: {correct} of {len(truth)} images right ({correct / len(truth):.4f})")


if __name__ == "__main__":
    main()

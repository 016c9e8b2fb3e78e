"""The recurrent examples: bit for bit what plain integers give, and close to floating point."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from emu.machines import NAMES, machine_map
from examples.lstm import train as lstm
from examples.rnn import train as rnn
from sdk import paths
from sdk.build import BuildOptions, build
from sdk.loader import load_elf
from sdk.project import open_project
from sdk.runner import Runner
from tests.reference import integer, recurrent
from tests.reference.integer import Integers
from tests.reference.recurrent import Dense

CYCLES = 10_000_000
RNN_STEPS, SUMS = 17, 8


def arrays_of(name: str) -> dict[str, Integers]:
    """What the example's training has written."""
    with np.load(paths.examples() / name / "weights.npz") as arrays:
        return {key: arrays[key] for key in arrays.files}


def layer_of(arrays: dict[str, Integers], name: str) -> Dense:
    """A layer of 1 x 1 kernels."""
    return Dense(arrays[f"{name}_weights"][:, 0, 0], arrays[f"{name}_requant"])


def run(name: str, machine: str, folder: Path) -> Runner:
    """The example after its run."""
    project = open_project(paths.examples() / name)
    elf = build(project, BuildOptions(machine, output=folder / f"{name}.elf")).elf
    runner = Runner(load_elf(elf), machine_map(machine))
    assert runner.run(CYCLES).exit_code == 0
    return runner


def memory(runner: Runner, symbol: str, shape: tuple[int, int, int], element: str) -> NDArray[np.int64]:
    """A C array, unpacked by the reference: (steps, rows, channels)."""
    steps, elements = shape[0], shape[1] * shape[2]
    size = elements * integer.element_bits(element) // 8
    data = runner.machine.bus.read(runner.image.symbols[symbol], steps * size)
    parts = [integer.unpack(data[step * size :][:size], elements, element) for step in range(steps)]
    return np.array(parts, np.int64).reshape(shape)


@pytest.mark.parametrize("machine", NAMES)
def test_rnn_is_exact_and_close_to_floating_point(machine: str, tmp_path: Path) -> None:
    arrays = arrays_of("rnn")
    runner = run("rnn", machine, tmp_path)
    sequence = memory(runner, "sequence", (RNN_STEPS + 1, SUMS, 2 + rnn.HIDDEN), "s4")
    logits = memory(runner, "logits", (RNN_STEPS, SUMS, 1), "s32")

    seen = sequence[:-1, :, :2]
    states = recurrent.elman(seen, layer_of(arrays, "state"), arrays["hyperbolic_tangent"].tobytes())
    assert np.array_equal(sequence[1:, :, 2:], states)
    flat = layer_of(arrays, "output").apply(states.reshape(-1, rnn.HIDDEN), *recurrent.WORD)
    assert np.array_equal(logits, flat.reshape(logits.shape))

    bits = (seen > 0).astype(int)
    numbers = sum(bits[step] << step for step in range(RNN_STEPS))
    assert len(np.unique(numbers)) == 2 * SUMS
    assert np.array_equal(sum((logits[step, :, 0] > 0) << step for step in range(RNN_STEPS)), numbers.sum(axis=1))

    exact = rnn.states(bits, arrays["state_weights"][:, 0, 0], arrays["state_requant"][:, 0])
    error = np.abs(exact - states / rnn.ONE)
    assert documented_errors("rnn") == (f"{error.max():.2f}", f"{error.mean():.3f}")


@pytest.mark.parametrize("machine", NAMES)
def test_lstm_is_exact_and_close_to_floating_point(machine: str, tmp_path: Path) -> None:
    arrays = arrays_of("lstm")
    runner = run("lstm", machine, tmp_path)
    sequence = memory(runner, "sequence", (lstm.STEPS + 1, lstm.WAVES, 1 + lstm.HIDDEN), "s8")
    logits = memory(runner, "logits", (lstm.STEPS, lstm.WAVES, lstm.SHAPES), "s32")
    cell = memory(runner, "listener_cell", (1, lstm.WAVES, lstm.HIDDEN), "s32")[0]

    samples = arrays["samples"].view(np.int8)
    assert np.array_equal(sequence[:-1, :, 0], samples)
    tables = arrays["sigmoid"].tobytes(), arrays["hyperbolic_tangent"].tobytes()
    states, last_cell = recurrent.lstm(samples[..., np.newaxis], layer_of(arrays, "gate"), *tables)
    assert np.array_equal(sequence[1:, :, 1:], states)
    assert np.array_equal(cell, last_cell)
    flat = layer_of(arrays, "shape").apply(states.reshape(-1, lstm.HIDDEN), *recurrent.WORD)
    assert np.array_equal(logits, flat.reshape(logits.shape))

    parameters = {name[6:]: value.astype(np.float64) for name, value in arrays.items() if name.startswith("float_")}
    exact = lstm.run(samples, parameters)
    error = np.abs(exact["states"] - states / lstm.UNIT)
    assert documented_errors("lstm") == (f"{error.max():.2f}", f"{error.mean():.3f}")
    assert np.array_equal(exact["logits"][-1].argmax(axis=1), arrays["shapes"])
    assert np.array_equal(logits[-1].argmax(axis=1), arrays["shapes"])


def documented_errors(name: str) -> tuple[str, str]:
    """Largest and mean difference of a state from floating point, as the README says."""
    text = re.sub(r"\s+", " ", (paths.examples() / name / "README.md").read_text())
    found = re.search(r"differ from floating point by (\d+\.\d+) at most and by (\d+\.\d+) on average", text)
    assert found is not None
    return found[1], found[2]


def test_look_up_tables_are_the_functions() -> None:
    tables = arrays_of("lstm")
    index = np.arange(256).astype(np.uint8).view(np.int8) / 16
    assert np.abs(tables["sigmoid"] / 256 - 1 / (1 + np.exp(-index))).max() <= 1 / 256
    assert np.abs(tables["hyperbolic_tangent"].view(np.int8) / 128 - np.tanh(index)).max() <= 1 / 128
    small = arrays_of("rnn")["hyperbolic_tangent"].view(np.int8)
    assert np.abs(small / 7 - np.tanh(index)).max() <= 1 / 14


@pytest.mark.parametrize(("name", "module"), [("rnn", rnn), ("lstm", lstm)])
def test_gradients_are_those_of_the_loss(name: str, module: object) -> None:
    """Central differences; the Elman network's rounding is passed as if it were not there, so its last layer counts."""
    generator = np.random.default_rng(3)
    if name == "rnn":
        shapes = {"weights": (16, 18), "bias": (16,), "weights_out": (16,), "bias_out": (1,)}
        parameters = {key: generator.normal(0, 2, shape) for key, shape in shapes.items()}
        batch = (7.0 * generator.choice([-1, 1], (5, 3, 2)), generator.integers(0, 2, (5, 3)).astype(float))
        checked = [("bias_out", 0)]
    else:
        arrays = arrays_of("lstm")
        parameters = {key[6:]: value.astype(np.float64) for key, value in arrays.items() if key.startswith("float_")}
        batch = lstm.make_waves(3, generator)
        checked = [("weights", 7), ("weights", 33 * 70 + 4), ("bias", 40), ("weights_out", 5), ("bias_out", 2)]
    gradients_of = vars(module)["gradients_of"]
    _, gradients = gradients_of(parameters, *batch)
    for key, place in checked:
        value = parameters[key].reshape(-1)
        losses = []
        for step in (1e-5, -2e-5):
            value[place] += step
            losses.append(gradients_of(parameters, *batch)[0])
        value[place] += 1e-5
        slope = (losses[0] - losses[1]) / 2e-5
        assert gradients[key].reshape(-1)[place] == pytest.approx(slope, rel=1e-3, abs=1e-8)

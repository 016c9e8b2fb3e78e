"""Runs a network from firmware and gathers what the clusters' counters said and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emu.machines import machine_map
from sdk.build import BuildOptions, build
from sdk.loader import load_elf
from sdk.networks.firmware import write_firmware
from sdk.networks.measured import SYMBOL, Measured, counted_offset, layer_counters
from sdk.networks.memory import check_memory
from sdk.networks.names import features_symbol
from sdk.networks.network import INPUT
from sdk.networks.parameters import Parameters, make_parameters
from sdk.networks.plan import Plan
from sdk.project import open_project
from sdk.runner import Runner, RunResult
from sdk.tensors import unpack_tensor


class NetworkRunError(Exception):
    """The firmware of a network did not come to its end."""


@dataclass(frozen=True)
class NetworkRun:
    """A network that ran.

    Attributes:
        timing: name of the timing model.
        counted: for each layer, what each cluster counted.
        wrong: elements that differ from the reference, by tensor; only tensors that have some.
        result: the firmware's run.
    """

    plan: Plan
    timing: str
    counted: tuple[tuple[Measured, ...], ...]
    wrong: dict[str, int]
    result: RunResult

    @property
    def exact(self) -> bool:
        """Whether every element of every tensor equals the reference."""
        return not self.wrong


def run_network(plan: Plan, folder: Path, machine: str = "st18", timing: str = "published") -> NetworkRun:
    """Writes, builds and runs the firmware of a network.

    Args:
        folder: where the project goes.
        timing: how long commands take, ``published`` or ``strict``.

    Raises:
        NetworkError: it does not fit the machine's memories.
        NetworkRunError: the firmware ended with an error.
        ToolchainError, OSError: see `sdk.build.build`.
    """
    chip = machine_map(machine, timing=timing)
    check_memory(plan, chip)
    parameters = make_parameters(plan.network)
    firmware = write_firmware(plan, parameters, folder)
    elf = build(open_project(firmware.folder), BuildOptions(machine)).elf
    runner = Runner(load_elf(elf), chip, stream=firmware.stream)
    result = runner.run()
    if result.exit_code != 0:
        raise NetworkRunError(
            f"the firmware of {plan.network.name} did not come to its end: {result.outcome.value}\n"
            f"{result.uart.decode(errors='replace')}"
        )
    return NetworkRun(plan, timing, _counted(plan, runner), _wrong(plan, parameters, runner), result)


def _counted(plan: Plan, runner: Runner) -> tuple[tuple[Measured, ...], ...]:
    """What the programs kept behind each layer."""
    layers, clusters = len(plan.layers), plan.clusters
    data = runner.machine.bus.read(runner.image.symbols[SYMBOL], counted_offset(layers, 0, clusters))
    return layer_counters(data, layers, clusters)


def _wrong(plan: Plan, parameters: Parameters, runner: Runner) -> dict[str, int]:
    wrong = {}
    for name, shape in plan.network.tensors().items():
        if name == INPUT:
            continue
        data = runner.machine.bus.read(runner.image.symbols[features_symbol(name)], shape.memory_bytes)
        values = unpack_tensor(data, (shape.height, shape.width, shape.channels), shape.format)
        different = int(np.count_nonzero(values != parameters.expected[name]))
        if different:
            wrong[name] = different
    return wrong

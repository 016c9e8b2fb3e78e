"""A run is the same straight, in pieces, from a snapshot, watched or not, on every engine: the same state hash."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.cpu import ENGINES
from emu.machine import Machine, StopReason
from emu.machines import machine_map
from emu.snapshot import Snapshot
from sdk import paths
from sdk.loader import load_elf
from sdk.networks.firmware import write_firmware
from sdk.networks.network_file import load_network
from sdk.networks.parameters import make_parameters
from sdk.networks.plan import plan_network
from sdk.runner import Outcome, Runner
from tests.emu.relay import relay, sliced
from tests.sdk.firmware_builds import MACHINES, build_firmware

PIECES = {
    "hello": 197, "interrupts": 300_007, "tile_by_hand": 4001, "conv_program": 11_003, "digits": 300_007,
    "rnn": 3001, "lstm": 20_011, "residual": 2003, "vgg16": 50_021, "yolo2_tiny": 50_021,
}  # fmt: skip
"""All examples, and the lengths of their pieces in cycles: prime numbers."""
LONG_COMMANDS = ("digits", "residual", "vgg16", "yolo2_tiny")
"""Examples with commands that are longer than a block of the host's instructions."""
CYCLES = 50_000_000
MakeRunner = Callable[..., Runner]


def project(name: str, folder: Path) -> bytes:
    """Copies an example to ``folder``; what comes through the input stream."""
    shutil.copytree(paths.examples() / name, folder, ignore=shutil.ignore_patterns("build"))
    return (folder / "images.bin").read_bytes() if name == "digits" else b""


def network_project(name: str, folder: Path) -> bytes:
    """Writes the firmware of a network on two clusters into ``folder``; what comes through the input stream."""
    plan = plan_network(load_network(paths.examples() / name), clusters=2)
    return write_firmware(plan, make_parameters(plan.network), folder).stream


def test_no_example_is_left_out() -> None:
    assert set(PIECES) == {folder.name for folder in paths.examples().iterdir() if folder.is_dir()}


@pytest.fixture(scope="module", params=[(name, machine) for name in PIECES for machine in MACHINES], ids="-".join)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, MakeRunner]:
    name, machine = request.param
    folder = tmp_path_factory.mktemp("example") / name
    is_network = (paths.examples() / name / "network.toml").exists()
    stream = (network_project if is_network else project)(name, folder)
    elf = build_firmware(folder, machine, folder / "firmware.elf")

    def make(engine: str = ENGINES[0]) -> Runner:
        return Runner(load_elf(elf), machine_map(machine, 2), stream=stream, engine=engine)

    return name, make


def test_straight_in_pieces_from_a_snapshot_and_on_both_engines(example: tuple[str, MakeRunner]) -> None:
    name, make = example
    runner = make()
    assert runner.run(CYCLES).outcome is Outcome.EXIT
    end = runner.machine.state_hash()
    pieces = sliced(lambda: make().machine, CYCLES, PIECES[name])
    assert len(pieces) > 8
    assert pieces[-1] == end
    assert relay(lambda: make().machine, CYCLES, PIECES[name]) == pieces
    if runner.machine.core.architecture == "riscv":
        interpreted = make("interpreter")
        interpreted.run(CYCLES)
        assert interpreted.machine.state_hash() == end


def test_observers_change_nothing(example: tuple[str, MakeRunner]) -> None:
    _, make = example
    watched, alone = make().machine, make().machine
    for cluster in watched.devices.values():
        getattr(cluster, "on_command", []).append(lambda record: None)
    for cluster in alone.devices.values():
        getattr(cluster, "on_command", []).clear()
    watched.log.listeners.append(lambda message: None)
    for machine in (watched, alone):
        assert machine.run(CYCLES).reason is StopReason.EXIT
    assert watched.state_hash() == alone.state_hash()


def test_records_of_commands_go_on_where_they_were(example: tuple[str, MakeRunner]) -> None:
    """What an observer of a restored machine sees is what it would have seen of the first one."""
    name, make = example
    if name not in LONG_COMMANDS:
        pytest.skip("its commands are shorter than a block of the host's instructions, or it has none")
    whole = make()
    commands = whole.run(CYCLES).commands
    first, second = make(), make()
    longest = max(commands, key=lambda command: command.end - command.start)
    first.run((longest.start + longest.end) // 2)
    assert first.clusters[longest.cluster].running is not None
    second.machine.restore(first.machine.snapshot())
    second.run(CYCLES)
    assert (*first.commands, *second.commands) == commands
    assert second.machine.state_hash() == whole.machine.state_hash()


def test_a_file_goes_to_another_process(example: tuple[str, MakeRunner], tmp_path: Path) -> None:
    name, make = example
    runner = make()
    runner.run(3 * PIECES[name])
    runner.machine.snapshot().save(tmp_path / "snapshot")
    again: Machine = make().machine
    again.restore(Snapshot.load(tmp_path / "snapshot"))
    stops = [machine.run(CYCLES) for machine in (runner.machine, again)]
    assert stops[0] == stops[1]
    assert runner.machine.state_hash() == again.state_hash()

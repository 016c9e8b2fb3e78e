"""Snapshots: all of a machine's state is in them, and files that do not fit are refused."""

from __future__ import annotations

import random
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from emu import machines
from emu.clock import Event
from emu.cpu import ENGINES
from emu.device import Device, Line
from emu.machine import Machine, StopReason
from emu.machines import machine_map
from emu.snapshot import Snapshot, SnapshotError
from emu.state import Saved
from tests.emu.cpu import arm_board, riscv_board
from tests.emu.relay import differences, relay, sliced, straight

ARM_TORTURE = Path(__file__).parents[1] / "boards" / "programs" / "exceptions.c"
RISCV_TORTURE = Path(__file__).parent / "cpu" / "riscv_torture.S"
LEGS = (pytest.param(7, marks=pytest.mark.slow), 333)
CYCLES = 1_000_000


@pytest.fixture(scope="module")
def arm_elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return arm_board.build(tmp_path_factory.mktemp("arm"), ARM_TORTURE.read_text(), ".c")


@pytest.fixture(scope="module")
def riscv_elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return riscv_board.assemble(RISCV_TORTURE.read_text(), tmp_path_factory.mktemp("riscv"))


# Exceptions, nested and faulting, on every engine: the torture programs leave nothing out


@pytest.mark.parametrize("leg", LEGS)
def test_arm_machines_that_take_turns_do_what_one_does(arm_elf: Path, leg: int) -> None:
    def make() -> Machine:
        return arm_board.Board(arm_elf).machine

    hashes = sliced(make, CYCLES, leg)
    assert len(hashes) > 100
    assert relay(make, CYCLES, leg) == hashes
    assert straight(make, CYCLES) == hashes[-1:]


@pytest.mark.parametrize("leg", LEGS)
@pytest.mark.parametrize("engine", ENGINES)
def test_riscv_machines_that_take_turns_do_what_one_does(riscv_elf: Path, leg: int, engine: str) -> None:
    def make(engine: str = engine) -> Machine:
        return riscv_board.load(riscv_elf, engine=engine)

    hashes = sliced(make, CYCLES, leg)
    assert len(hashes) > 20
    assert relay(make, CYCLES, leg) == hashes
    assert straight(make, CYCLES) == hashes[-1:]


def test_engines_can_take_turns(riscv_elf: Path) -> None:
    native, interpreted = ((lambda engine=engine: riscv_board.load(riscv_elf, engine=engine)) for engine in ENGINES)
    assert relay(native, CYCLES, 33, others=interpreted) == sliced(native, CYCLES, 33)


# All that changes is state


WIRING = ("board", "bus", "clock", "cluster", "kernel_sets", "choice")


def attributes(thing: Any, place: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """All plain values that can be reached from a device, by their place."""
    if thing is None or isinstance(thing, (bool, int, float, str, bytes, Enum)):
        yield place, thing
    elif isinstance(thing, Event):
        yield place, thing.due if thing.scheduled else None
    elif isinstance(thing, (list, tuple, deque)):
        yield f"len({place})", len(thing)
        for index, item in enumerate(thing):
            yield from attributes(item, f"{place}[{index}]", seen)
    elif isinstance(thing, (set, frozenset)):
        yield place, sorted(thing)
    elif isinstance(thing, dict):
        for key, item in thing.items():
            yield from attributes(item, f"{place}[{key}]", seen)
    elif isinstance(thing, (Saved, Line)) or is_dataclass(thing):
        if id(thing) in seen:
            return
        seen.add(id(thing))
        names = [f.name for f in fields(thing)] if is_dataclass(thing) else list(vars(thing))
        for name in names:
            if name not in WIRING:
                yield from attributes(getattr(thing, name), f"{place}.{name}", seen)


def hammer(machine: Machine, device: Device, chance: random.Random) -> None:
    """Access the registers of a device at random, while time passes."""
    offsets = sorted(device.words) or [0]
    for _ in range(400):
        offset, size = chance.choice(offsets), chance.choice((1, 2, 4))
        if chance.random() < 0.6:
            device.write(offset, size, chance.choice((0, 1, 2, 0xFF, chance.getrandbits(32))) & ((1 << 8 * size) - 1))
        else:
            device.read(offset, size)
        machine.clock.advance_to(machine.clock.now + chance.choice((1, 20, 300)))
        if chance.random() < 0.3:
            machine.clock.dispatch()


@pytest.mark.parametrize("name", machines.ALL)
def test_whatever_a_device_remembers_is_in_the_snapshot(name: str) -> None:
    chance = random.Random(name)
    used, fresh = (Machine(machine_map(name, 2)) for _ in range(2))
    if "uart0" in used.devices:
        used.devices["uart0"].receive(bytes(range(40)))  # type: ignore[attr-defined]
    if "stream0" in used.devices:
        used.devices["stream0"].feed(bytes(range(100)))  # type: ignore[attr-defined]
    for _, device in used.bus.devices:
        hammer(used, device, chance)
    before = [dict(attributes(device, device.name, set())) for _, device in fresh.bus.devices]
    fresh.restore(used.snapshot())
    assert differences(used.get_state(), fresh.get_state()) == []
    changed = 0
    for (_, device), (_, twin), old in zip(used.bus.devices, fresh.bus.devices, before, strict=True):
        theirs, ours = dict(attributes(device, device.name, set())), dict(attributes(twin, device.name, set()))
        lost = [place for place in theirs if ours.get(place) != theirs[place]]
        assert lost == [], "name them in `saved`"
        changed += ours != old
    assert changed > sum(bool(device.words) for _, device in used.bus.devices) // 2


# The NPU in the middle of a command is in tests/sdk/test_snapshots.py, with firmware


def test_a_snapshot_stays_as_it_is_while_the_machine_goes_on(arm_elf: Path) -> None:
    machine = arm_board.Board(arm_elf).machine
    machine.run(5000)
    snapshot, hash_then = machine.snapshot(), machine.state_hash()
    machine.run(5000)
    assert machine.state_hash() != hash_then == snapshot.hash
    machine.restore(snapshot)
    assert machine.state_hash() == hash_then


def test_code_that_was_written_later_is_forgotten(tmp_path: Path) -> None:
    """A snapshot from before firmware has changed its own code brings the old code back."""
    board = arm_board.assemble(
        tmp_path,
        """
        reset:
            ldr r2, =target
            bl target
            movs r3, r0
        marked:
            ldr r1, =0x4770202a     // movs r0, #42; bx lr
            str r1, [r2]
            dsb
            isb
            bl target
            finish 0
            .balign 4
        target:
            movs r0, #1
            bx lr
        """,
    )
    machine, core = board.machine, board.core
    core.add_breakpoint(board.symbols["marked"])
    assert machine.run().reason is StopReason.BREAKPOINT
    core.remove_breakpoint(board.symbols["marked"])
    snapshot = machine.snapshot()
    for _ in range(2):
        assert (core.read_register("r3"), core.read_register("r0")) == (1, 1)
        core.pc = board.symbols["target"]
        machine.step()
        assert core.read_register("r0") == 1
        machine.restore(snapshot)
        assert machine.run().reason is StopReason.EXIT
        end = machine.state_hash()
        machine.restore(snapshot)
    machine.run()
    assert machine.state_hash() == end


# Files


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "machine.snapshot"
    Machine(machine_map("virt")).snapshot().save(path)
    return path


def test_a_file_holds_the_snapshot_and_the_same_state_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    machine = Machine(machine_map("virt"))
    snapshot = Snapshot.load(saved)
    assert snapshot == machine.snapshot()
    machine.restore(snapshot)
    machine.snapshot().save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def refusal(path: Path) -> str:
    with pytest.raises(SnapshotError) as caught:
        Snapshot.load(path)
    return str(caught.value)


def test_another_file_is_refused(saved: Path) -> None:
    saved.write_bytes(b"\x7fELF")
    assert refusal(saved) == f"{saved}: not a snapshot: its first bytes are not b'IMNPU snapshot\\r\\n'"


def test_another_version_is_refused(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    struct.pack_into("<I", data, 16, 77)
    saved.write_bytes(data)
    assert refusal(saved) == f"{saved}: a snapshot of version 77, this imnpu reads version 2: make it again"


def test_every_damage_is_noticed(saved: Path) -> None:
    data = saved.read_bytes()
    for place in (*range(20, 52), len(data) // 2, len(data) - 1):
        saved.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        assert (
            refusal(saved) == f"{saved}: damaged: its contents do not have the checksum that it states: make it again"
        )
    for length in (52, len(data) - 1):
        saved.write_bytes(data[:length])
        assert "damaged" in refusal(saved)
    saved.write_bytes(data[:30])
    assert refusal(saved) == f"{saved}: damaged: 30 bytes, the header alone has 52: make it again"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (("st18-rv32", 2), "the snapshot is of another machine: its name is st18, here it is st18-rv32"),
        (("st18", 3), "the snapshot is of another machine: its number of clusters is 2, here it is 3"),
        (("st18", 2, "strict"), "the snapshot is of another machine: its timing is published, here it is strict"),
    ],
)
def test_another_machine_refuses_it(other: tuple[Any, ...], message: str) -> None:
    snapshot = Machine(machine_map("st18", 2)).snapshot()
    machine = Machine(machine_map(*other))
    before = machine.state_hash()
    with pytest.raises(SnapshotError) as caught:
        machine.restore(snapshot)
    assert str(caught.value) == f"{message}: choose the same machine and options, or make the snapshot again"
    assert machine.state_hash() == before


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("clock", "now"), 1 << 80),
        (("clock", "events"), [["nobody.event", 5]]),
        (("core", "registers"), {"r0": -1}),
        (("core", "instructions"), "many"),
        (("memories", "sram"), None),
        (("devices",), {}),
    ],
)
def test_what_is_no_state_is_refused(place: tuple[str, ...], wrong: Any) -> None:
    """A file whose checksum is right may hold anything."""
    machine = Machine(machine_map("st18", 1))
    snapshot = machine.snapshot()
    inner = snapshot.state
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = wrong
    with pytest.raises(SnapshotError, match=r"^the snapshot has no state of this machine: \w+: "):
        machine.restore(snapshot)

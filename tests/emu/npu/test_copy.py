"""The tensor DMA against nested loops over bytes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asm import isa, parameters
from asm.parameters import CommandCode
from asm.rules import Cause
from tests.emu.npu.small_machine import DONE, ERROR, NO_BASE, ROM, SYSTEM, TILES, SmallMachine

SOURCE, DESTINATION, SPAN = SYSTEM + 0x4000, SYSTEM + 0xC000, 0x4000
Loops = list[tuple[int, int, int]]


def start(machine: SmallMachine, source: int, destination: int, length: int, loops: Loops) -> None:
    """Copy with loops of (count, source stride, destination stride), outermost first; the rest run once."""
    rows = loops + [(1, 0, 0)] * (parameters.COPY_LOOPS - len(loops))
    machine.set("COPY_SOURCE", source, destination, length)
    for name, column in zip(
        ("COPY_COUNT", "COPY_SOURCE_STRIDE", "COPY_DESTINATION_STRIDE"), zip(*rows, strict=True), strict=True
    ):
        machine.set(name, *column)
    machine.command(CommandCode.copy)


@st.composite
def copies(draw: st.DrawFn) -> tuple[int, Loops]:
    """Runs that do not write a byte twice, their loops in any order and direction."""
    length = draw(st.integers(1, 20))
    written, loops = length, []
    for _ in range(draw(st.integers(0, 4))):
        count, step = draw(st.integers(1, 4)), written + draw(st.integers(0, 5))
        sign = draw(st.sampled_from((1, -1)))
        loops.append((count, draw(st.integers(-40, 40)), sign * step))
        written += step * (count - 1)
    return length, draw(st.permutations(loops))


@given(copies())
def test_any_copy(case: tuple[int, Loops]) -> None:
    length, loops = case
    machine = SmallMachine()
    before = np.random.default_rng(0).integers(0, 256, 0x1_0000).astype(np.uint8)
    machine.bus.write(SYSTEM, before)
    start(machine, SOURCE, DESTINATION, length, loops)
    expected = bytearray(before.tobytes())
    for indices in product(*(range(count) for count, _, _ in loops)):
        here = SOURCE + sum(i * stride for i, (_, stride, _) in zip(indices, loops, strict=True)) - SYSTEM
        there = DESTINATION + sum(i * stride for i, (_, _, stride) in zip(indices, loops, strict=True)) - SYSTEM
        expected[there : there + length] = before[here : here + length].tobytes()
    assert machine.messages == []
    assert machine.bus.read(SYSTEM, 0x1_0000) == bytes(expected)
    runs = int(np.prod([count for count, _, _ in loops], dtype=np.int64))
    assert machine.counter("COPY_CYCLES") == machine.clock.now == runs * -(-length // 8)
    assert machine.get("INTERRUPT_STATUS") == DONE


@given(copies(), st.integers(0, 300), st.integers(1, 300))
def test_any_fill(case: tuple[int, Loops], value: int, wrap: int) -> None:
    """A byte goes wherever a copy would put its bytes; the sequencer's form of it."""
    length, loops = case
    machine = SmallMachine()
    before = np.random.default_rng(0).integers(0, 256, 0x1_0000).astype(np.uint8)
    machine.bus.write(SYSTEM, before)
    rows = loops + [(1, 0, 0)] * (parameters.COPY_LOOPS - len(loops))
    words = [word % 2**32 for row in rows for word in row]
    machine.run_program(isa.SetWrap(0, (wrap, 0)), isa.Fill(NO_BASE, (value, DESTINATION, length, *words)), isa.Halt())
    expected = bytearray(before.tobytes())
    for indices in product(*(range(count) for count, _, _ in loops)):
        there = DESTINATION + sum(i * stride for i, (_, _, stride) in zip(indices, loops, strict=True)) - SYSTEM
        expected[there : there + length] = bytes([value % 256]) * length
    assert machine.messages == []
    assert machine.bus.read(SYSTEM, 0x1_0000) == bytes(expected)


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(1, 4), st.integers(-90, 90), st.integers(-90, 90)), max_size=4),
    st.integers(0, 100),
    st.integers(1, 100),
)
def test_any_circular_copy(length: int, loops: Loops, source_wrap: int, wrap: int) -> None:
    """Byte by byte modulo the buffers; a byte that would be written twice is refused."""
    machine = SmallMachine()
    before = np.random.default_rng(0).integers(0, 256, 0x1_0000).astype(np.uint8)
    machine.bus.write(SYSTEM, before)
    machine.set("COPY_SOURCE_WRAP", source_wrap, wrap)
    start(machine, SOURCE, DESTINATION, length, loops)
    expected, written = bytearray(before.tobytes()), []
    for indices in product(*(range(count) for count, _, _ in loops)):
        here = sum(i * stride for i, (_, stride, _) in zip(indices, loops, strict=True))
        there = sum(i * stride for i, (_, _, stride) in zip(indices, loops, strict=True))
        for byte in range(length):
            place = (there + byte) % wrap
            source = here + byte if source_wrap == 0 else (here + byte) % source_wrap
            expected[DESTINATION - SYSTEM + place] = before[SOURCE - SYSTEM + source]
            written.append(place)
    if len(set(written)) < len(written):
        assert machine.get("ERROR_CAUSE") == Cause.bad_field
        assert "the copy would write bytes twice" in machine.messages[0]
        expected = bytearray(before.tobytes())
    else:
        assert machine.messages == []
    assert machine.bus.read(SYSTEM, 0x1_0000) == bytes(expected)


def test_a_circular_buffer_that_is_no_memory() -> None:
    machine = SmallMachine()
    machine.set("COPY_SOURCE_WRAP", 0, 1 << 21)
    start(machine, SOURCE, DESTINATION, 4, [])
    assert machine.get("ERROR_CAUSE") == Cause.bus_error
    assert "it runs past the end of system" in machine.messages[0]


def test_overlapping_sides() -> None:
    """Everything is read before anything is written."""
    machine = SmallMachine()
    machine.bus.write(SYSTEM, bytes(range(64)))
    start(machine, SYSTEM, SYSTEM + 4, 4, [(8, 4, 4)])
    assert machine.bus.read(SYSTEM, 36) == bytes(range(4)) + bytes(range(32))


def test_into_a_tile_in_memory_mode_only() -> None:
    machine = SmallMachine()
    machine.bus.write(SYSTEM, b"12345678")
    machine.set("TILE_MODE", 0b10)
    start(machine, SYSTEM, TILES, 8, [])
    assert machine.bus.read(TILES, 8) == b"12345678"
    start(machine, SYSTEM, TILES + 0x1000, 8, [])
    assert machine.error() == (Cause.bus_error, 0, TILES + 0x1000)
    assert "the tile is in compute mode" in machine.messages[0]
    machine.set("TILE_MODE", 0)
    assert machine.bus.read(TILES + 0x1000, 8) == bytes(8)


def test_a_tile_that_goes_into_compute_mode_meanwhile() -> None:
    """Another cluster's tile may be taken from the bus while a copy into it is running: nothing is written."""
    machine = SmallMachine(clusters=2)
    machine.bus.write(SYSTEM, b"12345678" * 4)
    machine.set("COPY_SOURCE", SYSTEM, TILES + 0x8000, 32)
    machine.set("COPY_COUNT", 1, 1, 1, 1)
    machine.set("COMMAND", CommandCode.copy)
    machine.set("TILE_MODE", 1, cluster=1)
    machine.run()
    assert machine.error() == (Cause.bus_error, 0, TILES + 0x8000)
    machine.set("TILE_MODE", 0, cluster=1)
    assert machine.bus.read(TILES + 0x8000, 32) == bytes(32)


@pytest.mark.parametrize(
    ("source", "destination", "length", "loops", "cause", "text"),
    [
        (SYSTEM, SYSTEM + 64, 0, [], Cause.bad_field, "not 0 bytes and counts 1, 1, 1, 1"),
        (SYSTEM, SYSTEM + 64, 4, [(0, 1, 1)], Cause.bad_field, "not 4 bytes and counts 0, 1, 1, 1"),
        (SYSTEM, SYSTEM + 64, 4, [(2, 4, 3)], Cause.bad_field, "a destination stride must be at least 4, not 3"),
        (SYSTEM, SYSTEM + 64, 4, [(2, 4, 8), (3, 4, 4)], Cause.bad_field, "must be at least 12, not 8"),
        (SYSTEM, SYSTEM + 64, 1, [(1 << 31, 0, 0)] * 4, Cause.bad_field, "must be at least 1, not 0"),
        (SYSTEM, ROM, 4, [], Cause.bus_error, "rom is read-only"),
        (0x7000_0000, SYSTEM, 4, [], Cause.bus_error, "nothing is mapped there"),
        (SYSTEM, 0x5000_0000, 4, [], Cause.bus_error, "cluster0 is a device, not memory"),
        (SYSTEM, SYSTEM + 64, 4, [(2, -4, 4)], Cause.bus_error, "nothing is mapped there"),
        (SYSTEM, SYSTEM + (1 << 20) - 8, 4, [(3, 4, 4)], Cause.bus_error, "it runs past the end of system"),
    ],
)
def test_refused_copies(source: int, destination: int, length: int, loops: Loops, cause: Cause, text: str) -> None:
    machine = SmallMachine()
    before = bytes(range(256))
    machine.bus.write(SYSTEM, before)
    start(machine, source, destination, length, loops)
    assert machine.get("ERROR_CAUSE") == cause
    assert machine.get("INTERRUPT_STATUS") == ERROR
    assert text in machine.messages[0]
    assert machine.clock.now == 0
    assert machine.bus.read(SYSTEM, 256) == before

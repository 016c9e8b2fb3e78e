"""Registers of a device, as firmware sees them."""

from __future__ import annotations

import pytest

from asm.bits import Layout
from emu.bus import Bus
from emu.clock import Clock
from emu.device import Board, Device
from emu.log import Log
from emu.registers import Access, Bits, Register, RegisterArray, Word


class Control(Layout):
    """One field of every kind."""

    ENABLE = Bits(0, 1, "Plain.")
    BUSY = Bits(1, 1, "Set by hardware.", access=Access.RO)
    DONE = Bits(2, 1, "Sticky.", access=Access.W1C)
    START = Bits(3, 1, "A command.", access=Access.WO)
    TURBO = Bits(4, 1, "Missing.", modelled=False)
    LEVEL = Bits(8, 8, "A number.", reset=5)


class Probe(Device):
    """Records what its writers get."""

    CONTROL = Register(0x00, Control)
    COUNT = Register(0x04, Word, "Counts reads.", access=Access.RO)
    SLOT = RegisterArray(0x10, Word, "Four words.", count=4)
    SECRET = Register(0x20, Word, "Nobody knows.", modelled=False)

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self.written: list[tuple[int, ...]] = []
        self.reads = 0

    @CONTROL.on_write
    def _control(self, value: int) -> None:
        self.written.append((value,))

    @COUNT.on_read
    def _count(self) -> int:
        self.reads += 1
        return self.reads

    @SLOT.on_write
    def _slot(self, index: int, value: int) -> None:
        self.written.append((index, value))


@pytest.fixture
def probe() -> Probe:
    return Probe("probe", Board(Clock(1), Bus(), Log()))


def texts(probe: Probe) -> list[str]:
    return [message.text for message in probe.board.log.messages]


def test_reset_values(probe: Probe) -> None:
    assert probe.read(0, 4) == 0x500
    probe.write(0, 4, 0x0901)
    probe.reset()
    assert probe.read(0, 4) == 0x500


def test_each_kind_of_field(probe: Probe) -> None:
    probe.CONTROL = 0b110  # hardware sets BUSY and DONE
    probe.write(0, 4, 0b1001)
    assert probe.read(0, 4) == 0b111, "START reads 0, BUSY and DONE stay"
    assert probe.written == [(0b1001,)], "the writer sees the command bit"
    probe.write(0, 4, 0b100)
    assert probe.read(0, 4) == 0b010, "writing 1 clears DONE, ENABLE is written 0"


def test_narrow_accesses_touch_only_their_bytes(probe: Probe) -> None:
    probe.write(0, 4, 1)
    probe.write(1, 1, 0xAB)
    assert probe.read(0, 4) == 0xAB01
    assert probe.read(1, 1) == 0xAB
    assert probe.read(0, 2) == 0xAB01


def test_arrays(probe: Probe) -> None:
    probe.write(0x18, 4, 77)
    assert probe.written == [(2, 77)]
    assert probe.SLOT[2] == 77
    assert probe.read(0x18, 4) == 77
    with pytest.raises(IndexError, match=r"SLOT has elements 0\.\.3, not 4"):
        probe.SLOT[4]


def test_readers_replace_the_stored_word(probe: Probe) -> None:
    assert [probe.read(4, 4), probe.read(4, 4)] == [1, 2]


def test_what_does_nothing_says_its_name_once(probe: Probe) -> None:
    for _ in range(2):
        probe.write(0x04, 4, 1)
        probe.write(0x20, 4, 9)
        probe.write(0x00, 4, 0x10)
        probe.write(0x00, 4, 0x42)  # BUSY is read-only within a writable register: silent
        probe.write(0x40, 4, 3)
        assert probe.read(0x44, 4) == 0
    assert texts(probe) == [
        "COUNT is read-only: the write of 0x1 is ignored",
        "SECRET is not modelled: the write of 0x9 does nothing",
        "CONTROL.TURBO is not modelled: it does nothing",
        "CONTROL: bits 0x00000040 are reserved, writing them is ignored",
        "write of 0x3 to reserved offset 0x040 is ignored",
        "read of reserved offset 0x044 gives 0",
    ]


def test_overlapping_registers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Twice\.B overlaps another register at 0x0"):
        type("Twice", (Device,), {"A": Register(0, Word), "B": Register(0, Word)})

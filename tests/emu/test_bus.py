"""The bus: what is where, and what an access that the hardware refuses says."""

from __future__ import annotations

import pytest

from emu.bus import Bus, BusError
from emu.clock import Clock
from emu.device import Board, Device
from emu.log import Log
from emu.memory import Memory


@pytest.fixture
def bus() -> Bus:
    bus = Bus()
    bus.add_memory(Memory("flash", 0x0800_0000, 0x2000, "rx"))
    bus.add_memory(Memory("sram", 0x2000_0000, 0x2000, "rwx"))
    bus.add_device(0x4000_0000, Device("uart0", Board(Clock(1), bus, Log())))
    return bus


def test_bytes_written_are_read_back_and_listeners_are_told(bus: Bus) -> None:
    told: list[tuple[int, int]] = []
    bus.on_write.append(lambda address, count: told.append((address, count)))
    bus.write(0x2000_0010, b"abc")
    assert bus.read(0x2000_000F, 5) == b"\0abc\0"
    assert told == [(0x2000_0010, 3)]


def test_a_view_shares_the_memory(bus: Bus) -> None:
    bus.view(0x2000_0000, 4, write=True)[:] = 7
    assert bus.read(0x2000_0000, 4) == b"\7\7\7\7"


@pytest.mark.parametrize(
    ("address", "count", "write", "text"),
    [
        (0, 4, False, "read of 4 bytes at 0x00000000: nothing is mapped there"),
        (0x0800_0000, 4, True, "write of 4 bytes at 0x08000000: flash is read-only"),
        (0x2000_1FFE, 4, False, "read of 4 bytes at 0x20001ffe: it runs past the end of sram (0x20002000)"),
        (0x4000_0000, 4, False, "read of 4 bytes at 0x40000000: uart0 is a device, not memory"),
        (0x2000_2000, 1, True, "write of 1 bytes at 0x20002000: nothing is mapped there"),
    ],
)
def test_refused_accesses(bus: Bus, address: int, count: int, write: bool, text: str) -> None:
    with pytest.raises(BusError) as caught:
        bus.view(address, count, write=write)
    assert str(caught.value) == text


def test_a_blocked_page_refuses_only_itself(bus: Bus) -> None:
    sram = bus.memory("sram")
    sram.block_reason = "tile 1 is in compute mode"
    sram.block(1, 1, True)
    bus.view(0x2000_0FFC, 4)
    with pytest.raises(BusError, match="tile 1 is in compute mode"):
        bus.view(0x2000_0FFD, 4)
    sram.block(1, 1, False)
    bus.view(0x2000_0FFD, 4)


def test_the_loader_may_write_flash(bus: Bus) -> None:
    bus.program(0x0800_0000, b"\1\2")
    assert bus.read(0x0800_0000, 2) == b"\1\2"
    with pytest.raises(BusError, match="no memory is there"):
        bus.program(0x4000_0000, b"\1")
    with pytest.raises(BusError, match=r"it runs past the end of flash \(8192 bytes\)"):
        bus.program(0x0800_1FFF, b"\1\2")


def test_overlaps_are_refused(bus: Bus) -> None:
    with pytest.raises(ValueError, match="overlaps sram"):
        bus.add_memory(Memory("more", 0x2000_1000, 0x2000, "rw"))

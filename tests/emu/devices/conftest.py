"""A board without a CPU: what a device needs, and nothing else."""

from __future__ import annotations

import pytest

from emu.bus import Bus
from emu.clock import Clock
from emu.device import Board
from emu.log import Log
from emu.memory import Memory


@pytest.fixture
def board() -> Board:
    """Clock at 600 MHz; 4 KiB `ram` at 0x2000_0000 and 4 KiB read-only `flash` at 0x0800_0000."""
    bus = Bus()
    bus.add_memory(Memory("flash", 0x0800_0000, 4096, "rx"))
    bus.add_memory(Memory("ram", 0x2000_0000, 4096, "rw"))
    return Board(Clock(600_000_000), bus, Log())


@pytest.fixture
def messages(board: Board) -> list[str]:
    """Texts of the log, as they come."""
    texts: list[str] = []
    board.log.listeners.append(lambda message: texts.append(f"{message.source}: {message.text}"))
    return texts

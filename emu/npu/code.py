"""Accelerator programs in memory, decoded once: what is known of an address holds while its bytes are the same."""

from __future__ import annotations

from dataclasses import dataclass

from emu.bus import Bus
from emu.memory import Moment
from emu.npu.decoded import LONGEST, Decoded, SetupMaker

KEPT = 4096
"""Instructions that are kept."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An instruction at an address.

    Attributes:
        data: its bytes.
        moment: when they were read.
    """

    decoded: Decoded
    data: bytes
    moment: Moment


class Code:
    """Fetches the instructions of one sequencer."""

    def __init__(self, bus: Bus, make_setup: SetupMaker) -> None:
        self._bus, self._make_setup = bus, make_setup
        self._known: dict[int, Placed] = {}

    def fetch(self, address: int, end: int) -> Decoded:
        """The instruction at ``address``, of a program that ends before ``end``. Raises `RuleError`, `BusError`."""
        known = self._known.get(address)
        if (
            known is not None
            and address + known.decoded.size <= end
            and (known.moment.lasts or self._bus.holds(address, known.data))
        ):
            return known.decoded
        block = self._bus.read(address, min(end - address, LONGEST))
        decoded = Decoded.of_bytes(block, self._make_setup)
        if len(self._known) >= KEPT:
            self._known.clear()
        self._known[address] = Placed(decoded, block[: decoded.size], self._bus.memory_at(address).moment)
        return decoded

"""Bit-band aliases of the Cortex-M3 and M4: every bit of the first MiB of SRAM and of peripherals as a word."""

from __future__ import annotations

from typing import ClassVar

from emu.cpu.arm.models import CORTEX_M3, CORTEX_M4F, CortexModel
from emu.device import Board, Device
from emu.memory import Memory

REGIONS = (("sram", 0x2000_0000), ("peripherals", 0x4000_0000))
ALIAS_OFFSET = 0x0200_0000
"""Of an alias from its region."""
WORDS_PER_BYTE = 8
MODELS = (CORTEX_M3, CORTEX_M4F)


class BitBand(Device):
    """One of the aliases: loads give a bit, stores change it by loading and storing what it is part of.

    Args:
        target: first address of the region.

    *Inaccuracies*: an access to a bit where nothing is mapped reads 0 and is ignored, with a message, where silicon
    takes a BusFault.
    """

    size: ClassVar[int] = ALIAS_OFFSET

    def __init__(self, name: str, board: Board, target: int) -> None:
        super().__init__(name, board)
        self._target = target

    def read(self, offset: int, size: int) -> int:
        """The bit, in bit 0."""
        value = self._load(self._address(offset, size), size)
        return value >> self._bit(offset, size) & 1

    def write(self, offset: int, size: int, value: int) -> None:
        """Set the bit to bit 0 of the value."""
        address, bit = self._address(offset, size), self._bit(offset, size)
        old = self._load(address, size)
        self._store(address, size, old & ~(1 << bit) | (value & 1) << bit)

    def _address(self, offset: int, size: int) -> int:
        """What the bit is part of, as large as the access."""
        return self._target + (offset // (4 * WORDS_PER_BYTE) & -size)

    @staticmethod
    def _bit(offset: int, size: int) -> int:
        return offset // 4 % (8 * size)

    def _load(self, address: int, size: int) -> int:
        found = self.bus.find(address)
        if found is None:
            self.warn(f"nothing is mapped at 0x{address:08x}: the bit reads 0")
            return 0
        base, region = found
        if isinstance(region, Memory):
            return int.from_bytes(region.data[address - base : address - base + size].tobytes(), "little")
        return region.read(address - base, size)

    def _store(self, address: int, size: int, value: int) -> None:
        found = self.bus.find(address)
        if found is None:
            return
        base, region = found
        if isinstance(region, Memory):
            self.bus.write(address, value.to_bytes(size, "little"))
        else:
            region.write(address - base, size, value)


def add_bit_bands(board: Board, model: CortexModel) -> None:
    """Put both aliases on the bus.

    Raises:
        ValueError: the core cannot have them, or something else is there.
    """
    if model not in MODELS:
        raise ValueError(f"a {model.name} has no bit-band regions: only {' and '.join(m.name for m in MODELS)} have")
    for name, target in REGIONS:
        board.bus.add_device(target + ALIAS_OFFSET, BitBand(f"bit_band_{name}", board, target))

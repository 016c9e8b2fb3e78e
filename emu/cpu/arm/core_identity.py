"""Registers of the system control space by which firmware finds out what core it runs on, and what it has not."""

from __future__ import annotations

from typing import Any

from asm.bits import Layout
from emu.cpu.arm.models import Architecture, CortexModel
from emu.cpu.arm.nvic import Nvic
from emu.cpu.arm.nvic_registers import NvicRegisters
from emu.device import Board
from emu.registers import Access, Bits, Register, RegisterArray


class Identity(Layout):
    """CPUID."""

    VALUE = Bits(0, 32, "Implementer, variant, part number, revision.")


class Feature(Layout):
    """Which instructions and registers there are."""

    VALUE = Bits(0, 32, "Fields as in the architecture manual.")


class Maintenance(Layout):
    """Cache maintenance: there are no caches, so it does nothing."""

    OPERAND = Bits(0, 32, "Address or set and way.", access=Access.WO)


BASELINE_OFFSETS = frozenset(
    {
        *range(0x008, 0x020, 4),
        *(0x100, 0x180, 0x200, 0x280, *range(0x400, 0x420, 4)),
        *(0xD00, 0xD04, 0xD0C, 0xD10, 0xD14, 0xD1C, 0xD20, 0xD24),
        *range(0xDF0, 0xE00, 4),
    }
)
"""Registers that ARMv6-M has; everything else reads 0 there and ignores writes."""
PERIPHERAL_IDENTITY = (0x04, 0, 0, 0, 0x00, 0xB0, 0x1B, 0x00, 0x0D, 0xE0, 0x05, 0xB1)


class CoreIdentity(NvicRegisters):
    """Identification registers; `emu.cpu.arm.system_control.SystemControl` inherits them.

    Inaccuracies: there are no caches: CLIDR says so, maintenance operations do nothing.
    """

    CPUID = Register(0xD00, Identity, access=Access.RO)
    ID = RegisterArray(0xD40, Feature, "ID_PFR0 to ID_ISAR5.", count=14, access=Access.RO)
    CLIDR = Register(0xD78, Feature, "Cache levels: none.", access=Access.RO)
    CTR = Register(0xD7C, Feature, "Cache type.", access=Access.RO)
    CCSIDR = Register(0xD80, Feature, "Size of the selected cache: there is none.", access=Access.RO)
    CSSELR = Register(0xD84, Feature, "Selects a cache.")
    MVFR = RegisterArray(0xF40, Feature, "Features of the floating-point unit.", count=3, access=Access.RO)
    CACHE = RegisterArray(0xF50, Maintenance, "Cache maintenance operations.", count=11, access=Access.WO)
    PID = RegisterArray(0xFD0, Feature, "Peripheral and component identification.", count=12, access=Access.RO)

    def __init__(self, name: str, board: Board, nvic: Nvic, *, model: CortexModel, **options: Any) -> None:
        super().__init__(name, board, nvic, **options)
        self.model = model
        self._identity = self._identity_words()
        self.words.update(self._identity)

    def reset(self) -> None:
        """Registers as after power-up."""
        super().reset()
        self.words.update(self._identity)

    def _identity_words(self) -> dict[int, int]:
        """What the core says of itself, by offset."""
        words = {CoreIdentity.CPUID.offset: self.model.identity, CoreIdentity.CTR.offset: self.model.cache_type}
        for array, values in (
            (CoreIdentity.ID, self.model.features),
            (CoreIdentity.MVFR, self.model.media_features),
            (CoreIdentity.PID, PERIPHERAL_IDENTITY),
        ):
            words.update(zip(array.offsets(), values, strict=False))
        return words

    def _absent(self, offset: int) -> bool:
        return self.model.architecture is Architecture.V6M and offset & ~3 not in BASELINE_OFFSETS

    def read(self, offset: int, size: int) -> int:
        """What firmware reads."""
        return 0 if self._absent(offset) else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        """Firmware writes."""
        if not self._absent(offset):
            super().write(offset, size, value)

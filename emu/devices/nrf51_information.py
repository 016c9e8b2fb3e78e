"""The information registers of the nRF51: what the factory and the user have written beside the flash."""

from __future__ import annotations

from asm.bits import Layout
from emu.device import Device
from emu.registers import Access, Bits, Register, RegisterArray, Word

WORDS = 64
ERASED = 0xFFFF_FFFF
FACTORY = {0x10: 0x400, 0x14: 0x100, 0x20: 2, 0x24: 0x2000, 0x28: 0x2000, 0x2C: 0x2000, 0x60: 3}
FACTORY |= {0x64: 0x1234_5678, 0x68: 0x9ABC_DEF1}
"""What is not erased, by offset: page size, pages, blocks of RAM, and identities, as in the emulator of this board."""


class FactoryInformation(Device):
    """FICR: sizes and identities.

    *Inaccuracies*: identities are the same in every machine.
    """

    FICR = RegisterArray(0, Word, "Factory information.", count=WORDS, access=Access.RO)

    @FICR.on_read
    def _read(self, index: int) -> int:
        return FACTORY.get(4 * index, ERASED)


class Erasable(Layout):
    """A word of flash."""

    VALUE = Bits(0, 32, "The word.", reset=ERASED)


class UserInformation(Device):
    """UICR.

    *Inaccuracies*: written at once, whatever the flash controller says; protections do nothing.
    """

    UICR = RegisterArray(0, Erasable, "User information.", count=WORDS)


class Ready(Layout):
    """State of the flash controller."""

    READY = Bits(0, 1, "Always 1: not busy.", access=Access.RO, reset=1)


class FlashConfiguration(Layout):
    """What may be done with the flash."""

    WEN = Bits(0, 2, "1: write, 2: erase; only remembered.")


class FlashController(Device):
    """NVMC.

    *Inaccuracies*: firmware can neither write nor erase the flash: a store there is always a bus error.
    """

    READY = Register(0x400, Ready, access=Access.RO)
    CONFIG = Register(0x504, FlashConfiguration)
    ERASEPAGE = Register(0x508, Word, "Erases a page.", modelled=False)
    ERASEALL = Register(0x50C, Word, "Erases everything.", modelled=False)
    ERASEUICR = Register(0x514, Word, "Erases UICR.", modelled=False)

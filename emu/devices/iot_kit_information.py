"""The registers by which firmware learns what subsystem is around a Cortex-M33 of Arm's IoT Kit."""

from __future__ import annotations

from asm.bits import Layout
from emu.device import Device
from emu.registers import Access, Bits, Register, RegisterArray, Word

VERSION, CONFIGURATION = 0x0004_1743, 0x31
IDENTIFICATION = (0x04, 0x00, 0x00, 0x00, 0x58, 0xB8, 0x0B, 0x00, 0x0D, 0xF0, 0x05, 0xB1)


class Version(Layout):
    """Which subsystem."""

    VALUE = Bits(0, 32, "Part number, revision, designer.", access=Access.RO, reset=VERSION)


class Built(Layout):
    """How it was built."""

    VALUE = Bits(0, 32, "Memories, cores, width of addresses.", access=Access.RO, reset=CONFIGURATION)


class SystemInformation(Device):
    """System information: constants.

    *Inaccuracies*: none known.
    """

    SYS_VERSION = Register(0x0, Version, access=Access.RO)
    SYS_CONFIG = Register(0x4, Built, access=Access.RO)
    ID = RegisterArray(0xFD0, Word, "Identification: PID4..PID7, PID0..PID3, CID0..CID3.", count=12, access=Access.RO)

    @ID.on_read
    def _identify(self, index: int) -> int:
        return IDENTIFICATION[index]

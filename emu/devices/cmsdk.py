"""What the peripherals of Arm's Cortex-M System Design Kit share: the identification registers at their end."""

from __future__ import annotations

from typing import ClassVar

from emu.device import Device
from emu.registers import Access, RegisterArray, Word

PERIPHERAL_ID = (0x04, 0x00, 0x00, 0x00, 0x00, 0xB8, 0x1B, 0x00)
"""PID4..PID7, PID0..PID3, without the part number in PID0."""
COMPONENT_ID = (0x0D, 0xF0, 0x05, 0xB1)
PART_INDEX = 4


class DesignKitDevice(Device):
    """A device with identification registers.

    Attributes:
        part: low byte of the part number.
    """

    part: ClassVar[int] = 0

    ID = RegisterArray(0xFD0, Word, "Identification: PID4..PID7, PID0..PID3, CID0..CID3.", count=12, access=Access.RO)

    @ID.on_read
    def _identify(self, index: int) -> int:
        return self.part if index == PART_INDEX else (*PERIPHERAL_ID, *COMPONENT_ID)[index]

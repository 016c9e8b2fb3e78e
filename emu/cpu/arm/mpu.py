"""What the memory protection units of all Cortex-M share: type and control register, and when they apply."""

from __future__ import annotations

from abc import abstractmethod

from asm.bits import Layout
from emu.cpu.arm.memory_map import ProtectionRule, Region
from emu.cpu.arm.system_control import SystemControl
from emu.registers import Access, Bits, Register


class ProtectionType(Layout):
    """MPU type."""

    SEPARATE = Bits(0, 1, "0: the same regions for code and data.", access=Access.RO)
    DREGION = Bits(8, 8, "Number of regions.", access=Access.RO)


class ProtectionControl(Layout):
    """MPU control."""

    ENABLE = Bits(0, 1, "1: the MPU works.")
    HFNMIENA = Bits(1, 1, "1: also while HardFault, NMI or FAULTMASK are active.")
    PRIVDEFENA = Bits(2, 1, "1: privileged software may use the default memory map where no region is.")


class ProtectedSystemControl(SystemControl):
    """The system control space of a core with an MPU.

    Inaccuracies: what is written to the MPU's registers counts from the next block of instructions on, not at once.
    """

    MPU_TYPE = Register(0xD90, ProtectionType, access=Access.RO)
    MPU_CTRL = Register(0xD94, ProtectionControl)

    def _set_fixed(self) -> None:
        """What depends on the core and the machine."""
        super()._set_fixed()
        self.MPU_TYPE = ProtectionType.pack(DREGION=self.model.mpu_regions)

    @abstractmethod
    def regions(self) -> tuple[Region, ...]:
        """The enabled regions, the one that counts most last."""

    @property
    def protects(self) -> bool:
        """Whether the memory protection unit works."""
        return bool(ProtectionControl.ENABLE.extract(self.MPU_CTRL))

    @property
    def protection(self) -> ProtectionRule | None:
        """What the MPU allows; None while it does not work."""
        control = self.MPU_CTRL
        if not self.protects:
            return None
        return ProtectionRule(
            self.regions(),
            background=bool(ProtectionControl.PRIVDEFENA.extract(control)),
            always=bool(ProtectionControl.HFNMIENA.extract(control)),
        )

    @MPU_CTRL.on_write
    def _write_protection_control(self, value: int) -> None:
        self.protection_changed()

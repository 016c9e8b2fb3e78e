"""What differs between the Cortex-M cores.

*Inaccuracies*: of TrustZone there is nothing but a Cortex-M33 that stays in Secure state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from unicorn import arm_const as arm

from emu.cpu.arm.nvic import Nvic

USUAL_PRIORITY_BITS = 4
"""What most vendors choose."""
LONG_RETURN = 0xFFFF_FFE1
"""EXC_RETURN without mode, stack and frame type: of ARMv6-M and ARMv7-M, and of Secure state in ARMv8-M;"""
NON_SECURE_RETURN = 0xFFFF_FFA0
"""of ARMv8-M without TrustZone: bits S and ES are 0."""


class Architecture(Enum):
    """Versions of the microcontroller architecture."""

    V6M = "ARMv6-M"
    """HardFault is the only fault; no BASEPRI and FAULTMASK, four priorities, aligned accesses only."""
    V7M = "ARMv7-M"
    V8M = "ARMv8-M with the main extension"
    """Stack limits; EXC_RETURN has more bits."""


@dataclass(frozen=True)
class CortexModel:
    """A Cortex-M core.

    Attributes:
        name: as in `emu.cpu.CORES`.
        unicorn: Unicorn's number of it.
        identity: value of CPUID.
        architecture: its version.
        most_interrupts: external inputs that the core can be built with.
        priority_bits: (fewest, most) implemented bits of a priority byte that it can be built with.
        media_features: values of MVFR0..2; empty without a floating-point unit. Without one CPACR stays 0.
        features: values of the identification registers ID_PFR0, ID_PFR1, ID_DFR0, ID_AFR0, ID_MMFR0..3, ID_ISAR0..5;
            empty where they are reserved.
        cache_type: value of CTR.
        mpu_regions: regions of its memory protection unit, 0 without one.
    """

    name: str
    unicorn: int
    identity: int
    architecture: Architecture
    most_interrupts: int = 240
    priority_bits: tuple[int, int] = (3, 8)
    media_features: tuple[int, ...] = ()
    features: tuple[int, ...] = field(default=(), repr=False)
    cache_type: int = 0
    mpu_regions: int = 0

    def controller(self, interrupts: int, priority_bits: int | None) -> Nvic:
        """The NVIC of a core that is built with these numbers. Raises ValueError if it cannot be."""
        fewest, most = self.priority_bits
        if priority_bits is None:
            priority_bits = min(most, USUAL_PRIORITY_BITS)
        if not 1 <= interrupts <= self.most_interrupts:
            raise ValueError(f"a {self.name} has 1..{self.most_interrupts} interrupts, not {interrupts}")
        if not fewest <= priority_bits <= most:
            raise ValueError(f"a {self.name} has {fewest}..{most} priority bits, not {priority_bits}")
        return Nvic(interrupts, priority_bits)

    def exc_return(self, *, secure: bool) -> int:
        """The constant bits of EXC_RETURN. Raises ValueError if there is no Secure state to be in."""
        if self.architecture is not Architecture.V8M:
            if secure:
                raise ValueError(f"a {self.name} has no Secure state")
            return LONG_RETURN
        return LONG_RETURN if secure else NON_SECURE_RETURN

    @property
    def has_fpu(self) -> bool:
        """Whether it has a floating-point unit."""
        return bool(self.media_features)


CORTEX_M0 = CortexModel(
    "cortex-m0",
    arm.UC_CPU_ARM_CORTEX_M0,
    0x410C_C200,
    Architecture.V6M,
    most_interrupts=32,
    priority_bits=(2, 2),
)
FEATURES_OF_M3_AND_M4 = (
    *(0x30, 0x200, 0x0010_0000, 0, 0x30, 0, 0, 0),
    *(0x0114_1110, 0x0211_1000, 0x2111_2231, 0x0111_1110, 0x0131_0102),
)
CORTEX_M3 = CortexModel(
    "cortex-m3",
    arm.UC_CPU_ARM_CORTEX_M3,
    0x410F_C231,
    Architecture.V7M,
    features=FEATURES_OF_M3_AND_M4,
    mpu_regions=8,
)
CORTEX_M4F = CortexModel(
    "cortex-m4f",
    arm.UC_CPU_ARM_CORTEX_M4,
    0x410F_C241,
    Architecture.V7M,
    media_features=(0x1011_0021, 0x1100_0011, 0),
    features=FEATURES_OF_M3_AND_M4,
    mpu_regions=8,
)
CORTEX_M7 = CortexModel(
    "cortex-m7",
    arm.UC_CPU_ARM_CORTEX_M7,
    0x411F_C272,
    Architecture.V7M,
    media_features=(0x1011_0221, 0x1200_0011, 0x40),
    features=(
        *(0x30, 0x200, 0x0010_0000, 0, 0x0010_0030, 0, 0x0100_0000, 0),
        *(0x0110_1110, 0x0211_2000, 0x2023_2231, 0x0111_1131, 0x0131_0132),
    ),
    cache_type=0x8303_C003,
    mpu_regions=8,
)
CORTEX_M33 = CortexModel(
    "cortex-m33",
    arm.UC_CPU_ARM_CORTEX_M33,
    0x410F_D213,
    Architecture.V8M,
    most_interrupts=480,
    media_features=(0x1011_0021, 0x1100_0011, 0x40),
    features=(
        *(0x30, 0x200, 0x0020_0000, 0, 0x0010_1F40, 0, 0x0100_0000, 0),
        *(0x0110_1110, 0x0221_2000, 0x2023_2232, 0x0111_1131, 0x0131_0132),
    ),
    cache_type=0x8000_C000,
    mpu_regions=16,
)
MODELS = {model.name: model for model in (CORTEX_M0, CORTEX_M3, CORTEX_M4F, CORTEX_M7, CORTEX_M33)}

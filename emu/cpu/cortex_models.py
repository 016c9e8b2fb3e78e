"""What differs between the Cortex-M cores."""

from __future__ import annotations

from dataclasses import dataclass

from unicorn import arm_const as arm


@dataclass(frozen=True)
class CortexModel:
    """A Cortex-M core.

    Attributes:
        name: as in `emu.cpu.CORES`.
        unicorn: Unicorn's number of it.
        identity: value of CPUID.
        has_fpu: whether it has a floating-point unit; without one CPACR stays 0.
    """

    name: str
    unicorn: int
    identity: int
    has_fpu: bool


CORTEX_M3 = CortexModel("cortex-m3", arm.UC_CPU_ARM_CORTEX_M3, 0x410F_C231, has_fpu=False)
CORTEX_M4F = CortexModel("cortex-m4f", arm.UC_CPU_ARM_CORTEX_M4, 0x410F_C241, has_fpu=True)
MODELS = {model.name: model for model in (CORTEX_M3, CORTEX_M4F)}

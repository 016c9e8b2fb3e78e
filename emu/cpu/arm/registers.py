"""The Cortex-M's registers by name, on Unicorn."""

from __future__ import annotations

from collections.abc import Mapping

from unicorn import arm_const as arm

from emu.cpu.arm.exception_state import Batch
from emu.cpu.engine import Engine
from emu.cpu.register_batch import RegisterBatch

CORE_REGISTERS = {
    **{f"r{index}": getattr(arm, f"UC_ARM_REG_R{index}") for index in range(13)},
    "sp": arm.UC_ARM_REG_SP,
    "lr": arm.UC_ARM_REG_LR,
    "pc": arm.UC_ARM_REG_PC,
    "xpsr": arm.UC_ARM_REG_XPSR,
}
SYSTEM_REGISTERS = {
    "msp": arm.UC_ARM_REG_MSP,
    "psp": arm.UC_ARM_REG_PSP,
    "primask": arm.UC_ARM_REG_PRIMASK,
    "basepri": arm.UC_ARM_REG_BASEPRI,
    "faultmask": arm.UC_ARM_REG_FAULTMASK,
    "control": arm.UC_ARM_REG_CONTROL,
}
FLOAT_REGISTERS = {
    **{f"s{index}": getattr(arm, f"UC_ARM_REG_S{index}") for index in range(32)},
    "fpscr": arm.UC_ARM_REG_FPSCR,
}
NUMBERS = {**CORE_REGISTERS, **SYSTEM_REGISTERS, **FLOAT_REGISTERS}
CONTROL_MASK = 7
WIDTH_MASK = {"primask": 1, "faultmask": 1, "basepri": 0xFF, "control": CONTROL_MASK}
NPRIV, SPSEL, FPCA, SFPA = 1, 2, 4, 8
"""Bits of CONTROL."""
IPSR_MASK = 0x1FF
EPSR_BITS = 0x0700_FC00
"""T bit, IT or continuation bits."""
THUMB = 1 << 24
"""T bit of xPSR."""

PRIVILEGED_FIRST = (
    arm.UC_ARM_REG_IPSR,
    *(SYSTEM_REGISTERS[name] for name in ("control", "primask", "basepri", "faultmask")),
    arm.UC_ARM_REG_IPSR,
    arm.UC_ARM_REG_CONTROL,
)
"""What makes thread mode privileged, in this order: only in handler mode can everything be written, but for SPSEL."""


def _it_state(flags: int) -> int:
    """ITSTATE in an xPSR."""
    return flags >> 8 & 0xFC | flags >> 25 & 3


class ArmRegisters:
    """Reads and writes registers by name, with the rights of privileged code whatever the core is doing.

    Unicorn answers for unprivileged code as MSR and MRS do: masks and stack pointers read 0 and cannot be written.
    """

    def __init__(self, engine: Engine) -> None:
        self._one = {name: engine.batch(number) for name, number in NUMBERS.items()}
        self._masks = engine.batch(arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_BASEPRI, arm.UC_ARM_REG_FAULTMASK)
        self._mode = engine.batch(arm.UC_ARM_REG_IPSR, arm.UC_ARM_REG_CONTROL)
        self._ipsr = engine.batch(arm.UC_ARM_REG_IPSR)
        self._position = engine.batch(arm.UC_ARM_REG_PC, arm.UC_ARM_REG_XPSR)
        self._restart = engine.batch(arm.UC_ARM_REG_EPSR, arm.UC_ARM_REG_PC)
        self._flags = engine.batch(
            arm.UC_ARM_REG_XPSR_NZCVQG, arm.UC_ARM_REG_EPSR, arm.UC_ARM_REG_PC, arm.UC_ARM_REG_APSR_NZCV
        )
        self._condition_flags = engine.batch(arm.UC_ARM_REG_APSR_NZCV)
        self._everything = engine.batch(*NUMBERS.values())
        cleared = [number for name, number in NUMBERS.items() if name not in ("pc", "control", "lr")]
        self._reset = engine.batch(*PRIVILEGED_FIRST, *cleared, arm.UC_ARM_REG_LR)
        self._after_reset = 1, *[0] * (len(PRIVILEGED_FIRST) - 1 + len(cleared)), 0xFFFF_FFFF

    @property
    def exception_batches(self) -> dict[Batch, RegisterBatch]:
        """The lists of registers that native exceptions need besides those of frames."""
        return {Batch.MASKS: self._masks, Batch.IPSR: self._ipsr, Batch.FAULTMASK: self._one["faultmask"]}

    def _unprivileged(self) -> bool:
        ipsr, control = self._mode.read()
        return not ipsr & IPSR_MASK and bool(control & NPRIV)

    @property
    def privileged(self) -> bool:
        """Whether the code that runs now is privileged."""
        return not self._unprivileged()

    def read(self, name: str) -> int:
        """A register's value. Raises KeyError for an unknown name."""
        batch = self._one[name]
        if name not in SYSTEM_REGISTERS or not self._unprivileged():
            value = batch.read()[0]
        else:
            self._ipsr.write(1)
            value = batch.read()[0]
            self._ipsr.write(0)
        return value & WIDTH_MASK.get(name, 0xFFFF_FFFF)

    def write(self, name: str, value: int) -> None:
        """Set a register. Raises KeyError for an unknown name."""
        batch = self._one[name]
        if name == "pc":
            self.jump(value | 1)
        elif name not in SYSTEM_REGISTERS or not self._unprivileged():
            batch.write(value)
        else:
            self._ipsr.write(1)
            batch.write(value)
            self._ipsr.write(0)
        if name == "control":
            # Writing the flags makes Unicorn derive its translation flags again, the privilege among them.
            self._condition_flags.write(*self._condition_flags.read())

    def all(self) -> dict[str, int]:
        """All registers by name."""
        unprivileged = self._unprivileged()
        if unprivileged:
            xpsr = self.read("xpsr")
            self._ipsr.write(1)
        values = dict(zip(NUMBERS, self._everything.read(), strict=True))
        if unprivileged:
            self._ipsr.write(0)
            values["xpsr"] = xpsr
        return {name: value & WIDTH_MASK.get(name, 0xFFFF_FFFF) for name, value in values.items()}

    def set_all(self, values: Mapping[str, int]) -> None:
        """Set all registers to what `all` gave."""
        ipsr, control = values["xpsr"] & IPSR_MASK, values["control"]
        # SPSEL can only be changed in thread mode, and by privileged code: handler mode and back makes it privileged.
        for mode, choice in ((1, 0), (0, control & ~NPRIV), (1, control & ~NPRIV)):
            self._ipsr.write(mode)
            self._one["control"].write(choice)
        for name, value in values.items():
            if name not in ("sp", "pc", "xpsr", "control"):
                self._one[name].write(value)
        self._ipsr.write(ipsr)
        self._one["control"].write(control)
        flags = values["xpsr"]
        self._flags.write(flags, flags & EPSR_BITS, values["pc"] & ~1 | (1 if flags & THUMB else 0), flags)

    def masks(self) -> tuple[int, int, int]:
        """PRIMASK, BASEPRI, FAULTMASK."""
        if self._unprivileged():
            self._ipsr.write(1)
            values = self._masks.read()
            self._ipsr.write(0)
        else:
            values = self._masks.read()
        return values[0] & 1, values[1] & 0xFF, values[2] & 1

    @property
    def whole_control(self) -> int:
        """CONTROL with the bits of TrustZone, which `read` leaves out."""
        return self._mode.read()[1]

    @property
    def thumb(self) -> bool:
        """The T bit; execution with it clear is a UsageFault."""
        return bool(self._position.read()[1] & THUMB)

    @property
    def condition_passed(self) -> bool:
        """Whether the next instruction is executed: false only inside an IT block."""
        flags = self._position.read()[1]
        state = _it_state(flags)
        if not state & 0xF:
            return True
        negative, zero, carry, overflow = (bool(flags >> bit & 1) for bit in (31, 30, 29, 28))
        condition = state >> 4
        passed = (
            zero,
            carry,
            negative,
            overflow,
            carry and not zero,
            negative == overflow,
            negative == overflow and not zero,
            True,
        )[condition >> 1]
        return passed != bool(condition & 1)

    def skip(self, width: int) -> None:
        """Go on behind the next instruction of ``width`` bytes, which counts for its IT block."""
        pc, flags = self._position.read()
        state = _it_state(flags)
        state = 0 if not state & 7 else state & 0xE0 | state << 1 & 0x1F
        # Bits 7..2 of ITSTATE are bits 15..10 of xPSR, bits 1..0 are bits 26..25.
        self._restart.write(THUMB | (state & 0xFC) << 8 | (state & 3) << 25, pc + width | 1)

    @property
    def start(self) -> int:
        """Where to go on, with the Thumb bit as Unicorn wants it."""
        pc, xpsr = self._position.read()
        return (pc & ~1) | (xpsr >> 24 & 1)

    def jump(self, target: int) -> None:
        """Set PC and T bit as BX does, and leave an IT block."""
        self._restart.write(THUMB if target & 1 else 0, target)

    def reset(self) -> None:
        """All registers 0, privileged thread mode on the main stack, LR all ones."""
        self._reset.write(*self._after_reset)

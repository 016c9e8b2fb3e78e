"""The host's registers as gdb wants them: described in XML, then as one row of bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emu.cpu.core import Core

HEADER = '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0">'
CODE_POINTERS, DATA_POINTERS = ("pc",), ("sp", "msp", "psp")


@dataclass(frozen=True, slots=True)
class Register:
    """A register of gdb's: ``parts`` are those of the core that it is made of, the lowest 32 bits first."""

    name: str
    parts: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return 4 * len(self.parts)

    def read(self, values: Mapping[str, int]) -> bytes:
        """Its bytes, from the core's registers by name."""
        return b"".join(values[part].to_bytes(4, "little") for part in self.parts)

    def write(self, core: Core, data: bytes) -> None:
        """Set it."""
        for place, part in enumerate(self.parts):
            core.write_register(part, int.from_bytes(data[4 * place : 4 * place + 4], "little"))


@dataclass(frozen=True)
class Feature:
    """A group of registers under a name that gdb knows."""

    name: str
    registers: tuple[Register, ...]


def features_of(core: Core) -> list[Feature]:
    """The registers of a core, in gdb's groups and order."""
    return _arm(core.register_names) if core.architecture == "arm" else _riscv(core.register_names)


def description(core: Core) -> str:
    """The target description: an XML document."""
    architecture = {"arm": "arm", "riscv": "riscv:rv32"}[core.architecture]
    groups = "".join(
        f'<feature name="{feature.name}">{"".join(map(_element, feature.registers))}</feature>'
        for feature in features_of(core)
    )
    return f"{HEADER}<architecture>{architecture}</architecture>{groups}</target>"


def _element(register: Register) -> str:
    kind = "int" if register.size == 4 else "ieee_double"
    kind = "code_ptr" if register.name in CODE_POINTERS else "data_ptr" if register.name in DATA_POINTERS else kind
    return f'<reg name="{register.name}" bitsize="{8 * register.size}" type="{kind}"/>'


def _plain(names: Sequence[str]) -> tuple[Register, ...]:
    return tuple(Register(name, (name,)) for name in names)


def _arm(names: Sequence[str]) -> list[Feature]:
    core = (*(f"r{number}" for number in range(13)), "sp", "lr", "pc", "xpsr")
    system = tuple(name for name in ("msp", "psp", "primask", "basepri", "faultmask", "control") if name in names)
    features = [
        Feature("org.gnu.gdb.arm.m-profile", _plain(core)),
        Feature("org.gnu.gdb.arm.m-system", _plain(system)),
    ]
    if "fpscr" in names:
        doubles = tuple(Register(f"d{number}", (f"s{2 * number}", f"s{2 * number + 1}")) for number in range(16))
        features.append(Feature("org.gnu.gdb.arm.vfp", (*doubles, *_plain(("fpscr",)))))
    return features


def _riscv(names: Sequence[str]) -> list[Feature]:
    whole = [name for name in names if name != "pc"][:32]
    control = [name for name in names if name != "pc" and name not in whole]
    return [
        Feature("org.gnu.gdb.riscv.cpu", _plain([*whole, "pc"])),
        Feature("org.gnu.gdb.riscv.csr", _plain(control)),
    ]

"""The register blocks of a machine in the order and grouping in which all exports show them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from emu.device import Device
from emu.machine import MachineMap, Peripheral
from emu.registers import Access, Register, RegisterArray

WORD_BYTES = 4


@dataclass(frozen=True)
class Entry:
    """A register, an array of registers, or an array of groups of registers.

    Attributes:
        name: as firmware sees it.
        stride: bytes from element to element.
        members: the registers of one element with their names inside it; a single one has the entry's name.
    """

    name: str
    offset: int
    count: int
    stride: int
    members: tuple[tuple[str, Register], ...]

    @property
    def size(self) -> int:
        """Bytes of all elements."""
        return self.count * self.stride

    @property
    def is_group(self) -> bool:
        """Whether an element has several registers."""
        return len(self.members) > 1


@dataclass(frozen=True)
class Block:
    """A kind of device and where the machine has it.

    Attributes:
        name: upper case, without number: UART.
        instances: in order of address.
    """

    name: str
    device: type[Device]
    instances: tuple[Peripheral, ...]

    @property
    def entries(self) -> list[Entry]:
        """Its registers in order of address."""
        return list(_entries(self.device.registers))


def blocks(machine: MachineMap) -> list[Block]:
    """Every kind of device of the machine, in order of address."""
    kinds: dict[type[Device], list[Peripheral]] = {}
    for item in sorted(machine.peripherals, key=lambda item: item.base):
        kinds.setdefault(item.device, []).append(item)
    return [Block(re.sub(r"\d+$", "", items[0].name).upper(), device, tuple(items)) for device, items in kinds.items()]


def _entries(registers: list[Register]) -> Iterator[Entry]:
    rest = list(registers)
    while rest:
        first = rest.pop(0)
        if not isinstance(first, RegisterArray):
            yield Entry(first.name, first.offset, 1, WORD_BYTES, ((first.name, first),))
            continue
        if not first.group:
            if first.stride != WORD_BYTES:
                raise ValueError(f"{first.name}: an array with stride {first.stride} must name its group")
            yield Entry(first.name, first.offset, first.count, first.stride, ((first.name, first),))
            continue
        group: list[Register] = [first]
        while rest and getattr(rest[0], "group", "") == first.group:
            group.append(rest.pop(0))
        prefix = _common_words([register.name for register in group])
        members = tuple((register.name.removeprefix(prefix), register) for register in group)
        yield Entry(first.group, first.offset, first.count, first.stride, members)


def _common_words(names: list[str]) -> str:
    """`COPY_` for `COPY_COUNT` and `COPY_SOURCE_STRIDE`."""
    columns = zip(*(name.split("_") for name in names), strict=False)
    return "".join(f"{column[0]}_" for column in itertools.takewhile(lambda column: len(set(column)) == 1, columns))


def access_of(register: Register) -> Access:
    """What firmware may do with the register as a whole: RW, RO or WO."""
    if not register.write_mask | register.clear_mask | register.command_mask:
        return Access.RO
    return Access.RW if register.read_mask else Access.WO


def is_plain(register: Register) -> bool:
    """Whether the register is one value, without fields worth a name of their own."""
    fields = list(register.layout.fields.values())
    return len(fields) == 1 and fields[0].width == 32


def text(doc: str) -> str:
    """A docstring on one line."""
    return " ".join(doc.split())


def summary(doc: str) -> str:
    """The first sentence."""
    return re.split(r"(?<=\.)\s+(?=[A-Z])", text(doc.split("\n\n")[0]), maxsplit=1)[0]

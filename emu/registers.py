"""Registers, declared once like lines of a datasheet, with their behaviour beside them.

    class Control(Layout):
        "What the timer does."
        ENABLE = Bits(0, 1, "1 counts down.")

    class Timer(Device):
        CONTROL = Register(0x00, Control, "Control.")
        VALUE = Register(0x08, Word, "Cycles left.", access=Access.RO)

        @VALUE.on_read
        def _value(self) -> int: ...

        @CONTROL.on_write
        def _control(self, value: int) -> None: ...

Inside the device, ``self.CONTROL`` is the stored word and can be assigned; ``Control.ENABLE.extract(self.CONTROL)``
is a field. A reader replaces what firmware reads; a writer runs after the stored word has changed and gets
the value as firmware wrote it (write-only bits included).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, TypeVar, overload

from asm.bits import Field, Layout

if TYPE_CHECKING:
    from emu.device import Device

Function = TypeVar("Function", bound=Callable[..., Any])


class Access(Enum):
    """What firmware may do with a register or field."""

    RW = "read-write"
    RO = "read-only"
    WO = "write-only"
    W1C = "read, write 1 to clear"


class Bits(Field):
    """A field of a device register; ``access`` None means: as its register.

    ``modelled`` False: the bits are stored, but do nothing; setting them is reported by name.
    """

    def __init__(
        self,
        low: int,
        width: int = 1,
        doc: str = "",
        *,
        values: type[IntEnum] | None = None,
        reset: int = 0,
        access: Access | None = None,
        modelled: bool = True,
    ) -> None:
        super().__init__(low, width, doc, values=values, reset=reset)
        self.access, self.modelled = access, modelled


class Word(Layout):
    """All 32 bits are one value."""

    value = Field(0, 32)


class Register:
    """One 32-bit register of a device.

    Args:
        offset: bytes from the device's base, a multiple of 4.
        layout: its fields.
        doc: one or two sentences; the layout's docstring serves when it is empty.
        access: for all fields that do not say otherwise.
        modelled: False if it is only stored: the first touch is reported by name.
    """

    name: str = ""
    count = 1

    def __init__(
        self,
        offset: int,
        layout: type[Layout],
        doc: str = "",
        *,
        access: Access = Access.RW,
        modelled: bool = True,
    ) -> None:
        if offset % 4 or offset < 0:
            raise ValueError(f"a register's offset must be a multiple of 4, not 0x{offset:x}")
        self.offset, self.layout, self.access, self.modelled = offset, layout, access, modelled
        self.doc = doc or (layout.__doc__ or "").strip()
        self.reader: Callable[..., int] | None = None
        self.steady = modelled
        self.writer: Callable[..., None] | None = None
        self.reset = sum(field.reset << field.low for field in layout.fields.values())
        self.read_mask = self._mask(Access.RW, Access.RO, Access.W1C)
        self.write_mask = self._mask(Access.RW)
        self.clear_mask = self._mask(Access.W1C)
        self.command_mask = self._mask(Access.WO)
        used = [field for field in layout.fields.values() if getattr(field, "modelled", True)]
        may_be_written = modelled and self.write_mask | self.clear_mask | self.command_mask
        self.silent_mask = sum(field.mask for field in used) if may_be_written else 0
        """Bits that firmware may set without a word from the log."""

    def field_access(self, field: Field) -> Access:
        """What firmware may do with the field."""
        own = field.access if isinstance(field, Bits) else None
        return own or self.access

    def _mask(self, *kinds: Access) -> int:
        return sum(field.mask for field in self.layout.fields.values() if self.field_access(field) in kinds)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def on_read(self, function: Function) -> Function:
        """Decorator: the method returns what firmware reads."""
        self.steady = False
        return self._on_read(function)

    def on_steady_read(self, function: Function) -> Function:
        """The same for a method that changes nothing and returns the same until the next event or write.

        A loop that polls the register is then not executed round by round.
        """
        self.steady = self.modelled
        return self._on_read(function)

    def _on_read(self, function: Function) -> Function:
        self.reader = function
        return function

    def on_write(self, function: Function) -> Function:
        """Decorator: the method runs when firmware has written."""
        self.writer = function
        return function

    @overload
    def __get__(self, device: None, owner: type) -> Register: ...
    @overload
    def __get__(self, device: Device, owner: type) -> int: ...
    def __get__(self, device: Device | None, owner: type) -> Register | int:
        return self if device is None else device.words[self.offset]

    def __set__(self, device: Device, value: int) -> None:
        device.words[self.offset] = value & 0xFFFF_FFFF

    def offsets(self) -> Iterator[int]:
        """Offsets of all elements."""
        yield self.offset


class RegisterArray(Register):
    """``count`` registers of one layout, ``stride`` bytes apart. Readers and writers get the index first.

    Arrays that interleave name their ``group``: to firmware they are one array of structures of that name.
    """

    def __init__(
        self,
        offset: int,
        layout: type[Layout],
        doc: str = "",
        *,
        count: int,
        stride: int = 4,
        group: str = "",
        access: Access = Access.RW,
        modelled: bool = True,
    ) -> None:
        super().__init__(offset, layout, doc, access=access, modelled=modelled)
        self.count, self.stride, self.group = count, stride, group

    @overload  # type: ignore[override]
    def __get__(self, device: None, owner: type) -> RegisterArray: ...
    @overload
    def __get__(self, device: Device, owner: type) -> ArrayView: ...
    def __get__(self, device: Device | None, owner: type) -> RegisterArray | ArrayView:
        return self if device is None else ArrayView(self, device)

    def __set__(self, device: Device, value: int) -> None:
        raise AttributeError(f"{self.name} is an array: assign {self.name}[index]")

    def offsets(self) -> Iterator[int]:
        """Offsets of all elements."""
        for index in range(self.count):
            yield self.offset + index * self.stride


class ArrayView:
    """The stored words of a `RegisterArray` of one device."""

    def __init__(self, array: RegisterArray, device: Device) -> None:
        self._array, self._words = array, device.words

    def _offset(self, index: int) -> int:
        if not 0 <= index < self._array.count:
            raise IndexError(f"{self._array.name} has elements 0..{self._array.count - 1}, not {index}")
        return self._array.offset + index * self._array.stride

    def __getitem__(self, index: int) -> int:
        return self._words[self._offset(index)]

    def __setitem__(self, index: int, value: int) -> None:
        self._words[self._offset(index)] = value & 0xFFFF_FFFF

    def __len__(self) -> int:
        return self._array.count

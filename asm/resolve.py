"""What names mean: constants, tensors, kernels, tables and labels; and what expressions are worth."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from asm import syntax
from asm.errors import AlreadyReportedError, SourceError, Span, did_you_mean
from asm.isa import REGISTERS
from asm.parameters import Address, LoadCount, TensorFormat, TensorShape
from asm.rules import ElementFormat

MAX_MAGNITUDE = 1 << 64
"""Values of an expression stay below this, in between as well."""
TABLE_ENTRY_BYTES = 16
"""An entry of a requantisation table: bias, multiplier, shift, offset."""

OPERATORS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
    "%": operator.mod,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
FORMATS = ElementFormat.__members__
"""Element formats by name."""
RESERVED = {
    *FORMATS,
    *(f"r{number}" for number in range(REGISTERS)),
    *("program", "const", "tensor", "kernels", "requant", "words", "unchecked", "loop"),
    *("at", "address", "of", "extern", "compute", "memory", "relu", "bypass", "lookup"),
    *("interleave", "depthwise", "sparse", "compressed", "overlap", "unshared"),
}
"""Words with a meaning of their own: they cannot be declared."""


@dataclass(frozen=True, slots=True)
class Value:
    """``number``, plus the value of ``register`` or the address of ``symbol`` where there is one."""

    number: int
    register: int | None = None
    symbol: str | None = None

    @property
    def plain(self) -> bool:
        """Whether it is just a number."""
        return self.register is None and self.symbol is None

    def plus(self, number: int) -> Value:
        """The value ``number`` further on."""
        return replace(self, number=self.number + number)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor in memory, or a slice of one: the strides stay those of the whole.

    Attributes:
        format: of its elements.
        height, width, channels: its shape.
        address: of its first element.
        line_bytes: from one row to the next.
        pixel_bits: from one pixel to the next.
        whole_rows: whether each row is all of the row that lies in memory, its padding included.
        compressed: whether each row is a bit mask followed by the elements that are not 0.
    """

    format: ElementFormat
    height: int
    width: int
    channels: int
    address: Value
    line_bytes: int
    pixel_bits: int
    whole_rows: bool = True
    compressed: bool = False

    @classmethod
    def packed(
        cls, form: ElementFormat, shape: tuple[int, int, int], address: Value, compressed: bool = False
    ) -> Tensor:
        """A tensor whose pixels are packed and whose rows start at whole bytes, with room for the worst case."""
        height, width, channels = shape
        pixel_bits = channels * form.bits
        row_bytes = -(-width * pixel_bits // 8) + (-(-width * channels // 8) if compressed else 0)
        return cls(form, height, width, channels, address, row_bytes, pixel_bits, compressed=compressed)

    @property
    def shape_text(self) -> str:
        """Format and shape as they are written."""
        text = f"{self.format.name}[{self.height}, {self.width}, {self.channels}]"
        return f"{text} compressed" if self.compressed else text


@dataclass(frozen=True, slots=True)
class Kernels:
    """Kernels in memory, as `load` reads them."""

    format: ElementFormat
    count: int
    height: int
    width: int
    channels: int
    address: Value


@dataclass(frozen=True, slots=True)
class Table:
    """A requantisation table: one entry a kernel."""

    entries: int
    address: Value


Declared = Tensor | Kernels | Table
KIND_TEXT = {Tensor: "a tensor", Kernels: "kernels", Table: "a requantisation table"}


@dataclass
class Scope:
    """The names of a program.

    Attributes:
        constants: value of each constant.
        declared: tensors, kernels and tables.
        labels: offset of each label in the blob.
        lines: where each name was declared, by line.
        broken: names whose declaration has an error that is reported already.
    """

    constants: dict[str, int] = field(default_factory=dict)
    declared: dict[str, Declared] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def claim(self, name: syntax.Name) -> None:
        """Notes that ``name`` is declared here; raises `SourceError` if it is taken or reserved."""
        if name.text in RESERVED:
            raise SourceError(
                name.span, f"{name.text} has a meaning of its own and cannot be declared", "choose another name"
            )
        if name.text in self.lines:
            line = self.lines[name.text]
            raise SourceError(name.span, f"{name.text} is already declared on line {line}", "choose another name")
        self.lines[name.text] = name.span.line

    # ---- declarations

    def declare(self, statement: syntax.Const | syntax.Declaration | syntax.Requant) -> None:
        """Takes in a declaration whose name is claimed; its name is broken when it raises `SourceError`."""
        name = statement.name.text
        try:
            if isinstance(statement, syntax.Const):
                self.constants[name] = self.integer(statement.value)
            elif isinstance(statement, syntax.Requant):
                self.declared[name] = self._table(statement)
            else:
                self.declared[name] = self._declaration(statement)
        except (SourceError, AlreadyReportedError):
            self.broken.add(name)
            raise

    def _declaration(self, statement: syntax.Declaration) -> Tensor | Kernels:
        if statement.what == "tensor":
            return self.tensor(statement.type, statement.address, statement.compressed)
        form, (count, height, width, channels) = self.typed(statement.type, ("kernels", "height", "width", "channels"))
        address = self.evaluate(statement.address)
        return Kernels(form, count, height, width, channels, self.address(address, statement.address.span))

    def _table(self, statement: syntax.Requant) -> Table:
        items = statement.table.items
        if items is None or len(items) != 1 or not isinstance(items[0], syntax.Index):
            name = statement.name.text
            raise SourceError(statement.table.span, "a table needs its number of entries", f"write {name}[16]")
        entries = self.integer(items[0].value)
        _check_size("entries", entries, LoadCount.kernels.limit, items[0].span)
        return Table(entries, self.address(self.evaluate(statement.address), statement.address.span))

    def tensor(self, kind: syntax.Reference, address: syntax.Expression, compressed: bool) -> Tensor:
        """The packed tensor of type ``kind`` at ``address``."""
        form, (height, width, channels) = self.typed(kind, ("height", "width", "channels"))
        place = self.address(self.evaluate(address), address.span)
        return Tensor.packed(form, (height, width, channels), place, compressed)

    def typed(self, kind: syntax.Reference, sizes: tuple[str, ...]) -> tuple[ElementFormat, list[int]]:
        """Format and sizes of a type such as ``u4[8, 8, 16]``, whose sizes are called ``sizes``."""
        form = self.format(kind)
        items = kind.items or ()
        if len(items) != len(sizes) or not all(isinstance(item, syntax.Index) for item in items):
            raise SourceError(kind.span, f"a type needs {len(sizes)} sizes here: {form.name}[{', '.join(sizes)}]")
        limits = {"channels": TensorFormat.channels.limit, "kernels": LoadCount.kernels.limit}
        values = []
        for name, item in zip(sizes, items, strict=True):
            assert isinstance(item, syntax.Index)
            values.append(self.integer(item.value))
            _check_size(name, values[-1], limits.get(name, TensorShape.height.limit), item.span)
        return form, values

    def format(self, kind: syntax.Expression) -> ElementFormat:
        """The element format that ``kind`` names, with or without sizes behind it."""
        if isinstance(kind, syntax.Reference) and kind.name.text in FORMATS:
            return FORMATS[kind.name.text]
        text = kind.name.text if isinstance(kind, syntax.Reference) else "this"
        raise SourceError(kind.span, f"{text} is not an element format", f"formats are {', '.join(FORMATS)}")

    # ---- slices

    def lookup(self, reference: syntax.Reference) -> Declared:
        """What was declared under the name of ``reference``, without its slices."""
        name = reference.name.text
        if name in self.broken:
            raise AlreadyReportedError
        if name in self.declared:
            return self.declared[name]
        if name in self.lines:
            kind = "a constant" if name in self.constants else "a label"
            raise SourceError(reference.name.span, f"{name} is {kind}, not a tensor, kernels or a table")
        raise self._unknown(reference.name, self.declared)

    def view(self, reference: syntax.Reference) -> Tensor:
        """The tensor that ``reference`` names, sliced.

        Raises:
            SourceError: not a tensor, or a slice that does not exist or starts within a byte.
        """
        tensor = self.lookup(reference)
        if not isinstance(tensor, Tensor):
            raise SourceError(reference.span, f"{reference.name.text} is {KIND_TEXT[type(tensor)]}, not a tensor")
        if reference.items is None:
            return tensor
        if len(reference.items) != 3:
            raise SourceError(reference.span, "a slice of a tensor has three parts", "write [rows, columns, channels]")
        bounds = [
            self.bounds(item, size, what)
            for item, size, what in zip(
                reference.items,
                (tensor.height, tensor.width, tensor.channels),
                ("height", "width", "channels"),
                strict=True,
            )
        ]
        (row, row_end), (column, column_end), (channel, channel_end) = bounds
        whole_rows = (column_end - column, channel_end - channel) == (tensor.width, tensor.channels)
        if tensor.compressed and not whole_rows:
            raise SourceError(reference.span, "a slice of a compressed tensor has whole rows", "write [rows, :, :]")
        bits = column * tensor.pixel_bits + channel * tensor.format.bits
        if bits % 8:
            raise SourceError(
                reference.span,
                f"a slice must start at a whole byte, this one starts at bit {bits % 8} of a byte",
                f"start at a multiple of {8 // tensor.format.bits} channels",
            )
        return replace(
            tensor,
            height=row_end - row,
            width=column_end - column,
            channels=channel_end - channel,
            address=tensor.address.plus(row * tensor.line_bytes + bits // 8),
            whole_rows=whole_rows,
        )

    def bounds(self, item: syntax.Index | syntax.Slice, size: int, what: str) -> tuple[int, int]:
        """First and end of a slice of something with ``size`` elements; a single index is a slice of one."""
        if isinstance(item, syntax.Index):
            first = self.integer(item.value)
            end = first + 1
        else:
            first = 0 if item.first is None else self.integer(item.first)
            end = size if item.end is None else self.integer(item.end)
        if not 0 <= first < end <= size:
            raise SourceError(item.span, f"{first}:{end} is not a slice of {what} 0:{size}")
        return first, end

    # ---- expressions

    def integer(self, expression: syntax.Expression) -> int:
        """The value of ``expression``, which must be a plain number."""
        value = self.evaluate(expression)
        if not value.plain:
            kind = "a register" if value.symbol is None else "an address"
            raise SourceError(expression.span, f"a number is needed here, not {kind}")
        return value.number

    def address(self, value: Value, span: Span) -> Value:
        """``value``, if it is an address: below 2^32, offsets from -2^31."""
        low = 0 if value.plain else -(1 << 31)
        if not low <= value.number <= Address.address.limit:
            raise SourceError(span, f"an address must fit 32 bits, {value.number:#x} does not")
        return value

    def evaluate(self, expression: syntax.Expression) -> Value:
        """The value of ``expression``.

        Raises:
            SourceError: unknown name, division by zero, a value out of range, arithmetic that addresses do not have.
            AlreadyReportedError: it uses a name whose declaration is wrong.
        """
        match expression:
            case syntax.Number():
                value = Value(expression.value)
            case syntax.Extern():
                value = Value(0, symbol=expression.symbol)
            case syntax.AddressOf():
                value = self._address_of(expression.target)
            case syntax.Reference():
                value = self._named(expression)
            case syntax.Unary():
                number = self.integer(expression.operand)
                value = Value({"-": -number, "~": ~number, "+": number}[expression.operator])
            case syntax.Binary():
                value = self._binary(expression)
        if abs(value.number) >= MAX_MAGNITUDE:
            raise SourceError(expression.span, "the value is too large: expressions have 64 bits")
        return value

    def _binary(self, expression: syntax.Binary) -> Value:
        left, right = self.evaluate(expression.left), self.evaluate(expression.right)
        if expression.operator in "+-" and right.plain:
            return left.plus(right.number if expression.operator == "+" else -right.number)
        if expression.operator == "+" and left.plain:
            return right.plus(left.number)
        if not (left.plain and right.plain):
            raise SourceError(expression.span, "to a register or an address only a number can be added")
        if expression.operator in "/%" and right.number == 0:
            raise SourceError(expression.right.span, "division by zero")
        if expression.operator in ("<<", ">>") and not 0 <= right.number < 64:
            raise SourceError(expression.right.span, f"a shift must be 0..63, not {right.number}")
        return Value(OPERATORS[expression.operator](left.number, right.number))

    def _address_of(self, target: syntax.Reference) -> Value:
        found = self.lookup(target)
        if isinstance(found, Tensor):
            return self.view(target).address
        if target.items is not None:
            raise SourceError(
                target.span, "only a tensor can be sliced here", f"write address of {target.name.text} + bytes"
            )
        return found.address

    def _named(self, reference: syntax.Reference) -> Value:
        name = reference.name.text
        if name in self.constants and reference.items is None:
            return Value(self.constants[name])
        if (number := register_number(name)) is not None and reference.items is None:
            return Value(0, register=number)
        if name in self.broken:
            raise AlreadyReportedError
        if name in self.labels:
            raise SourceError(reference.span, f"{name} is a label; only jump and jumpnz go to labels")
        if name in self.declared:
            kind = KIND_TEXT[type(self.declared[name])]
            raise SourceError(reference.span, f"{name} is {kind}, not a number", f"write address of {name}")
        if name in self.lines:
            raise SourceError(
                reference.span,
                f"{name} is declared on line {self.lines[name]}, further down",
                "declare constants before they are used",
            )
        if re.fullmatch(r"r\d+", name):
            raise SourceError(reference.span, f"there is no register {name}; they are r0..r{REGISTERS - 1}")
        if name in FORMATS:
            raise SourceError(reference.span, f"{name} is a format, not a number")
        raise self._unknown(reference.name, [*self.constants, *self.declared])

    def _unknown(self, name: syntax.Name, known: Iterable[str]) -> SourceError:
        return SourceError(name.span, f"{name.text} is not declared", did_you_mean(name.text, known))


def register_number(name: str) -> int | None:
    """The number of the register called ``name``, None if it is not one."""
    match = re.fullmatch(r"r(0|[1-9]\d?)", name)
    return int(match[1]) if match and int(match[1]) < REGISTERS else None


def _check_size(what: str, value: int, limit: int, span: Span) -> None:
    if not 1 <= value <= limit:
        raise SourceError(span, f"{what} must be 1..{limit}, not {value}")

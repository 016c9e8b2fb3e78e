"""The typed tree of a source file: what was written, and where; no meaning yet."""

from __future__ import annotations

from dataclasses import dataclass

from asm.errors import Span


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier."""

    span: Span
    text: str


# ---- expressions


@dataclass(frozen=True, slots=True)
class Number:
    """An integer literal."""

    span: Span
    value: int


@dataclass(frozen=True, slots=True)
class Unary:
    """``-a``, ``+a`` or ``~a``."""

    span: Span
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands with one of ``+ - * / % << >> & | ^`` between them."""

    span: Span
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Extern:
    """``extern symbol``: the address of something outside of the program."""

    span: Span
    symbol: str


@dataclass(frozen=True, slots=True)
class AddressOf:
    """``address of tensor``."""

    span: Span
    target: Reference


@dataclass(frozen=True, slots=True)
class Index:
    """One number in brackets."""

    span: Span
    value: Expression


@dataclass(frozen=True, slots=True)
class Slice:
    """``first:end`` in brackets; a side that is left out means all of it."""

    span: Span
    first: Expression | None
    end: Expression | None


@dataclass(frozen=True, slots=True)
class Reference:
    """A name, with what stands in brackets behind it; ``items`` is None without brackets."""

    span: Span
    name: Name
    items: tuple[Index | Slice, ...] | None


Expression = Number | Unary | Binary | Extern | AddressOf | Reference


# ---- operands


@dataclass(frozen=True, slots=True)
class Range:
    """``low..high``, both included."""

    span: Span
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class Group:
    """Several numbers in parentheses."""

    span: Span
    items: tuple[Expression, ...]


Value = Expression | Range | Group


@dataclass(frozen=True, slots=True)
class Named:
    """``name=value``."""

    span: Span
    name: Name
    value: Value


@dataclass(frozen=True, slots=True)
class Place:
    """``at address``."""

    span: Span
    address: Expression


@dataclass(frozen=True, slots=True)
class Tiles:
    """``compute tiles`` or ``memory tiles``."""

    span: Span
    mode: str
    tiles: Value


@dataclass(frozen=True, slots=True)
class Window:
    """``max 2x2``: what to make of a window, its height and width."""

    span: Span
    mode: Name
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class TensorLiteral:
    """``tensor(format[height, width, channels] compressed at address, line=bytes, pixel=bits)``."""

    span: Span
    type: Reference
    compressed: bool
    address: Expression
    settings: tuple[Named, ...]


Operand = Value | Named | Place | Tiles | Window | TensorLiteral


# ---- statements


@dataclass(frozen=True, slots=True)
class ProgramName:
    """``program name``."""

    span: Span
    name: Name


@dataclass(frozen=True, slots=True)
class Const:
    """``const name = value``."""

    span: Span
    name: Name
    value: Expression


@dataclass(frozen=True, slots=True)
class Declaration:
    """``tensor`` or ``kernels`` (`what`), a name, a type and an address; a tensor may be compressed."""

    span: Span
    what: str
    name: Name
    type: Reference
    compressed: bool
    address: Expression


@dataclass(frozen=True, slots=True)
class Requant:
    """``requant name[entries] at address``."""

    span: Span
    table: Reference
    address: Expression

    @property
    def name(self) -> Name:
        """The table's name."""
        return self.table.name


@dataclass(frozen=True, slots=True)
class Words:
    """``words a, b, ...``: words of the program as they are."""

    span: Span
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An instruction; `unchecked` ones may break the rules of the hardware."""

    span: Span
    unchecked: bool
    mnemonic: Name
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class LoopOpen:
    """``loop count {``."""

    span: Span
    unchecked: bool
    count: Expression


@dataclass(frozen=True, slots=True)
class LoopClose:
    """``}``."""

    span: Span


@dataclass(frozen=True, slots=True)
class Label:
    """``name:``."""

    span: Span
    name: Name


@dataclass(frozen=True, slots=True)
class Broken:
    """A line with a syntax error; `names` are what it probably declares, so that their uses are no errors too."""

    span: Span
    names: tuple[str, ...]


Statement = (
    ProgramName | Const | Declaration | Requant | Words | Operation | LoopOpen | LoopClose | Label | Broken
)  # fmt: skip

"""Access to the operands of one instruction, with the error messages that they all share."""

from __future__ import annotations

from dataclasses import replace

from asm import syntax
from asm.bits import Field, Layout
from asm.errors import AlreadyReportedError, SourceError, Span, did_you_mean
from asm.resolve import Scope, Tensor, register_number


class Operands:
    """Hands out an instruction's operands one by one; `done` complains about those that nobody took."""

    def __init__(self, operation: syntax.Operation, scope: Scope) -> None:
        self.operation, self.scope = operation, scope
        self.span = operation.span
        self.mnemonic = operation.mnemonic.text
        self.positional: list[syntax.Operand] = []
        self.named: dict[str, list[syntax.Named]] = {}
        self.asked: list[str] = []
        for operand in operation.operands:
            if isinstance(operand, syntax.Named):
                self.named.setdefault(operand.name.text, []).append(operand)
            else:
                self.positional.append(operand)

    # ---- by position

    def next(self, what: str) -> syntax.Operand:
        """The next operand without a name; `what` it is, for the message when there is none."""
        if not self.positional:
            raise SourceError(self.operation.mnemonic.span, f"{self.mnemonic} needs {what}")
        return self.positional.pop(0)

    def expression(self, what: str) -> syntax.Expression:
        """The next operand, which must be an expression."""
        operand = self.next(what)
        if not isinstance(operand, syntax.Expression):
            raise SourceError(operand.span, f"{self.mnemonic} needs {what} here")
        return operand

    def register(self, what: str) -> int:
        """The number of the next operand, which must be a register."""
        operand = self.next(what)
        name = operand.name.text if isinstance(operand, syntax.Reference) else ""
        number = register_number(name)
        if number is None:
            raise SourceError(operand.span, f"{self.mnemonic} needs {what}, r0..r15, here")
        return number

    def target(self) -> int:
        """The offset of the label that is the next operand."""
        operand = self.next("a label")
        if not isinstance(operand, syntax.Reference) or operand.items is not None:
            raise SourceError(operand.span, f"{self.mnemonic} goes to a label")
        name = operand.name.text
        if name in self.scope.broken:
            raise AlreadyReportedError
        if name not in self.scope.labels:
            raise SourceError(operand.span, f"there is no label {name}", did_you_mean(name, self.scope.labels))
        return self.scope.labels[name]

    def tensor(self, what: str) -> Tensor:
        """The next operand, which must be a tensor, a slice of one or a literal."""
        operand = self.next(what)
        if isinstance(operand, syntax.Reference):
            return self.scope.view(operand)
        if isinstance(operand, syntax.TensorLiteral):
            return self._literal(operand)
        raise SourceError(operand.span, f"{self.mnemonic} needs {what}, a tensor, here")

    def _literal(self, literal: syntax.TensorLiteral) -> Tensor:
        packed = self.scope.tensor(literal.type, literal.address, literal.compressed)
        strides = {"line": packed.line_bytes, "pixel": packed.pixel_bits}
        for setting in literal.settings:
            name = setting.name.text
            if name not in strides:
                raise SourceError(
                    setting.name.span, f"a tensor has no {name}", "it has line=bytes and pixel=bits, its strides"
                )
            assert isinstance(setting.value, syntax.Expression)
            strides[name] = self.scope.integer(setting.value)
        default = strides == {"line": packed.line_bytes, "pixel": packed.pixel_bits}
        return replace(packed, line_bytes=strides["line"], pixel_bits=strides["pixel"], whole_rows=default)

    # ---- by name

    def flag(self, name: str) -> bool:
        """Whether the bare word ``name`` is among the operands."""
        self.asked.append(name)
        for index, operand in enumerate(self.positional):
            if isinstance(operand, syntax.Reference) and operand.name.text == name and operand.items is None:
                del self.positional[index]
                return True
        return False

    def value(self, name: str) -> syntax.Value | None:
        """What ``name=`` says, None if it is not there."""
        values = self.values(name)
        if len(values) > 1:
            raise SourceError(values[1].span, f"{name} is given twice")
        return values[0] if values else None

    def values(self, name: str) -> list[syntax.Value]:
        """What every ``name=`` says, in order."""
        self.asked.append(name)
        return [operand.value for operand in self.named.pop(name, [])]

    def required(self, name: str, example: str) -> syntax.Value:
        """What ``name=`` says; an error with an example if it is not there."""
        value = self.value(name)
        if value is None:
            raise SourceError(self.operation.mnemonic.span, f"{self.mnemonic} needs {name}=", f"for example {example}")
        return value

    def integer(self, name: str, default: int) -> int:
        """The number behind ``name=``, or ``default``."""
        value = self.value(name)
        return default if value is None else self.number(value)

    def number(self, value: syntax.Operand) -> int:
        """``value`` as one plain number."""
        if not isinstance(value, syntax.Expression):
            raise SourceError(value.span, "a single number is needed here")
        return self.scope.integer(value)

    def numbers(self, value: syntax.Value, names: tuple[str, ...]) -> list[int]:
        """``value`` as several numbers, called ``names``, in parentheses; one number alone stands for all."""
        if not isinstance(value, syntax.Group):
            return [self.number(value)] * len(names)
        if len(value.items) != len(names):
            raise SourceError(value.span, f"({', '.join(names)}) has {len(names)} numbers, not {len(value.items)}")
        return [self.scope.integer(item) for item in value.items]

    def range(self, value: syntax.Operand) -> tuple[int, int]:
        """``value`` as low and high, both included."""
        if not isinstance(value, syntax.Range):
            raise SourceError(value.span, "a range is needed here", "write low..high, both included")
        low, high = self.scope.integer(value.low), self.scope.integer(value.high)
        if low > high:
            raise SourceError(value.span, f"the range {low}..{high} is empty: the lower bound comes first")
        return low, high

    def done(self) -> None:
        """Raises `SourceError` for an operand that the instruction does not have."""
        if self.positional:
            operand = self.positional[0]
            name = operand.name.text if isinstance(operand, syntax.Reference) else ""
            raise SourceError(
                operand.span,
                f"{self.mnemonic} does not take this operand",
                did_you_mean(name, self.asked) if name else "",
            )
        for name, operands in self.named.items():
            raise SourceError(operands[0].name.span, f"{self.mnemonic} has no {name}=", did_you_mean(name, self.asked))


def pack(span: Span, layout: type[Layout], **values: int) -> int:
    """The word of ``layout`` with these fields; `SourceError` at ``span`` when a value does not fit."""
    try:
        return layout.pack(**values)
    except ValueError as error:
        raise SourceError(span, str(error)) from None


def signed_word(span: Span, field: Field, number: int) -> int:
    """``number`` in two's complement as a value for ``field``: -2^31 .. 2^32-1 for 32 bits."""
    low = -(field.limit + 1) // 2
    if not low <= number <= field.limit:
        raise SourceError(span, f"{field.name} must be {low}..{field.limit}, not {number}")
    return number & field.limit

"""The instructions of one function, in LLVM's text form, and the values that they work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

INTEGER, TRUTH, NOTHING = "int", "bool", "None"
ELEMENTS = {"Words": 64, "Sequence[int]": 64, "Unsigned": 32, "Bytes": 8}
"""Bits of what pointers point to, by the annotations that name them."""


class TranslationError(Exception):
    """A function uses what the language does not have. The message says where."""


@dataclass(frozen=True)
class Value:
    """What an expression gives.

    Attributes:
        text: as an operand.
        kind: `INTEGER` (64 bits), `TRUTH` (1 bit), `NOTHING`, or a key of `ELEMENTS`.
    """

    text: str
    kind: str = INTEGER

    @property
    def type(self) -> str:
        """As LLVM names it."""
        return type_of(self.kind)


def type_of(kind: str) -> str:
    """LLVM's name of the type of a kind of values."""
    if kind in ELEMENTS:
        return "ptr"
    return {INTEGER: "i64", TRUTH: "i1", NOTHING: "void"}[kind]


@dataclass(frozen=True)
class Callee:
    """A function that is called.

    Attributes:
        symbol: its name in LLVM's code.
        parameters: their kinds.
        result: its kind.
    """

    symbol: str
    parameters: Sequence[str]
    result: str


class Code:
    """Collects instructions. What comes behind a jump, and has no label, is left out."""

    def __init__(self) -> None:
        self._variables: list[str] = []
        self._lines: list[str] = []
        self._count = 0
        self._is_open = True

    def __str__(self) -> str:
        return "\n".join(["entry:", *self._variables, *self._lines])

    def _name(self) -> str:
        self._count += 1
        return f"n{self._count}"

    def add(self, instruction: str) -> None:
        """An instruction without a value."""
        if self._is_open:
            self._lines.append(f"  {instruction}")

    def value(self, instruction: str) -> str:
        """An instruction; the name of its value."""
        name = f"%{self._name()}"
        self.add(f"{name} = {instruction}")
        return name

    def variable(self, kind: str) -> str:
        """A place in memory, which LLVM turns into registers; its name."""
        name = f"%{self._name()}"
        self._variables.append(f"  {name} = alloca {type_of(kind)}")
        return name

    def end(self, instruction: str) -> None:
        """The last instruction of a block."""
        self.add(instruction)
        self._is_open = False

    def label(self) -> str:
        """A name to jump to, see `begin`."""
        return self._name()

    def begin(self, label: str) -> None:
        """A block begins."""
        self.jump(label)
        self._lines.append(f"{label}:")
        self._is_open = True

    def jump(self, label: str) -> None:
        """Go on elsewhere."""
        self.end(f"br label %{label}")

    def branch(self, condition: str, then: str, otherwise: str) -> None:
        """Go on at one of two labels."""
        self.end(f"br i1 {condition}, label %{then}, label %{otherwise}")

    def integer(self, value: Value) -> str:
        """A truth as 0 or 1."""
        return self.value(f"zext i1 {value.text} to i64") if value.kind == TRUTH else value.text

    def truth(self, value: Value) -> str:
        """Whether a number is not 0."""
        return self.value(f"icmp ne i64 {value.text}, 0") if value.kind == INTEGER else value.text

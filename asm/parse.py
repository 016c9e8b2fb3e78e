"""From text to the typed tree, line by line."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args
from lark.exceptions import VisitError
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from asm import syntax
from asm.errors import Reporter, SourceError, Span, did_you_mean
from asm.isa import MNEMONICS

MAX_OPERATORS = 150
"""Operators and brackets of a line: bounds how deep an expression nests, so that plain recursion can evaluate it."""

MAX_WINDOW_DIGITS = 16
"""Characters of a window such as `2x2`."""
DECLARATIONS = ("program", "const", "tensor", "kernels", "requant")
"""Words that begin a declaration."""
STATEMENTS = (*DECLARATIONS, "words", "unchecked", *MNEMONICS)
"""Words that begin a statement."""

EXPECTED = {
    "NAME": "a name",
    "NUMBER": "a number",
    "EQUAL": "'='",
    "COLON": "':'",
    "COMMA": "','",
    "LPAR": "'('",
    "RPAR": "')'",
    "LSQB": "'['",
    "RSQB": "']'",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "AT": "'at'",
    "$END": "the end of the line",
}
"""What the parser may expect, in words. Operators are left out: they could follow nearly everywhere."""


def parse(reporter: Reporter) -> list[syntax.Statement]:
    """The statements of ``reporter.lines`` in order; every syntax error goes to ``reporter``."""
    statements: list[syntax.Statement] = []
    for number, line in enumerate(reporter.lines, 1):
        code = re.split("[;#]", line, maxsplit=1)[0].rstrip()
        if not code:
            continue
        try:
            statements += _parse_line(number, code)
        except SourceError as error:
            reporter.add(error)
            statements += _salvage(error.span, code)
    return statements


def _parse_line(number: int, code: str) -> list[syntax.Statement]:
    operators = len(re.findall(r"<<|>>|[-+*/%&|^~(\[]", code))
    if operators > MAX_OPERATORS:
        raise SourceError(
            Span(number, 1, len(code) + 1),
            f"a line may have at most {MAX_OPERATORS} operators and brackets, not {operators}",
            "split it up with constants",
        )
    try:
        tree = _parser().parse(code)
    except UnexpectedInput as error:
        raise _syntax_error(error, number, code) from None
    try:
        statements: list[syntax.Statement] = _TreeBuilder(number).transform(tree)
    except VisitError as error:
        raise error.orig_exc from None
    return statements


@cache
def _parser() -> Lark:
    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _syntax_error(error: UnexpectedInput, number: int, code: str) -> SourceError:
    """One sentence for people from what the parser knows."""
    if isinstance(error, UnexpectedCharacters):
        column = error.column
        return SourceError(Span(number, column, column + 1), f"{code[column - 1]!r} does not belong here")
    assert isinstance(error, UnexpectedToken)
    token = error.token
    if token.type == "$END":
        found, span = "the line ends", Span(number, len(code) + 1, len(code) + 2)
    else:
        column = token.column or 1
        found, span = f"found '{token}'", Span(number, column, column + len(token))
    expected = [words for name, words in EXPECTED.items() if name in error.accepts and name != token.type]
    first = code.split()[0]
    hint = did_you_mean(first, STATEMENTS) if re.fullmatch(r"\w+", first) and first not in STATEMENTS else ""
    return SourceError(span, f"expected {_alternatives(expected)}, but {found}", hint)


def _alternatives(words: list[str]) -> str:
    if not words:
        return "something else"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _salvage(span: Span, code: str) -> list[syntax.Statement]:
    """What a line with a syntax error was probably meant to be, so that it causes no errors elsewhere."""
    names = re.findall(r"^\s*(\w+)\s*:", code)
    names += re.findall(rf"^\s*(?:{'|'.join(DECLARATIONS)})\s+(\w+)", code)
    statements: list[syntax.Statement] = [syntax.Broken(span, tuple(names))]
    statements += [syntax.LoopOpen(span, True, syntax.Number(span, 1))] * code.count("{")
    statements += [syntax.LoopClose(span)] * code.count("}")
    return statements


@v_args(meta=True)
class _TreeBuilder(Transformer_NonRecursive[Token, Any]):
    """Turns the parser's tree of one line into `asm.syntax` objects."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line

    def _span(self, meta: Meta) -> Span:
        return Span(self.line, meta.column, meta.end_column)

    def _name(self, token: Token) -> syntax.Name:
        column = token.column or 1
        return syntax.Name(Span(self.line, column, column + len(token)), str(token))

    def start(self, meta: Meta, children: list[Any]) -> list[syntax.Statement]:
        return [child for child in children if child is not None]

    # ---- statements

    def label(self, meta: Meta, children: list[Any]) -> syntax.Label:
        return syntax.Label(self._span(meta), self._name(children[0]))

    def open(self, meta: Meta, children: list[Any]) -> syntax.LoopOpen:
        return syntax.LoopOpen(self._span(meta), children[0] is not None, children[1])

    def close(self, meta: Meta, children: list[Any]) -> syntax.LoopClose:
        return syntax.LoopClose(self._span(meta))

    def program(self, meta: Meta, children: list[Any]) -> syntax.ProgramName:
        return syntax.ProgramName(self._span(meta), self._name(children[0]))

    def const(self, meta: Meta, children: list[Any]) -> syntax.Const:
        return syntax.Const(self._span(meta), self._name(children[0]), children[1])

    def tensor(self, meta: Meta, children: list[Any]) -> syntax.Declaration:
        name, kind, compressed, address = children
        return syntax.Declaration(self._span(meta), "tensor", self._name(name), kind, compressed is not None, address)

    def kernels(self, meta: Meta, children: list[Any]) -> syntax.Declaration:
        name, kind, address = children
        return syntax.Declaration(self._span(meta), "kernels", self._name(name), kind, False, address)

    def requant(self, meta: Meta, children: list[Any]) -> syntax.Requant:
        return syntax.Requant(self._span(meta), children[0], children[1])

    def words(self, meta: Meta, children: list[Any]) -> syntax.Words:
        return syntax.Words(self._span(meta), tuple(children))

    def instruction(self, meta: Meta, children: list[Any]) -> syntax.Operation:
        unchecked, mnemonic, *operands = children
        present = tuple(operand for operand in operands if operand is not None)
        return syntax.Operation(self._span(meta), unchecked is not None, self._name(mnemonic), present)

    # ---- operands

    def named(self, meta: Meta, children: list[Any]) -> syntax.Named:
        return syntax.Named(self._span(meta), self._name(children[0]), children[1])

    setting = named

    def place(self, meta: Meta, children: list[Any]) -> syntax.Place:
        return syntax.Place(self._span(meta), children[0])

    def tiles(self, meta: Meta, children: list[Any]) -> syntax.Tiles:
        return syntax.Tiles(self._span(meta), str(children[0]), children[1])

    def literal(self, meta: Meta, children: list[Any]) -> syntax.TensorLiteral:
        kind, compressed, address, *settings = children
        return syntax.TensorLiteral(self._span(meta), kind, compressed is not None, address, tuple(settings))

    def window(self, meta: Meta, children: list[Any]) -> syntax.Window:
        mode, size = children
        height, width = str(size).split("x")
        if len(size) > MAX_WINDOW_DIGITS:
            raise SourceError(self._span(meta), f"a window of {size[:MAX_WINDOW_DIGITS]}... is too large")
        return syntax.Window(self._span(meta), self._name(mode), int(height), int(width))

    def range(self, meta: Meta, children: list[Any]) -> syntax.Range:
        return syntax.Range(self._span(meta), *children)

    def tuple(self, meta: Meta, children: list[Any]) -> syntax.Group:
        return syntax.Group(self._span(meta), tuple(children))

    # ---- expressions

    def binary(self, meta: Meta, children: list[Any]) -> syntax.Binary:
        left, operator, right = children
        return syntax.Binary(self._span(meta), str(operator), left, right)

    def unary(self, meta: Meta, children: list[Any]) -> syntax.Unary:
        return syntax.Unary(self._span(meta), str(children[0]), children[1])

    def number(self, meta: Meta, children: list[Any]) -> syntax.Number:
        text = str(children[0])
        try:
            return syntax.Number(self._span(meta), int(text, 0))
        except ValueError:
            raise SourceError(
                self._span(meta), f"{text} is not a number", "write 12, 0x1f, 0b101 or 0o17, with _ between digits"
            ) from None

    def address_of(self, meta: Meta, children: list[Any]) -> syntax.AddressOf:
        return syntax.AddressOf(self._span(meta), children[0])

    def extern(self, meta: Meta, children: list[Any]) -> syntax.Extern:
        return syntax.Extern(self._span(meta), str(children[0]))

    def reference(self, meta: Meta, children: list[Any]) -> syntax.Reference:
        name, *items = children
        given = tuple(item for item in items if item is not None)
        return syntax.Reference(self._span(meta), self._name(name), given or None)

    def index(self, meta: Meta, children: list[Any]) -> syntax.Index:
        return syntax.Index(self._span(meta), children[0])

    def slice(self, meta: Meta, children: list[Any]) -> syntax.Slice:
        return syntax.Slice(self._span(meta), children[0], children[1])

"""The assembler: puts the passes over a source file together.

1. Parse every line.
2. Declare: names first, then constants in the order of the text, then tensors, kernels and tables.
3. Lay out: the offset of every instruction, label and end of a loop. Sizes depend on the mnemonic alone.
4. Encode: operands to words, following the cluster's state to check the rules of the hardware.

Each pass goes on after an error, and all errors are raised together at the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePath

from asm import isa, syntax
from asm.encode import Encoded, encode, encode_loop
from asm.errors import Reporter, SourceError, did_you_mean
from asm.operands import signed_word
from asm.parse import STATEMENTS, parse
from asm.program import Program, Relocation, TensorInfo
from asm.resolve import Scope, Tensor
from asm.rules import RuleError
from asm.state import ClusterState


@dataclass(slots=True)
class Layout:
    """Where everything is, in bytes from the blob's start.

    Attributes:
        code: statements that make words, with their offsets, and the ends of loops (which make none).
        ends: offset of the first instruction after each loop's body, by the index of its `LoopOpen` in `code`.
        size: of the whole blob.
    """

    code: list[tuple[int, syntax.Statement]] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    size: int = isa.HEADER_BYTES


class Assembler:
    """Assembles one source file."""

    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self.reporter = Reporter(path, [line.removesuffix("\r") for line in text.split("\n")])
        self.scope = Scope()
        self.state = ClusterState()
        self.name: syntax.Name | None = None
        self.words: list[int] = []
        self.relocations: list[Relocation] = []
        self.lines: list[tuple[int, int]] = []

    def assemble(self) -> Program:
        """The program; raises `AssemblyErrors`."""
        statements = parse(self.reporter)
        self._declare(self._claim(statements))
        layout = self._lay_out(statements)
        self._encode(layout)
        self.reporter.finish()
        return Program(
            name=self.name.text if self.name else identifier(PurePath(self.path).stem),
            path=self.path,
            words=(isa.MAGIC, isa.VERSION, layout.size, 0, *self.words),
            relocations=tuple(self.relocations),
            labels=dict(self.scope.labels),
            lines=tuple(self.lines),
            tensors=tuple(_info(name, item) for name, item in self.scope.declared.items() if isinstance(item, Tensor)),
        )

    # ---- declarations

    def _claim(self, statements: list[syntax.Statement]) -> list[syntax.Const | syntax.Declaration | syntax.Requant]:
        """Takes in the names of everything; returns the declarations whose names were free."""
        declarations: list[syntax.Const | syntax.Declaration | syntax.Requant] = []
        for statement in statements:
            with self.reporter.attempt():
                match statement:
                    case syntax.Broken():
                        self.scope.broken.update(statement.names)
                    case syntax.ProgramName():
                        self._set_name(statement.name)
                    case syntax.Label():
                        self.scope.claim(statement.name)
                    case syntax.Const() | syntax.Declaration() | syntax.Requant():
                        self.scope.claim(statement.name)
                        declarations.append(statement)
        return declarations

    def _set_name(self, name: syntax.Name) -> None:
        if self.name is not None:
            raise SourceError(name.span, f"the program already has a name, on line {self.name.span.line}")
        self.name = name

    def _declare(self, declarations: list[syntax.Const | syntax.Declaration | syntax.Requant]) -> None:
        constants_first = sorted(declarations, key=lambda item: not isinstance(item, syntax.Const))
        for statement in constants_first:
            with self.reporter.attempt():
                self.scope.declare(statement)

    # ---- layout

    def _lay_out(self, statements: list[syntax.Statement]) -> Layout:
        layout = Layout()
        opened: list[int] = []
        for statement in statements:
            if isinstance(statement, syntax.Label):
                self.scope.labels.setdefault(statement.name.text, layout.size)
            if isinstance(statement, syntax.LoopOpen):
                opened.append(len(layout.code))
            if isinstance(statement, syntax.LoopClose):
                if opened:
                    layout.ends[opened.pop()] = layout.size
                else:
                    self.reporter.add(
                        SourceError(statement.span, "'}' closes no loop", "remove it, or open a loop above")
                    )
                    continue
            with self.reporter.attempt():
                size = _size(statement)
                if size is not None:
                    layout.code.append((layout.size, statement))
                    layout.size += size
        for index in opened:
            statement = layout.code[index][1]
            self.reporter.add(SourceError(statement.span, "the body of this loop is not closed", "add a line with '}'"))
        return layout

    # ---- code

    def _encode(self, layout: Layout) -> None:
        for index, (offset, statement) in enumerate(layout.code):
            with self.reporter.attempt():
                match statement:
                    case syntax.Words():
                        self._emit_words(offset, statement)
                    case syntax.LoopOpen():
                        if index in layout.ends:  # else it is not closed, which is reported
                            self._emit(offset, statement, encode_loop(statement, layout.ends[index], self.scope))
                    case syntax.LoopClose():
                        self.state.end_loop()
                    case syntax.Operation():
                        self._emit(offset, statement, encode(statement, self.scope, self.state))

    def _emit(self, offset: int, statement: syntax.Operation | syntax.LoopOpen, encoded: Encoded) -> None:
        self.lines.append((offset, statement.span.line))
        self.words += encoded.instruction.encode()
        self.relocations += [
            Relocation(offset + 4 * (1 + index), symbol, addend) for index, symbol, addend in encoded.externs
        ]
        try:
            self.state.apply(encoded.instruction, offset)
        except RuleError as error:
            if not statement.unchecked:
                raise SourceError(statement.span, str(error)) from None

    def _emit_words(self, offset: int, statement: syntax.Words) -> None:
        self.state.forget()
        self.lines.append((offset, statement.span.line))
        for index, expression in enumerate(statement.values):
            value = self.scope.evaluate(expression)
            if value.register is not None:
                raise SourceError(expression.span, "a word is a number or an address, not a register")
            if value.symbol is not None:
                self.relocations.append(Relocation(offset + 4 * index, value.symbol, value.number))
            self.words.append(signed_word(expression.span, isa.Immediate32.value, value.number))


def _size(statement: syntax.Statement) -> int | None:
    """Bytes that ``statement`` makes; None if it is no code.

    Raises:
        SourceError: there is no such instruction.
    """
    match statement:
        case syntax.Words():
            return 4 * len(statement.values)
        case syntax.LoopOpen():
            return 4 * (1 + len(isa.Loop.payload))
        case syntax.LoopClose():
            return 0
        case syntax.Operation():
            return _instruction_size(statement.mnemonic)
    return None


def _instruction_size(mnemonic: syntax.Name) -> int:
    kind = isa.MNEMONICS.get(mnemonic.text)
    if kind is None:
        raise SourceError(
            mnemonic.span, f"there is no instruction {mnemonic.text}", did_you_mean(mnemonic.text, STATEMENTS)
        )
    return 4 * (1 + len(kind.payload))


def _info(name: str, tensor: Tensor) -> TensorInfo:
    address = tensor.address
    return TensorInfo(
        name=name,
        format=tensor.format.name,
        height=tensor.height,
        width=tensor.width,
        channels=tensor.channels,
        offset=address.number,
        register=address.register,
        symbol=address.symbol,
        line_bytes=tensor.line_bytes,
        compressed=tensor.compressed,
    )


def identifier(text: str) -> str:
    """``text`` as a C identifier: what cannot stand in one becomes ``_``."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"

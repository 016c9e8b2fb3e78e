"""Functions written in a part of Python become one module of LLVM's code.

The language has numbers of 64 bits with sign, truths, and memory, as `emu.cpu.native_calls` names it. A function says
by annotations what its parameters and its result are; what a local variable is follows from what it is set to. There
are assignments, ``if``, ``while``, ``for`` over a range or a constant tuple, calls of functions in the same language,
and all operators on numbers. Global and nonlocal names are numbers, tuples of numbers, or functions, and constant.

Everything means what it means in Python, with these exceptions: numbers overflow; a shift by 64 bits or more gives
anything; a quotient by 0 is 0; ``and`` and ``or`` give a truth; comparisons compute all of their operands; an index is
not checked, and one of a constant tuple is not negative.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from emu.cpu.translation.code import ELEMENTS, INTEGER, NOTHING, Callee, TranslationError, type_of
from emu.cpu.translation.primitives import DECLARATIONS
from emu.cpu.translation.statements import Statements

C_TYPES = {"Int32": ("i32", "sext"), "UInt32": ("i32", "zext"), "UInt8": ("i8", "zext")}
"""Types of a hook's arguments, and how they become numbers, by their annotations."""

Function = Callable[..., Any]


class Module:
    """Collects functions.

    Args:
        hooks: those that are called from outside, as functions of C, by their names. An argument or a result that has
            less than 64 bits there has an annotation of `emu.cpu.native_calls`.

    Attributes:
        files: where the functions come from.

    Raises:
        TranslationError: a function uses what the language does not have.
    """

    def __init__(self, hooks: Mapping[str, Function]) -> None:
        self.files: set[Path] = set()
        self._functions: dict[Function, Callee] = {}
        self._waiting: list[Function] = []
        self._parts = list(DECLARATIONS)
        for name, hook in hooks.items():
            self._enter(name, hook)
        while self._waiting:
            self._translate(self._waiting.pop())

    def __str__(self) -> str:
        return "\n\n".join(self._parts) + "\n"

    def callee(self, function: Function) -> Callee:
        """See `Whole`."""
        if function not in self._functions:
            path, node = _definition(function)
            place = f"{path}, {node.name}, line {node.lineno}"
            symbol = f'@"{function.__module__}.{function.__qualname__}.{len(self._functions)}"'
            kinds = tuple(_kind(place, argument.annotation) for argument in node.args.args)
            result = _kind(place, node.returns)
            self._functions[function] = Callee(symbol, kinds, result)
            self._waiting.append(function)
        return self._functions[function]

    def table(self, numbers: Sequence[int]) -> str:
        """See `Whole`."""
        name = f"@table.{len(self._parts)}"
        elements = ", ".join(f"i64 {int(number)}" for number in numbers)
        self._parts.append(f"{name} = internal constant [{len(numbers)} x i64] [{elements}]")
        return name

    def _translate(self, function: Function) -> None:
        path, node = _definition(function)
        self.files.add(path)
        translated = self._functions[function]
        cells = (cell.cell_contents for cell in function.__closure__ or ())
        outer = vars(builtins) | function.__globals__ | dict(zip(function.__code__.co_freevars, cells, strict=True))
        parameters = {a.arg: kind for a, kind in zip(node.args.args, translated.parameters, strict=True)}
        body = Statements(self, f"{path}, {node.name}", outer, parameters, translated.result).translate(node.body)
        arguments = ", ".join(f"{type_of(kind)} %p.{name}" for name, kind in parameters.items())
        head = f"define internal {type_of(translated.result)} {translated.symbol}({arguments}) nounwind"
        self._parts.append(f"{head} {{\n{body}\n}}")

    def _enter(self, name: str, hook: Function) -> None:
        """What C calls: it gives the numbers their 64 bits."""
        translated = self.callee(hook)
        node = _definition(hook)[1]
        types, lines, operands = [], [], []
        for index, (argument, kind) in enumerate(zip(node.args.args, translated.parameters, strict=True)):
            type_, extend = C_TYPES.get(ast.unparse(argument.annotation or node), (type_of(kind), ""))
            types.append(f"{type_} %a{index}")
            operands.append(f"{type_of(kind)} %{'w' if extend else 'a'}{index}")
            if extend:
                lines.append(f"%w{index} = {extend} {type_} %a{index} to i64")
        call = f"call {type_of(translated.result)} {translated.symbol}({', '.join(operands)})"
        result, extend = C_TYPES.get(ast.unparse(node.returns or node), (type_of(translated.result), ""))
        lines.append(call if translated.result == NOTHING else f"%r = {call}")
        if extend:
            lines.append(f"%s = trunc i64 %r to {result}")
        lines.append("ret void" if translated.result == NOTHING else f"ret {result} {'%s' if extend else '%r'}")
        self._parts.append(f'define {result} @"{name}"({", ".join(types)}) nounwind {{\n' + "\n".join(lines) + "\n}")


def _kind(place: str, annotation: ast.expr | None) -> str:
    name = "" if annotation is None else ast.unparse(annotation)
    if name in ELEMENTS or name == NOTHING:
        return name
    if name in (INTEGER, "bool") or name in C_TYPES:
        return INTEGER
    raise TranslationError(f"{place}: {name!r} is no annotation of native code")


def _definition(function: Function) -> tuple[Path, ast.FunctionDef]:
    """File and text of a function."""
    code = getattr(function, "__code__", None)
    if code is None:
        raise TranslationError(f"{function!r} is no function of Python: native code cannot call it")
    return Path(code.co_filename), _definitions(code.co_filename)[code.co_firstlineno]


@cache
def _definitions(path: str) -> dict[int, ast.FunctionDef]:
    """The functions of a file by the lines that they begin on."""
    tree = ast.parse(Path(path).read_bytes())
    return {node.lineno: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

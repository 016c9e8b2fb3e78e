"""Expressions of the language that `emu.cpu.translation.module` describes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from emu.cpu.translation.code import ELEMENTS, INTEGER, NOTHING, TRUTH, Callee, Code, TranslationError, Value, type_of
from emu.cpu.translation.primitives import PRIMITIVES

OPERATIONS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.LShift: "shl",
    ast.RShift: "ashr",
}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "slt",
    ast.LtE: "sle",
    ast.Gt: "sgt",
    ast.GtE: "sge",
}


class Whole(Protocol):
    """The module that the function is a part of."""

    def callee(self, function: Callable[..., Any]) -> Callee:
        """The function, which becomes a part of the module, too."""

    def table(self, numbers: Sequence[int]) -> str:
        """The name of an array of constants."""


class Expressions:
    """Translates the expressions of a function.

    Args:
        module: that it is a part of.
        place: file and name of the function, for errors.
        outer: what its global and nonlocal names mean.

    Attributes:
        code: its instructions.
        variables: kind and place of its local variables by their names.
    """

    def __init__(self, module: Whole, place: str, outer: Mapping[str, Any]) -> None:
        self._module, self._place, self._outer = module, place, outer
        self.code = Code()
        self.variables: dict[str, tuple[str, str]] = {}

    def error(self, node: ast.AST, what: str) -> TranslationError:
        """What the language does not have."""
        line = getattr(node, "lineno", 0)
        return TranslationError(f"{self._place}, line {line}: {what}: native code cannot be made of it")

    def integer(self, node: ast.expr) -> str:
        """A number, or a truth as 0 or 1."""
        value = self.value(node)
        if value.kind not in (INTEGER, TRUTH):
            raise self.error(node, f"{ast.unparse(node)} is no number")
        return self.code.integer(value)

    def truth(self, node: ast.expr) -> str:
        """Whether it is true."""
        value = self.value(node)
        if value.kind not in (INTEGER, TRUTH):
            raise self.error(node, f"{ast.unparse(node)} is neither true nor false")
        return self.code.truth(value)

    def value(self, node: ast.expr) -> Value:
        """Any expression."""
        match node:
            case ast.Name() if node.id in self.variables:
                kind, place = self.variables[node.id]
                return Value(self.code.value(f"load {type_of(kind)}, ptr {place}"), kind)
            case ast.Constant() | ast.Name() | ast.Attribute():
                return self._number(node, self.constant(node))
            case ast.BinOp():
                return self.operation(node, node.op, self.integer(node.left), self.integer(node.right))
            case ast.UnaryOp():
                return self._unary(node)
            case ast.Compare():
                return self._compare(node)
            case ast.BoolOp():
                return self._all_or_any(node)
            case ast.IfExp():
                return self._either(node)
            case ast.Subscript():
                return self._element(node)
            case ast.Call():
                return self._call(node)
            case _:
                raise self.error(node, ast.unparse(node))

    def constant(self, node: ast.expr) -> Any:
        """What is known before the function runs: a number, a tuple, a function."""
        match node:
            case ast.Constant():
                return node.value
            case ast.Name() if node.id in self._outer and node.id not in self.variables:
                return self._outer[node.id]
            case ast.Attribute():
                return getattr(self.constant(node.value), node.attr)
            case ast.Tuple():
                return tuple(self.constant(element) for element in node.elts)
            case _:
                raise self.error(node, f"{ast.unparse(node)} is no constant")

    def _number(self, node: ast.expr, constant: Any) -> Value:
        if not isinstance(constant, int) or not -(1 << 63) <= constant < 1 << 63:
            raise self.error(node, f"{constant!r} is no number of 64 bits")
        return Value(str(int(constant)))

    def operation(self, node: ast.AST, operator: ast.operator, left: str, right: str) -> Value:
        """An operation on two numbers."""
        code = self.code
        if isinstance(operator, ast.FloorDiv | ast.Mod):
            return self._divide(isinstance(operator, ast.Mod), left, right)
        name = OPERATIONS.get(type(operator))
        if name is None:
            raise self.error(node, ast.unparse(node))
        return Value(code.value(f"{name} i64 {left}, {right}"))

    def _divide(self, remainder: bool, left: str, right: str) -> Value:
        """Quotients are rounded down, as in Python; those by 0 are 0, and so are their remainders."""
        code = self.code
        by_zero = code.value(f"icmp eq i64 {right}, 0")
        divisor = code.value(f"select i1 {by_zero}, i64 1, i64 {right}")
        quotient, rest = (code.value(f"{name} i64 {left}, {divisor}") for name in ("sdiv", "srem"))
        has_rest = code.value(f"icmp ne i64 {rest}, 0")
        signs = code.value(f"icmp slt i64 {code.value(f'xor i64 {rest}, {divisor}')}, 0")
        down = code.value(f"and i1 {has_rest}, {signs}")
        if remainder:
            result = code.value(f"add i64 {rest}, {code.value(f'select i1 {down}, i64 {divisor}, i64 0')}")
        else:
            result = code.value(f"sub i64 {quotient}, {code.value(f'zext i1 {down} to i64')}")
        return Value(code.value(f"select i1 {by_zero}, i64 0, i64 {result}"))

    def _unary(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return Value(self.code.value(f"xor i1 {self.truth(node.operand)}, true"), TRUTH)
        operand = self.integer(node.operand)
        match node.op:
            case ast.USub():
                return Value(self.code.value(f"sub i64 0, {operand}"))
            case ast.Invert():
                return Value(self.code.value(f"xor i64 {operand}, -1"))
            case _:
                return Value(operand)

    def _compare(self, node: ast.Compare) -> Value:
        """All operands are computed, even if the first comparison decides."""
        left, result = self.integer(node.left), "true"
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn):
                one = self._contains(left, right)
                if isinstance(operator, ast.NotIn):
                    one = self.code.value(f"xor i1 {one}, true")
            else:
                operand = self.integer(right)
                name = COMPARISONS.get(type(operator))
                if name is None:
                    raise self.error(node, ast.unparse(node))
                one, left = self.code.value(f"icmp {name} i64 {left}, {operand}"), operand
            result = one if result == "true" else self.code.value(f"and i1 {result}, {one}")
        return Value(result, TRUTH)

    def _contains(self, value: str, node: ast.expr) -> str:
        """Whether a tuple has an element."""
        if not isinstance(node, ast.Tuple):
            raise self.error(node, f"{ast.unparse(node)} is not written as a tuple")
        result = "false"
        for element in node.elts:
            same = self.code.value(f"icmp eq i64 {value}, {self.integer(element)}")
            result = same if result == "false" else self.code.value(f"or i1 {result}, {same}")
        return result

    def _all_or_any(self, node: ast.BoolOp) -> Value:
        """``and`` and ``or`` give a truth, and compute no more operands than needed."""
        code, place, end = self.code, self.code.variable(TRUTH), self.code.label()
        for operand in node.values:
            truth, following = self.truth(operand), code.label()
            code.add(f"store i1 {truth}, ptr {place}")
            if isinstance(node.op, ast.And):
                code.branch(truth, following, end)
            else:
                code.branch(truth, end, following)
            code.begin(following)
        code.begin(end)
        return Value(code.value(f"load i1, ptr {place}"), TRUTH)

    def _either(self, node: ast.IfExp) -> Value:
        code, place = self.code, self.code.variable(INTEGER)
        then, otherwise, end = code.label(), code.label(), code.label()
        code.branch(self.truth(node.test), then, otherwise)
        for label, result in ((then, node.body), (otherwise, node.orelse)):
            code.begin(label)
            code.add(f"store i64 {self.integer(result)}, ptr {place}")
            code.jump(end)
        code.begin(end)
        return Value(code.value(f"load i64, ptr {place}"))

    def _element(self, node: ast.Subscript) -> Value:
        bits, place = self.place(node)
        value = self.code.value(f"load i{bits}, ptr {place}")
        return Value(value if bits == 64 else self.code.value(f"zext i{bits} {value} to i64"))

    def place(self, node: ast.Subscript) -> tuple[int, str]:
        """Bits and address of an element."""
        index = self.integer(node.slice)
        is_variable = isinstance(node.value, ast.Name) and node.value.id in self.variables
        if isinstance(node.value, ast.Name | ast.Tuple) and not is_variable:
            bits, pointer = 64, self._table(node.value)
        else:
            array = self.value(node.value)
            if array.kind not in ELEMENTS:
                raise self.error(node, f"{ast.unparse(node.value)} is not in memory")
            bits, pointer = ELEMENTS[array.kind], array.text
        return bits, self.code.value(f"getelementptr i{bits}, ptr {pointer}, i64 {index}")

    def _table(self, node: ast.expr) -> str:
        constant = self.constant(node)
        if not isinstance(constant, tuple) or not all(isinstance(element, int) for element in constant):
            raise self.error(node, f"{ast.unparse(node)} is no tuple of numbers")
        return self._module.table(constant)

    def _call(self, node: ast.Call) -> Value:
        function = self.constant(node.func)
        if node.keywords:
            raise self.error(node, f"{ast.unparse(node)} names arguments")
        arguments = [self.value(argument) for argument in node.args]
        if function in PRIMITIVES:
            return PRIMITIVES[function](self.code, arguments)
        if not callable(function):
            raise self.error(node, f"{ast.unparse(node.func)} is no function")
        callee = self._module.callee(function)
        if len(arguments) != len(callee.parameters):
            raise self.error(node, f"{ast.unparse(node)} has not {len(callee.parameters)} arguments")
        operands = []
        for argument, kind in zip(arguments, callee.parameters, strict=True):
            given = Value(self.code.integer(argument)) if argument.kind == TRUTH else argument
            if given.kind != kind and {given.kind, kind} - {"Words", "Sequence[int]"}:
                raise self.error(node, f"{ast.unparse(node)} passes {given.kind} for {kind}")
            operands.append(f"{given.type} {given.text}")
        call = f"call {type_of(callee.result)} {callee.symbol}({', '.join(operands)})"
        if callee.result == NOTHING:
            self.code.add(call)
            return Value("", NOTHING)
        return Value(self.code.value(call), callee.result)

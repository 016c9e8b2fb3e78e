"""Statements of the language that `emu.cpu.translation.module` describes."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from emu.cpu.translation.code import INTEGER, NOTHING, TRUTH, Value, type_of
from emu.cpu.translation.expressions import Expressions, Whole


class Statements(Expressions):
    """Translates the body of a function.

    Args:
        module, place, outer: see `Expressions`.
        parameters: names and kinds.
        result: kind.
    """

    def __init__(
        self,
        module: Whole,
        place: str,
        outer: Mapping[str, Any],
        parameters: Mapping[str, str],
        result: str,
    ) -> None:
        super().__init__(module, place, outer)
        self._result = result
        self._loops: list[tuple[str, str]] = []
        for name, kind in parameters.items():
            self._set(name, Value(f"%p.{name}", kind))

    def translate(self, body: Sequence[ast.stmt]) -> str:
        """The instructions."""
        self._block(body)
        self.code.end("ret void" if self._result == NOTHING else "unreachable")
        return str(self.code)

    def _block(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.Expr():
                self.value(node.value)
            case ast.Assign():
                self._assign(node.targets, node.value)
            case ast.AugAssign():
                self._change(node)
            case ast.If():
                self._if(node)
            case ast.While():
                self._while(node)
            case ast.For():
                self._for(node)
            case ast.Return():
                self._return(node)
            case ast.Break() if self._loops:
                self.code.jump(self._loops[-1][0])
            case ast.Continue() if self._loops:
                self.code.jump(self._loops[-1][1])
            case _:
                raise self.error(node, ast.unparse(node))

    # Assignments

    def _assign(self, targets: Sequence[ast.expr], value: ast.expr) -> None:
        if isinstance(value, ast.Tuple):
            values = [self.value(element) for element in value.elts]
            for target in targets:
                if not isinstance(target, ast.Tuple) or len(target.elts) != len(values):
                    raise self.error(target, f"{ast.unparse(target)} are not {len(values)} places")
                for place, element in zip(target.elts, values, strict=True):
                    self._store(place, element)
            return
        result = self.value(value)
        for target in targets:
            self._store(target, result)

    def _store(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name():
                self._set(target.id, value, target)
            case ast.Subscript():
                self._store_at(*self.place(target), self.code.integer(value))
            case _:
                raise self.error(target, f"{ast.unparse(target)} = ...")

    def _set(self, name: str, value: Value, node: ast.AST | None = None) -> None:
        """Set a local variable; truths are kept as numbers."""
        if value.kind == TRUTH:
            value = Value(self.code.integer(value))
        if name not in self.variables:
            self.variables[name] = value.kind, self.code.variable(value.kind)
        kind, place = self.variables[name]
        if kind != value.kind:
            raise self.error(node or ast.Pass(), f"{name} is {kind} and {value.kind}")
        self.code.add(f"store {type_of(kind)} {value.text}, ptr {place}")

    def _store_at(self, bits: int, place: str, value: str) -> None:
        if bits != 64:
            value = self.code.value(f"trunc i64 {value} to i{bits}")
        self.code.add(f"store i{bits} {value}, ptr {place}")

    def _change(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Subscript):
            bits, place = self.place(node.target)
            before = self.code.value(f"load i{bits}, ptr {place}")
            if bits != 64:
                before = self.code.value(f"zext i{bits} {before} to i64")
            result = self.operation(node, node.op, before, self.integer(node.value))
            self._store_at(bits, place, result.text)
        else:
            before = self.integer(node.target)
            self._store(node.target, self.operation(node, node.op, before, self.integer(node.value)))

    # Control

    def _if(self, node: ast.If) -> None:
        code = self.code
        then, otherwise, end = code.label(), code.label(), code.label()
        code.branch(self.truth(node.test), then, otherwise)
        for label, body in ((then, node.body), (otherwise, node.orelse)):
            code.begin(label)
            self._block(body)
            code.jump(end)
        code.begin(end)

    def _loop(self, body: Sequence[ast.stmt], end: str, following: str) -> None:
        self._loops.append((end, following))
        self._block(body)
        self._loops.pop()

    def _while(self, node: ast.While) -> None:
        code = self.code
        start, body, end = code.label(), code.label(), code.label()
        code.begin(start)
        code.branch(self.truth(node.test), body, end)
        code.begin(body)
        self._loop(node.body, end, start)
        code.jump(start)
        code.begin(end)

    def _for(self, node: ast.For) -> None:
        if node.orelse:
            raise self.error(node, "a loop with an else")
        match node.iter:
            case ast.Call(func=ast.Name(id="range")) if isinstance(node.target, ast.Name):
                self._count(node, node.target.id, node.iter.args)
            case _:
                self._repeat(node)

    def _count(self, node: ast.For, name: str, bounds: Sequence[ast.expr]) -> None:
        """A loop over a range, whose step is constant."""
        code = self.code
        step = int(self._step(bounds[2])) if len(bounds) == 3 else 1
        first = "0" if len(bounds) == 1 else self.integer(bounds[0])
        last = self.integer(bounds[0] if len(bounds) == 1 else bounds[1])
        counter = code.variable(INTEGER)
        code.add(f"store i64 {first}, ptr {counter}")
        start, body, following, end = (code.label() for _ in range(4))
        code.begin(start)
        count = code.value(f"load i64, ptr {counter}")
        code.branch(code.value(f"icmp {'slt' if step > 0 else 'sgt'} i64 {count}, {last}"), body, end)
        code.begin(body)
        self._set(name, Value(count), node)
        self._loop(node.body, end, following)
        code.begin(following)
        code.add(f"store i64 {code.value(f'add i64 {count}, {step}')}, ptr {counter}")
        code.jump(start)
        code.begin(end)

    def _step(self, node: ast.expr) -> int:
        match node:
            case ast.UnaryOp(op=ast.USub()):
                return -int(self.constant(node.operand))
        return int(self.constant(node))

    def _repeat(self, node: ast.For) -> None:
        """A loop over a constant tuple: its body once for each element."""
        code, end, elements = self.code, self.code.label(), self.constant(node.iter)
        if not isinstance(elements, tuple):
            raise self.error(node, f"{ast.unparse(node.iter)} is neither a range nor a constant tuple")
        for element in elements:
            following = code.label()
            values = element if isinstance(element, tuple) else (element,)
            names = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
            for name, value in zip(names, values, strict=True):
                self._store(name, Value(str(int(value))))
            self._loop(node.body, end, following)
            code.begin(following)
        code.begin(end)

    def _return(self, node: ast.Return) -> None:
        if node.value is None:
            self.code.end("ret void")
            return
        value = self.value(node.value)
        if value.kind == TRUTH:
            value = Value(self.code.integer(value))
        if value.kind != self._result:
            raise self.error(node, f"{ast.unparse(node)} returns {value.kind} instead of {self._result}")
        self.code.end(f"ret {value.type} {value.text}")

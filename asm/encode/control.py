"""Encoders of the instructions that steer the program."""

from __future__ import annotations

from asm import isa, parameters, syntax
from asm.encode.registry import Encoded, address_at, cluster_set, encodes, with_addresses
from asm.errors import SourceError
from asm.operands import Operands, pack, signed_word
from asm.resolve import Scope
from asm.state import ClusterState


def encode_loop(statement: syntax.LoopOpen, end: int, scope: Scope) -> Encoded:
    """The loop instruction for ``loop count {`` whose body ends at the offset ``end``."""
    count = scope.evaluate(statement.count)
    span = statement.count.span
    if count.symbol is not None or (count.register is not None and count.number):
        raise SourceError(span, "a loop counts to a number or a register")
    immediate = isa.LoopImmediate.pack(register=count.register or 0, by_register=count.register is not None)
    words = (pack(span, parameters.Count, count=count.number), isa.Offset.pack(offset=end))
    return Encoded(isa.Loop(immediate, words))


@encodes(isa.Nop)
def _nop(operands: Operands, state: ClusterState) -> Encoded:
    return Encoded(isa.Nop())


@encodes(isa.Halt)
def _halt(operands: Operands, state: ClusterState) -> Encoded:
    return Encoded(isa.Halt())


@encodes(isa.Interrupt)
def _interrupt(operands: Operands, state: ClusterState) -> Encoded:
    code = operands.number(operands.next("a code"))
    return Encoded(isa.Interrupt(pack(operands.span, isa.InterruptImmediate, code=code)))


@encodes(isa.Jump)
def _jump(operands: Operands, state: ClusterState) -> Encoded:
    return Encoded(isa.Jump(words=(isa.Offset.pack(offset=operands.target()),)))


@encodes(isa.JumpNZ)
def _jumpnz(operands: Operands, state: ClusterState) -> Encoded:
    immediate = isa.RegisterImmediate.pack(destination=operands.register("a register to test"))
    return Encoded(isa.JumpNZ(immediate, (isa.Offset.pack(offset=operands.target()),)))


@encodes(isa.Set)
def _set(operands: Operands, state: ClusterState) -> Encoded:
    immediate = isa.RegisterImmediate.pack(destination=operands.register("a register to write"))
    return _with_operand(isa.Set, immediate, operands)


@encodes(isa.Add)
def _add(operands: Operands, state: ClusterState) -> Encoded:
    destination = operands.register("a register to write")
    source = operands.register("a register to read")
    return _with_operand(isa.Add, isa.RegisterImmediate.pack(destination=destination, source=source), operands)


def _with_operand(kind: type[isa.Instruction], immediate: int, operands: Operands) -> Encoded:
    """`set` or `add` with the 32-bit operand that comes next."""
    expression = operands.expression("a number or an address")
    value = operands.scope.evaluate(expression)
    if value.register is not None:
        raise SourceError(
            expression.span,
            f"{kind.mnemonic} takes a number or an absolute address here, not one relative to r{value.register}",
            f"write add r2, r{value.register}, {value.number}",
        )
    word = signed_word(expression.span, isa.Immediate32.value, value.number)
    externs = () if value.symbol is None else ((0, value.symbol, value.number),)
    return Encoded(kind(immediate, (word,)), externs)


@encodes(isa.Wait)
def _wait(operands: Operands, state: ClusterState) -> Encoded:
    event = operands.number(operands.next("an event"))
    return Encoded(isa.Wait(pack(operands.span, isa.EventImmediate, event=event)))


@encodes(isa.Signal)
def _signal(operands: Operands, state: ClusterState) -> Encoded:
    event = operands.number(operands.next("an event"))
    clusters = cluster_set(operands, operands.required("clusters", "clusters=0xff for all of them"))
    return Encoded(isa.Signal(pack(operands.span, isa.EventImmediate, event=event, clusters=clusters)))


@encodes(isa.Barrier)
def _barrier(operands: Operands, state: ClusterState) -> Encoded:
    event = operands.number(operands.next("an event"))
    clusters = cluster_set(operands, operands.required("clusters", "clusters=0xff for all of them"))
    return Encoded(isa.Barrier(pack(operands.span, isa.EventImmediate, event=event, clusters=clusters)))


@encodes(isa.KeepCounters)
def _counters(operands: Operands, state: ClusterState) -> Encoded:
    operand = operands.next("a place in memory")
    if not isinstance(operand, syntax.Place):
        raise SourceError(operand.span, "counters needs a place in memory here", "write counters at address")
    return with_addresses(isa.KeepCounters, (0,), (address_at(operands, operand),))

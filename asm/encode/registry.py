"""Who encodes which instruction, and what all encoders share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from asm import isa, parameters, syntax
from asm.errors import SourceError
from asm.operands import Operands, pack
from asm.resolve import KIND_TEXT, Kernels, Scope, Value
from asm.state import ClusterState


@dataclass(frozen=True, slots=True)
class Encoded:
    """An instruction, and which of its payload words need the address of a symbol: (index, symbol, addend)."""

    instruction: isa.Instruction
    externs: tuple[tuple[int, str, int], ...] = ()


Encoder = Callable[[Operands, ClusterState], Encoded]
ENCODERS: dict[type[isa.Instruction], Encoder] = {}
"""The encoder of each instruction but `loop`, which is a statement of its own."""


def encodes(kind: type[isa.Instruction]) -> Callable[[Encoder], Encoder]:
    """Marks a function as the encoder of ``kind``."""

    def register(encoder: Encoder) -> Encoder:
        ENCODERS[kind] = encoder
        return encoder

    return register


def with_addresses(kind: type[isa.Instruction], words: tuple[int, ...], places: tuple[Value, ...]) -> Encoded:
    """An instruction of ``kind`` whose address words are replaced by ``places``, with their base registers."""
    filled, externs = list(words), []
    for index, place in zip(kind.addresses, places, strict=True):
        filled[index] = place.number & parameters.Address.address.limit
        if place.symbol is not None:
            externs.append((index, place.symbol, place.number))
    bases = [isa.ABSOLUTE if place.register is None else place.register for place in places]
    bases += [isa.ABSOLUTE] * (len(isa.BaseImmediate.fields) - len(bases))
    immediate = isa.BaseImmediate.pack(**dict(zip(isa.BaseImmediate.fields, bases, strict=True)))
    return Encoded(kind(immediate, tuple(filled)), tuple(externs))


def address_at(operands: Operands, operand: syntax.Place) -> Value:
    """The address that ``at address`` means."""
    return operands.scope.address(operands.scope.evaluate(operand.address), operand.span)


def cluster_set(operands: Operands, value: syntax.Value | None) -> int:
    """The set of clusters that ``clusters=`` says, one bit each; 0 without it."""
    if value is None:
        return 0
    number = operands.number(value)
    pack(value.span, isa.EventImmediate, clusters=number)
    return number


def named_kernels(scope: Scope, reference: syntax.Reference) -> Kernels:
    """The kernels that ``reference`` names, without its slice."""
    found = scope.lookup(reference)
    if not isinstance(found, Kernels):
        raise SourceError(reference.span, f"{reference.name.text} is {KIND_TEXT[type(found)]}, not kernels")
    return found


def one_slice(scope: Scope, reference: syntax.Reference, size: int, what: str) -> tuple[int, int]:
    """First and end of ``name[first:end]``, a part of something with ``size`` elements."""
    items = reference.items or ()
    if len(items) != 1:
        raise SourceError(reference.span, "a slice has one part here", f"write {reference.name.text}[0:32]")
    return scope.bounds(items[0], size, what)

"""Encoders of `copy` and `fill`: addresses, contiguous bytes, nested loops."""

from __future__ import annotations

from asm import isa, parameters, syntax
from asm.encode.registry import Encoded, address_at, encodes, with_addresses
from asm.errors import SourceError, Span
from asm.operands import Operands, pack, signed_word
from asm.resolve import Tensor, Value
from asm.rules import ElementFormat
from asm.state import ClusterState

Loops = list[tuple[int, int, int]]
"""(count, source step, destination step), outermost first; steps in bytes."""
BYTE = 8


@encodes(isa.Copy)
def _copy(operands: Operands, state: ClusterState) -> Encoded:
    if operands.positional and isinstance(operands.positional[0], syntax.Place):
        target, source = (_next_place(operands, what) for what in ("a destination", "a source"))
        length = operands.number(operands.required("bytes", "bytes=64"))
        loops = _repeats(operands, ("count", "source step", "destination step"))
    else:
        to, origin = operands.tensor("a destination"), operands.tensor("a source")
        if to.shape_text != origin.shape_text:
            raise SourceError(operands.span, f"a copy needs equal tensors, not {origin.shape_text} to {to.shape_text}")
        target, source = to.address, origin.address
        length, loops = _runs(operands, origin, to)
    return with_addresses(isa.Copy, (0, 0, *_loop_words(operands.span, length, loops)), (source, target))


@encodes(isa.Fill)
def _fill(operands: Operands, state: ClusterState) -> Encoded:
    if operands.positional and isinstance(operands.positional[0], syntax.Place):
        target = _next_place(operands, "a destination")
        operand = operands.next("a value")
        byte = operands.number(operand)
        if not -0x80 <= byte <= 0xFF:
            raise SourceError(operand.span, f"a fill writes a byte, -128..255, not {byte}")
        byte &= 0xFF
        length = operands.number(operands.required("bytes", "bytes=64"))
        loops = [(count, 0, step) for count, step, _ in _repeats(operands, ("count", "destination step"))]
    else:
        tensor = operands.tensor("a destination")
        target, byte = tensor.address, _element_byte(operands, tensor)
        length, loops = _runs(operands, tensor, tensor)
        loops = [(count, 0, step) for count, _, step in loops]
    return with_addresses(isa.Fill, (byte, 0, *_loop_words(operands.span, length, loops)), (target,))


def _next_place(operands: Operands, what: str) -> Value:
    operand = operands.next(what)
    if not isinstance(operand, syntax.Place):
        raise SourceError(operand.span, f"copy needs {what} here, at an address as the other one")
    return address_at(operands, operand)


def _repeats(operands: Operands, names: tuple[str, ...]) -> Loops:
    """The loops that ``repeat=`` says, with the numbers called ``names``; missing ones are 0."""
    values = operands.values("repeat")
    if len(values) > parameters.COPY_LOOPS:
        raise SourceError(
            operands.span, f"a {operands.mnemonic} has at most {parameters.COPY_LOOPS} repeats, not {len(values)}"
        )
    loops = []
    for value in values:
        count, first, second = (*operands.numbers(value, names), 0)[:3]
        loops.append((count, first, second))
    return loops


def _loop_words(span: Span, length: int, loops: Loops) -> list[int]:
    words = [pack(span, parameters.CopyBytes, bytes=length)]
    for count, source_step, target_step in loops + [(1, 0, 0)] * (parameters.COPY_LOOPS - len(loops)):
        words.append(pack(span, parameters.Count, count=count))
        words.append(signed_word(span, parameters.SourceStride.bytes, source_step))
        words.append(signed_word(span, parameters.DestinationStride.bytes, target_step))
    return words


def _runs(operands: Operands, source: Tensor, target: Tensor) -> tuple[int, Loops]:
    """Contiguous bytes and loops that go over two equal tensors (which may be the same)."""
    if source.whole_rows and target.whole_rows:
        return source.height * source.line_bytes, []
    rows = (source.height, source.line_bytes, target.line_bytes)
    if source.compressed:
        return min(source.line_bytes, target.line_bytes), [rows]
    bits = source.channels * source.format.bits
    if source.pixel_bits == target.pixel_bits == bits and source.width * bits % BYTE == 0:
        return source.width * bits // BYTE, [rows]
    if bits % BYTE or source.pixel_bits % BYTE or target.pixel_bits % BYTE:
        raise SourceError(
            operands.span,
            f"a {operands.mnemonic} writes whole bytes; the pixels of this slice are not",
            f"use multiples of {BYTE // source.format.bits} channels",
        )
    return bits // BYTE, [rows, (source.width, source.pixel_bits // BYTE, target.pixel_bits // BYTE)]


def _element_byte(operands: Operands, tensor: Tensor) -> int:
    """The byte that fills ``tensor`` with the element that is the next operand."""
    operand = operands.next("a value")
    value, form = operands.number(operand), tensor.format
    possible = "0" if tensor.compressed else f"{form.low}..{form.high}"
    if not form.low <= value <= form.high or (tensor.compressed and value):
        raise SourceError(operand.span, f"an element to fill {tensor.shape_text} with must be {possible}, not {value}")
    if form in (ElementFormat.u1, ElementFormat.s1):
        return 0xFF if value > 0 else 0
    if form.bits > BYTE:
        if value not in (0, -1):
            raise SourceError(operand.span, f"a fill repeats one byte: elements of {form.name} can be 0 or -1")
        return value & 0xFF
    element = value & ((1 << form.bits) - 1)
    return sum(element << shift for shift in range(0, BYTE, form.bits))

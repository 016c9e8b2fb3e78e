"""From the operands of an instruction to the instruction: one function for each class of `asm.isa`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from asm import isa, syntax
from asm.errors import SourceError, Span
from asm.operands import Operands, pack, signed_word
from asm.resolve import FORMATS, KIND_TEXT, TABLE_ENTRY_BYTES, Kernels, Scope, Table, Tensor, Value
from asm.rules import KERNEL_ROWS, TILES, KernelGeometry
from asm.state import ClusterState


@dataclass(frozen=True, slots=True)
class Encoded:
    """An instruction, and which of its payload words need the address of a symbol: (index, symbol, addend)."""

    instruction: isa.Instruction
    externs: tuple[tuple[int, str, int], ...] = ()


Encoder = Callable[[Operands, ClusterState], Encoded]
ENCODERS: dict[type[isa.Instruction], Encoder] = {}


def _encodes(kind: type[isa.Instruction]) -> Callable[[Encoder], Encoder]:
    def register(encoder: Encoder) -> Encoder:
        ENCODERS[kind] = encoder
        return encoder

    return register


def encode(operation: syntax.Operation, scope: Scope, state: ClusterState) -> Encoded:
    """The instruction that ``operation`` says, where ``state`` is in force.

    Raises:
        SourceError: the operands are wrong.
        AlreadyReportedError: they use a name whose declaration is wrong.
    """
    operands = Operands(operation, scope)
    encoded = ENCODERS[isa.MNEMONICS[operation.mnemonic.text]](operands, state)
    operands.done()
    return encoded


def encode_loop(statement: syntax.LoopOpen, end: int, scope: Scope) -> Encoded:
    """The loop instruction for ``loop count {`` whose body ends at the offset ``end``."""
    count = scope.evaluate(statement.count)
    span = statement.count.span
    if count.symbol is not None or (count.register is not None and count.number):
        raise SourceError(span, "a loop counts to a number or a register")
    immediate = isa.LoopImmediate.pack(register=count.register or 0, by_register=count.register is not None)
    words = (pack(span, isa.Count, count=count.number), isa.Offset.pack(offset=end))
    return Encoded(isa.Loop(immediate, words))


def _with_addresses(kind: type[isa.Instruction], words: tuple[int, ...], places: tuple[Value, ...]) -> Encoded:
    """An instruction of ``kind`` whose address words are replaced by ``places``, with their base registers."""
    filled, externs = list(words), []
    for index, place in zip(kind.addresses, places, strict=True):
        filled[index] = place.number & isa.Address.address.limit
        if place.symbol is not None:
            externs.append((index, place.symbol, place.number))
    bases = [isa.ABSOLUTE if place.register is None else place.register for place in places]
    bases += [isa.ABSOLUTE] * (len(isa.BaseImmediate.fields) - len(bases))
    immediate = isa.BaseImmediate.pack(**dict(zip(isa.BaseImmediate.fields, bases, strict=True)))
    return Encoded(kind(immediate, tuple(filled)), tuple(externs))


def _place(operands: Operands, operand: syntax.Place) -> Value:
    return operands.scope.address(operands.scope.evaluate(operand.address), operand.span)


# ---- control


@_encodes(isa.Nop)
def _nop(operands: Operands, state: ClusterState) -> Encoded:
    return Encoded(isa.Nop())


@_encodes(isa.Halt)
def _halt(operands: Operands, state: ClusterState) -> Encoded:
    return Encoded(isa.Halt())


@_encodes(isa.Interrupt)
def _interrupt(operands: Operands, state: ClusterState) -> Encoded:
    code = operands.number(operands.next("a code"))
    return Encoded(isa.Interrupt(pack(operands.span, isa.InterruptImmediate, code=code)))


@_encodes(isa.Jump)
def _jump(operands: Operands, state: ClusterState) -> Encoded:
    return Encoded(isa.Jump(words=(isa.Offset.pack(offset=operands.target()),)))


@_encodes(isa.JumpNZ)
def _jumpnz(operands: Operands, state: ClusterState) -> Encoded:
    immediate = isa.RegisterImmediate.pack(destination=operands.register("a register to test"))
    return Encoded(isa.JumpNZ(immediate, (isa.Offset.pack(offset=operands.target()),)))


@_encodes(isa.Set)
def _set(operands: Operands, state: ClusterState) -> Encoded:
    immediate = isa.RegisterImmediate.pack(destination=operands.register("a register to write"))
    return _with_operand(isa.Set, immediate, operands)


@_encodes(isa.Add)
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


@_encodes(isa.Wait)
def _wait(operands: Operands, state: ClusterState) -> Encoded:
    event = operands.number(operands.next("an event"))
    return Encoded(isa.Wait(pack(operands.span, isa.EventImmediate, event=event)))


@_encodes(isa.Signal)
def _signal(operands: Operands, state: ClusterState) -> Encoded:
    event = operands.number(operands.next("an event"))
    clusters = operands.number(operands.required("clusters", "clusters=0xff for all of them"))
    return Encoded(isa.Signal(pack(operands.span, isa.EventImmediate, event=event, clusters=clusters)))


# ---- set-up


@_encodes(isa.SetTopology)
def _topology(operands: Operands, state: ClusterState) -> Encoded:
    sizes = {name: operands.integer(name, isa.Topology.fields[name].reset) for name in ("chain", "parallel", "stripes")}
    fields = {**sizes, "interleave": operands.flag("interleave")}
    return Encoded(isa.SetTopology(words=(pack(operands.span, isa.Topology, **fields),)))


@_encodes(isa.SetMode)
def _mode(operands: Operands, state: ClusterState) -> Encoded:
    operand = operands.next("compute or memory, and tiles")
    if not isinstance(operand, syntax.Tiles):
        raise SourceError(operand.span, "mode needs compute or memory, and tiles", "for example mode compute 0..7")
    if isinstance(operand.tiles, syntax.Range):
        low, high = operands.range(operand.tiles)
        if not (low >= 0 and high < TILES):
            raise SourceError(operand.tiles.span, f"tiles are 0..{TILES - 1}, not {low}..{high}")
        mask = (1 << high + 1) - (1 << low)
    else:
        mask = operands.number(operand.tiles)
        pack(operand.tiles.span, isa.TileMode, compute=mask)
    if operand.mode == "memory":
        mask ^= isa.TileMode.compute.limit
    return Encoded(isa.SetMode(words=(isa.TileMode.pack(compute=mask),)))


@_encodes(isa.SetKernel)
def _kernel(operands: Operands, state: ClusterState) -> Encoded:
    expression = operands.expression("kernels")
    scope = operands.scope
    if not isinstance(expression, syntax.Reference):
        raise SourceError(expression.span, "kernel needs the name of kernels or their type", "for example s4[3, 3, 16]")
    if expression.name.text in FORMATS:
        weights, (height, width, channels) = scope.typed(expression, ("height", "width", "channels"))
    else:
        kernels = _kernels(scope, expression)
        if expression.items is not None:
            raise SourceError(expression.span, "the shape is that of all kernels: they cannot be sliced here")
        weights, height, width, channels = kernels.format, kernels.height, kernels.width, kernels.channels
    features = operands.required("features", "features=u4")
    if not isinstance(features, syntax.Expression):
        raise SourceError(features.span, "features= needs an element format")
    stride_y, stride_x = operands.numbers(operands.value("stride") or _ONE, ("y", "x"))
    sides = tuple(isa.Padding.fields)
    padding = operands.numbers(operands.value("pad") or _ZERO, sides)
    span = operands.span
    words = (
        pack(span, isa.KernelShape, height=height, width=width, stride_y=stride_y, stride_x=stride_x),
        pack(span, isa.KernelFormat, weights=weights, features=scope.format(features), channels=channels),
        pack(span, isa.Padding, **dict(zip(sides, padding, strict=True))),
    )
    return Encoded(isa.SetKernel(words=words))


_ONE = syntax.Number(Span(1, 1, 1), 1)
_ZERO = syntax.Number(Span(1, 1, 1), 0)


@_encodes(isa.SetActivation)
def _activation(operands: Operands, state: ClusterState) -> Encoded:
    bypass, relu = operands.flag("bypass"), operands.flag("relu")
    low, high = isa.ClampLow.value.reset, isa.ClampHigh.value.reset
    clamp = operands.value("clamp")
    if clamp is not None:
        bounds = operands.range(clamp)
        if not (bounds[0] >= -(1 << 31) and bounds[1] < 1 << 31):
            raise SourceError(clamp.span, f"clamp must fit signed 32 bits, {bounds[0]}..{bounds[1]} does not")
        low, high = (bound & isa.ClampLow.value.limit for bound in bounds)
    place = Value(0) if bypass and not operands.positional else _table(operands)
    control = isa.ActivationControl.pack(bypass=bypass, relu=relu)
    return _with_addresses(isa.SetActivation, (control, 0, low, high), (place,))


def _table(operands: Operands) -> Value:
    """The address of the requantisation table that is the next operand."""
    operand = operands.next("a requantisation table, or bypass")
    scope = operands.scope
    if isinstance(operand, syntax.Place):
        return _place(operands, operand)
    if not isinstance(operand, syntax.Reference):
        raise SourceError(operand.span, "activation needs a requantisation table here", "write its name, or at address")
    table = scope.lookup(operand)
    if not isinstance(table, Table):
        raise SourceError(operand.span, f"{operand.name.text} is {KIND_TEXT[type(table)]}, not a requantisation table")
    if operand.items is None:
        return table.address
    first, _ = _one_slice(scope, operand, table.entries, "entries")
    return table.address.plus(first * TABLE_ENTRY_BYTES)


# ---- commands


@_encodes(isa.Load)
def _load(operands: Operands, state: ClusterState) -> Encoded:
    operand = operands.next("kernels")
    if isinstance(operand, syntax.Place):
        place = _place(operands, operand)
        count = operands.number(operands.required("count", "count=32"))
    elif isinstance(operand, syntax.Reference):
        place, count = _kernel_slice(operands.scope, operand, state)
    else:
        raise SourceError(operand.span, "load needs kernels here", "write their name, or at address, count=32")
    words = (0, pack(operands.span, isa.LoadCount, kernels=count))
    return _with_addresses(isa.Load, words, (place,))


def _kernel_slice(scope: Scope, reference: syntax.Reference, state: ClusterState) -> tuple[Value, int]:
    """Address and number of the kernels that ``reference`` names."""
    kernels = _kernels(scope, reference)
    _check_kernels(reference, kernels, state)
    if reference.items is None:
        return kernels.address, kernels.count
    first, end = _one_slice(scope, reference, kernels.count, "kernels")
    if state.tiling is None:
        raise SourceError(
            reference.span,
            "a part of kernels cannot be found here: how they lie in memory depends on the topology",
            "put a topology above, with no jump or halt between",
        )
    if first % KERNEL_ROWS:
        raise SourceError(reference.span, f"kernels are loaded from a multiple of {KERNEL_ROWS} on, not from {first}")
    if state.tiling.chain > 1 and end % KERNEL_ROWS and end != kernels.count:
        raise SourceError(
            reference.span,
            f"over a chain, kernels are loaded up to a multiple of {KERNEL_ROWS} or to the last, not to {end}",
        )
    geometry = KernelGeometry(kernels.height, kernels.width, kernels.channels, kernels.format, state.tiling.chain)
    return kernels.address.plus(first * geometry.kernel_bytes), end - first


def _check_kernels(reference: syntax.Reference, kernels: Kernels, state: ClusterState) -> None:
    """Raises `SourceError` when the kernel in force has another shape or format."""
    if state.kernel is None:
        return
    own = (kernels.height, kernels.width, kernels.channels, kernels.format)
    force = (state.kernel.height, state.kernel.width, state.kernel.channels, state.kernel.weights)
    if own != force:
        text = [f"{form.name}[{height}, {width}, {channels}]" for height, width, channels, form in (own, force)]
        raise SourceError(
            reference.span,
            f"{reference.name.text} is {text[0]} kernels, but the kernel in force is {text[1]}",
            f"put kernel {reference.name.text}, ... above",
        )


@_encodes(isa.Conv)
def _conv(operands: Operands, state: ClusterState) -> Encoded:
    target, source = operands.tensor("an output"), operands.tensor("an input")
    words = (*_tensor_words(operands.span, source), *_tensor_words(operands.span, target))
    return _with_addresses(isa.Conv, words, (source.address, target.address))


def _tensor_words(span: Span, tensor: Tensor) -> tuple[int, ...]:
    """The five words of a tensor, its address left 0."""
    return (
        0,
        pack(span, isa.TensorFormat, format=tensor.format, channels=tensor.channels),
        pack(span, isa.TensorShape, height=tensor.height, width=tensor.width),
        pack(span, isa.LineStride, bytes=tensor.line_bytes),
        pack(span, isa.PixelStride, bits=tensor.pixel_bits),
    )


@_encodes(isa.Copy)
def _copy(operands: Operands, state: ClusterState) -> Encoded:
    loops: list[tuple[int, int, int]] = []
    if operands.positional and isinstance(operands.positional[0], syntax.Place):
        target, source = (_next_place(operands, what) for what in ("a destination", "a source"))
        length = operands.number(operands.required("bytes", "bytes=64"))
        for value in operands.values("repeat"):
            count, forth, back = operands.numbers(value, ("count", "source step", "destination step"))
            loops.append((count, forth, back))
        if len(loops) > isa.COPY_LOOPS:
            raise SourceError(operands.span, f"a copy has at most {isa.COPY_LOOPS} repeats, not {len(loops)}")
    else:
        to, source_tensor = operands.tensor("a destination"), operands.tensor("a source")
        target, source = to.address, source_tensor.address
        length, loops = _copy_steps(operands.span, to, source_tensor)
    span = operands.span
    words = [0, 0, pack(span, isa.CopyBytes, bytes=length)]
    for count, source_step, target_step in loops + [(1, 0, 0)] * (isa.COPY_LOOPS - len(loops)):
        words.append(pack(span, isa.Count, count=count))
        words.append(signed_word(span, isa.SourceStride.bytes, source_step))
        words.append(signed_word(span, isa.DestinationStride.bytes, target_step))
    return _with_addresses(isa.Copy, tuple(words), (source, target))


def _next_place(operands: Operands, what: str) -> Value:
    operand = operands.next(what)
    if not isinstance(operand, syntax.Place):
        raise SourceError(operand.span, f"copy needs {what} here, at an address as the other one")
    return _place(operands, operand)


def _copy_steps(span: Span, target: Tensor, source: Tensor) -> tuple[int, list[tuple[int, int, int]]]:
    """Contiguous bytes and loops (count, source step, destination step) that copy ``source`` to ``target``."""
    if target.shape_text != source.shape_text:
        raise SourceError(span, f"a copy needs equal tensors, not {source.shape_text} to {target.shape_text}")
    bits = source.channels * source.format.bits
    rows = (source.height, source.line_bytes, target.line_bytes)
    if source.whole_rows and target.whole_rows:
        return source.height * source.line_bytes, []
    if source.pixel_bits == target.pixel_bits == bits and source.width * bits % 8 == 0:
        return source.width * bits // 8, [rows]
    if bits % 8 or source.pixel_bits % 8 or target.pixel_bits % 8:
        raise SourceError(
            span,
            "a copy moves whole bytes; the pixels of these slices are not",
            f"use multiples of {8 // source.format.bits} channels",
        )
    return bits // 8, [rows, (source.width, source.pixel_bits // 8, target.pixel_bits // 8)]


# ---- shared


def _kernels(scope: Scope, reference: syntax.Reference) -> Kernels:
    """The kernels that ``reference`` names, without its slice."""
    found = scope.lookup(reference)
    if not isinstance(found, Kernels):
        raise SourceError(reference.span, f"{reference.name.text} is {KIND_TEXT[type(found)]}, not kernels")
    return found


def _one_slice(scope: Scope, reference: syntax.Reference, size: int, what: str) -> tuple[int, int]:
    items = reference.items or ()
    if len(items) != 1:
        raise SourceError(reference.span, "a slice has one part here", f"write {reference.name.text}[0:32]")
    return scope.bounds(items[0], size, what)

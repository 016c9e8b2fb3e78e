"""Encoders of the instructions that only write registers."""

from __future__ import annotations

from asm import isa, parameters, syntax
from asm.encode.registry import Encoded, address_at, cluster_set, encodes, named_kernels, one_slice, with_addresses
from asm.errors import SourceError, Span
from asm.operands import Operands, pack
from asm.resolve import FORMATS, KIND_TEXT, TABLE_ENTRY_BYTES, Table, Value
from asm.rules import TILES
from asm.state import ClusterState


@encodes(isa.SetTopology)
def _topology(operands: Operands, state: ClusterState) -> Encoded:
    sizes = {
        name: operands.integer(name, parameters.Topology.fields[name].reset)
        for name in ("chain", "parallel", "stripes")
    }
    fields = {**sizes, "interleave": operands.flag("interleave")}
    return Encoded(isa.SetTopology(words=(pack(operands.span, parameters.Topology, **fields),)))


@encodes(isa.SetMode)
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
        pack(operand.tiles.span, parameters.TileMode, compute=mask)
    if operand.mode == "memory":
        mask ^= parameters.TileMode.compute.limit
    return Encoded(isa.SetMode(words=(parameters.TileMode.pack(compute=mask),)))


@encodes(isa.SetKernel)
def _kernel(operands: Operands, state: ClusterState) -> Encoded:
    expression = operands.expression("kernels")
    scope = operands.scope
    if not isinstance(expression, syntax.Reference):
        raise SourceError(expression.span, "kernel needs the name of kernels or their type", "for example s4[3, 3, 16]")
    if expression.name.text in FORMATS:
        weights, (height, width, channels) = scope.typed(expression, ("height", "width", "channels"))
    else:
        kernels = named_kernels(scope, expression)
        if expression.items is not None:
            raise SourceError(expression.span, "the shape is that of all kernels: they cannot be sliced here")
        weights, height, width, channels = kernels.format, kernels.height, kernels.width, kernels.channels
    features = operands.required("features", "features=u4")
    if not isinstance(features, syntax.Expression):
        raise SourceError(features.span, "features= needs an element format")
    stride_y, stride_x = operands.numbers(operands.value("stride") or _ONE, ("y", "x"))
    sides = tuple(parameters.Padding.fields)
    padding = operands.numbers(operands.value("pad") or _ZERO, sides)
    depthwise, sparse = operands.flag("depthwise"), operands.flag("sparse")
    span = operands.span
    words = (
        pack(span, parameters.KernelShape, height=height, width=width, stride_y=stride_y, stride_x=stride_x),
        pack(
            span,
            parameters.KernelFormat,
            weights=weights,
            features=scope.format(features),
            depthwise=depthwise,
            sparse=sparse,
            channels=channels,
        ),
        pack(span, parameters.Padding, **dict(zip(sides, padding, strict=True))),
    )
    return Encoded(isa.SetKernel(words=words))


_ONE = syntax.Number(Span(1, 1, 1), 1)
_ZERO = syntax.Number(Span(1, 1, 1), 0)


@encodes(isa.SetActivation)
def _activation(operands: Operands, state: ClusterState) -> Encoded:
    flags = {name: operands.flag(name) for name in parameters.ActivationControl.fields}
    low, high = parameters.ClampLow.value.reset, parameters.ClampHigh.value.reset
    clamp = operands.value("clamp")
    if clamp is not None:
        bounds = operands.range(clamp)
        if not (bounds[0] >= -(1 << 31) and bounds[1] < 1 << 31):
            raise SourceError(clamp.span, f"clamp must fit signed 32 bits, {bounds[0]}..{bounds[1]} does not")
        low, high = (bound & parameters.ClampLow.value.limit for bound in bounds)
    place = Value(0) if flags["bypass"] and not operands.positional else _table(operands)
    control = parameters.ActivationControl.pack(**flags)
    return with_addresses(isa.SetActivation, (control, 0, low, high), (place,))


def _table(operands: Operands) -> Value:
    """The address of the requantisation table that is the next operand."""
    operand = operands.next("a requantisation table, or bypass")
    scope = operands.scope
    if isinstance(operand, syntax.Place):
        return address_at(operands, operand)
    if not isinstance(operand, syntax.Reference):
        raise SourceError(operand.span, "activation needs a requantisation table here", "write its name, or at address")
    table = scope.lookup(operand)
    if not isinstance(table, Table):
        raise SourceError(operand.span, f"{operand.name.text} is {KIND_TEXT[type(table)]}, not a requantisation table")
    if operand.items is None:
        return table.address
    first, _ = one_slice(scope, operand, table.entries, "entries")
    return table.address.plus(first * TABLE_ENTRY_BYTES)


@encodes(isa.SetLookup)
def _lookup(operands: Operands, state: ClusterState) -> Encoded:
    operand = operands.next("the address of a look-up table")
    if not isinstance(operand, syntax.Place):
        raise SourceError(operand.span, "lookup needs the address of a look-up table here", "write at address")
    return with_addresses(isa.SetLookup, (0,), (address_at(operands, operand),))


@encodes(isa.SetPooling)
def _pool(operands: Operands, state: ClusterState) -> Encoded:
    fields = {name: field.reset for name, field in parameters.Pooling.fields.items()}
    if not operands.flag("none"):
        operand = operands.next("max or average, and a window, or none")
        if not isinstance(operand, syntax.Window) or operand.mode.text not in ("max", "average"):
            raise SourceError(
                operand.span, "pool needs max or average, and a window, or none", "for example pool max 2x2, stride=2"
            )
        window = {"height": operand.height, "width": operand.width}
        stride = operands.value("stride")
        steps = [*window.values()] if stride is None else operands.numbers(stride, ("y", "x"))
        fields = {
            "mode": parameters.PoolingMode[operand.mode.text],
            **window,
            "stride_y": steps[0],
            "stride_x": steps[1],
        }
    return Encoded(isa.SetPooling(words=(pack(operands.span, parameters.Pooling, **fields),)))


@encodes(isa.SetPartition)
def _partition(operands: Operands, state: ClusterState) -> Encoded:
    if operands.flag("none"):
        return Encoded(isa.SetPartition(words=(0,)))
    if not operands.operation.operands:
        raise SourceError(
            operands.span, "partition needs none, or a part", "for example partition first=14, unshared, clusters=0x0f"
        )
    word = pack(
        operands.span,
        parameters.Partition,
        first_row=operands.integer("first", 0),
        unshared=operands.flag("unshared"),
        clusters=cluster_set(operands, operands.value("clusters")),
    )
    return Encoded(isa.SetPartition(words=(word,)))


@encodes(isa.SetWrap)
def _wrap(operands: Operands, state: ClusterState) -> Encoded:
    if operands.flag("none"):
        return Encoded(isa.SetWrap(words=(0, 0)))
    if not operands.operation.operands:
        raise SourceError(operands.span, "wrap needs none, or source= and destination=", "for example wrap source=1024")
    sides = (operands.integer("source", 0), operands.integer("destination", 0))
    return Encoded(isa.SetWrap(words=tuple(pack(operands.span, parameters.WrapBytes, bytes=side) for side in sides)))


@encodes(isa.SetScale)
def _scale(operands: Operands, state: ClusterState) -> Encoded:
    factors = {}
    for name, field in parameters.OperandScale.fields.items():
        operand = operands.next(f"the {name} factor")
        factor = operands.number(operand)
        half = (field.limit + 1) // 2
        if not -half <= factor < half:
            raise SourceError(operand.span, f"a factor must be {-half}..{half - 1}, not {factor}")
        factors[name] = factor & field.limit
    return Encoded(isa.SetScale(words=(parameters.OperandScale.pack(**factors),)))

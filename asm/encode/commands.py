"""Encoders of loads and of the commands on tensors."""

from __future__ import annotations

from asm import isa, parameters, syntax
from asm.encode.registry import Encoded, address_at, cluster_set, encodes, named_kernels, one_slice, with_addresses
from asm.errors import SourceError, Span
from asm.operands import Operands, pack
from asm.resolve import Kernels, Scope, Tensor, Value
from asm.rules import KERNEL_ROWS
from asm.state import ClusterState


@encodes(isa.Load)
def _load(operands: Operands, state: ClusterState) -> Encoded:
    flags = {name: operands.flag(name) for name in ("compressed", "overlap")}
    clusters = cluster_set(operands, operands.value("clusters"))
    operand = operands.next("kernels")
    if isinstance(operand, syntax.Place):
        place = address_at(operands, operand)
        count = operands.number(operands.required("count", "count=32"))
    elif isinstance(operand, syntax.Reference):
        if flags["compressed"] and operand.items is not None:
            raise SourceError(
                operand.span,
                "compressed kernels have no parts: where a part begins depends on the weights before it",
                "declare each part as kernels of its own",
            )
        place, count = _kernel_slice(operands.scope, operand, state)
    else:
        raise SourceError(operand.span, "load needs kernels here", "write their name, or at address, count=32")
    words = (0, pack(operands.span, parameters.LoadCount, kernels=count, **flags, clusters=clusters))
    return with_addresses(isa.Load, words, (place,))


def _kernel_slice(scope: Scope, reference: syntax.Reference, state: ClusterState) -> tuple[Value, int]:
    """Address and number of the kernels that ``reference`` names."""
    kernels = named_kernels(scope, reference)
    _check_kernels(reference, kernels, state)
    if reference.items is None:
        return kernels.address, kernels.count
    first, end = one_slice(scope, reference, kernels.count, "kernels")
    if state.tiling is None or state.kernel is None:
        raise SourceError(
            reference.span,
            "a part of kernels cannot be found here: how they lie in memory depends on topology and kernel",
            "put topology and kernel above, with no jump or halt between",
        )
    if first % KERNEL_ROWS:
        raise SourceError(reference.span, f"kernels are loaded from a multiple of {KERNEL_ROWS} on, not from {first}")
    if state.tiling.chain > 1 and end % KERNEL_ROWS and end != kernels.count:
        raise SourceError(
            reference.span,
            f"over a chain, kernels are loaded up to a multiple of {KERNEL_ROWS} or to the last, not to {end}",
        )
    geometry = state.kernel.geometry(state.tiling.chain)
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


@encodes(isa.Conv)
def _conv(operands: Operands, state: ClusterState) -> Encoded:
    return _on_tensors(isa.Conv, operands, ("an output", "an input"))


@encodes(isa.Accumulate)
def _accumulate(operands: Operands, state: ClusterState) -> Encoded:
    return _on_tensors(isa.Accumulate, operands, ("an output", "an input", "psums"))


@encodes(isa.Sum)
def _sum(operands: Operands, state: ClusterState) -> Encoded:
    return _on_tensors(isa.Sum, operands, ("an output", "a first input", "a second input"))


@encodes(isa.Product)
def _product(operands: Operands, state: ClusterState) -> Encoded:
    return _on_tensors(isa.Product, operands, ("an output", "a first input", "a second input"))


def _on_tensors(kind: type[isa.Instruction], operands: Operands, roles: tuple[str, ...]) -> Encoded:
    """An instruction whose payload is its input, its output, and for some another input."""
    target, source, *others = (operands.tensor(role) for role in roles)
    tensors = (source, target, *others)
    words = tuple(word for tensor in tensors for word in _tensor_words(operands.span, tensor))
    return with_addresses(kind, words, tuple(tensor.address for tensor in tensors))


def _tensor_words(span: Span, tensor: Tensor) -> tuple[int, ...]:
    """The five words of a tensor, its address left 0."""
    return (
        0,
        pack(
            span, parameters.TensorFormat, format=tensor.format, compressed=tensor.compressed, channels=tensor.channels
        ),
        pack(span, parameters.TensorShape, height=tensor.height, width=tensor.width),
        pack(span, parameters.LineStride, bytes=tensor.line_bytes),
        pack(span, parameters.PixelStride, bits=tensor.pixel_bits),
    )

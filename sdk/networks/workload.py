"""A layer together with the shapes that it meets, and the rules for them."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass

from asm.rules import ARRAY_FORMATS, ARRAY_NAMES, ElementFormat, array_bits, mac_bits, output_size, window_counts
from sdk.networks.layers import Layer, LayerKind, NetworkError, TensorShape

LIMITS = {"size": (1, 255), "stride": (1, 15), "padding": (0, 255), "pool": (1, 15), "pool_stride": (1, 15)}
"""Values that the registers of a cluster can hold."""
MOST_CHANNELS = (1 << 16) - 1


@dataclass(frozen=True, slots=True)
class Workload:
    """What a layer has to do.

    Attributes:
        input: what it reads, as the kernels see it: a dense layer takes its whole input to be one pixel.
        operand: the second tensor of a sum or product.
        kernels: how many; of a sum or product, its channels.
        height, width: rows and columns of its results, before pooling.
    """

    layer: Layer
    input: TensorShape
    operand: TensorShape | None
    kernels: int
    height: int
    width: int

    @property
    def pooled_height(self) -> int:
        """Rows behind pooling."""
        return window_counts(self.height, self.layer.pool[0], self.layer.pool_stride[0])[1]

    @property
    def pooled_width(self) -> int:
        """Columns behind pooling."""
        return window_counts(self.width, self.layer.pool[1], self.layer.pool_stride[1])[1]

    def rows_before_pooling(self, rows: range) -> int:
        """Rows of results that pooled ``rows`` are made of."""
        if not rows:
            return 0
        window, step = self.layer.pool[0], self.layer.pool_stride[0]
        return min((rows.stop - 1) * step + window, self.height) - rows.start * step

    @property
    def output(self) -> TensorShape:
        """What it writes."""
        return TensorShape(self.pooled_height, self.pooled_width, self.kernels, self.layer.output)

    @property
    def kernel_channels(self) -> int:
        """Channels of one kernel."""
        return 1 if self.layer.depthwise else self.input.channels

    @property
    def kernel_weights(self) -> int:
        """Weights of one kernel; a sum or product has none."""
        rows, columns = self.layer.size
        return 0 if self.layer.kind.elementwise else rows * columns * self.kernel_channels

    @property
    def kernel_bits(self) -> int:
        """Bits of one kernel."""
        return self.kernel_weights * self.layer.weights.bits

    @property
    def weight_bits(self) -> int:
        """Bits of all kernels."""
        return self.kernel_bits * self.kernels

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those with padding included."""
        return self.height * self.width * self.kernels * self.kernel_weights

    @property
    def array_bits(self) -> int:
        """Bits that the array multiplies in one pass: those of the wider operand, 8 bits being passes of 4."""
        return array_bits(self.layer.weights, self.input.format)

    @property
    def bits_per_mac(self) -> int:
        """Bits of a tile's row that a multiply-accumulate takes, over all its passes."""
        return mac_bits(self.layer.weights, self.input.format)

    @property
    def activation_bytes(self) -> int:
        """Bytes of the inputs and of the results before pooling, each once."""
        results = self.height * self.width * self.kernels * self.layer.output.bits
        second = 0 if self.operand is None else self.operand.stream_bytes
        return self.input.stream_bytes + second + -(-results // 8)


def workload_of(layer: Layer, known: Table[str, TensorShape], where: str) -> Workload:
    """A layer and its shapes.

    Args:
        known: the tensors that are written before it.
        where: begins error messages.

    Raises:
        NetworkError: they do not fit together.
    """
    _check_limits(layer, where)
    source = _tensor(layer.source, known, where)
    operand = None
    if layer.kind.elementwise:
        operand = _tensor(layer.operand, known, where)
        _check_shapes(layer, source, operand, where)
    else:
        for name, kind in (("weights", layer.weights), (f"its input {layer.source}", source.format)):
            _check_format(name, kind, where)
    if layer.kind is LayerKind.dense:
        source = _flat(layer, source, where)
    kernels = layer.kernels or source.channels
    made = Workload(layer, source, operand, kernels, *_result_size(layer, source, where))
    if layer.average and layer.output is ElementFormat.s1:
        raise NetworkError(f"{where} an average of s1 may be 0, which s1 does not hold; use another output")
    return made


def _check_limits(layer: Layer, where: str) -> None:
    if layer.kernels < 1 and layer.kind in (LayerKind.convolution, LayerKind.dense):
        raise NetworkError(f"{where} kernels must be at least 1, not {layer.kernels}")
    for name, (low, high) in LIMITS.items():
        for value in getattr(layer, name):
            if value < low:
                raise NetworkError(f"{where} {name} must be at least {low}, not {value}")
            if value > high:
                raise NetworkError(f"{where} {name} must be at most {high}, not {value}")
    _check_format("output", layer.output, where)


def _check_format(name: str, element: ElementFormat, where: str) -> None:
    if element not in ARRAY_FORMATS:
        raise NetworkError(f"{where} {name} must be one of {ARRAY_NAMES}, not {element.name}")


def _tensor(name: str, known: Table[str, TensorShape], where: str) -> TensorShape:
    if name not in known:
        raise NetworkError(f"{where} no layer before it writes {name}; known: {', '.join(known)}")
    return known[name]


def _check_shapes(layer: Layer, source: TensorShape, operand: TensorShape, where: str) -> None:
    shapes = [(shape.height, shape.width, shape.channels) for shape in (source, operand)]
    if shapes[0] != shapes[1]:
        raise NetworkError(
            f"{where} both inputs of a {layer.kind.value} must have one shape; {layer.source} is {source}, "
            f"{layer.operand} is {operand}"
        )


def _flat(layer: Layer, source: TensorShape, where: str) -> TensorShape:
    """A tensor as one pixel."""
    if source.height > 1 and source.row_bits % 8:
        raise NetworkError(
            f"{where} a dense layer reads its input as one run, but a row of {layer.source} ({source}) has "
            f"{source.row_bits} bits, no whole bytes; use a convolution with size = [{source.height}, {source.width}]"
        )
    if source.elements > MOST_CHANNELS:
        raise NetworkError(
            f"{where} a dense layer reads at most {MOST_CHANNELS} elements, {layer.source} has {source.elements}; "
            "pool it first"
        )
    return TensorShape(1, 1, source.elements, source.format)


def _result_size(layer: Layer, source: TensorShape, where: str) -> tuple[int, int]:
    if layer.kind.elementwise:
        return source.height, source.width
    top, bottom, left, right = layer.padding
    (rows, columns), (down, across) = layer.size, layer.stride
    padded = source.height + top + bottom, source.width + left + right
    if padded[0] < rows or padded[1] < columns:
        raise NetworkError(
            f"{where} a kernel of {rows} x {columns} does not fit into its input of {source.height} x {source.width}, "
            f"{padded[0]} x {padded[1]} with padding"
        )
    return output_size(source.height, top, bottom, rows, down), output_size(source.width, left, right, columns, across)

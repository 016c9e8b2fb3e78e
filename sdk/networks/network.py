"""Networks as data: layers one after the other, and the tensors between them.

A network is a file ``network.toml``:

    name = "small"
    seed = 1
    input = { height = 8, width = 8, channels = 3, format = "u4" }

    [[layers]]
    name = "C1"
    kernels = 16
    size = 3
    pool = 2

What a layer does not say has a default; its input is the output of the layer before it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from asm.rules import ARRAY_FORMATS, ElementFormat, output_size

FILE_NAME = "network.toml"
INPUT = "input"
"""Name of the tensor that the network begins with."""
PASS_BITS = 4
"""Widest operand that the array multiplies in one pass."""


class NetworkError(ValueError):
    """A network is not one: a value is wrong, or shapes do not fit together; the text names layer and rule."""


@dataclass(frozen=True, slots=True)
class TensorShape:
    """A tensor between layers: height x width x channels."""

    height: int
    width: int
    channels: int
    format: ElementFormat

    @property
    def elements(self) -> int:
        """How many elements it has."""
        return self.height * self.width * self.channels

    @property
    def stream_bytes(self) -> int:
        """Bytes of its elements, packed tightly."""
        return -(-self.elements * self.format.bits // 8)

    @property
    def memory_bytes(self) -> int:
        """Bytes that it takes in memory, where every row begins at a whole byte."""
        return self.height * -(-self.width * self.channels * self.format.bits // 8)


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution, its activation, and perhaps max pooling behind it.

    Attributes:
        source: the tensor that it reads.
        kernels: how many.
        size: rows and columns of a kernel.
        stride, padding: in both directions, on all sides.
        weights: format of the kernels.
        output: format of what it writes.
        relu: nothing below the activation's offset leaves.
        pool: rows and columns of a pooling window, and its stride; 1: no pooling. Windows at the bottom and right
            use what is there.
        tensor: the tensor that it writes; several layers may write the same one, each some of its channels.
        first_channel: where its channels begin in there.
        unshared: its input comes over one 64-bit stream that clusters do not share.
        mapping: stripes, chain, parallel; None: the best one is searched for.
    """

    name: str
    source: str
    kernels: int
    size: int
    tensor: str
    stride: int = 1
    padding: int = 0
    weights: ElementFormat = ElementFormat.s4
    output: ElementFormat = ElementFormat.u4
    relu: bool = True
    pool: int = 1
    first_channel: int = 0
    unshared: bool = False
    mapping: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """A layer together with the shapes that it meets.

    Attributes:
        input: what it reads.
        height, width: rows and columns of its results, before pooling.
    """

    layer: Layer
    input: TensorShape
    height: int
    width: int

    @property
    def pooled_height(self) -> int:
        """Rows behind pooling."""
        return -(-self.height // self.layer.pool)

    @property
    def pooled_width(self) -> int:
        """Columns behind pooling."""
        return -(-self.width // self.layer.pool)

    @property
    def kernel_weights(self) -> int:
        """Weights of one kernel."""
        return self.layer.size**2 * self.input.channels

    @property
    def kernel_bits(self) -> int:
        """Bits of one kernel."""
        return self.kernel_weights * self.layer.weights.bits

    @property
    def weight_bits(self) -> int:
        """Bits of all kernels."""
        return self.kernel_bits * self.layer.kernels

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those with padding included."""
        return self.height * self.width * self.layer.kernels * self.kernel_weights

    @property
    def array_bits(self) -> int:
        """Bits that the array multiplies in one pass: those of the wider operand, 8 bits being passes of 4."""
        return min(max(self.layer.weights.bits, self.input.format.bits), PASS_BITS)

    @property
    def bits_per_mac(self) -> int:
        """Bits of a tile's row that a multiply-accumulate takes, over all its passes."""
        passes = [-(-bits // PASS_BITS) for bits in (self.layer.weights.bits, self.input.format.bits)]
        return self.array_bits * passes[0] * passes[1]

    @property
    def activation_bytes(self) -> int:
        """Bytes of the input and of the results before pooling, each once."""
        results = self.height * self.width * self.layer.kernels * self.layer.output.bits
        return self.input.stream_bytes + -(-results // 8)


@dataclass(frozen=True)
class Network:
    """Layers in the order in which they run.

    Attributes:
        title: for people.
        seed: of kernels, activation tables and input.

    Raises:
        NetworkError: on construction, if the layers do not fit together.
    """

    name: str
    title: str
    seed: int
    input: TensorShape
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        names = [layer.name for layer in self.layers]
        if not names:
            raise NetworkError(f"{self.name}: a network needs at least one layer")
        for name in names:
            if names.count(name) > 1:
                raise NetworkError(f"{self.name}: there are two layers {name}")
        self.workloads()

    def workloads(self) -> list[Workload]:
        """Every layer with its shapes. Raises `NetworkError`."""
        known, found = {INPUT: self.input}, []
        for layer in self.layers:
            where = f"{self.name}: layer {layer.name}:"
            if layer.source not in known:
                raise NetworkError(f"{where} no layer before it writes {layer.source}; known: {', '.join(known)}")
            source = known[layer.source]
            workload = _workload(layer, source, where)
            made = self._tensor(layer, workload, known.get(layer.tensor), where)
            known[layer.tensor] = made
            found.append(workload)
        return found

    def _tensor(self, layer: Layer, workload: Workload, before: TensorShape | None, where: str) -> TensorShape:
        """The tensor that a layer writes, as far as it is written then."""
        written = 0 if before is None else before.channels
        if layer.tensor == INPUT or layer.first_channel != written:
            raise NetworkError(
                f"{where} first_channel must be {written}, the channels of {layer.tensor} that are written before it, "
                f"not {layer.first_channel}"
            )
        if layer.first_channel * layer.output.bits % 8:
            raise NetworkError(
                f"{where} first_channel must begin at a whole byte; {layer.first_channel} channels of "
                f"{layer.output.name} do not"
            )
        made = TensorShape(workload.pooled_height, workload.pooled_width, written + layer.kernels, layer.output)
        if before is not None and (before.height, before.width, before.format) != (
            made.height, made.width, made.format,
        ):  # fmt: skip
            raise NetworkError(
                f"{where} {layer.tensor} is {before.height} x {before.width} of {before.format.name}, "
                f"not {made.height} x {made.width} of {made.format.name}"
            )
        return made

    def tensors(self) -> dict[str, TensorShape]:
        """The input and what the layers write, by name, complete."""
        found = {INPUT: self.input}
        for workload in self.workloads():
            layer = workload.layer
            channels = layer.first_channel + layer.kernels
            shape = TensorShape(workload.pooled_height, workload.pooled_width, channels, layer.output)
            found[layer.tensor] = shape
        return found


def _workload(layer: Layer, source: TensorShape, where: str) -> Workload:
    for name in ("kernels", "size", "stride", "pool"):
        if getattr(layer, name) < 1:
            raise NetworkError(f"{where} {name} must be at least 1, not {getattr(layer, name)}")
    if layer.padding < 0:
        raise NetworkError(f"{where} padding must be at least 0, not {layer.padding}")
    for name, kind in (("weights", layer.weights), (f"its input {layer.source}", source.format)):
        if kind not in ARRAY_FORMATS:
            known = ", ".join(item.name for item in ARRAY_FORMATS)
            raise NetworkError(f"{where} {name} must be one of {known}, not {kind.name}")
    height, width = (
        output_size(size, layer.padding, layer.padding, layer.size, layer.stride)
        for size in (source.height, source.width)
    )
    if min(height, width) < 1:
        raise NetworkError(
            f"{where} a kernel of {layer.size} x {layer.size} does not fit into its input of "
            f"{source.height} x {source.width}, padding {layer.padding}"
        )
    return Workload(layer, source, height, width)


def load_network(path: Path) -> Network:
    """Reads ``network.toml``, or that file in a folder.

    Raises:
        NetworkError: it is not there, not TOML, a key is unknown or has a wrong value, or shapes do not fit.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NetworkError(f"{file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NetworkError(f"{file} is not a TOML file: {error}") from None
    return network_of(table, str(file))


def network_of(table: Table[str, Any], where: str) -> Network:
    """The network that a parsed ``network.toml`` describes; ``where`` begins error messages. Raises `NetworkError`."""
    kinds: dict[str, type] = {"name": str, "title": str, "seed": int, "input": dict, "layers": list}
    _check(table, kinds, ("name", "input", "layers"), where)
    name = table["name"]
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        raise NetworkError(f"{where}: name must be letters, digits, '_' and '-', not {name!r}")
    shape = table["input"]
    sizes: dict[str, type] = {"height": int, "width": int, "channels": int, "format": str}
    _check(shape, sizes, ("height", "width", "channels"), f"{where}: input")
    for axis in ("height", "width", "channels"):
        if shape[axis] < 1:
            raise NetworkError(f"{where}: input: {axis} must be at least 1, not {shape[axis]}")
    element = _format(shape.get("format", "u4"), f"{where}: input: format")
    start = TensorShape(shape["height"], shape["width"], shape["channels"], element)
    layers: list[Layer] = []
    for place, entry in enumerate(table["layers"]):
        before = layers[-1].tensor if layers else INPUT
        layers.append(_layer(entry, before, f"{where}: layers[{place}]"))
    return Network(name, table.get("title", name), table.get("seed", 1), start, tuple(layers))


def _layer(entry: Any, before: str, where: str) -> Layer:
    types: dict[str, type] = {field.name: int for field in fields(Layer)}
    types |= dict.fromkeys(("name", "source", "tensor", "weights", "output"), str)
    types |= {"relu": bool, "unshared": bool, "mapping": dict}
    _check(entry, types, ("name", "kernels", "size"), where)
    values = dict(entry)
    if not re.fullmatch(r"[A-Za-z]\w*", values["name"], re.ASCII):
        raise NetworkError(f"{where}: name must be letters, digits and '_', not {values['name']!r}")
    for key in ("weights", "output"):
        if key in values:
            values[key] = _format(values[key], f"{where}: {key}")
    if "mapping" in values:
        parts: dict[str, type] = {"stripes": int, "chain": int, "parallel": int}
        _check(values["mapping"], parts, (), f"{where}: mapping")
        values["mapping"] = tuple(values["mapping"].get(part, 1) for part in parts)
    return Layer(**{"source": before, "tensor": values["name"], **values})


def _check(table: Any, kinds: dict[str, type], required: tuple[str, ...], where: str) -> None:
    """Raises `NetworkError` unless ``table`` has the required keys, and only known ones of the right types."""
    if not isinstance(table, dict):
        raise NetworkError(f"{where}: must be a table")
    for key in required:
        if key not in table:
            raise NetworkError(f"{where}: {key} is missing")
    for key, value in table.items():
        if key not in kinds:
            raise NetworkError(f"{where}: {key} is unknown; known: {', '.join(kinds)}")
        if type(value) is not kinds[key]:
            raise NetworkError(f"{where}: {key} must be of type {kinds[key].__name__}, not {value!r}")


def _format(name: str, where: str) -> ElementFormat:
    try:
        return ElementFormat[name]
    except KeyError:
        known = ", ".join(item.name for item in ElementFormat)
        raise NetworkError(f"{where} must be one of {known}, not {name!r}") from None

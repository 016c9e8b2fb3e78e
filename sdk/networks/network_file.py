"""Networks from a file ``network.toml``:

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
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from asm.rules import ElementFormat
from sdk.networks.layers import OUTPUT_FORMAT, Layer, LayerKind, NetworkError, TensorShape
from sdk.networks.lookup import FUNCTIONS, INDICES, lookup_table
from sdk.networks.mapping import Mapping
from sdk.networks.network import INPUT, Network
from sdk.networks.search import Search

FILE_NAME = "network.toml"
TOPOLOGY_KEYS = ("stripes", "chain", "parallel", "parts")
COMMON_KEYS = (
    "name", "kind", "source", "tensor", "first_channel", "output", "relu", "lookup", "pool", "pool_stride", "pooling",
)  # fmt: skip
KERNEL_KEYS = {
    LayerKind.convolution: ("kernels", "size", "stride", "padding", "weights", "unshared", "mapping"),
    LayerKind.depthwise: ("size", "stride", "padding", "weights", "unshared", "mapping"),
    LayerKind.dense: ("kernels", "weights", "mapping"),
    LayerKind.sum: ("operand", "scales"),
    LayerKind.product: ("operand",),
}
"""Keys of a layer that only some kinds have."""
REQUIRED_KEYS = {
    LayerKind.convolution: ("name", "kernels", "size"),
    LayerKind.depthwise: ("name", "size"),
    LayerKind.dense: ("name", "kernels"),
    LayerKind.sum: ("name", "operand"),
    LayerKind.product: ("name", "operand"),
}
NUMBERS = {"size": (2,), "stride": (2,), "padding": (2, 4), "pool": (2,), "pool_stride": (2,), "scales": (2,)}
"""Keys whose value is a list of so many numbers; one number stands for all of them."""
SCALE_BOUNDS = range(-(1 << 15), 1 << 15)
Choice = TypeVar("Choice", bound=Enum)


class Pooling(Enum):
    """What a window makes of its values."""

    max = "max"
    average = "average"


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
    kinds: dict[str, type] = {"name": str, "title": str, "seed": int, "search": str, "input": dict, "layers": list}
    _check(table, kinds, ("name", "input", "layers"), where)
    name = table["name"]
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        raise NetworkError(f"{where}: name must be letters, digits, '_' and '-', not {name!r}")
    search = _choice(Search, table.get("search", Search.best.value), f"{where}: search")
    start = _input(table["input"], f"{where}: input")
    layers: list[Layer] = []
    for place, entry in enumerate(table["layers"]):
        before = layers[-1].tensor if layers else INPUT
        layers.append(_layer(entry, before, f"{where}: layers[{place}]"))
    return Network(name, table.get("title", name), table.get("seed", 1), start, tuple(layers), search)


def _input(table: Any, where: str) -> TensorShape:
    sizes: dict[str, type] = {"height": int, "width": int, "channels": int, "format": str}
    axes = ("height", "width", "channels")
    _check(table, sizes, axes, where)
    for axis in axes:
        if table[axis] < 1:
            raise NetworkError(f"{where}: {axis} must be at least 1, not {table[axis]}")
    element = _format(table.get("format", "u4"), f"{where}: format")
    return TensorShape(table["height"], table["width"], table["channels"], element)


def _layer(entry: Any, before: str, where: str) -> Layer:
    if not isinstance(entry, dict):
        raise NetworkError(f"{where}: must be a table")
    kind = _choice(LayerKind, entry.get("kind", LayerKind.convolution.value), f"{where}: kind")
    _check_keys(entry, kind, where)
    values = {key: value for key, value in entry.items() if key not in ("kind", "pooling")}
    if not re.fullmatch(r"[A-Za-z]\w*", values["name"], re.ASCII):
        raise NetworkError(f"{where}: name must be letters, digits and '_', not {values['name']!r}")
    for key in ("weights", "output"):
        if key in values:
            values[key] = _format(values[key], f"{where}: {key}")
    for key, lengths in NUMBERS.items():
        if key in values:
            values[key] = _numbers(values[key], lengths, f"{where}: {key}")
    if len(values.get("padding", ())) == 2:
        vertical, horizontal = values["padding"]
        values["padding"] = vertical, vertical, horizontal, horizontal
    values.setdefault("pool_stride", values.get("pool", (1, 1)))
    values["average"] = _choice(Pooling, entry.get("pooling", "max"), f"{where}: pooling") is Pooling.average
    if "lookup" in values:
        values["lookup"] = _lookup(values["lookup"], values.get("output", OUTPUT_FORMAT), f"{where}: lookup")
        values.setdefault("relu", False)
    for scale in values.get("scales", ()):
        if scale not in SCALE_BOUNDS:
            raise NetworkError(f"{where}: scales must be {SCALE_BOUNDS.start}..{SCALE_BOUNDS.stop - 1}, not {scale}")
    if "mapping" in values:
        values["mapping"] = _mapping(values["mapping"], f"{where}: mapping")
    return Layer(**{"kind": kind, "source": before, "tensor": values["name"], **values})


def _check_keys(entry: dict[str, Any], kind: LayerKind, where: str) -> None:
    own = (*COMMON_KEYS, *KERNEL_KEYS[kind])
    others = {key for keys in KERNEL_KEYS.values() for key in keys} - set(own)
    for key in entry:
        if key in others:
            raise NetworkError(
                f"{where}: a {kind.value} layer has no {key}, leave it out; it has {', '.join(KERNEL_KEYS[kind])}"
            )
    types: dict[str, type] = dict.fromkeys(own, str)
    types |= dict.fromkeys(("kernels", "first_channel"), int) | dict.fromkeys(("relu", "unshared"), bool)
    types |= {"mapping": dict} | dict.fromkeys((*NUMBERS, "lookup"), object)
    _check(entry, {key: types[key] for key in own}, REQUIRED_KEYS[kind], where)


def _mapping(table: Any, where: str) -> Mapping:
    flags = [name for name in Mapping.__dataclass_fields__ if name not in TOPOLOGY_KEYS]
    kinds: dict[str, type] = {**dict.fromkeys(TOPOLOGY_KEYS, int), **dict.fromkeys(flags, bool)}
    _check(table, kinds, (), where)
    return Mapping(**table)


def _lookup(value: Any, element: ElementFormat, where: str) -> tuple[int, ...]:
    if element is ElementFormat.s1:
        raise NetworkError(f"{where}: a look-up table cannot write s1, which has no 0; use another output")
    if isinstance(value, str):
        if value not in FUNCTIONS:
            raise NetworkError(f"{where} must be one of {', '.join(FUNCTIONS)}, or a list of numbers, not {value!r}")
        return lookup_table(value, element)
    numbers = _numbers(value, (len(INDICES),), where)
    for place, number in enumerate(numbers):
        if not element.low <= number <= element.high:
            raise NetworkError(f"{where}[{place}] must be {element.low}..{element.high}, as the output, not {number}")
    return numbers


def _numbers(value: Any, lengths: tuple[int, ...], where: str) -> tuple[int, ...]:
    """A list of numbers; one number stands for a list of the first length."""
    if type(value) is int:
        return (value,) * lengths[0]
    if not isinstance(value, list) or len(value) not in lengths or any(type(item) is not int for item in value):
        known = " or ".join(map(str, lengths))
        raise NetworkError(f"{where} must be a whole number, or a list of {known}, not {value!r}")
    return tuple(value)


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
        if kinds[key] is not object and type(value) is not kinds[key]:
            raise NetworkError(f"{where}: {key} must be of type {kinds[key].__name__}, not {value!r}")


def _choice(kind: type[Choice], value: Any, where: str) -> Choice:
    for item in kind:
        if item.value == value:
            return item
    raise NetworkError(f"{where} must be one of {', '.join(item.value for item in kind)}, not {value!r}")


def _format(name: str, where: str) -> ElementFormat:
    try:
        return ElementFormat[name]
    except KeyError:
        known = ", ".join(item.name for item in ElementFormat)
        raise NetworkError(f"{where} must be one of {known}, not {name!r}") from None

"""Networks as data: layers in the order in which they run, and the tensors between them."""

from __future__ import annotations

from dataclasses import dataclass

from sdk.networks.layers import Layer, NetworkError, TensorShape
from sdk.networks.search import Search
from sdk.networks.workload import Workload, workload_of

INPUT = "input"
"""Name of the tensor that the network begins with."""


@dataclass(frozen=True)
class Network:
    """Layers in the order in which they run.

    Attributes:
        title: for people.
        seed: of kernels, activation tables and input.
        search: what makes a mapping the best one, where a layer has none.

    Raises:
        NetworkError: on construction, if the layers do not fit together.
    """

    name: str
    title: str
    seed: int
    input: TensorShape
    layers: tuple[Layer, ...]
    search: Search = Search.best

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
            workload = workload_of(layer, known, where)
            known[layer.tensor] = _written(layer, workload.output, known.get(layer.tensor), where)
            found.append(workload)
        return found

    def tensors(self) -> dict[str, TensorShape]:
        """The input and what the layers write, by name, complete."""
        found = {INPUT: self.input}
        for workload in self.workloads():
            layer, made = workload.layer, workload.output
            channels = layer.first_channel + made.channels
            found[layer.tensor] = TensorShape(made.height, made.width, channels, made.format)
        return found


def _written(layer: Layer, made: TensorShape, before: TensorShape | None, where: str) -> TensorShape:
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
    if before is not None and (before.height, before.width, before.format) != (made.height, made.width, made.format):
        raise NetworkError(
            f"{where} {layer.tensor} is {before.height} x {before.width} of {before.format.name}, "
            f"not {made.height} x {made.width} of {made.format.name}"
        )
    return TensorShape(made.height, made.width, written + made.channels, made.format)

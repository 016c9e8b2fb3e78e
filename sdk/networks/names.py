"""The names of a network's C arrays."""

from __future__ import annotations

from sdk.networks.layers import Layer
from sdk.networks.network import INPUT, Network


def symbol(network: Network) -> str:
    """The network's name as a C name."""
    return network.name.replace("-", "_")


def program_name(network: Network, cluster: int) -> str:
    """A cluster's program."""
    return f"{symbol(network)}_cluster{cluster}"


def features_symbol(tensor: str) -> str:
    """A tensor."""
    return f"{tensor}_features"


def input_symbol() -> str:
    """The network's input."""
    return features_symbol(INPUT)


def kernels_symbol(layer: Layer) -> str:
    """A layer's kernels, round after round."""
    return f"{layer.name}_kernels"


def table_symbol(layer: Layer) -> str:
    """A layer's activation table."""
    return f"{layer.name}_table"


def lookup_symbol(layer: Layer) -> str:
    """A layer's look-up table."""
    return f"{layer.name}_lookup"


def psums_symbol(cluster: int) -> str:
    """The psums between the parts of a cluster's kernels."""
    return f"psums_of_cluster{cluster}"

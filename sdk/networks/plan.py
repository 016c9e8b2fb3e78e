"""A whole network on some clusters."""

from __future__ import annotations

from dataclasses import dataclass

from sdk.networks.cost import hiding_after
from sdk.networks.layers import NetworkError
from sdk.networks.network import Network
from sdk.networks.parameters import draw
from sdk.networks.search import Search, mapping_of
from sdk.networks.tasks import LayerPlan, distribute


@dataclass(frozen=True)
class Plan:
    """A network on some clusters."""

    network: Network
    clusters: int
    layers: tuple[LayerPlan, ...]


def plan_network(network: Network, clusters: int) -> Plan:
    """Distributes a network. Raises `NetworkError` if a layer's mapping is impossible, or none is possible."""
    if clusters < 1:
        raise NetworkError(f"{network.name}: at least 1 cluster must work, not {clusters}")
    kernels = draw(network).kernels if _needs_weights(network) else {}
    layers: list[LayerPlan] = []
    for workload in network.workloads():
        weights = kernels.get(workload.layer.name)
        hiding = hiding_after(layers[-1]) if layers else ()
        mapping = mapping_of(workload, network.search, clusters, weights, hiding)
        layers.append(distribute(workload, mapping, clusters, weights, hiding))
    return Plan(network, clusters, tuple(layers))


def _needs_weights(network: Network) -> bool:
    """Whether the size of compressed kernels matters."""
    searched = any(layer.mapping is None for layer in network.layers) and network.search is Search.best
    return searched or any(layer.mapping is not None and layer.mapping.compressed for layer in network.layers)

"""A network's time and energy by the rules of the model, without running it: layer shapes and mappings go in.

Every input and output counts once, as in the published efficiency; `imnpu report` with a network's name runs the
network from firmware instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from emu.npu.energy import Energy, leakage, work_energy
from emu.npu.power import PowerState
from emu.npu.timing import Cost
from sdk import paths
from sdk.networks.cost import published_cycles
from sdk.networks.network import Network
from sdk.networks.network_file import load_network
from sdk.networks.search import mapping_of
from sdk.networks.workload import Workload

HERTZ_PER_KHZ = 1000
OPERATIONS_PER_MAC = 2
VGG16 = "vgg16"
"""Folder of the example."""


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """One inference.

    Attributes:
        cycles: of the clusters, by the published rule.
        energy: of all clusters; leakage while they work.
    """

    operations: int
    cycles: int
    energy: Energy

    @property
    def tops_per_watt(self) -> float:
        """1e12 operations a joule."""
        return self.operations / self.energy.total * 1000


def network_cost(network: Network, power: PowerState, clusters: int = 1) -> NetworkCost:
    """One inference of ``network``. Raises `sdk.networks.network.NetworkError` if a layer cannot be mapped."""
    operations, cycles, energy = 0, Fraction(), Energy()
    for workload in network.workloads():
        operations += OPERATIONS_PER_MAC * workload.macs
        cycles += published_cycles(workload, mapping_of(workload), clusters)
        energy += work_energy(_cost(workload), power)
    whole = round(cycles)
    leaked = clusters * leakage(whole, HERTZ_PER_KHZ * power.clock_khz, power)
    return NetworkCost(operations, whole, energy + Energy(leakage=leaked))


def _cost(workload: Workload) -> Cost:
    """A layer as one command: kernels loaded once, every tensor streamed once."""
    return Cost(
        kernel_bits=workload.weight_bits,
        macs=workload.macs,
        bits=workload.bits_per_mac,
        array_bits=workload.array_bits,
        activation_bytes=workload.activation_bytes,
    )


@cache
def vgg16() -> Network:
    """The VGG16-style network of the published table."""
    return load_network(paths.examples() / VGG16)

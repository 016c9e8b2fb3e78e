"""The registers that say what happens behind the psums: activation, pooling, partition, output tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asm import parameters
from asm.rules import Cause, ElementFormat, RuleError
from emu.npu.activation import ENTRY_BYTES, LOOKUP_BYTES, Activation
from emu.npu.commands.command import other_clusters, signed, tensor_of_registers
from emu.npu.output_stage import OutputStage
from emu.npu.pooling import Pooling

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster

WORD_BYTES = 4


@dataclass(frozen=True, slots=True)
class Partition:
    """What the PARTITION register says about a convolution.

    Attributes:
        first_row: of the pooled result.
        unshared: the whole input passes over one 64-bit stream, which begins with the load before.
        clusters: numbers of the other clusters that take their features from the same stream.
    """

    first_row: int
    unshared: bool
    clusters: tuple[int, ...]

    @classmethod
    def of_registers(cls, cluster: Cluster) -> Partition:
        fields = parameters.Partition.unpack(cluster.PARTITION)
        return cls(fields["first_row"], bool(fields["unshared"]), other_clusters(cluster, fields["clusters"]))


def output_stage(cluster: Cluster, channels: int) -> OutputStage:
    """What the registers ask for; the table, of ``channels`` entries, is the one that the bus holds now.

    Raises:
        RuleError: a field has a value that is not allowed.
        BusError: the table is not in memory.
    """
    destination = tensor_of_registers(cluster, type(cluster).OUTPUT_ADDRESS)
    activation = _activation(cluster, destination.element, channels)
    tables = ((cluster.ACTIVATION_TABLE, activation.table), (cluster.LOOKUP_TABLE, activation.lookup))
    return OutputStage(
        activation,
        Pooling.of_word(cluster.POOLING),
        Partition.of_registers(cluster).first_row,
        destination,
        tuple((address, data) for address, data in tables if data),
    )


def _activation(cluster: Cluster, element: ElementFormat, channels: int) -> Activation:
    control = parameters.ActivationControl.unpack(cluster.ACTIVATION_CONTROL)
    table, address = b"", cluster.ACTIVATION_TABLE
    if not control["bypass"]:
        if address % WORD_BYTES:
            raise RuleError(
                Cause.misaligned, f"the activation table must lie at a multiple of 4, not at 0x{address:08x}"
            )
        table = cluster.bus.read(address, channels * ENTRY_BYTES)
    low, high = signed(cluster.CLAMP_LOW), signed(cluster.CLAMP_HIGH)
    lookup = cluster.bus.read(cluster.LOOKUP_TABLE, LOOKUP_BYTES) if control["lookup"] else b""
    return Activation(bool(control["bypass"]), bool(control["relu"]), low, high, element, table, lookup)

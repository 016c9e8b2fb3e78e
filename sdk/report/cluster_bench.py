"""One emulated cluster without a host: its registers are written from here, and its clock runs until it is done."""

from __future__ import annotations

from dataclasses import dataclass

from asm import parameters
from asm.parameters import CommandCode
from asm.rules import KERNEL_ROWS, ROW_BITS, TILES, ElementFormat
from emu.bus import Bus
from emu.clock import FOREVER, Clock
from emu.device import Board
from emu.log import Log
from emu.memory import Memory
from emu.npu.cluster import Cluster
from emu.npu.energy import Energy
from emu.npu.power import PowerState
from emu.npu.record import CommandRecord
from emu.registers import Register

MEMORY = 0x3000_0000
KERNELS, FEATURES, OUTPUT, TABLE = (MEMORY + 0x2_0000 * place for place in range(4))
MEMORY_BYTES = 0x8_0000
TILE_ARRAYS, TILE_ARRAY_BYTES = 0x3800_0000, 0x8000
MACHINE_HERTZ = 600_000_000
SIZE = 8
"""Rows and columns of the features."""
FORMATS = {
    1: (ElementFormat.s1, ElementFormat.s1),
    2: (ElementFormat.s2, ElementFormat.u2),
    4: (ElementFormat.s4, ElementFormat.u4),
}
"""Weights and features by bits."""


class BenchError(Exception):
    """The cluster refused what the bench asked of it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one convolution took in which every row of every tile was full.

    Attributes:
        operations: two for each multiply-accumulate.
        cycles: those of the cluster, and `clock_khz` its clock.
        energy: by component, kernel load not included.
    """

    operations: int
    cycles: int
    clock_khz: int
    energy: Energy

    @property
    def operations_per_cycle(self) -> float:
        """Of one cluster."""
        return self.operations / self.cycles

    def tops_per_watt(self, femtojoules: int) -> float:
        """Operations for an energy: 1e12 of them a joule."""
        return self.operations / femtojoules * 1000

    @property
    def tile_tops_per_watt(self) -> float:
        """With the energy of the arrays alone."""
        return self.tops_per_watt(self.energy.array)

    @property
    def system_tops_per_watt(self) -> float:
        """With overhead and leakage; features, outputs and kernels are taken to be there."""
        return self.tops_per_watt(self.energy.array + self.energy.overhead + self.energy.leakage)


def measure_full_array(bits: int, power: PowerState) -> Measured:
    """Convolve with 256 kernels of 1024 bits, which fill all eight tiles.

    Args:
        bits: of weights and features, 1, 2 or 4.

    Raises:
        BenchError: the cluster refuses, for instance because the voltage is too low for the clock.
    """
    clock, bus, log = Clock(MACHINE_HERTZ), Bus(), Log()
    bus.add_memory(Memory("memory", MEMORY, MEMORY_BYTES, "rw"))
    bus.add_memory(Memory("tiles", TILE_ARRAYS, TILE_ARRAY_BYTES, "rw"))
    cluster = Cluster("cluster0", Board(clock, bus, log), index=0, tiles="tiles")
    records: list[CommandRecord] = []
    cluster.on_command.append(records.append)
    _write(cluster, Cluster.VOLTAGE_MV, power.voltage_mv, power.body_bias_mv, power.clock_khz)
    _describe(cluster, bits)
    for command in (CommandCode.load, CommandCode.convolve):
        _write(cluster, Cluster.COMMAND, command)
        while clock.next_event < FOREVER:
            clock.advance_to(clock.next_event)
            clock.dispatch()
    if log.messages:
        raise BenchError(f"{bits} bits: {log.messages[0].text}")
    _, convolution = records
    return Measured(2 * convolution.cost.macs, convolution.cycles.work, power.clock_khz, convolution.energy)


def _describe(cluster: Cluster, bits: int) -> None:
    weights, features = FORMATS[bits]
    channels, kernels = ROW_BITS // bits, KERNEL_ROWS * TILES
    _write(cluster, Cluster.TILE_MODE, (1 << TILES) - 1)
    _write(cluster, Cluster.TOPOLOGY, parameters.Topology.pack(chain=1, parallel=TILES, stripes=1))
    _write(cluster, Cluster.KERNEL_SHAPE, parameters.KernelShape.pack(height=1, width=1, stride_y=1, stride_x=1))
    kind = parameters.KernelFormat.pack(weights=weights, features=features, channels=channels)
    _write(cluster, Cluster.KERNEL_FORMAT, kind)
    _write(cluster, Cluster.LOAD_ADDRESS, KERNELS)
    _write(cluster, Cluster.LOAD_COUNT, parameters.LoadCount.pack(kernels=kernels))
    _write(cluster, Cluster.ACTIVATION_CONTROL, parameters.ActivationControl.pack(bypass=0))
    _write(cluster, Cluster.ACTIVATION_TABLE, TABLE)
    _write(cluster, Cluster.INPUT_ADDRESS, *_tensor(FEATURES, features, channels))
    _write(cluster, Cluster.OUTPUT_ADDRESS, *_tensor(OUTPUT, features, kernels))


def _tensor(address: int, element: ElementFormat, channels: int) -> tuple[int, ...]:
    """The five register words of a square tensor."""
    pixel_bits = channels * element.bits
    kind = parameters.TensorFormat.pack(format=element, channels=channels)
    return address, kind, parameters.TensorShape.pack(height=SIZE, width=SIZE), SIZE * pixel_bits // 8, pixel_bits


def _write(cluster: Cluster, first: Register, *values: int) -> None:
    for place, value in enumerate(values):
        cluster.write(first.offset + 4 * place, 4, value)

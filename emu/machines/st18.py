"""`st18`: a microcontroller with a multi-tiled in-memory-computing NPU of eight clusters, 18 nm FD-SOI.

Published: a Cortex-M host, eight clusters of eight tiles, shared memories for weights, peripherals that load
inputs, 600 MHz. `st18-rv32` is the same machine with an RV32IMC host.

*Inaccuracies*: addresses, memory sizes, interrupt numbers and all registers are our own; the chip's are not
public. So are the ports of the system memory and the speed of the external memory: one port, a byte a cycle behind
100 cycles of latency.
"""

from __future__ import annotations

from asm.rules import TILES
from emu.devices.stream import InputStream
from emu.devices.timer import Timer
from emu.devices.uart import Uart
from emu.machine import MachineMap, MemoryRegion, Peripheral
from emu.memory import MemoryTiming
from emu.npu.cluster import Cluster
from emu.npu.timing import TimingModel

KIB, MIB = 1 << 10, 1 << 20
CLOCK_HZ = 600_000_000
FLASH = 0x0800_0000

MEMORIES = (
    MemoryRegion("flash", FLASH, 2 * MIB, "rx", "Code, constants, accelerator programs; the host starts here."),
    MemoryRegion("sram", 0x2000_0000, 256 * KIB, "rwx", "Data and stack of the host."),
)
EXTERNAL_TIMING = MemoryTiming(ports=1, bytes_per_cycle=1, latency=100)
PERIPHERALS = (
    Peripheral("uart0", 0x4000_0000, Uart, "Serial port.", interrupt=0),
    Peripheral("timer0", 0x4000_1000, Timer, "Timer.", interrupt=1),
    Peripheral("stream0", 0x4000_2000, InputStream, "Input stream, as from a camera.", interrupt=2),
)
TILE_ARRAYS, TILE_ARRAYS_STEP = 0x3800_0000, TILES * 4 * KIB
CLUSTERS, CLUSTERS_STEP, CLUSTER_INTERRUPT = 0x5000_0000, 0x1000, 8
"""Registers of the clusters; cluster c has interrupt 8 + c."""

HOSTS = {"st18": ("cortex-m4f", "Cortex-M4F", {"priority_bits": 3}), "st18-rv32": ("rv32imc", "RV32IMC", {})}
"""Core, its name in titles, and its options: the NVIC has as many priorities as the PLIC, for one interrupt API."""
CLINT, PLIC = 0x0200_0000, 0x0C00_0000
"""Only with the RV32 host; the Cortex-M's NVIC and SysTick are part of its core at 0xE000_E000."""


def machine_map(name: str, clusters: int, timing: str, system_ports: int) -> MachineMap:
    """The map of ``st18`` or ``st18-rv32``; ``timing`` is the value of a `TimingModel`."""
    host, title, options = HOSTS[name]
    return MachineMap(
        name=name,
        title=f"ST 18 nm multi-tiled IMNPU, {title} host",
        host=host,
        host_options=options,
        clock_hz=CLOCK_HZ,
        reset_address=FLASH,
        memories=(*MEMORIES, *_shared_memories(system_ports), *(_tile_arrays(index) for index in range(clusters))),
        peripherals=(
            *_interrupt_controllers(host),
            *PERIPHERALS,
            *(_cluster(index, TimingModel(timing)) for index in range(clusters)),
        ),
        clusters=clusters,
        timing=timing,
        doc=(__doc__ or "").strip(),
    )


def _shared_memories(system_ports: int) -> tuple[MemoryRegion, ...]:
    return (
        MemoryRegion(
            "sysmem",
            0x3000_0000,
            2 * MIB,
            "rw",
            "Weights and feature maps, shared by host and clusters.",
            MemoryTiming(ports=system_ports),
        ),
        MemoryRegion("extmem", 0x6000_0000, 16 * MIB, "rw", "External memory: large and slow.", EXTERNAL_TIMING),
    )


def _tile_arrays(index: int) -> MemoryRegion:
    base = TILE_ARRAYS + index * TILE_ARRAYS_STEP
    return MemoryRegion(f"tiles{index}", base, TILE_ARRAYS_STEP, "rw", f"Tile arrays of cluster {index}, 4 KiB each.")


def _cluster(index: int, timing: TimingModel) -> Peripheral:
    return Peripheral(
        f"cluster{index}",
        CLUSTERS + index * CLUSTERS_STEP,
        Cluster,
        f"NPU cluster {index}: {TILES} tiles, sequencer, tensor DMA.",
        interrupt=CLUSTER_INTERRUPT + index,
        options={"index": index, "tiles": f"tiles{index}", "timing": timing},
    )


def _interrupt_controllers(host: str) -> tuple[Peripheral, ...]:
    if host != "rv32imc":
        return ()
    from emu.devices.clint import Clint
    from emu.devices.plic import Plic

    return (
        Peripheral("clint", CLINT, Clint, "Timer and software interrupt of the hart."),
        Peripheral("plic", PLIC, Plic, "Interrupt controller; its source n + 1 is interrupt n."),
    )

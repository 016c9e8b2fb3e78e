"""`mps2-an385`, `mps2-an386` and `mps2-an500`: Arm's MPS2 board with a Cortex-M3, M4F or M7 image in its FPGA.

Memory map, interrupts and clock are those of the application notes AN385, AN386 and AN500, as far as firmware for the
emulators of these boards uses them: UARTs, timers, watchdog, GPIO, configuration controller, FPGA I/O. Priorities have
8 bits, as in these emulators (3 in the FPGA).

*Inaccuracies*: all memories are equally fast. Ethernet, display, I2C, I2S and SPI are there, but do nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from emu.devices.cmsdk_dual_timer import DesignKitDualTimer
from emu.devices.cmsdk_gpio import DesignKitGpio
from emu.devices.cmsdk_timer import DesignKitTimer
from emu.devices.cmsdk_uart import DesignKitUart
from emu.devices.cmsdk_watchdog import DesignKitWatchdog
from emu.devices.mps2_fpgaio import FpgaIo
from emu.devices.mps2_scc import ConfigurationController
from emu.devices.unmodelled import Unmodelled
from emu.machine import MachineMap, MemoryRegion, Peripheral

KIB, MIB = 1 << 10, 1 << 20
CLOCK_HZ, REFERENCE_HZ = 25_000_000, 1_000_000


BLOCK_RAM, BLOCK_RAM_SIZE = 0x0100_0000, 16 * KIB
STATIC_MEMORIES = (
    MemoryRegion("ssram1", 0x0000_0000, 4 * MIB, "rwx", "Code and vector table; the host starts here."),
    MemoryRegion("ssram1_mirror", 0x0040_0000, 4 * MIB, "rwx", "ssram1 once more.", mirror_of="ssram1"),
    MemoryRegion("ssram23", 0x2000_0000, 4 * MIB, "rwx", "Data and stack."),
    MemoryRegion("ssram23_mirror", 0x2040_0000, 4 * MIB, "rwx", "ssram23 once more.", mirror_of="ssram23"),
)
BLOCK_MEMORIES = (
    MemoryRegion("bram", BLOCK_RAM, BLOCK_RAM_SIZE, "rwx", "Block RAM of the FPGA."),
    *(
        MemoryRegion(
            f"bram_mirror{number}",
            BLOCK_RAM + number * BLOCK_RAM_SIZE,
            BLOCK_RAM_SIZE,
            "rwx",
            "bram once more.",
            mirror_of="bram",
        )
        for number in (1, 2, 3)
    ),
)


def _psram(base: int) -> MemoryRegion:
    return MemoryRegion("psram", base, 16 * MIB, "rwx", "Large memory.")


@dataclass(frozen=True)
class Image:
    """What differs between the images.

    Attributes:
        identity: of the configuration controller.
        ethernet: address of the Ethernet controller.
        bit_band: whether the host has bit-band aliases.
    """

    host: str
    title: str
    identity: int
    memories: tuple[MemoryRegion, ...]
    ethernet: int
    bit_band: bool = True


SMALL_MEMORIES = (*STATIC_MEMORIES, *BLOCK_MEMORIES, _psram(0x2100_0000))
IMAGES = {
    "mps2-an385": Image("cortex-m3", "Cortex-M3", 0x4104_3850, SMALL_MEMORIES, 0x4020_0000),
    "mps2-an386": Image("cortex-m4f", "Cortex-M4F", 0x4104_3860, SMALL_MEMORIES, 0x4020_0000),
    "mps2-an500": Image(
        "cortex-m7", "Cortex-M7", 0x4104_5000, (*STATIC_MEMORIES, _psram(0x6000_0000)), 0xA000_0000, bit_band=False
    ),
}
APPLICATION_NOTE, REVISION = 0x0020_0008, 2

OVERRUN_INTERRUPT = 12
"""Shared by the first three UARTs."""


def _uart(number: int, base: int, receive: int, *, overrun: bool) -> Peripheral:
    """A UART; its transmit interrupt is the one after ``receive``."""
    lines = {"receive_line": receive, "transmit": receive + 1}
    if overrun:
        lines["overrun"] = OVERRUN_INTERRUPT
    return Peripheral(
        f"uart{number}",
        base,
        DesignKitUart,
        f"Serial port: interrupt {receive} received, {receive + 1} sent.",
        lines=lines,
    )


UNMODELLED = {
    "i2c_touch": 0x4002_2000,
    "i2c_audio": 0x4002_3000,
    "i2s": 0x4002_4000,
    "spi": 0x4002_5000,
    "spi_adc": 0x4002_6000,
    "spi_shield": 0x4002_7000,
    "i2c_shield0": 0x4002_9000,
    "i2c_shield1": 0x4002_A000,
    "display": 0x4100_0000,
}


def machine_map(name: str) -> MachineMap:
    """The map of one of `IMAGES`."""
    image = IMAGES[name]
    identity = {"identity": image.identity, "application_note": APPLICATION_NOTE, "revision": REVISION}
    return MachineMap(
        name=name,
        title=f"Arm MPS2 board, {image.title}",
        host=image.host,
        clock_hz=CLOCK_HZ,
        reset_address=0,
        memories=image.memories,
        peripherals=(
            _uart(0, 0x4000_4000, 0, overrun=True),
            _uart(1, 0x4000_5000, 2, overrun=True),
            _uart(2, 0x4000_6000, 4, overrun=True),
            _uart(3, 0x4000_7000, 18, overrun=False),
            _uart(4, 0x4000_9000, 20, overrun=False),
            Peripheral("timer0", 0x4000_0000, DesignKitTimer, "Timer.", interrupt=8),
            Peripheral("timer1", 0x4000_1000, DesignKitTimer, "Timer.", interrupt=9),
            Peripheral("dual_timer", 0x4000_2000, DesignKitDualTimer, "Two timers, one interrupt.", interrupt=10),
            Peripheral("watchdog", 0x4000_8000, DesignKitWatchdog, "Watchdog; its interrupt is NMI.", nmi=True),
            *(
                Peripheral(f"gpio{port}", 0x4001_0000 + port * 0x1000, DesignKitGpio, "16 pins.", interrupt=interrupt)
                for port, interrupt in enumerate((6, 7, 16, 17))
            ),
            Peripheral("fpgaio", 0x4002_8000, FpgaIo, "LEDs, buttons, counters."),
            Peripheral("scc", 0x4002_F000, ConfigurationController, "Identity, clocks, LEDs.", options=identity),
            *(Peripheral(item, base, Unmodelled, "Does nothing.") for item, base in UNMODELLED.items()),
            Peripheral("ethernet", image.ethernet, Unmodelled, "Does nothing."),
        ),
        clusters=0,
        host_options={"priority_bits": 8, "reference_hz": REFERENCE_HZ, "bit_band": image.bit_band},
        doc=(__doc__ or "").strip(),
    )

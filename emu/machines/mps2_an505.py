"""`mps2-an505`: Arm's MPS2 board with the Cortex-M33 image of application note AN505 in its FPGA.

Firmware for the emulator of this board starts in Secure state, at the secure addresses: code at 0x1000_0000, data at
0x3800_0000, devices from 0x5000_0000. Here the core stays in Secure state for ever. Every memory and device has its
non-secure address too, with bit 28 clear, as Secure code may use it there while nothing has been given to the
Non-secure side. Priorities have 8 bits, as in that emulator (3 in the FPGA).

*Inaccuracies*: there is no Non-secure state, no attribution unit (SAU) and no SecureFault: firmware that uses both
states does not run. The controllers that protect memories and peripherals do nothing. All memories are equally fast.
Timer and watchdog of the 32 kHz clock, Ethernet, display, DMA, GPIO, I2C, I2S and SPI are there, but do nothing.
"""

from __future__ import annotations

from typing import Any

from emu.device import Device
from emu.devices.cmsdk_dual_timer import DesignKitDualTimer
from emu.devices.cmsdk_timer import DesignKitTimer
from emu.devices.cmsdk_uart import DesignKitUart
from emu.devices.cmsdk_watchdog import DesignKitWatchdog
from emu.devices.iot_kit_information import SystemInformation
from emu.devices.mps2_fpgaio import FpgaIo
from emu.devices.mps2_scc import ConfigurationController
from emu.devices.unmodelled import Unmodelled
from emu.machine import MachineMap, MemoryRegion, Peripheral

KIB, MIB = 1 << 10, 1 << 20
CLOCK_HZ = 20_000_000
SECURE = 0x1000_0000
"""The bit that tells a secure address from the non-secure one of the same byte."""
EXPANSION = 32
"""Input of the first interrupt of the board; those before belong to the subsystem around the core."""
UARTS = 5
SCC_OPTIONS = {
    "identity": 0x4104_5050,
    "application_note": 0x0020_0008,
    "revision": 2,
    "oscillators": (40_000_000, 24_580_000, 25_000_000),
}
UNMODELLED = {
    "timer_32khz": 0x4002_F000,
    **{f"gpio{port}": 0x4010_0000 + port * 0x1000 for port in range(4)},
    **{f"dma{number}": 0x4011_0000 + number * 0x1000 for number in range(4)},
    "spi": 0x4020_5000,
    "spi_adc": 0x4020_6000,
    "i2c_touch": 0x4020_7000,
    "i2c_audio": 0x4020_8000,
    **{f"spi_shield{number}": 0x4020_9000 + number * 0x1000 for number in range(3)},
    **{f"i2c_shield{number}": 0x4020_C000 + number * 0x1000 for number in range(2)},
    "i2s": 0x4030_1000,
    "display": 0x4100_0000,
    "ethernet": 0x4200_0000,
}
"""Devices that do nothing, by their non-secure addresses."""
SECURE_UNMODELLED = {
    "system_control_block": 0x5002_1000,
    "watchdog_32khz": 0x5002_E000,
    "security_control": 0x5008_0000,
    **{f"memory_protection{number}": base for number, base in enumerate((0x5008_3000, 0x5800_7000, 0x5800_8000))},
    "memory_protection3": 0x5800_9000,
}


def _memory(name: str, base: int, size: int, doc: str, mirrors: tuple[int, ...] = ()) -> tuple[MemoryRegion, ...]:
    """A memory at its non-secure address and its other addresses."""
    regions = [MemoryRegion(name, base, size, "rwx", doc)]
    regions += (
        MemoryRegion(f"{name}_mirror{number}", mirror, size, "rwx", f"{name} once more.", mirror_of=name)
        for number, mirror in enumerate(mirrors, 1)
    )
    return tuple(regions)


def _both(name: str, base: int, device: type[Device], doc: str, **options: Any) -> Peripheral:
    """A device at its non-secure and its secure address."""
    return Peripheral(name, base, device, doc, also_at=base + SECURE, **options)


def _uart(number: int) -> Peripheral:
    receive, combined, overrun = EXPANSION + 2 * number, EXPANSION + 10 + number, EXPANSION + 15
    return _both(
        f"uart{number}",
        0x4020_0000 + number * 0x1000,
        DesignKitUart,
        f"Serial port: interrupt {receive} received, {receive + 1} sent, {overrun} overrun, {combined} any of them.",
        interrupt=combined,
        lines={"receive_line": receive, "transmit": receive + 1, "overrun": overrun},
    )


def machine_map(name: str) -> MachineMap:
    """The map of ``mps2-an505``."""
    return MachineMap(
        name=name,
        title="Arm MPS2 board, Cortex-M33",
        host="cortex-m33",
        clock_hz=CLOCK_HZ,
        reset_address=SECURE,
        memories=(
            *_memory("ssram1", 0, 4 * MIB, "Code.", (0x0040_0000, 0x1000_0000, 0x1040_0000)),
            *_memory("sram", 0x2000_0000, 32 * KIB, "Memory of the subsystem.", (0x3000_0000,)),
            *_memory("ssram23", 0x2800_0000, 4 * MIB, "Data.", (0x3800_0000,)),
            *_memory("psram", 0x8000_0000, 16 * MIB, "Large memory."),
        ),
        peripherals=(
            *map(_uart, range(UARTS)),
            _both("timer0", 0x4000_0000, DesignKitTimer, "Timer.", interrupt=3),
            _both("timer1", 0x4000_1000, DesignKitTimer, "Timer.", interrupt=4),
            _both("dual_timer", 0x4000_2000, DesignKitDualTimer, "Two timers, one interrupt.", interrupt=5),
            _both("system_information", 0x4002_0000, SystemInformation, "What the subsystem is."),
            Peripheral("watchdog", 0x4008_1000, DesignKitWatchdog, "Watchdog.", interrupt=1),
            Peripheral("watchdog_secure", 0x5008_1000, DesignKitWatchdog, "Watchdog; its interrupt is NMI.", nmi=True),
            _both("fpgaio", 0x4030_2000, FpgaIo, "LEDs, buttons, counters."),
            _both("scc", 0x4030_0000, ConfigurationController, "Identity, clocks, LEDs.", options=SCC_OPTIONS),
            *(_both(item, base, Unmodelled, "Does nothing.") for item, base in UNMODELLED.items()),
            *(Peripheral(item, base, Unmodelled, "Does nothing.") for item, base in SECURE_UNMODELLED.items()),
        ),
        clusters=0,
        host_options={"interrupts": 124, "priority_bits": 8, "secure": True},
        doc=(__doc__ or "").strip(),
    )

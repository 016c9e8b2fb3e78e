"""`microbit`: the nRF51822 of the first BBC micro:bit, a Cortex-M0, as far as emulators of this board have it.

*Inaccuracies*: the radio, the analogue parts, real-time counters, watchdog, PPI and the board's sensors are there, but
do nothing, nor does the LED matrix; no button is pressed; the flash cannot be written by firmware. SysTick is there,
which the nRF51 leaves out. All memories are equally fast.
"""

from __future__ import annotations

from emu.device import Device
from emu.devices.nrf51_clock import Nrf51Clock
from emu.devices.nrf51_gpio import Nrf51Gpio
from emu.devices.nrf51_information import FactoryInformation, FlashController, UserInformation
from emu.devices.nrf51_random import Nrf51Random
from emu.devices.nrf51_timer import Nrf51Timer
from emu.devices.nrf51_uart import Nrf51Uart
from emu.devices.unmodelled import Unmodelled
from emu.machine import MachineMap, MemoryRegion, Peripheral

KIB = 1 << 10
CLOCK_HZ = 16_000_000
IO = 0x4000_0000
UNMODELLED = {
    "radio": 0x01,
    "twi0": 0x03,
    "twi1": 0x04,
    "gpiote": 0x06,
    "adc": 0x07,
    "rtc0": 0x0B,
    "temperature": 0x0C,
    "ecb": 0x0E,
    "aar": 0x0F,
    "watchdog": 0x10,
    "rtc1": 0x11,
    "qdec": 0x12,
    "comparator": 0x13,
    **{f"software{number}": 0x14 + number for number in range(6)},
    "ppi": 0x1F,
}
"""Devices that do nothing, by their numbers, which say their addresses."""


def _device(name: str, number: int, device: type[Device], doc: str, *, interrupts: bool = True) -> Peripheral:
    """A device; its number is that of its interrupt and of its 4 KiB of addresses."""
    return Peripheral(name, IO + number * 0x1000, device, doc, interrupt=number if interrupts else None)


def machine_map(name: str) -> MachineMap:
    """The map of ``microbit``."""
    return MachineMap(
        name=name,
        title="BBC micro:bit, Cortex-M0",
        host="cortex-m0",
        clock_hz=CLOCK_HZ,
        reset_address=0,
        memories=(
            MemoryRegion("flash", 0x0000_0000, 256 * KIB, "rx", "Code and vector table; the host starts here."),
            MemoryRegion("ram", 0x2000_0000, 16 * KIB, "rwx", "Data and stack."),
        ),
        peripherals=(
            _device("clock", 0x00, Nrf51Clock, "Clocks and power."),
            _device("uart0", 0x02, Nrf51Uart, "Serial port."),
            *(_device(f"timer{index}", 0x08 + index, Nrf51Timer, "Timer.") for index in range(3)),
            _device("random", 0x0D, Nrf51Random, "Random numbers."),
            _device("flash_controller", 0x1E, FlashController, "Flash controller.", interrupts=False),
            Peripheral("factory", 0x1000_0000, FactoryInformation, "Factory information."),
            Peripheral("user", 0x1000_1000, UserInformation, "User information."),
            Peripheral("gpio", 0x5000_0000, Nrf51Gpio, "32 pins."),
            *(_device(item, number, Unmodelled, "Does nothing.") for item, number in UNMODELLED.items()),
        ),
        clusters=0,
        host_options={"interrupts": 32},
        doc=(__doc__ or "").strip(),
    )

"""Memory as gdb reads and writes it: plain bytes, registers of devices, and flash, which a probe could program."""

from __future__ import annotations

from emu.bus import Bus, BusError
from emu.device import Device


def read(bus: Bus, address: int, count: int) -> bytes:
    """Bytes at ``address``; a device is read word by word, with the side effects that this has. Raises `BusError`."""
    base, device = bus.find(address) or (0, None)
    if not isinstance(device, Device):
        return bus.read(address, count)
    first, last = address & ~3, (address + count + 3) & ~3
    if last - base > device.size:
        raise BusError(address, count, "read", f"it runs past the end of {device.name}")
    words = b"".join(device.read(word - base, 4).to_bytes(4, "little") for word in range(first, last, 4))
    return words[address - first : address - first + count]


def write(bus: Bus, address: int, data: bytes) -> None:
    """Write bytes at ``address``; to a device one access of 1, 2 or 4 bytes. Raises `BusError`."""
    if not data:
        return
    base, device = bus.find(address) or (0, None)
    if not isinstance(device, Device):
        bus.program(address, data)
    elif len(data) in (1, 2, 4) and address % len(data) == 0:
        device.write(address - base, len(data), int.from_bytes(data, "little"))
    else:
        raise BusError(address, len(data), "write", "a register takes 1, 2 or 4 bytes at once")

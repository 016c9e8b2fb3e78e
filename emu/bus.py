"""Finds what is at an address. CPU loads and stores of plain memory do not come here: they stay native."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from emu.memory import Memory

if TYPE_CHECKING:
    from emu.device import Device


NOWHERE = (0, 0, None)
"""First address, the one behind the last, and what is there: nothing."""
VIEWS = 1024
"""Views that are kept: bus masters ask for the same ones again and again."""


class BusError(Exception):
    """An access that the bus answers with an error: the rule, the address, the size."""

    def __init__(self, address: int, count: int, access: str, reason: str) -> None:
        super().__init__(f"{access} of {count} bytes at 0x{address:08x}: {reason}")
        self.address, self.count, self.access, self.reason = address, count, access, reason


class Bus:
    """Memories and devices by address."""

    def __init__(self) -> None:
        self.memories: list[Memory] = []
        self.devices: list[tuple[int, Device]] = []
        self.on_write: list[Callable[[int, int], None]] = []
        self._bases: list[int] = []
        self._views: dict[tuple[int, int, bool], tuple[Memory, npt.NDArray[np.uint8]]] = {}
        self._regions: list[tuple[int, int, Memory | Device]] = []

    def add_memory(self, memory: Memory) -> None:
        """Place a memory. Raises ValueError if it overlaps something."""
        self._add(memory.base, memory.size, memory)
        self.memories.append(memory)

    def add_device(self, base: int, device: Device) -> None:
        """Place a device's register window. Raises ValueError if it overlaps something."""
        self._add(base, device.size, device)
        self.devices.append((base, device))

    def _add(self, base: int, size: int, region: Memory | Device) -> None:
        for low, high, other in self._regions:
            if base < high and low < base + size:
                raise ValueError(f"{region.name} at 0x{base:08x}, 0x{size:x} bytes, overlaps {other.name}")
        self._regions.append((base, base + size, region))
        self._regions.sort(key=lambda item: item[0])
        self._bases = [low for low, _, _ in self._regions]

    @property
    def regions(self) -> list[tuple[int, int]]:
        """(base, size) of everything, ascending."""
        return [(low, high - low) for low, high, _ in self._regions]

    def find(self, address: int) -> tuple[int, Memory | Device] | None:
        """Base and memory or device at ``address``, or None."""
        index = bisect_right(self._bases, address) - 1
        if index < 0:
            return None
        low, high, region = self._regions[index]
        return (low, region) if address < high else None

    def memory(self, name: str) -> Memory:
        """The memory of that name."""
        return next(memory for memory in self.memories if memory.name == name)

    def memory_at(self, address: int) -> Memory:
        """The memory that holds an address. Raises `BusError`."""
        found = self.find(address)
        if found is None or not isinstance(found[1], Memory):
            raise BusError(address, 1, "read", _why_refused(None if found is None else found[1], address, 1, False))
        return found[1]

    def view(self, address: int, count: int, *, write: bool = False) -> npt.NDArray[np.uint8]:
        """The bytes at ``address`` without copying, as a DMA engine sees them.

        A caller that writes into the view must call `written` afterwards.

        Raises:
            BusError: not memory, not all of it, read-only, or blocked.
        """
        key = address, count, write
        known = self._views.get(key)
        if known is not None and not known[0].any_blocked:
            return known[1]
        index = bisect_right(self._bases, address) - 1
        low, high, region = self._regions[index] if index >= 0 else NOWHERE
        offset = address - low
        if (
            isinstance(region, Memory)
            and address < high
            and 0 <= count <= high - address
            and (region.writable or not write)
            and not (region.any_blocked and region.is_blocked(offset, count))
        ):
            found = region.data[offset : offset + count]
            if len(self._views) >= VIEWS:
                self._views.clear()
            self._views[key] = region, found
            return found
        there = region if address < high else None
        raise BusError(address, count, "write" if write else "read", _why_refused(there, address, count, write))

    def written(self, address: int, count: int) -> None:
        """Tell the CPUs that bytes changed behind their back (they may hold translated code)."""
        found = self.find(address)
        if found is not None and isinstance(found[1], Memory) and not found[1].executable:
            return
        for listener in self.on_write:
            listener(address, count)

    def read(self, address: int, count: int) -> bytes:
        """A copy of the bytes at ``address``. Raises `BusError`."""
        return self.view(address, count).tobytes()

    def holds(self, address: int, data: bytes) -> bool:
        """Whether ``data`` is what lies at ``address``. Raises `BusError`."""
        return self.view(address, len(data)).tobytes() == data

    def write(self, address: int, data: bytes | npt.NDArray[np.uint8]) -> None:
        """Write bytes as a bus master does. Raises `BusError`."""
        block = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
        self.view(address, len(block), write=True)[:] = block
        self.written(address, len(block))

    def program(self, address: int, data: bytes) -> None:
        """Write bytes as a flash programmer does: read-only memory may be written. Raises `BusError`."""
        found = self.find(address)
        if found is None or not isinstance(found[1], Memory):
            raise BusError(address, len(data), "load", "no memory is there")
        memory = found[1]
        base = memory.base
        if address - base + len(data) > memory.size:
            raise BusError(address, len(data), "load", f"it runs past the end of {memory.name} ({memory.size} bytes)")
        memory.data[address - base : address - base + len(data)] = np.frombuffer(data, np.uint8)
        memory.version += 1
        self.written(address, len(data))


def _why_refused(region: Memory | Device | None, address: int, count: int, write: bool) -> str:
    """Why `Bus.view` does not give these bytes."""
    if region is None:
        return "nothing is mapped there"
    if not isinstance(region, Memory):
        return f"{region.name} is a device, not memory"
    if not 0 <= count <= region.base + region.size - address:
        return f"it runs past the end of {region.name} (0x{region.base + region.size:08x})"
    if write and not region.writable:
        return f"{region.name} is read-only"
    return region.block_reason

"""Plain memory: bytes that the CPU, the DMA engines and the tools share without copying."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from emu.state import State

PAGE = 4096
"""Granularity of `Memory.block`, bytes."""


def zeros(count: int, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """So many zeros. They take memory and time only where somebody writes; those of NumPy may be written at once."""
    return np.frombuffer(mmap.mmap(-1, count * np.dtype(dtype).itemsize), dtype)


@dataclass(frozen=True, slots=True)
class MemoryTiming:
    """How fast bus masters get at a memory. The host's accesses take the host's own time.

    Attributes:
        ports: masters that it serves at the same time, None for any number.
        bytes_per_cycle: of each port.
        latency: machine cycles before the first byte of a stream.
    """

    ports: int | None = None
    bytes_per_cycle: int = 8
    latency: int = 0


class Moment(NamedTuple):
    """A memory at one moment.

    Attributes:
        version: of the memory then.
    """

    memory: Memory
    version: int

    @property
    def lasts(self) -> bool:
        """Whether it is certain that all bytes are the same as then, and that the bus gives them."""
        memory = self.memory
        return memory.constant and memory.version == self.version and not memory.any_blocked


class Memory:
    """A block of memory on the bus.

    Args:
        name: unique in the machine.
        base: first address, a multiple of `PAGE`.
        size: bytes, a multiple of `PAGE`.
        access: what firmware may do: "rx", "rw" or "rwx". The loader and tools may always write.
        doc: what it is for.
        timing: how fast bus masters get at it.

    Attributes:
        writable: whether firmware and DMA may write.
        executable: whether firmware may execute from here.
        any_blocked: whether any page is blocked.
        constant: whether only tools change it: nobody else, through no other memory.
        owed: what somebody has still to write here, before anybody else looks; None if there is nothing.
        version: rises when a tool has changed bytes: a loader, a debugger, a snapshot.
        port_free: machine cycles at which each of its ports is free again.
    """

    def __init__(
        self, name: str, base: int, size: int, access: str, doc: str = "", timing: MemoryTiming | None = None
    ) -> None:
        if base % PAGE or size % PAGE or size <= 0:
            raise ValueError(f"{name}: base 0x{base:08x} and size 0x{size:x} must be multiples of 0x{PAGE:x}")
        self.name, self.base, self.size, self.access, self.doc = name, base, size, access, doc
        self.writable, self.executable = "w" in access, "x" in access
        self.constant, self.version = not self.writable, 0
        self._data: npt.NDArray[np.uint8] = zeros(size, np.uint8)
        self.owed: Callable[[], None] | None = None
        self.timing = timing or MemoryTiming()
        self.port_free = [0] * (self.timing.ports or 0)
        self.blocked = np.zeros(size // PAGE, bool)
        self.any_blocked = False
        self.block_reason = ""
        self.on_block: list[Callable[[], None]] = []

    @property
    def data(self) -> npt.NDArray[np.uint8]:
        """All bytes, (size,): the memory itself, not a copy."""
        if self.owed is not None:
            write, self.owed = self.owed, None
            write()
        return self._data

    @property
    def moment(self) -> Moment:
        """This one."""
        return Moment(self, self.version)

    def mirror(self, other: Memory) -> None:
        """Show the first bytes of ``other`` here instead of own ones; before a CPU is made.

        Code that is executed here and overwritten there may run on unchanged.

        Raises:
            ValueError: ``other`` is smaller.
        """
        if other.size < self.size:
            raise ValueError(f"{self.name} has {self.size} bytes and cannot mirror {other.name} with {other.size}")
        self._data = other.data[: self.size]
        self.constant = other.constant = False

    def __contains__(self, address: int) -> bool:
        return self.base <= address < self.base + self.size

    def block(self, first_page: int, pages: int, blocked: bool) -> None:
        """Make whole pages inaccessible from the bus, or accessible again."""
        chosen = self.blocked.copy()
        chosen[first_page : first_page + pages] = blocked
        self.choose_blocked(chosen)

    def choose_blocked(self, blocked: npt.NDArray[np.bool_]) -> None:
        """Say of every page, bool (pages,), whether it is inaccessible from the bus."""
        self.blocked[:] = blocked
        self._blocked_changed()

    def _blocked_changed(self) -> None:
        self.any_blocked = bool(self.blocked.any())
        for listener in self.on_block:
            listener()

    def get_state(self) -> dict[str, State]:
        """The pages that are not all 0, which pages are blocked, and when the ports are free."""
        numbers = self._used_pages().astype("<u4")
        return {
            "page_numbers": numbers.tobytes(),
            "pages": self._page_view()[numbers].tobytes(),
            "blocked": np.flatnonzero(self.blocked).tolist(),
            "port_free": list(self.port_free),
        }

    def set_state(self, state: Mapping[str, State]) -> None:
        """Take back what `get_state` gave. The caller tells those who remember what was here."""
        numbers = np.frombuffer(state["page_numbers"], "<u4")
        pages = self._page_view()
        pages[np.setdiff1d(self._used_pages(), numbers)] = 0
        pages[numbers] = np.frombuffer(state["pages"], np.uint8).reshape(-1, PAGE)
        self.version += 1
        self.port_free[:] = state["port_free"]
        blocked = np.zeros_like(self.blocked)
        blocked[state["blocked"]] = True
        if not np.array_equal(blocked, self.blocked):
            self.choose_blocked(blocked)

    def _page_view(self) -> npt.NDArray[np.uint8]:
        return self.data.reshape(-1, PAGE)

    def _used_pages(self) -> npt.NDArray[np.intp]:
        """Numbers of the pages that are not all 0."""
        return np.flatnonzero(self._page_view().any(axis=1))

    def is_blocked(self, offset: int, count: int) -> bool:
        """Whether any byte of ``offset .. offset + count - 1`` lies in a blocked page."""
        return bool(self.blocked[offset // PAGE : (offset + max(count, 1) - 1) // PAGE + 1].any())

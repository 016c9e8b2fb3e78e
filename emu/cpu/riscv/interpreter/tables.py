"""What the interpreter's loop may do on each page of the address space, without and with memory protection."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from emu.cpu.hook_state import PAGE_BITS as SMALL_PAGE_BITS
from emu.cpu.hook_state import Right
from emu.cpu.protection import Protection
from emu.cpu.riscv.interpreter.operations import PART
from emu.memory import PAGE, Memory, zeros

PAGE_BITS = PAGE.bit_length() - 1
PAGES = 1 << 32 - PAGE_BITS
RIGHTS_STEP = 1 << PAGE_BITS - SMALL_PAGE_BITS
PAGE_ENTRIES = 2 * PAGE // 2
"""Words of a page of code: an entry and a cost for each half-word."""


def pages_of(memory: Memory) -> slice:
    """Its pages."""
    return slice(memory.base >> PAGE_BITS, (memory.base + memory.size) >> PAGE_BITS)


def rights_of(protection: Protection, pages: slice) -> npt.NDArray[np.uint8]:
    """Rights of the pages, uint8."""
    return protection.pages[pages.start * RIGHTS_STEP : pages.stop * RIGHTS_STEP : RIGHTS_STEP]


class DataTables:
    """Loads and stores.

    Args:
        memories: those of the bus.
        protection: what it allows, None: everything.

    Attributes:
        loads, free: int64, a word a page: add it to an address to get the host's address, to load or store; 0: the loop
            leaves the access to Python.
        stores: ``free`` without the pages that code was decoded on.
    """

    def __init__(self, memories: Iterable[Memory], protection: Protection | None) -> None:
        self.loads, self.free, self.stores = (zeros(PAGES, np.int64) for _ in range(3))
        self._protection = protection
        for memory in memories:
            self.map(memory)

    def map(self, memory: Memory) -> None:
        """Enter a memory, as far as it is not blocked. Code on it must be forgotten."""
        pages = pages_of(memory)
        loads = np.where(memory.blocked, 0, memory.data.ctypes.data - memory.base)
        free = loads if memory.writable else np.zeros_like(loads)
        if self._protection is not None:
            rights = rights_of(self._protection, pages)
            loads = np.where(rights & (Right.READ | Right.PART) == Right.READ, loads, 0)
            free = np.where(rights & (Right.WRITE | Right.PART) == Right.WRITE, free, 0)
        self.loads[pages], self.free[pages], self.stores[pages] = loads, free, free

    def watch(self, memory: Memory, other: DataTables) -> None:
        """Leave the stores to Python that other tables leave to it because of code on the page."""
        pages = pages_of(memory)
        self.stores[pages] = np.where(other.stores[pages] == other.free[pages], self.stores[pages], 0)


class CodeTable:
    """Instruction fetches.

    Args:
        memories: those of the bus.
        entries: host address of the entries of a memory, `PAGE_ENTRIES` words a page; None: it cannot be executed.
        protection: what it allows, None: everything.

    Attributes:
        code: int64, a word a page: address of its entries; bit 0 (`PART`) if not all of it and of the next page can be
            executed; 0: nothing can.
    """

    def __init__(
        self, memories: Iterable[Memory], entries: Callable[[Memory], int | None], protection: Protection | None
    ) -> None:
        self.code = zeros(PAGES, np.int64)
        self._entries, self._protection = entries, protection
        for memory in memories:
            self.map(memory)

    def map(self, memory: Memory) -> None:
        """Enter a memory, as far as it is not blocked."""
        start = self._entries(memory)
        if start is None:
            return
        pages = pages_of(memory)
        places = start + np.arange(memory.size // PAGE) * (PAGE_ENTRIES * 8)
        code = np.where(memory.blocked, 0, places)
        if self._protection is not None:
            rights = rights_of(self._protection, slice(pages.start, pages.stop + 1))
            rights = np.append(rights, 0)[: memory.size // PAGE + 1]
            whole = rights & (Right.EXECUTE | Right.PART) == Right.EXECUTE
            code = np.where(rights[:-1] & Right.EXECUTE, code | np.where(whole[:-1] & whole[1:], 0, PART), 0)
            code[memory.blocked] = 0
        self.code[pages] = code

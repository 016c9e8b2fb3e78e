"""Loads and stores to part pages: Unicorn sees the pages as a device, whose accesses are checked one by one."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from unicorn import Uc, UcError, unicorn_const
from unicorn.unicorn_py3.unicorn import uclib

from emu.bus import Bus
from emu.cpu.hook_state import WINDOW_PAGES, Right
from emu.cpu.protection import Protection
from emu.memory import Memory

MMIO_READ = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_void_p)
MMIO_WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_uint64, ctypes.c_void_p)
"""Unicorn's callbacks: (instance, offset, bytes, [value,] user data)."""


def map_callbacks(uc: Uc, base: int, size: int, read: Any, write: Any) -> None:
    """Map a window of callbacks (`MMIO_READ`, `MMIO_WRITE`), which the caller keeps alive. Raises UcError."""
    status = uclib.uc_mmio_map(
        uc._uch,
        ctypes.c_uint64(base),
        ctypes.c_size_t(size),
        ctypes.cast(read, ctypes.c_void_p),
        None,
        ctypes.cast(write, ctypes.c_void_p),
        None,
    )
    if status != unicorn_const.UC_ERR_OK:
        raise UcError(status)


class PartWindow:
    """The window of the part pages in Unicorn's physical address space.

    Args:
        base: its first address, where nothing else may be mapped.
        page: bytes of Unicorn's page.
        refuse: called with address and access of what the protection does not allow; it ends the instruction.
        written: called with address and number of bytes that firmware wrote to memory.
        catch: called with an exception of a device.

    Attributes:
        protection: what accesses are checked against.
    """

    def __init__(
        self,
        uc: Uc,
        bus: Bus,
        base: int,
        page: int,
        *,
        refuse: Callable[[int, Right], None],
        written: Callable[[int, int], None],
        catch: Callable[[BaseException], None],
    ) -> None:
        self._bus, self._page = bus, page
        self._refuse, self._written, self._catch = refuse, written, catch
        self.protection: Protection | None = None
        self._refused = False
        self._callbacks = MMIO_READ(self._read), MMIO_WRITE(self._write)
        map_callbacks(uc, base, WINDOW_PAGES * page, *self._callbacks)

    def start(self) -> None:
        """The run starts, or goes on behind a refused instruction."""
        self._refused = False

    def _address(self, offset: int, size: int, access: Right) -> int | None:
        """The address behind an offset; None if the access is refused, or part of an instruction that was refused."""
        assert self.protection is not None, "without protection nothing is mapped to the window"
        address = self.protection.parts[offset // self._page] + offset % self._page
        if not self._refused and not self.protection.allows(address, size, access):
            self._refused = True
            self._refuse(address, access)
        return None if self._refused else address

    def _read(self, _uc: int, offset: int, size: int, _user: int) -> int:
        try:
            address = self._address(offset, size, Right.READ)
            if address is None:
                return 0
            found = self._bus.find(address)
            assert found is not None, "the window shows only pages of the bus"
            base, region = found
            if isinstance(region, Memory):
                return int.from_bytes(region.data[address - base : address - base + size].tobytes(), "little")
            return region.read(address - base, size)
        except BaseException as error:  # an exception must not unwind through native frames
            self._catch(error)
            return 0

    def _write(self, _uc: int, offset: int, size: int, value: int, _user: int) -> None:
        try:
            address = self._address(offset, size, Right.WRITE)
            if address is None:
                return
            found = self._bus.find(address)
            assert found is not None, "the window shows only pages of the bus"
            base, region = found
            if isinstance(region, Memory):
                data = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
                region.data[address - base : address - base + size] = list(data)
                self._written(address, size)
            else:
                region.write(address - base, size, value)
        except BaseException as error:
            self._catch(error)

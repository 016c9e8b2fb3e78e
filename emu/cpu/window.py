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
CHECK = ctypes.CFUNCTYPE(
    ctypes.c_uint8,
    ctypes.c_void_p,
    ctypes.c_int,
    ctypes.c_uint64,
    ctypes.c_int,
    ctypes.c_int64,
    ctypes.c_void_p,
)
"""Unicorn's callback for accesses without permission: (instance, kind, address, bytes, value, user data)."""
ASKED = unicorn_const.UC_HOOK_MEM_READ_PROT | unicorn_const.UC_HOOK_MEM_WRITE_PROT


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


def add_hook(uc: Uc, kinds: int, function: int, user: int, bounds: tuple[int, int]) -> int:
    """Add a hook at the host address ``function`` for first and last address in ``bounds``. Raises UcError.

    Returns: what `remove_hook` wants.
    """
    handle = ctypes.c_size_t()
    status = uclib.uc_hook_add(
        uc._uch,
        ctypes.byref(handle),
        kinds,
        ctypes.c_void_p(function),
        ctypes.c_void_p(user),
        *(ctypes.c_uint64(bound) for bound in bounds),
    )
    if status != unicorn_const.UC_ERR_OK:
        raise UcError(status)
    return handle.value


def remove_hook(uc: Uc, handle: int) -> None:
    """Undo `add_hook`. Raises UcError."""
    status = uclib.uc_hook_del(uc._uch, ctypes.c_size_t(handle))
    if status != unicorn_const.UC_ERR_OK:
        raise UcError(status)


class PartWindow:
    """The window of the part pages in Unicorn's physical address space.

    Unicorn may neither read nor write it, and asks before every access: so an instruction ends before the access that
    is refused, in whatever state of an IT block, which callbacks of devices cannot achieve.

    Args:
        base: its first address, where nothing else may be mapped.
        page: bytes of Unicorn's page.
        protection: what accesses are checked against now.
        refuse: called with address and access of what the protection does not allow.
        proceed: called before an access is made; False if it must not be, because another of its instruction was
            refused.
        written: called with address and number of bytes that firmware wrote to memory.
        catch: called with an exception of a device.
    """

    def __init__(
        self,
        uc: Uc,
        bus: Bus,
        base: int,
        page: int,
        *,
        protection: Callable[[], Protection | None],
        refuse: Callable[[int, Right], None],
        proceed: Callable[[], bool],
        written: Callable[[int, int], None],
        catch: Callable[[BaseException], None],
    ) -> None:
        self._bus, self._base, self._page = bus, base, page
        self._refuse, self._proceed, self._written, self._catch = refuse, proceed, written, catch
        self._protection = protection
        self._callbacks = MMIO_READ(self._read), MMIO_WRITE(self._write)
        self._check = CHECK(self._allowed)
        size = WINDOW_PAGES * page
        map_callbacks(uc, base, size, *self._callbacks)
        uc.mem_protect(base, size, unicorn_const.UC_PROT_NONE)
        add_hook(uc, ASKED, ctypes.cast(self._check, ctypes.c_void_p).value or 0, 0, (base, base + size - 1))

    @property
    def _now(self) -> Protection:
        protection = self._protection()
        assert protection is not None, "without protection nothing is mapped to the window"
        return protection

    def _address(self, offset: int) -> int:
        """The address behind an offset."""
        return self._now.parts[offset // self._page] + offset % self._page

    def _allowed(self, _uc: int, kind: int, place: int, size: int, _value: int, _user: int) -> int:
        """Whether an access may be made. Loads that are not aligned become two that are, stores become bytes."""
        protection = self._now
        address = self._address(place - self._base)
        within = address % size
        if kind == unicorn_const.UC_MEM_WRITE_PROT:
            access, parts = Right.WRITE, [] if within else [address]
        else:
            access, parts = Right.READ, [address - within, address - within + size] if within else [address]
        for part in parts:
            if part // self._page == address // self._page and not protection.allows(part, size, access):
                self._refuse(max(part, address), access)
                return 0
        return int(self._proceed())

    def _read(self, _uc: int, offset: int, size: int, _user: int) -> int:
        try:
            address = self._address(offset)
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
            address = self._address(offset)
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

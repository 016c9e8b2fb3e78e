"""Comparators of the Cortex-M's DWT on Unicorn: hooks on the addresses that firmware watches."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from unicorn import Uc, unicorn_const

from emu.cpu.hook_state import Right
from emu.cpu.window import add_hook, remove_hook

WIDEST = 8
"""Bytes of the widest access,"""
WIDEST_DATA = 4
"""and of the widest data that is compared."""
KINDS = {
    Right.READ: unicorn_const.UC_HOOK_MEM_READ_AFTER,
    Right.WRITE: unicorn_const.UC_HOOK_MEM_WRITE,
    Right.READ | Right.WRITE: unicorn_const.UC_HOOK_MEM_READ_AFTER | unicorn_const.UC_HOOK_MEM_WRITE,
    Right.EXECUTE: unicorn_const.UC_HOOK_CODE,
}
"""Unicorn's hooks for what is watched; those that know the data."""
EXECUTED = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p)
ACCESSED = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
)
"""Their callbacks: (instance, address, bytes, user data) and (instance, kind, address, bytes, value, user data)."""


@dataclass(frozen=True, slots=True)
class DataValue:
    """Data that a comparator looks for: an access of ``size`` bytes that moves the low ones of ``value``."""

    size: int
    value: int


@dataclass(frozen=True, slots=True)
class Watch:
    """What a comparator looks for.

    Attributes:
        number: of the comparator.
        low, high: first and last address.
        access: what matches there,
        data: if it moves this, None: whatever it moves.
    """

    number: int
    low: int
    high: int
    access: Right
    data: DataValue | None = None

    def matches(self, address: int, size: int, value: int) -> bool:
        """Whether a load or store is what is looked for; one of eight bytes is two words, if data is compared."""
        data = self.data
        if data is not None and size == WIDEST:
            half = WIDEST // 2
            return self.matches(address, half, value) or self.matches(address + half, half, value >> 8 * half)
        if address > self.high or address + size <= self.low:
            return False
        return data is None or (size == data.size and (value ^ data.value) & (1 << 8 * size) - 1 == 0)


class Comparators:
    """Calls ``on_match`` with the number of a comparator whenever an access of the CPU matches it.

    Inaccuracies: loads, stores and code run slower while anything is watched; what exception entry and return move,
    and what other bus masters do, is not seen.
    """

    def __init__(self, uc: Uc, on_match: Callable[[int], None]) -> None:
        self._uc, self._on_match = uc, on_match
        self._hooks: list[int] = []
        self._callbacks: list[Any] = []

    def watch(self, watches: Sequence[Watch]) -> None:
        """Look for these, and for nothing else; only between two runs of Unicorn."""
        if not watches and not self._hooks:
            return
        for hook in self._hooks:
            remove_hook(self._uc, hook)
        self._callbacks = [self._callback(watch) for watch in watches]
        self._hooks = [self._add(watch, callback) for watch, callback in zip(watches, self._callbacks, strict=True)]
        # Translated code has no calls of hooks that came later.
        self._uc.ctl(unicorn_const.UC_CTL_TB_FLUSH, unicorn_const.UC_CTL_IO_WRITE)

    def _callback(self, watch: Watch) -> Any:
        def executed(_uc: int, _address: int, _size: int, _user: int) -> None:
            self._on_match(watch.number)

        def accessed(_uc: int, _kind: int, address: int, size: int, value: int, _user: int) -> None:
            if watch.matches(address, size, value):
                self._on_match(watch.number)

        return EXECUTED(executed) if watch.access == Right.EXECUTE else ACCESSED(accessed)

    def _add(self, watch: Watch, callback: Any) -> int:
        before = 0 if watch.access == Right.EXECUTE else WIDEST - 1
        bounds = max(watch.low - before, 0), watch.high
        return add_hook(self._uc, KINDS[watch.access], ctypes.cast(callback, ctypes.c_void_p).value or 0, 0, bounds)

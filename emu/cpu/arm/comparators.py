"""Comparators of the Cortex-M's DWT on Unicorn: hooks on the addresses that firmware watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from unicorn import Uc, unicorn_const

from emu.cpu.hook_state import Right

WIDEST = 8
"""Bytes of the widest access."""
KINDS = {
    Right.READ: (unicorn_const.UC_HOOK_MEM_READ,),
    Right.WRITE: (unicorn_const.UC_HOOK_MEM_WRITE,),
    Right.READ | Right.WRITE: (unicorn_const.UC_HOOK_MEM_READ, unicorn_const.UC_HOOK_MEM_WRITE),
    Right.EXECUTE: (unicorn_const.UC_HOOK_CODE,),
}
"""Unicorn's hooks for what is watched."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What a comparator looks for.

    Attributes:
        number: of the comparator.
        low, high: first and last address.
        access: what matches there.
    """

    number: int
    low: int
    high: int
    access: Right


class Comparators:
    """Calls ``on_match`` with the number of a comparator whenever an access of the CPU matches it.

    Inaccuracies: loads, stores and code run slower while anything is watched; what exception entry and return move,
    and what other bus masters do, is not seen.
    """

    def __init__(self, uc: Uc, on_match: Callable[[int], None]) -> None:
        self._uc, self._on_match = uc, on_match
        self._hooks: list[Any] = []

    def watch(self, watches: Sequence[Watch]) -> None:
        """Look for these, and for nothing else; only between two runs of Unicorn."""
        if not watches and not self._hooks:
            return
        for hook in self._hooks:
            self._uc.hook_del(hook)
        self._hooks = [hook for watch in watches for hook in self._add(watch)]
        # Translated code has no calls of hooks that came later.
        self._uc.ctl(unicorn_const.UC_CTL_TB_FLUSH, unicorn_const.UC_CTL_IO_WRITE)

    def _add(self, watch: Watch) -> list[Any]:
        def executed(_uc: Uc, _address: int, _size: int, _data: object) -> None:
            self._on_match(watch.number)

        def accessed(_uc: Uc, _access: int, address: int, size: int, _value: int, _data: object) -> None:
            if address + size > watch.low:
                self._on_match(watch.number)

        if watch.access == Right.EXECUTE:
            return [self._uc.hook_add(unicorn_const.UC_HOOK_CODE, executed, None, watch.low, watch.high)]
        first = max(watch.low - (WIDEST - 1), 0)
        return [self._uc.hook_add(kind, accessed, None, first, watch.high) for kind in KINDS[watch.access]]

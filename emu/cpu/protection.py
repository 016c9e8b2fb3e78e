"""Memory protection as the engines need it: rights of whole pages, and exact bounds inside the other ones.

A protection unit (RISC-V PMP, Arm MPU) describes what software on one privilege level may do as a list of `Span`s. A
page whose bytes do not all have the same rights is a *part page*: accesses to it are checked one by one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from emu.cpu.hook_state import PAGE_BITS, WINDOW_PAGES, Right
from emu.memory import PAGE, zeros

ADDRESS_SPACE = 1 << 32
DATA_RIGHTS = Right.READ | Right.WRITE
ALL_RIGHTS = DATA_RIGHTS | Right.EXECUTE


@dataclass(frozen=True)
class Span:
    """Addresses ``low .. high - 1``.

    Attributes:
        rights: READ, WRITE, EXECUTE.
        rule: what gives or denies them, for people: "PMP entry 3 (r--)".
    """

    low: int
    high: int
    rights: Right
    rule: str = field(default="", compare=False)


class Protection:
    """What software on one privilege level may do where.

    Args:
        spans: ascending, without gaps, from 0 to 2^32.
        regions: (base, size) of everything on the bus; other pages are not looked at.
        page: bytes of the engine's page, 1 KiB or 4 KiB.

    Raises:
        ValueError: more part pages than the engines have room for.

    Attributes:
        pages: rights of every page of 1 KiB, uint8; of part pages the rights that any byte has, and `Right.PART`.
        parts: addresses of the part pages.
        code: bounds (low, high) of what can be executed, int64, merged.
        code_slots: host address of `pages`, host address and number of the bounds in `code`.
        data_slots: host address of `pages`, host address and number of `parts`.
        span_slots: host address and number of the spans, three words each: low, high, rights.
        promotions: for the engine: when it looked last for code that this level may write;
        looked_at: the same for native code, if the same protection was for code and data, else -1.
    """

    def __init__(self, spans: Sequence[Span], regions: Iterable[tuple[int, int]], page: int = PAGE) -> None:
        self.page = page
        self._spans = tuple(spans)
        self._lows = [span.low for span in self._spans]
        self.pages = zeros(ADDRESS_SPACE >> PAGE_BITS, np.uint8)
        self.parts: list[int] = []
        for base, size in regions:
            for span in self._overlapping(base, base + size):
                self._add(span, base, base + size)
        if len(self.parts) > WINDOW_PAGES:
            raise ValueError(f"{len(self.parts)} pages have parts with different rights: at most {WINDOW_PAGES} can")
        self.code = np.array(self._executable(), np.int64).reshape(-1, 2)
        self._part_array = np.array(self.parts, np.int64)
        address = self.pages.ctypes.data
        self.code_slots = address, self.code.ctypes.data, len(self.code)
        self.data_slots = address, self._part_array.ctypes.data, len(self.parts)
        self._span_array = np.array([(span.low, span.high, span.rights) for span in self._spans], np.int64)
        self.span_slots = self._span_array.ctypes.data, len(self._spans)
        self.promotions: tuple[int, Protection | None] | None = None
        self.looked_at = np.full(1, -1, np.int64)

    def _overlapping(self, low: int, high: int) -> Iterable[Span]:
        first = bisect_right(self._lows, low) - 1
        return self._spans[first : bisect_right(self._lows, high - 1)]

    def _add(self, span: Span, base: int, end: int) -> None:
        """Enter the whole pages of a span, and the page in which it ends, if it ends inside one."""
        low, high = max(span.low, base), min(span.high, end)
        first, last = -(-low // self.page) * self.page, high // self.page * self.page
        if first < last:
            self.pages[first >> PAGE_BITS : last >> PAGE_BITS] = span.rights
        if last != high and (not self.parts or self.parts[-1] != last):
            inside = list(self._overlapping(last, last + self.page))
            whole = Right(0)
            for other in inside:
                whole |= other.rights
            if any(other.rights != whole for other in inside):
                self.parts.append(last)
                whole |= Right.PART
            self.pages[last >> PAGE_BITS : (last + self.page) >> PAGE_BITS] = whole

    def _executable(self) -> list[tuple[int, int]]:
        merged: list[tuple[int, int]] = []
        for span in self._spans:
            if not span.rights & Right.EXECUTE:
                continue
            if merged and merged[-1][1] == span.low:
                merged[-1] = merged[-1][0], span.high
            else:
                merged.append((span.low, span.high))
        return merged

    def span_at(self, address: int) -> Span:
        """The span with the address."""
        return self._spans[bisect_right(self._lows, address) - 1]

    def allows(self, address: int, size: int, access: Right) -> bool:
        """Whether all bytes may be accessed; an access never crosses the end of a page."""
        return all(span.rights & access for span in self._overlapping(address, address + size))

    def executable_end(self, address: int) -> int:
        """The first address from ``address`` on that cannot be executed."""
        index = int(np.searchsorted(self.code[:, 0], address, "right")) - 1
        return max(address, int(self.code[index, 1])) if index >= 0 else address

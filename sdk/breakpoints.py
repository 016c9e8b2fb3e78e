"""Breakpoints: what people write (`main`, `main.c:12`, `digits.imn:7`, `*0x8000100`) and where that is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from asm.isa import HEADER_BYTES
from emu.cpu.core import Core
from emu.npu.cluster import Cluster
from sdk.debug_info import DebugInfo
from sdk.disassembly import Disassembler
from sdk.dwarf import Place
from sdk.functions import Function
from sdk.host import ReadMemory

ACCELERATOR_SUFFIX = ".imn"
"""Source files with this suffix are accelerator programs."""


class BreakpointError(Exception):
    """There is no such place to stop at: what was asked for, what there is instead."""


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """A place to stop at.

    Attributes:
        number: counts from 1.
        wanted: as it was asked for.
        addresses: where; more than one if the code was inlined.
        place: the source line that was found, None for an address without one.
        accelerator: the addresses are instructions of an accelerator program.
    """

    number: int
    wanted: str
    addresses: tuple[int, ...]
    place: Place | None
    accelerator: bool

    def __str__(self) -> str:
        where = str(self.place) if self.place else f"0x{self.addresses[0]:08x}"
        return f"breakpoint {self.number} at {where}"


class BreakpointFinder:
    """Finds the addresses of places.

    Args:
        info: the program's debug information.
        disassembler: of the host.
        read: reads the machine's memory.
    """

    def __init__(self, info: DebugInfo, disassembler: Disassembler, read: ReadMemory) -> None:
        self.info, self._disassembler, self._read = info, disassembler, read

    def find(self, wanted: str) -> tuple[int, ...]:
        """Addresses of a function, a source line, an accelerator program or ``*address``.

        Raises:
            BreakpointError: there is no such place.
        """
        text = wanted.strip()
        if match := re.fullmatch(r"\*?(0[xX][0-9a-fA-F]+)", text):
            return (int(match[1], 16),)
        if match := re.fullmatch(r"(.+):(\d+)", text):
            return self._line(match[1], int(match[2]))
        return self._named(text)

    def is_accelerator(self, address: int) -> bool:
        """Whether the address belongs to an accelerator program."""
        place = self.info.lines.at(address)
        return place is not None and place.path.endswith(ACCELERATOR_SUFFIX)

    def entry(self, function: Function) -> int:
        """Where the function's arguments are in place: after its prologue, if all paths come through there."""
        told = self.info.prologue_end(function)
        if told is not None:
            return told
        rows = self.info.lines.within(function.low + 1, function.high)
        body = next((row.address for row in rows if row.is_statement and row.place), function.low)
        prologue = self._disassembler.lines(self._read(function.low, body - function.low), function.low)
        return function.low if any(line.flow for line in prologue) else body

    def _line(self, name: str, line: int) -> tuple[int, ...]:
        """The first line with code at or after ``line``."""
        paths = self.info.lines.match(name)
        if not paths:
            known = [path.rpartition("/")[2] for path in self.info.lines.paths]
            raise BreakpointError(
                f"there is no code from a file {name!r}{self._nearest(name, known) or _list(sorted(set(known)))}"
            )
        if len(paths) > 1:
            raise BreakpointError(f"{name!r} may be any of {', '.join(paths)}: write more of the path")
        lines = [known for known in self.info.lines.lines(paths[0]) if known >= line]
        if not lines:
            last = self.info.lines.lines(paths[0])[-1]
            raise BreakpointError(f"{paths[0]} has no code at or after line {line}; its last line with code is {last}")
        return tuple(self.info.breakpoint_addresses(paths[0], lines[0]))

    def _named(self, name: str) -> tuple[int, ...]:
        function = self.info.functions.named(name)
        if function is not None:
            return (self.entry(function),)
        symbol = self.info.symbols.get(name)
        if symbol is not None and self.is_accelerator(symbol.address + HEADER_BYTES):
            return (symbol.address + HEADER_BYTES,)
        inlined = self.info.inlined_addresses(name)
        if inlined:
            return tuple(inlined)
        near = self._nearest(name, self.info.functions.names) or "; write a name, file:line or *address"
        raise BreakpointError(f"there is no function or accelerator program {name!r}{near}")

    @staticmethod
    def _nearest(name: str, known: Iterable[str]) -> str:
        near = difflib.get_close_matches(name, list(known), n=1)
        return f": did you mean {near[0]!r}?" if near else ""


def _list(names: list[str]) -> str:
    return f"; there are {', '.join(names)}" if names else "; it was built without debug information (-g)"


class Breakpoints:
    """The breakpoints of a session, set in the core and in the sequencers.

    Attributes:
        hit: the cluster whose sequencer has stopped at a breakpoint, and which one; None if none has.
    """

    def __init__(self, finder: BreakpointFinder, core: Core, clusters: list[Cluster]) -> None:
        self._finder, self._core, self._clusters = finder, core, clusters
        self._known: dict[int, Breakpoint] = {}
        self._count = 0
        self.hit: tuple[Cluster, Breakpoint] | None = None
        for cluster in clusters:
            cluster.sequencer.on_breakpoint = partial(self._stopped, cluster)

    def __iter__(self) -> Iterator[Breakpoint]:
        return iter(list(self._known.values()))

    def add(self, wanted: str) -> Breakpoint:
        """A new breakpoint, or the one that is there already. Raises `BreakpointError`."""
        addresses = self._finder.find(wanted)
        for known in self:
            if known.addresses == addresses:
                return known
        accelerator = self._finder.is_accelerator(addresses[0])
        place = self._finder.info.lines.at(addresses[0])
        self._count += 1
        self._known[self._count] = made = Breakpoint(self._count, wanted.strip(), addresses, place, accelerator)
        for address in addresses:
            if accelerator:
                for cluster in self._clusters:
                    cluster.sequencer.breakpoints.add(address)
            else:
                self._core.add_breakpoint(address)
        return made

    def remove(self, known: Breakpoint) -> None:
        """Do not stop there any more."""
        del self._known[known.number]
        for address in known.addresses:
            if self.at(address) is not None:
                continue
            if known.accelerator:
                for cluster in self._clusters:
                    cluster.sequencer.breakpoints.discard(address)
            else:
                self._core.remove_breakpoint(address)

    def at(self, address: int) -> Breakpoint | None:
        """The breakpoint at an address."""
        return next((known for known in self._known.values() if address in known.addresses), None)

    @contextmanager
    def also(self, addresses: Iterable[int]) -> Iterator[None]:
        """Stop the core at ``addresses`` as well, for a while."""
        extra = [address for address in set(addresses) if self.at(address) is None]
        for address in extra:
            self._core.add_breakpoint(address)
        try:
            yield
        finally:
            for address in extra:
                if self.at(address) is None:
                    self._core.remove_breakpoint(address)

    def _stopped(self, cluster: Cluster, address: int) -> None:
        """A sequencer stands before an instruction with a breakpoint."""
        known = self.at(address)
        if known is not None:
            self.hit = (cluster, known)
            self._core.request_stop()

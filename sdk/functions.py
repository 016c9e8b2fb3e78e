"""Functions of a program: which one an address is in, where it begins, and what was inlined there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from elftools.dwarf.descriptions import describe_form_class
from elftools.dwarf.ranges import BaseAddressEntry


@dataclass(frozen=True, slots=True)
class Function:
    """A function in machine code.

    Attributes:
        low, high: its first address, and the one after its last byte.
        entry: its debug information entry (pyelftools' `DIE`), None if only the symbol table knows it.
    """

    name: str
    low: int
    high: int
    entry: Any = field(default=None, repr=False, compare=False)

    def __contains__(self, address: int) -> bool:
        return self.low <= address < self.high


@dataclass(frozen=True, slots=True)
class Inlined:
    """A function whose code the compiler put into its caller.

    Attributes:
        call_file, call_line: the call: file number in the unit's line program, and line.
        low: first address of this copy of its code.
    """

    name: str
    call_file: int
    call_line: int
    low: int


class FunctionTable:
    """The functions of a program by address and by name.

    Args:
        functions: of two with the same beginning the one that is listed first counts, and the name of the other
            is an alias. One that reaches into the next ends there: assemblers note sizes before the linker
            shortens the code.
    """

    def __init__(self, functions: Iterable[Function] = ()) -> None:
        self._functions: list[Function] = []
        self._by_name: dict[str, Function] = {}
        for function in sorted(functions, key=lambda item: item.low):
            last = self._functions[-1] if self._functions else None
            if last is None or function.low > last.low:
                if last is not None and function.low < last.high:
                    self._functions[-1] = replace(last, high=function.low)
                self._functions.append(function)
            self._by_name.setdefault(function.name, function)
        self._lows = [function.low for function in self._functions]

    def at(self, address: int) -> Function | None:
        """The function that the instruction at ``address`` is in."""
        index = bisect_right(self._lows, address) - 1
        return self._functions[index] if index >= 0 and address in self._functions[index] else None

    def named(self, name: str) -> Function | None:
        """A function by its name or by another name of the same code (a weak alias)."""
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[Function]:
        """In the order of their addresses."""
        return iter(self._functions)

    @property
    def names(self) -> list[str]:
        """Every name, sorted."""
        return sorted(self._by_name)


def read_functions(dwarf: Any) -> Iterator[Function]:
    """The functions that the debug information describes, also those that the linker has removed.

    Args:
        dwarf: pyelftools' `DWARFInfo`.
    """
    for unit in dwarf.iter_CUs():
        for entry in unit.iter_DIE_children(unit.get_top_DIE()):
            if entry.tag == "DW_TAG_subprogram":
                ranges = _ranges(entry)
                if ranges:
                    yield Function(_name(entry), *max(ranges, key=lambda item: item[1] - item[0]), entry)


def inlined_at(function: Function, address: int) -> list[Inlined]:
    """The chain of inlined functions that the instruction at ``address`` is in, the outermost first."""
    found: list[Inlined] = []
    entry = function.entry
    while entry is not None:
        entry = next((child for child in _scopes(entry) if _covers(child, address)), None)
        if entry is not None and entry.tag == "DW_TAG_inlined_subroutine":
            call = [_constant(entry, name) for name in ("DW_AT_call_file", "DW_AT_call_line")]
            found.append(Inlined(_name(entry), call[0], call[1], min(low for low, _ in _ranges(entry))))
    return found


def inlined_copies(function: Function, name: str) -> list[int]:
    """First addresses of the copies of the function ``name`` that were inlined into ``function``."""
    found: list[int] = []
    entries = [] if function.entry is None else [function.entry]
    while entries:
        for entry in _scopes(entries.pop()):
            entries.append(entry)
            if entry.tag == "DW_TAG_inlined_subroutine" and _name(entry) == name and (ranges := _ranges(entry)):
                found.append(min(low for low, _ in ranges))
    return sorted(found)


def _scopes(entry: Any) -> Iterator[Any]:
    for child in entry.iter_children():
        if child.tag in ("DW_TAG_inlined_subroutine", "DW_TAG_lexical_block"):
            yield child


def _covers(entry: Any, address: int) -> bool:
    return any(low <= address < high for low, high in _ranges(entry))


def _constant(entry: Any, name: str) -> int:
    attribute = entry.attributes.get(name)
    return int(attribute.value) if attribute else 0


def _name(entry: Any) -> str:
    """The entry's name; copies of a function refer to the entry that has it."""
    while "DW_AT_name" not in entry.attributes:
        origin = next(
            (name for name in ("DW_AT_abstract_origin", "DW_AT_specification") if name in entry.attributes), ""
        )
        if not origin:
            return "?"
        entry = entry.get_DIE_from_attribute(origin)
    return str(entry.attributes["DW_AT_name"].value.decode(errors="replace"))


def _ranges(entry: Any) -> list[tuple[int, int]]:
    """The addresses of an entry: pairs of first address and address after the last byte."""
    attributes = entry.attributes
    if "DW_AT_low_pc" in attributes and "DW_AT_high_pc" in attributes:
        low, high = attributes["DW_AT_low_pc"].value, attributes["DW_AT_high_pc"]
        end = high.value if describe_form_class(high.form) == "address" else low + high.value
        return [(low, end)] if low < end else []
    if "DW_AT_ranges" not in attributes:
        return []
    unit = entry.cu
    lists = unit.dwarfinfo.range_lists()
    base = _constant(unit.get_top_DIE(), "DW_AT_low_pc")
    ranges: list[tuple[int, int]] = []
    for item in lists.get_range_list_at_offset(attributes["DW_AT_ranges"].value, cu=unit):
        if isinstance(item, BaseAddressEntry):
            base = item.base_address
        elif item.begin_offset < item.end_offset:
            offset = 0 if item.is_absolute else base
            ranges.append((offset + item.begin_offset, offset + item.end_offset))
    return ranges

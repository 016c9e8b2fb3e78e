"""Line tables: which source line an address belongs to, and which addresses a source line has.

The rows come from the DWARF 4 or 5 line programs of an ELF file; C compilers and the accelerator assembler
write the same format, so C lines and accelerator lines are found in the same way.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """A source line: the path as the debug information has it, the line counted from 1."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a line table: instructions from ``address`` up to the next row belong to ``place``.

    Attributes:
        place: None where the compiler names no line, and after the last instruction of a sequence.
        is_statement: a good address for a breakpoint on the line.
        prologue_end: the function has set up its stack frame here.
    """

    address: int
    place: Place | None
    is_statement: bool = False
    prologue_end: bool = False


class LineTable:
    """All rows of a program.

    Args:
        sequences: runs of rows with addresses that do not fall; the last row of each only ends it.
    """

    def __init__(self, sequences: Iterable[list[Row]] = ()) -> None:
        self.rows: list[Row] = []
        for sequence in sorted(sequences, key=lambda rows: rows[0].address):
            if self.rows and self.rows[-1].address == sequence[0].address:
                self.rows.pop()
            self.rows += sequence
        self._addresses = [row.address for row in self.rows]
        self._by_path: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for row in self.rows:
            if row.place is not None and row.is_statement:
                self._by_path[row.place.path][row.place.line].append(row.address)

    @property
    def paths(self) -> list[str]:
        """Every source file that has code, sorted."""
        return sorted(self._by_path)

    def at(self, address: int) -> Place | None:
        """The line that the instruction at ``address`` belongs to, None if it has none."""
        index = bisect_right(self._addresses, address) - 1
        return self.rows[index].place if index >= 0 else None

    def near(self, address: int, low: int) -> Place | None:
        """The line at ``address`` or, where the compiler names none, the last one before it from ``low`` on."""
        rows = self.within(low, address + 1)
        return self.at(address) or next((row.place for row in reversed(rows) if row.place), None)

    def within(self, low: int, high: int) -> list[Row]:
        """The rows with addresses ``low`` .. ``high - 1``."""
        return self.rows[bisect_left(self._addresses, low) : bisect_left(self._addresses, high)]

    def starts_statement(self, address: int) -> bool:
        """Whether a line begins at ``address``: a place to stop at when stepping line by line."""
        return any(row.is_statement and row.place is not None for row in self.within(address, address + 1))

    def match(self, path: str) -> list[str]:
        """Source files whose path ends in ``path``, whole names only; alone the one that is equal, if there is one."""
        if path in self._by_path:
            return [path]
        tail = "/" + posixpath.normpath(path).lstrip("/")
        return [known for known in self.paths if ("/" + known).endswith(tail)]

    def lines(self, path: str) -> list[int]:
        """Lines of the file that have code, sorted."""
        return sorted(self._by_path[path]) if path in self._by_path else []

    def addresses(self, path: str, line: int) -> list[int]:
        """Addresses of statements on a line, sorted; empty if it has no code."""
        return sorted(set(self._by_path[path][line])) if line in self.lines(path) else []


def read_line_table(dwarf: Any, is_loaded: Callable[[int], bool]) -> LineTable:
    """The line table of an ELF file.

    Args:
        dwarf: pyelftools' `DWARFInfo`.
        is_loaded: says of an address whether the program has something there; the linker leaves sequences
            of removed functions behind, at addresses that are not loaded.
    """
    sequences: list[list[Row]] = []
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is not None:
            names = file_names(program, unit)
            sequences += [rows for rows in _sequences(program, names) if is_loaded(rows[0].address)]
    return LineTable(sequences)


def _sequences(program: Any, names: dict[int, str]) -> Iterator[list[Row]]:
    """The sequences of one line program; empty ones are left out."""
    rows: list[Row] = []
    places: dict[tuple[int, int], Place] = {}
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if state.end_sequence:
            rows.append(Row(state.address, None))
            if rows[0].address < state.address:
                yield rows
            rows = []
            continue
        key = (state.file, state.line)
        if key not in places:
            places[key] = Place(names.get(state.file, "?"), state.line)
        place = places[key] if state.line else None
        rows.append(Row(state.address, place, bool(state.is_stmt), bool(state.prologue_end)))


def _directory_of(unit: Any) -> str:
    attribute = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
    return attribute.value.decode(errors="replace") if attribute else ""


def file_names(program: Any, unit: Any) -> dict[int, str]:
    """Path by the file number that rows of a unit's line program use: DWARF 5 counts from 0, DWARF 4 from 1."""
    header = program.header
    compilation_directory = _directory_of(unit)
    if header.version >= 5:
        directories = [posixpath.join(compilation_directory, _text(item)) for item in header.include_directory]
        first = 0
    else:
        directories = [compilation_directory]
        directories += [posixpath.join(compilation_directory, _text(item)) for item in header.include_directory]
        first = 1
    return {
        first + index: posixpath.normpath(posixpath.join(directories[item.dir_index], _text(item.name)))
        for index, item in enumerate(header.file_entry)
    }


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

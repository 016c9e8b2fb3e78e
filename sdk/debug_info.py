"""What an ELF file tells about its program: lines, functions, symbols, stack frames, sources."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from elftools.common.exceptions import DWARFError, ELFError
from elftools.construct.core import ConstructError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from sdk.call_frames import CallFrames
from sdk.dwarf import LineTable, Place, file_names, read_line_table
from sdk.functions import Function, FunctionTable, inlined_at, inlined_copies, read_functions
from sdk.sources import Sources

ALLOCATED = 2
"""SHF_ALLOC: the section is part of the program."""


class DebugInfoError(Exception):
    """A file's debug information cannot be read: the file, what is wrong, what to do."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A line of the symbol table: ``size`` is 0 where the assembler was not told."""

    name: str
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Scope:
    """A function that an instruction belongs to, and the line it is at.

    Attributes:
        inlined: the function has no frame of its own: its code is part of the next scope's.
    """

    function: str
    place: Place | None
    inlined: bool = False


class DebugInfo:
    """Reads an ELF file's debug information; every part is read when it is first asked for.

    Args:
        path: the ELF file.

    Raises:
        DebugInfoError: the file cannot be opened or is not an ELF file; the properties raise it for what
            they cannot decode.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._stream = path.open("rb")
            self.elf: Any = ELFFile(self._stream)
            self._loaded = [
                (section["sh_addr"], section["sh_addr"] + section["sh_size"])
                for section in self.elf.iter_sections()
                if section["sh_flags"] & ALLOCATED
            ]
        except OSError as error:
            raise DebugInfoError(f"{path}: {error.strerror}") from None
        except (ELFError, ConstructError) as error:
            raise DebugInfoError(f"{path}: not an ELF file that can be read: {error}") from None
        self.sources = Sources(path)

    @property
    def architecture(self) -> str:
        """`arm` or `riscv`; the ELF's own word for another one."""
        return {"EM_ARM": "arm", "EM_RISCV": "riscv"}.get(self.elf["e_machine"], str(self.elf["e_machine"]))

    def is_loaded(self, address: int) -> bool:
        """Whether the program has code or data at ``address``."""
        return any(low <= address < high for low, high in self._loaded)

    @cached_property
    def dwarf(self) -> Any:
        """pyelftools' `DWARFInfo`, None without debug information."""
        with self._decoding():
            has = self.elf.has_dwarf_info(strict=True)
            return self.elf.get_dwarf_info(follow_links=False) if has else None

    @cached_property
    def lines(self) -> LineTable:
        """Source lines of C and accelerator code."""
        if self.dwarf is None:
            return LineTable()
        with self._decoding():
            return read_line_table(self.dwarf, self.is_loaded)

    @cached_property
    def symbols(self) -> dict[str, Symbol]:
        """Functions, objects and labels by name; on Arm without the Thumb bit."""
        with self._decoding():
            return {symbol.name: symbol for symbol, _ in self._symbols()}

    @cached_property
    def functions(self) -> FunctionTable:
        """Functions of the debug information, and what else the symbol table calls a function."""
        with self._decoding():
            described = [] if self.dwarf is None else read_functions(self.dwarf)
            known = [function for function in described if self.is_loaded(function.low)]
            functions = known + list(self._symbol_functions())
            return FunctionTable(sorted(functions, key=lambda function: function.name in self._weak_names))

    @cached_property
    def call_frames(self) -> CallFrames | None:
        """How to find callers, None without debug information."""
        with self._decoding():
            return None if self.dwarf is None else CallFrames(self.dwarf, self.is_loaded)

    def scopes(self, address: int) -> list[Scope]:
        """The function that the instruction at ``address`` is in; inlined ones first, the innermost at the front.

        Empty if no function is known there.
        """
        function = self.functions.at(address)
        if function is None:
            return []
        scopes: list[Scope] = []
        place = self.lines.at(address)
        with self._decoding():
            for call in reversed(inlined_at(function, address)):
                scopes.append(Scope(call.name, place, inlined=True))
                place = Place(self._file(function, call.call_file), call.call_line)
        return [*scopes, Scope(function.name, place)]

    def breakpoint_addresses(self, path: str, line: int) -> list[int]:
        """Where to stop for a source line: its first statement in every function that has a copy of it.

        Empty if the line has no code.
        """
        first: dict[tuple[int, ...], int] = {}
        with self._decoding():
            for address in self.lines.addresses(path, line):
                function = self.functions.at(address)
                copy = (function.low, *(call.low for call in inlined_at(function, address))) if function else ()
                first.setdefault(copy, address)
        return sorted(first.values())

    def inlined_addresses(self, name: str) -> list[int]:
        """First addresses of all inlined copies of the function ``name``."""
        with self._decoding():
            return sorted(address for function in self.functions for address in inlined_copies(function, name))

    def prologue_end(self, function: Function) -> int | None:
        """Where the compiler says that the function's frame is set up, None if it does not say."""
        rows = self.lines.within(function.low, function.high)
        return next((row.address for row in rows if row.prologue_end), None)

    def label(self, address: int) -> str:
        """``address`` as the nearest symbol before it and an offset, e.g. `main+0x12`; "" if there is none."""
        starts, symbols = self._by_address
        index = bisect_right(starts, address) - 1
        if index < 0 or not self.is_loaded(address):
            return ""
        symbol = symbols[index]
        offset = address - symbol.address
        if symbol.size and offset >= symbol.size:
            return ""
        return f"{symbol.name}+0x{offset:x}" if offset else symbol.name

    @cached_property
    def _by_address(self) -> tuple[list[int], list[Symbol]]:
        """Symbols sorted by address, one for each: the one with a size is the better name."""
        best: dict[int, Symbol] = {}
        for symbol in self.symbols.values():
            if self.is_loaded(symbol.address) and symbol.size >= best.get(symbol.address, symbol).size:
                best[symbol.address] = symbol
        ordered = [best[address] for address in sorted(best)]
        return [symbol.address for symbol in ordered], ordered

    def _symbols(self) -> Iterator[tuple[Symbol, bool]]:
        """Symbols that people may know, and whether each is a function; mapping and compiler labels are left out."""
        table = self.elf.get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            return
        for item in table.iter_symbols():
            kind = item["st_info"]["type"]
            if kind not in ("STT_NOTYPE", "STT_OBJECT", "STT_FUNC") or item["st_shndx"] == "SHN_UNDEF":
                continue
            if not item.name or item.name.startswith(("$", ".L")):
                continue
            function = kind == "STT_FUNC"
            thumb = 1 if function and self.architecture == "arm" else 0
            yield Symbol(item.name, item["st_value"] & ~thumb, item["st_size"]), function

    @cached_property
    def _weak_names(self) -> set[str]:
        """Names that a program may define itself: of two names of the same code, the other one says more."""
        table = self.elf.get_section_by_name(".symtab")
        symbols = table.iter_symbols() if isinstance(table, SymbolTableSection) else ()
        return {item.name for item in symbols if item["st_info"]["bind"] == "STB_WEAK"}

    def _symbol_functions(self) -> Iterator[Function]:
        """Functions of the symbol table; one without a size reaches to the next symbol or the end of its section."""
        starts, _ = self._by_address
        for symbol, is_function in self._symbols():
            if not is_function or not self.is_loaded(symbol.address):
                continue
            high = symbol.address + symbol.size
            if not symbol.size:
                high = next(end for low, end in self._loaded if low <= symbol.address < end)
                following = bisect_right(starts, symbol.address)
                if following < len(starts):
                    high = min(high, starts[following])
            yield Function(symbol.name, symbol.address, high)

    def _file(self, function: Function, number: int) -> str:
        """A file by its number in the line program of the function's unit."""
        unit = function.entry.cu
        return file_names(self.dwarf.line_program_for_CU(unit), unit).get(number, "?")

    @contextmanager
    def _decoding(self) -> Iterator[None]:
        """Turns what the decoder raises for damaged tables into a `DebugInfoError`."""
        try:
            yield
        except (
            ELFError,
            DWARFError,
            ConstructError,
            KeyError,
            IndexError,
            ValueError,
            AttributeError,
            TypeError,
        ) as error:
            raise DebugInfoError(
                f"{self.path}: its debug information is damaged ({type(error).__name__}: {error}); build it again"
            ) from error

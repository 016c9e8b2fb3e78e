"""The assembled program."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace

from asm.errors import UnresolvedError, did_you_mean


@dataclass(frozen=True, slots=True)
class Relocation:
    """A word of the blob that gets an address: the symbol's, plus `addend`.

    Attributes:
        offset: of the word, in bytes from the blob's start.
        symbol: name of the symbol.
        addend: signed; the word holds it too, modulo 2^32.
    """

    offset: int
    symbol: str
    addend: int


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A declared tensor, for debuggers.

    Attributes:
        name: as declared.
        format: name of the element format.
        height, width, channels: its shape.
        offset: byte address, or what is added to `register` or `symbol`.
        register: base register, None if there is none.
        symbol: C symbol, None if there is none.
        line_bytes: bytes from one row to the next.
        compressed: whether each row is a bit mask followed by its elements that are not 0.
    """

    name: str
    format: str
    height: int
    width: int
    channels: int
    offset: int
    register: int | None
    symbol: str | None
    line_bytes: int
    compressed: bool


@dataclass(frozen=True, slots=True)
class Program:
    """A program in words, with what a linker and a debugger want to know about it.

    Attributes:
        name: C identifier of the blob.
        path: the source file, as it was given.
        words: the whole blob, header included.
        relocations: words that need the address of a symbol, by offset.
        labels: offset of each label, in bytes from the blob's start.
        lines: (offset, source line) of each instruction, by offset.
        tensors: the declared tensors.
    """

    name: str
    path: str
    words: tuple[int, ...]
    relocations: tuple[Relocation, ...]
    labels: dict[str, int]
    lines: tuple[tuple[int, int], ...]
    tensors: tuple[TensorInfo, ...]

    @property
    def size(self) -> int:
        """Bytes of the blob."""
        return 4 * len(self.words)

    @property
    def externs(self) -> list[str]:
        """The symbols whose addresses are needed, sorted."""
        return sorted({relocation.symbol for relocation in self.relocations})

    def resolved(self, defines: Mapping[str, int]) -> Program:
        """The program with the symbols in ``defines`` (name to byte address) filled in.

        Raises:
            UnresolvedError: a name is not an extern of the program, or an address does not fit 32 bits.
        """
        for name, address in defines.items():
            if name not in self.externs:
                hint = did_you_mean(name, self.externs)
                raise UnresolvedError(f"{self.name} uses no extern called {name}" + (f"; {hint}" if hint else ""))
            if not 0 <= address < 1 << 32:
                raise UnresolvedError(f"the address of {name} must fit 32 bits, {address:#x} does not")
        words, kept = list(self.words), []
        for relocation in self.relocations:
            if relocation.symbol in defines:
                words[relocation.offset // 4] = (defines[relocation.symbol] + relocation.addend) & 0xFFFF_FFFF
            else:
                kept.append(relocation)
        return replace(self, words=tuple(words), relocations=tuple(kept))

    def blob(self, defines: Mapping[str, int] | None = None) -> bytes:
        """The program's bytes, with the addresses of its externs from ``defines``.

        Raises:
            UnresolvedError: an address is missing, or `resolved` refuses one.
        """
        program = self.resolved(defines or {})
        if program.relocations:
            missing = ", ".join(program.externs)
            raise UnresolvedError(
                f"{self.name} needs the addresses of {missing}: link it as an object, or define them (NAME=ADDRESS)"
            )
        return struct.pack(f"<{len(program.words)}I", *program.words)

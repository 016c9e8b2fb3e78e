"""The accelerator assembly language: instruction set, assembler, disassembler.

The functions here import the assembler when they are called, so that `asm.isa` alone loads quickly.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asm.program import Program

__all__ = ["assemble", "assemble_file"]


def assemble(text: str, path: str = "<text>") -> Program:
    """Assembles the source ``text``; ``path`` stands in messages, and its stem is the default name.

    Raises:
        AssemblyErrors: all errors of the text.
    """
    from asm.assembler import Assembler

    return Assembler(text, path).assemble()


def assemble_file(path: str | os.PathLike[str]) -> Program:
    """Assembles a source file.

    Raises:
        AssemblyErrors: all errors of the file; one error if it is not UTF-8 text.
        OSError: it cannot be read.
    """
    from asm.errors import AssemblyErrors, Diagnostic, Span

    with open(path, "rb") as file:
        content = file.read()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        source = content.split(b"\n")[line - 1].decode("utf-8", errors="replace")
        message = f"byte 0x{content[error.start]:02x} is not UTF-8 text: this is no assembly source"
        raise AssemblyErrors([Diagnostic(os.fspath(path), Span(line, column, column + 1), source, message)]) from None
    return assemble(text, os.fspath(path))

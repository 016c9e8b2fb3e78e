"""What can be wrong with a source file or a blob, and how it is said."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LONGEST_LINE = 200
"""Characters of a source line that a message shows; files that are no source have longer lines."""


class AsmError(Exception):
    """Base of every error that this package raises."""


class BlobError(AsmError):
    """A blob is not a program: wrong magic, version, length, or an instruction that does not exist."""


class UnresolvedError(AsmError):
    """Addresses of symbols are missing, or given for symbols that the program does not use."""


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a source file: ``line`` and ``column`` count from 1, ``end`` is the column after the last one."""

    line: int
    column: int
    end: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error of a source file.

    Attributes:
        path: the source file, as it was given.
        span: where.
        source: the text of the line.
        message: the rule and the value that breaks it.
        hint: what to do, "" where the message says it.
    """

    path: str
    span: Span
    source: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """File, line, column, message; the source line, or what is near in a long one, with a caret; the hint."""
        column = self.span.column - 1
        first = 0 if len(self.source) <= LONGEST_LINE else max(0, column - LONGEST_LINE // 2)
        source = _harmless(self.source[first : first + LONGEST_LINE])
        margin = "".join("\t" if character == "\t" else " " for character in source[: column - first])
        width = max(1, min(self.span.end - 1 - first, len(source)) - (column - first))
        lines = [
            f"{self.path}:{self.span.line}:{self.span.column}: error: {self.message}",
            f"    {source}",
            f"    {margin}^{'~' * (width - 1)}",
        ]
        if self.hint:
            lines.append(f"    {self.hint}")
        return "\n".join(lines)


def _harmless(text: str) -> str:
    """``text`` without characters that a terminal obeys, each replaced by one that it shows."""
    return "".join(
        character if character.isprintable() or character == "\t" else "\N{REPLACEMENT CHARACTER}" for character in text
    )


class AssemblyErrors(AsmError):  # noqa: N818 - it holds several
    """All errors of a source file, in the order of its lines."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = sorted(diagnostics, key=lambda item: (item.span.line, item.span.column))
        super().__init__("\n".join(str(item) for item in self.diagnostics))


class SourceError(Exception):
    """One error while a statement is worked on; `Reporter` turns it into a `Diagnostic`."""

    def __init__(self, span: Span, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.span, self.message, self.hint = span, message, hint


class AlreadyReportedError(Exception):
    """A statement needs something whose own error has been reported: there is nothing to add."""


class Reporter:
    """Collects the errors of one source file."""

    def __init__(self, path: str, lines: list[str]) -> None:
        self.path, self.lines = path, lines
        self.diagnostics: list[Diagnostic] = []

    def add(self, problem: SourceError) -> None:
        """Keeps ``problem``, with the line that it is about."""
        source = self.lines[problem.span.line - 1]
        self.diagnostics.append(Diagnostic(self.path, problem.span, source, problem.message, problem.hint))

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Runs a block up to its first error, which is kept."""
        try:
            yield
        except SourceError as error:
            self.add(error)
        except AlreadyReportedError:
            pass

    def finish(self) -> None:
        """Raises `AssemblyErrors` if there was any error."""
        if self.diagnostics:
            raise AssemblyErrors(self.diagnostics)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the closest of ``known``; "" when none is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}?" if close else ""

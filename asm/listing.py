"""Offsets, words and text side by side."""

from __future__ import annotations

from collections.abc import Sequence

from asm.program import Program

WORDS_PER_ROW = 3
"""Words in one row of a listing."""


def rows(offset: int, words: Sequence[int], text: str) -> list[str]:
    """Rows with ``offset`` and ``words``; ``text`` stands behind the first."""
    out = []
    for first in range(0, max(len(words), 1), WORDS_PER_ROW):
        shown = " ".join(f"{word:08x}" for word in words[first : first + WORDS_PER_ROW])
        row = f"0x{offset + 4 * first:04x}  {shown:<{9 * WORDS_PER_ROW}} {text if first == 0 else ''}"
        out.append(row.rstrip())
    return out


def program_listing(program: Program, source: str) -> str:
    """The words of ``program`` beside the lines of its ``source`` text."""
    lines = source.split("\n")
    starts = [offset for offset, _ in program.lines] + [program.size]
    first = starts[0] if starts else program.size
    out = rows(0, program.words[: first // 4], "; header")
    for (offset, number), end in zip(program.lines, starts[1:], strict=True):
        text = lines[number - 1].rstrip("\r") if number <= len(lines) else ""
        out += rows(offset, program.words[offset // 4 : end // 4], f"{number:4d}  {text}")
    return "\n".join(out) + "\n"

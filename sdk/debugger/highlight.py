"""Source text in colour."""

from __future__ import annotations

import re

from rich.text import Text

from asm import isa

THEME = "ansi_dark"
COMMENT, WORD, NAME, NUMBER = "not bold #7a8a99", "bold #87afff", "#d7af5f", "#87d7d7"
STATEMENTS = ("program", "const", "tensor", "kernels", "requant", "words", "loop", "unchecked")
INSTRUCTION = re.compile(r"(?:^|(?<=[\s{]))(?:" + "|".join((*STATEMENTS, *isa.MNEMONICS)) + r")\b")


def highlight_c(code: str) -> list[Text]:
    """The lines of a C source."""
    from rich.syntax import Syntax

    return _lines(Syntax("", "c", theme=THEME).highlight(code), code)


def highlight_program(code: str) -> list[Text]:
    """The lines of an accelerator program."""
    text = Text(code)
    text.highlight_regex(INSTRUCTION, WORD)
    text.highlight_regex(r"(?m)^\s*\w+:", NAME)
    text.highlight_regex(r"\b\d\w*", NUMBER)
    text.highlight_regex(r"[;#].*", COMMENT)
    return _lines(text, code)


def _lines(text: Text, code: str) -> list[Text]:
    """As many lines as the code has: highlighters drop empty ones at the end."""
    lines = list(text.split("\n", allow_blank=True))
    count = code.count("\n") + 1
    return lines[:count] + [Text()] * (count - len(lines))

"""A source file with the current line, breakpoints and a cursor; for C and for accelerator programs."""

from __future__ import annotations

from collections.abc import Callable, Collection

from rich.text import Text

from sdk.debugger.line_pane import LinePane
from sdk.dwarf import Place

CURRENT, BREAKPOINT = "▶", "●"
"""Marks in the margin."""
CURRENT_STYLE, CURRENT_MARK, BREAKPOINT_MARK = "on #1f4a2c", "bold #5fd787", "bold #ff5f5f"
NUMBER_STYLE, NOTE_STYLE = "#5f6b78", "#7a8a99"


class SourcePane(LinePane):
    """Shows the file of the current place.

    Args:
        highlight: makes the lines of a source text colourful.

    Attributes:
        place: the current line, None if it is not known.
    """

    def __init__(self, title: str, highlight: Callable[[str], list[Text]], *, id: str) -> None:  # noqa: A002
        super().__init__(title, id=id)
        self._highlight = highlight
        self._path: str | None = None
        self._text: list[Text] = []
        self.place: Place | None = None

    def show_place(self, place: Place | None, source: list[str], broken: Collection[int], note: str = "") -> None:
        """Shows a place in its file.

        Args:
            source: lines of the file; empty if it is not on this computer.
            broken: lines with breakpoints.
            note: what to say where there is no place.
        """
        moved = place != self.place
        self.place = place
        if place is None or not source:
            self._path, self.cursor = None, None
            self.show([Text(f"{place} is not on this computer" if place else note, NOTE_STYLE)])
            return
        if place.path != self._path:
            self._path, self._text = place.path, self._highlight("\n".join(line.expandtabs(4) for line in source))
        self.show([self._line(number, text, number in broken) for number, text in enumerate(self._text, 1)])
        if moved or self.cursor is None:
            self.cursor = place.line - 1
            self.call_after_refresh(self.reveal, place.line - 1)

    @property
    def chosen(self) -> Place | None:
        """The line with the cursor."""
        return None if self._path is None or self.cursor is None else Place(self._path, self.cursor + 1)

    def _line(self, number: int, text: Text, broken: bool) -> Text:
        current = self.place is not None and number == self.place.line
        margin = Text.assemble(
            (BREAKPOINT if broken else " ", BREAKPOINT_MARK),
            (CURRENT if current else " ", CURRENT_MARK),
            (f"{number:4} ", CURRENT_MARK if current else NUMBER_STYLE),
        )
        return Text.assemble(margin, text, style=CURRENT_STYLE if current else "")

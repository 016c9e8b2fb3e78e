"""A pane of text lines that scrolls, with a cursor line if people may choose one."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip


class LinePane(ScrollView, can_focus=True):
    """Shows lines of text.

    Attributes:
        lines: what is shown.
        cursor: index of the line with the cursor, None if there is no cursor.
    """

    BINDINGS = [
        Binding("up,k", "move(-1)", "line up", show=False),
        Binding("down,j", "move(1)", "line down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
    ]
    COMPONENT_CLASSES = {"line-pane--cursor"}
    cursor: reactive[int | None] = reactive(None)

    def __init__(self, title: str, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word for it
        super().__init__(id=id)
        self.border_title = title
        self.lines: list[Text] = []

    @property
    def text(self) -> str:
        """All lines without their styles."""
        return "\n".join(line.plain for line in self.lines)

    def show(self, lines: Sequence[Text]) -> None:
        """Shows other lines."""
        self.lines = list(lines)
        width = max((line.cell_len for line in self.lines), default=0)
        self.virtual_size = Size(width, len(self.lines))
        self.refresh()

    def reveal(self, index: int) -> None:
        """Scrolls until the line is in sight, with some lines around it."""
        margin = min(3, max(self.size.height // 3, 0))
        region = Region(self.scroll_offset.x, max(index - margin, 0), 1, 1 + 2 * margin)
        self.scroll_to_region(region, animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """One row of the screen."""
        left, top = self.scroll_offset
        index, width = top + y, self.size.width
        base = self.rich_style
        if index >= len(self.lines):
            return Strip.blank(width, base)
        line = self.lines[index]
        whole = base + self.app.console.get_style(line.style)
        segments = list(line.render(self.app.console))
        strip = Strip(Segment.apply_style(segments, whole)).crop(left, left + width).extend_cell_length(width, whole)
        if index == self.cursor and self.has_focus and not line.style:
            cursor: Style = self.get_component_rich_style("line-pane--cursor")
            strip = Strip(Segment.apply_style(list(strip), post_style=Style(bgcolor=cursor.bgcolor)))
        return strip

    def watch_cursor(self) -> None:
        """Redraws the cursor."""
        self.refresh()

    def action_move(self, lines: int) -> None:
        """Moves the cursor, or scrolls where there is none."""
        if self.cursor is None:
            self.scroll_relative(y=lines, animate=False)
        elif self.lines:
            self.cursor = min(max(self.cursor + lines, 0), len(self.lines) - 1)
            self.reveal(self.cursor)

    def action_page(self, pages: int) -> None:
        """Moves by as many lines as are in sight."""
        self.action_move(pages * max(self.size.height - 1, 1))

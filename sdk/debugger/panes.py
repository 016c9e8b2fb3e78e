"""The panes beside the sources: disassembly, registers, calls, tiles, serial port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from sdk.accelerator import TileState
from sdk.backtrace import Frame
from sdk.debugger.line_pane import LinePane
from sdk.debugger.source_pane import (
    BREAKPOINT,
    BREAKPOINT_MARK,
    CURRENT,
    CURRENT_MARK,
    CURRENT_STYLE,
    NOTE_STYLE,
    NUMBER_STYLE,
)
from sdk.disassembly import Line

NAME_STYLE, CHANGED_STYLE, TARGET_STYLE, FUNCTION_STYLE = "#8fa3b8", "bold #ffd75f", "#d7af5f", "bold #87afff"
REGISTER_COLUMNS, TILE_COLUMNS = 3, 2
BORDERS = 2
TEXT_CELLS = 24
BAR_CELLS = 4
BAR_PARTS = " ▏▎▍▌▋▊▉█"


class DisassemblyPane(LinePane):
    """Instructions of the host around the current one."""

    def show_code(self, lines: Sequence[Line], pc: int, labels: Mapping[int, str], broken: set[int]) -> None:
        """Shows instructions.

        Args:
            labels: names of the addresses where functions begin.
            broken: addresses with breakpoints.
        """
        shown: list[Text] = []
        for line in lines:
            if line.address in labels:
                shown.append(Text(f"{labels[line.address]}:", FUNCTION_STYLE))
            current = line.address == pc
            if current:
                position = len(shown)
            text = Text.assemble(
                (BREAKPOINT if line.address in broken else " ", BREAKPOINT_MARK),
                (CURRENT if current else " ", CURRENT_MARK),
                (f"{line.address:08x}  ", CURRENT_MARK if current else NUMBER_STYLE),
                f"{line.text:{TEXT_CELLS}} " if line.target else line.text,
                (line.target, TARGET_STYLE),
                style=CURRENT_STYLE if current else "",
            )
            shown.append(text)
        self.show(shown or [Text("no memory here", NOTE_STYLE)])
        if any(line.address == pc for line in lines):
            self.call_after_refresh(self.reveal, position)


class RegisterPane(LinePane):
    """The host's registers; those that have changed since the last stop stand out."""

    def __init__(self, title: str, *, id: str) -> None:  # noqa: A002 - the toolkit's word for it
        super().__init__(title, id=id)
        self._before: dict[str, int] = {}

    def show_registers(self, registers: Mapping[str, int]) -> None:
        """Shows values, and remembers them."""
        cells = [
            Text.assemble(
                (f"{name:>8} ", NAME_STYLE),
                (f"{value:08x}", CHANGED_STYLE if self._before.get(name, value) != value else ""),
            )
            for name, value in registers.items()
        ]
        rows = -(-len(cells) // REGISTER_COLUMNS)
        self.show([Text.assemble(*cells[row::rows]) for row in range(rows)])
        self.styles.height = rows + BORDERS
        self._before = dict(registers)

    @property
    def changed(self) -> set[str]:
        """Names of the registers that stand out."""
        return {
            line.plain[span.start - 9 : span.start].strip()
            for line in self.lines
            for span in line.spans
            if span.style == CHANGED_STYLE
        }


class CallPane(LinePane):
    """The calls that led to the current instruction."""

    def show_frames(self, frames: Sequence[Frame]) -> None:
        """Shows frames, the innermost first."""
        lines = []
        for number, frame in enumerate(frames):
            mark = "exception in " if frame.interrupted else ""
            lines.append(
                Text.assemble(
                    (f"{number:2} ", NUMBER_STYLE),
                    (mark, CHANGED_STYLE),
                    (frame.function, FUNCTION_STYLE if number == 0 else ""),
                    (" inlined" if frame.inlined else "", NOTE_STYLE),
                    (f"  {frame.place}" if frame.place else f"  0x{frame.pc:08x}", NOTE_STYLE),
                )
            )
        self.show(lines)


class TilePane(LinePane):
    """A map of a cluster's tiles: mode, weights x features, how full."""

    def show_tiles(self, tiles: Sequence[TileState]) -> None:
        """Shows tiles, in columns."""
        cells = [self._tile(tile) for tile in tiles]
        rows = -(-len(cells) // TILE_COLUMNS)
        self.show([Text("  ").join(cells[row::rows]) for row in range(rows)])

    @staticmethod
    def _tile(tile: TileState) -> Text:
        mode = ("compute", "bold #5fd787") if tile.compute else ("memory ", NOTE_STYLE)
        formats = f"{tile.weights.name}x{tile.features.name}" if tile.weights and tile.features else "-"
        return Text.assemble(
            (f"{tile.number} ", NUMBER_STYLE),
            mode,
            f" {formats:5} ",
            (bar(tile.occupancy), "#5fafd7 on #26313c"),
            f"{tile.occupancy:4.0%}",
        )


def bar(share: float) -> str:
    """A bar of `BAR_CELLS` characters, filled to ``share`` (0..1) in eighths of a character."""
    eighths = round(min(max(share, 0.0), 1.0) * BAR_CELLS * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (BAR_PARTS[rest] if rest else "")).ljust(BAR_CELLS)


class ConsolePane(LinePane):
    """What the program has sent to its serial port; follows the end."""

    def show_output(self, text: str) -> None:
        """Shows all of the text."""
        if text == self.text:
            return
        self.show([Text(line.expandtabs(8)) for line in text.split("\n")])
        self.call_after_refresh(self.scroll_end, animate=False)

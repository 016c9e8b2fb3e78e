"""A small writer of SVG charts: text, lines, bars, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:12px;fill:#24292f}"
    ".title{font-size:17px;font-weight:600}.head{font-size:13px;font-weight:600}.small{fill:#57606a}"
)
AXIS = "#d0d7de"


@dataclass
class Drawing:
    """Shapes on a white page."""

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, style: str = "", anchor: str = "start") -> None:
        """Text whose base line is at ``y``; ``anchor`` is start, middle or end."""
        kind = f' class="{style}"' if style else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(text)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = AXIS) -> None:
        """A straight line."""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>')

    def curve(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        """Straight lines from point to point."""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def dot(self, x: float, y: float, colour: str) -> None:
        """A filled circle."""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>')

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>')

    def svg(self) -> str:
        """The file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(self.title)}">'
        )
        page = f'<rect width="{self.width}" height="{self.height}" fill="#ffffff"/>'
        return "\n".join([head, f"<style>{STYLE}</style>", page, *self.parts, "</svg>", ""])


@dataclass(frozen=True, slots=True)
class Axes:
    """A rectangle of the page with numbers on both sides.

    Attributes:
        x, y: first and last number of each axis.
    """

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the chart is on the page."""
        (x_low, x_high), (y_low, y_high) = self.x, self.y
        return (
            self.left + self.width * (x - x_low) / (x_high - x_low),
            self.top + self.height * (y_high - y) / (y_high - y_low),
        )

    def draw(self, drawing: Drawing, x_ticks: Sequence[float], y_ticks: Sequence[float], x_title: str) -> None:
        """Lines and numbers."""
        for tick in x_ticks:
            x, _ = self.place(tick, self.y[0])
            drawing.line(x, self.top, x, self.top + self.height)
            drawing.text(x, self.top + self.height + 16, f"{tick:g}", "small", "middle")
        for tick in y_ticks:
            _, y = self.place(self.x[0], tick)
            drawing.line(self.left, y, self.left + self.width, y)
            drawing.text(self.left - 6, y + 4, f"{tick:g}", "small", "end")
        drawing.text(self.left + self.width / 2, self.top + self.height + 34, x_title, "small", "middle")

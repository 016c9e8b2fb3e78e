"""The report of a network as a picture: utilisation, and where time and energy go, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from xml.sax.saxutils import escape

from sdk.report.network import LayerEnergy, LayerFigures, NetworkFigures

WIDTH, MARGIN, NAMES = 1200, 24, 56
HEAD, ROW, BAR = 112, 24, 15
GAP = 30
PANELS = 3
PANEL = (WIDTH - 2 * MARGIN - NAMES - PANELS * GAP) // PANELS
VALUE = 62
"""Room for the number behind a bar."""
STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:12px;fill:#24292f}"
    ".title{font-size:17px;font-weight:600}.head{font-size:13px;font-weight:600}.small{fill:#57606a}"
)
TIME_PARTS = {
    "load": "#bc6c25",
    "work": "#1f6feb",
    "copy": "#2da44e",
    "stalls": "#cf222e",
    "control": "#8c959f",
}
ENERGY_PARTS = {
    "array": "#1f6feb",
    "overhead": "#79c0ff",
    "kernels": "#bc6c25",
    "activations": "#2da44e",
    "leakage": "#8c959f",
}
USED, PUBLISHED = "#1f6feb", "#cf222e"


@dataclass(frozen=True)
class Panel:
    """One column of bars.

    Attributes:
        rows: for each layer the lengths of the parts of its bar.
        labels: the number behind each bar.
        scale: length of a full bar.
        marks: where a line crosses each bar, None for none.
    """

    title: str
    colours: dict[str, str]
    rows: Sequence[Sequence[float]]
    labels: Sequence[str]
    scale: float
    marks: Sequence[float | None]


def draw(figures: NetworkFigures) -> str:
    """The picture as SVG."""
    rows = figures.layers
    height = HEAD + ROW * len(rows) + MARGIN
    plan = figures.run.plan
    plural = "" if plan.clusters == 1 else "s"
    title = f"{plan.network.title} on {plan.clusters} cluster{plural}"
    summary = (
        f"{figures.total_cycles:,} cycles ({figures.run.timing} timing), "
        f"{figures.inferences_per_second:,.0f} inferences/s, {figures.tops_per_watt():.1f} TOPS/W"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(MARGIN, 34, title, "title"),
        _text(MARGIN, 54, summary, "small"),
    ]
    parts += [
        _text(MARGIN, HEAD + ROW * place + BAR - 3, row.plan.workload.layer.name) for place, row in enumerate(rows)
    ]
    for place, panel in enumerate((_utilisation(rows), _time(rows), _energy(rows))):
        parts += _panel(panel, MARGIN + NAMES + place * (PANEL + GAP))
    return "\n".join([*parts, "</svg>", ""])


def _utilisation(rows: Sequence[LayerFigures]) -> Panel:
    marks = [row.published_utilisation_pct for row in rows]
    legend = {"of the array's bits": USED} | ({"published": PUBLISHED} if any(marks) else {})
    lengths = [(row.utilisation_pct,) for row in rows]
    return Panel("Utilisation", legend, lengths, [f"{row.utilisation_pct:.0f} %" for row in rows], 100.0, marks)


def _time(rows: Sequence[LayerFigures]) -> Panel:
    lengths = [tuple(float(getattr(row.time, part)) for part in TIME_PARTS) for row in rows]
    labels = [f"{row.cycles:,}" for row in rows]
    return _stacked("Cycles", TIME_PARTS, lengths, labels)


def _energy(rows: Sequence[LayerFigures]) -> Panel:
    lengths = [tuple(getattr(row.energy, field.name) for field in fields(LayerEnergy)) for row in rows]
    return _stacked("Energy", ENERGY_PARTS, lengths, [f"{row.energy_counted_nj / 1e3:.2f} µJ" for row in rows])


def _stacked(title: str, colours: dict[str, str], lengths: Sequence[tuple[float, ...]], labels: Sequence[str]) -> Panel:
    """A panel whose longest bar is full; parts that no bar has are not in the legend."""
    used = {name: colour for place, (name, colour) in enumerate(colours.items()) if any(row[place] for row in lengths)}
    kept = [place for place, name in enumerate(colours) if name in used]
    shown = [tuple(row[place] for place in kept) for row in lengths]
    return Panel(title, used, shown, labels, max(sum(row) for row in shown), [None] * len(shown))


def _panel(panel: Panel, left: int) -> list[str]:
    parts = [_text(left, HEAD - 38, panel.title, "head")]
    place = float(left)
    for name, colour in panel.colours.items():
        parts += [_rectangle(place, HEAD - 27, 9, 9, colour), _text(place + 13, HEAD - 18, name, "small")]
        place += 21 + 6.7 * len(name)
    width = PANEL - VALUE
    for row, (lengths, label, mark) in enumerate(zip(panel.rows, panel.labels, panel.marks, strict=True)):
        top, edge = HEAD + ROW * row, float(left)
        for length, colour in zip(lengths, panel.colours.values(), strict=False):
            size = width * length / panel.scale
            parts.append(_rectangle(edge, top, size, BAR, colour))
            edge += size
        parts.append(_text(edge + 6, top + BAR - 3, label, "small"))
        if mark is not None:
            parts.append(_rectangle(left + width * mark / panel.scale - 1, top - 3, 2, BAR + 6, PUBLISHED))
    return parts


def _rectangle(left: float, top: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _text(left: float, baseline: float, text: str, style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text x="{left:.1f}" y="{baseline:.1f}"{kind}>{escape(text)}</text>'

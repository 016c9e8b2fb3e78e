"""The chip's summary as a picture: the body-bias curve, and the residuals of the model."""

from __future__ import annotations

from sdk.report.chip import ChipReport
from sdk.report.chip_model import FIT
from sdk.report.svg import Axes, Drawing

WIDTH, HEIGHT = 1200, 470
DENSITY, EFFICIENCY, PUBLISHED, CHECKED = "#1f6feb", "#2da44e", "#cf222e", "#bc6c25"
ROW, BAR = 24, 13
ZERO, SCALE_PCT, HALF_WIDTH = 880, 5.0, 110
"""Where the residual 0 % is, and how far from it the residual of `SCALE_PCT` ends."""
NAMES = 580
TOP = 96


def chip_picture(report: ChipReport) -> str:
    """The picture as SVG."""
    drawing = Drawing(WIDTH, HEIGHT, "st18: published figures and the model")
    drawing.text(24, 34, drawing.title, "title")
    _body_bias(drawing, report)
    _residuals(drawing, report)
    return drawing.svg()


def _body_bias(drawing: Drawing, report: ChipReport) -> None:
    axes = Axes(70, TOP, 430, 300, (0, 1.5), (0.8, 2.0))
    drawing.text(axes.left, 66, "Forward body bias at 0.525 V, 4 bit, over no bias", "head")
    axes.draw(drawing, (0, 0.3, 0.6, 0.9, 1.2, 1.5), (0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0), "body bias in V")
    first = report.bias[0]
    volts = [point.power.body_bias_mv / 1000 for point in report.bias]
    densities = [point.density[4] / first.density[4] for point in report.bias]
    efficiencies = [point.tops_per_watt[4] / first.tops_per_watt[4] for point in report.bias]
    for title, values, colour, legend in (
        ("TOPS/mm2", densities, DENSITY, 0),
        ("TOPS/W", efficiencies, EFFICIENCY, 90),
        ("published", [], PUBLISHED, 170),
    ):
        drawing.bar(axes.left + legend, 76, 9, 9, colour)
        drawing.text(axes.left + legend + 13, 85, title, "small")
        if values:
            drawing.curve([axes.place(x, y) for x, y in zip(volts, values, strict=True)], colour)
    figures = {figure.name: figure.published for figure in report.figures}
    for value in (figures["bias_density"].value, 1 + figures["bias_efficiency"].value / 100):
        drawing.dot(*axes.place(volts[-1], value), PUBLISHED)


def _residuals(drawing: Drawing, report: ChipReport) -> None:
    drawing.text(NAMES, 66, "Residuals: model over published", "head")
    for place, (title, colour) in enumerate((("a constant was fitted to it", DENSITY), ("follows", CHECKED))):
        drawing.bar(NAMES + 200 * place, 76, 9, 9, colour)
        drawing.text(NAMES + 200 * place + 13, 85, title, "small")
    drawing.line(ZERO, TOP, ZERO, TOP + ROW * len(report.figures))
    for row, figure in enumerate(report.figures):
        top = TOP + ROW * row
        length = HALF_WIDTH * max(-1.0, min(1.0, figure.residual_pct / SCALE_PCT))
        colour = DENSITY if figure.role == FIT else CHECKED
        drawing.text(NAMES, top + BAR, figure.title)
        drawing.bar(min(ZERO, ZERO + length), top + 3, abs(length), BAR, colour)
        published = f"{figure.published.value:g} {figure.published.unit}"
        drawing.text(ZERO + HALF_WIDTH + 12, top + BAR, f"{figure.residual_pct:+.2f} % of {published}", "small")

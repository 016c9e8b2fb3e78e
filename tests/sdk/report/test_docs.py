"""docs/energy.md says what `imnpu report chip` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdk.report.chip import ChipReport, chip_report
from sdk.report.chip_picture import chip_picture

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def report() -> ChipReport:
    return chip_report()


def test_the_residuals(report: ChipReport) -> None:
    text = (DOCS / "energy.md").read_text()
    for figure in report.figures:
        published = f"{figure.published.value:g} {figure.published.unit}"
        cells = (
            figure.title, published, f"{figure.model:.4g}", f"{figure.residual_pct:+.2f} %", figure.role, figure.at
        )  # fmt: skip
        assert f"| {' | '.join(cells)} |" in text


def test_the_contradictions(report: ChipReport) -> None:
    text = (DOCS / "energy.md").read_text()
    for comparison in report.comparisons:
        assert f"| {comparison.title} | {comparison.deviation_pct:+.1f} % | {comparison.verdict.value} |" in text


def test_the_picture(report: ChipReport) -> None:
    """`python docs/pictures.py` draws it."""
    assert (DOCS / "chip.svg").read_text() == chip_picture(report)

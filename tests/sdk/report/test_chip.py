"""The chip's summary against the published constants and formulas, written out here once more."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from sdk.report.battery import battery_days
from sdk.report.chip import ChipReport, chip_report
from sdk.report.chip_model import Figure
from sdk.report.chip_picture import chip_picture
from sdk.report.conflicts import Verdict
from sdk.report.published import published

AREA = 4.2
ARRAY_PJ = {1: 2.66, 4: 2.91}
OVERHEAD_PJ = 3.85
OPERATIONS = {1: 2048, 4: 512}
"""Of a tile in a cycle: 1024 / bits multiply-accumulates."""


@pytest.fixture(scope="module")
def report() -> ChipReport:
    return chip_report()


@pytest.fixture(scope="module")
def figures(report: ChipReport) -> dict[str, Figure]:
    return {figure.name: figure for figure in report.figures}


def system_tops_per_watt(bits: int, leakage_milliwatts: float, megahertz: float) -> float:
    """Eight tiles share a cluster's leakage; mW / MHz are nJ a cycle."""
    leaked_pj = 1000 * leakage_milliwatts / megahertz / 8
    return OPERATIONS[bits] / (ARRAY_PJ[bits] + OVERHEAD_PJ + leaked_pj)


@pytest.mark.parametrize("bits", [1, 4])
def test_peaks(bits: int, figures: dict[str, Figure]) -> None:
    """64 tiles at 1.745 GHz."""
    tops = 64 * OPERATIONS[bits] * 1.745e9 / 1e12
    assert figures[f"peak_tops_{bits}b"].model == pytest.approx(tops, rel=1e-3)
    assert figures[f"density_{bits}b"].model == pytest.approx(tops / AREA, rel=1e-3)


@pytest.mark.parametrize("bits", [1, 4])
def test_efficiencies(bits: int, figures: dict[str, Figure]) -> None:
    assert figures[f"tile_{bits}b"].model == pytest.approx(OPERATIONS[bits] / ARRAY_PJ[bits], rel=1e-3)
    assert figures[f"system_{bits}b"].model == pytest.approx(system_tops_per_watt(bits, 0.040, 333), rel=1e-3)


def test_body_bias(report: ChipReport, figures: dict[str, Figure]) -> None:
    ratio = system_tops_per_watt(4, 5.4, 600) / system_tops_per_watt(4, 0.040, 333)
    assert figures["bias_efficiency"].model == pytest.approx(100 * (ratio - 1), abs=0.05)
    assert figures["bias_density"].model == pytest.approx(600 / 333, rel=1e-3)
    for bits in (1, 4):
        assert all(less.density[bits] < more.density[bits] for less, more in pairwise(report.bias))
        assert all(less.tops_per_watt[bits] > more.tops_per_watt[bits] for less, more in pairwise(report.bias))


def test_full_voltage_costs_its_square(report: ChipReport) -> None:
    """Leakage scales with it too; at the fastest clock of 1.0 V and 1.2 V bias it is a small part."""
    leakage = 0.040 * 135 ** (1.2 / 1.5)
    expected = system_tops_per_watt(4, leakage, 1745) * 0.525**2
    assert report.peak.tops_per_watt[4] == pytest.approx(expected, rel=1e-3)


def test_vgg16(report: ChipReport, figures: dict[str, Figure]) -> None:
    assert {clusters: cost.cycles for clusters, cost in report.vgg16.items()} == {1: 865_214, 8: 125_618}
    assert figures["vgg16_efficiency"].model == pytest.approx(46.8, abs=0.1)
    for clusters, cost in report.vgg16.items():
        assert cost.energy.leakage == pytest.approx(clusters * cost.cycles / 600e6 * 5.4e-3 * 1e15, rel=1e-6)


def test_which_figures_are_missed(figures: dict[str, Figure]) -> None:
    """All others round to what was published."""
    assert {name for name, figure in figures.items() if not figure.within_rounding} == {"system_1b", "wake_up_power"}
    assert all(abs(figure.residual_pct) < 5 for figure in figures.values())


def test_the_camera(report: ChipReport, figures: dict[str, Figure]) -> None:
    """The work of a small inference follows from watching; awake, it is done 300 times a second."""
    small = (267e-6 - 40e-6) / 10
    leakage = 8 * 40e-6 * 135 ** (0.3 / 1.5)
    assert figures["wake_up_power"].model == pytest.approx(1000 * (300 * small + leakage), rel=1e-4)
    awake = report.use_case.wake_up
    assert awake.gated_watts < awake.watts < awake.raised_watts
    assert awake.allowed_khz < 400_000
    assert 525 < awake.needed_mv < 540
    assert report.use_case.always_on.needed_mv == 525


def test_battery_days(report: ChipReport) -> None:
    assert battery_days(3700, 0, 267e-6, 8e-3) == pytest.approx(3.7 / 267e-6 / 24)
    assert battery_days(3700, 100, 267e-6, 8e-3) == pytest.approx(3.7 / 8e-3 / 24)
    assert report.battery.published_days == pytest.approx(3.7 / (0.99 * 267e-6 + 0.01 * 8e-3) / 24)


def test_which_published_figures_contradict_each_other(report: ChipReport) -> None:
    verdicts = {comparison.title: comparison.verdict for comparison in report.comparisons}
    assert {title for title, verdict in verdicts.items() if verdict is Verdict.CONFLICT} == {
        "tile and IMNPU at 1 and at 4 bit",
        "the range of 40 to 310 TOPS/W and the square of the voltage",
    }
    assert verdicts["peak, density and area, 1 bit"] is Verdict.ROUNDING
    deviations = {comparison.title: comparison.deviation_pct for comparison in report.comparisons}
    assert deviations["peak, density and area, 1 bit"] == pytest.approx(100 * (229 / 4.2 / 54 - 1))
    assert deviations["peak, density and area, 4 bit"] == pytest.approx(100 * (57 / 4.2 / 13.6 - 1))
    around = {bits: OPERATIONS[bits] / system - OPERATIONS[bits] / tile for bits, system, tile in
              ((1, 310, 770), (4, 76.5, 176))}  # fmt: skip
    assert deviations["tile and IMNPU at 1 and at 4 bit"] == pytest.approx(100 * (around[1] / around[4] - 1))
    slowest = (2048 / 310.5 - 2048 / 769.5, 512 / 75.5 - 512 / 176.5)
    assert slowest[0] > slowest[1], "no rounding makes the two energies equal"


def test_one_clock_fulfils_all_peak_figures() -> None:
    """Found by trying: every clock in steps of 10 kHz that rounds to the four printed figures."""
    fits = []
    for step in range(172_000, 177_000):
        tops = {bits: 64 * OPERATIONS[bits] * step * 1e4 / 1e12 for bits in (1, 4)}
        if (round(tops[1]), round(tops[4]), round(tops[1] / AREA), round(tops[4] / AREA, 1)) == (229, 57, 54, 13.6):
            fits.append(step / 100)
    assert fits
    comparison = next(item for item in chip_report().comparisons if item.title.startswith("the clock behind"))
    assert f"{fits[0]:.1f}..{fits[-1]:.1f} MHz" in comparison.text


def test_every_published_figure_is_used_and_has_a_source(report: ChipReport) -> None:
    points = published()
    used = {figure.name for figure in report.figures}
    used |= {name for comparison in report.comparisons for name in comparison.figures}
    assert used == set(points.points)
    assert {point.source for point in points.points.values()} == set(points.sources)


def test_the_picture(report: ChipReport) -> None:
    root = ElementTree.fromstring(chip_picture(report))
    space = "{http://www.w3.org/2000/svg}"
    texts = [element.text for element in root.iter(f"{space}text")]
    assert {figure.title for figure in report.figures} <= set(texts)
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    curves = list(root.iter(f"{space}polyline"))
    assert len(curves) == 2
    for curve in curves:
        places = [tuple(map(float, point.split(","))) for point in curve.attrib["points"].split()]
        assert len(places) == len(report.bias)
        assert all(0 < x < width and 0 < y < height for x, y in places)
    ends = {curve.attrib["points"].split()[-1] for curve in curves}
    dots = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in root.iter(f"{space}circle")]
    for end in ends:
        x, y = map(float, end.split(","))
        assert any(abs(x - left) + abs(y - top) < 1 for left, top in dots), "the curves end at the published points"

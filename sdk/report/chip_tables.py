"""The chip's summary as tables in the terminal."""

from __future__ import annotations

from dataclasses import fields

from rich.console import Console
from rich.table import Table
from rich.text import Text

from emu.npu.energy import Energy
from sdk.report.chip import ChipReport
from sdk.report.chip_model import GRID_BIAS_MV, KHZ_PER_MHZ, OperatingPoint
from sdk.report.conflicts import Verdict
from sdk.report.published import published
from sdk.report.use_case import SceneFigures

FEMTO_PER_MICRO = 1e9
SHOWN_BIAS_STEP_MV = 300
STYLES = {Verdict.CONFLICT: "bold red", Verdict.CONDITIONS: "yellow"}


def print_chip(console: Console, report: ChipReport) -> None:
    """Print all of it."""
    for table in (
        _figures(report),
        _bias(report),
        _grid(report),
        _vgg16(report),
        _use_case(report),
        _comparisons(report),
    ):
        console.print(table)
    _notes(console, report)


def _table(title: str, left: tuple[str, ...], right: tuple[str, ...], last: tuple[str, ...] = ()) -> Table:
    table = Table(title=title, title_justify="left")
    for name in left:
        table.add_column(name)
    for name in right:
        table.add_column(name, justify="right")
    for name in last:
        table.add_column(name)
    return table


def _figures(report: ChipReport) -> Table:
    table = _table(
        "st18: published and model",
        ("figure",),
        ("published", "model", "residual"),
        ("unit", "rounds to it", "how", "model at"),
    )
    for figure in report.figures:
        residual = f"{figure.residual_pct:+.2f} %"
        rounds = "yes" if figure.within_rounding else "[bold red]no[/]"
        table.add_row(
            figure.title, f"{figure.published.value:g}", f"{figure.model:.4g}", residual, figure.published.unit,
            rounds, figure.role, figure.at,
        )  # fmt: skip
    return table


def _bias(report: ChipReport) -> Table:
    table = _table(
        "forward body bias at 0.525 V, fastest clock, full tiles",
        (),
        ("bias V", "MHz", "TOPS/mm2 1b", "4b", "x", "TOPS/W 1b", "4b", "%"),
    )
    first = report.bias[0]
    for point in report.bias:
        if point.power.body_bias_mv % SHOWN_BIAS_STEP_MV:
            continue
        table.add_row(
            f"{point.power.body_bias_mv / 1000:.1f}", _mhz(point), f"{point.density[1]:.2f}",
            f"{point.density[4]:.2f}", f"{point.density[4] / first.density[4]:.2f}",
            f"{point.tops_per_watt[1]:.1f}", f"{point.tops_per_watt[4]:.1f}",
            f"{100 * (point.tops_per_watt[4] / first.tops_per_watt[4] - 1):+.1f}",
        )  # fmt: skip
    return table


def _mhz(point: OperatingPoint) -> str:
    return f"{point.power.clock_khz / KHZ_PER_MHZ:.0f}"


def _grid(report: ChipReport) -> Table:
    biases = tuple(f"{bias / 1000:.1f} V bias" for bias in GRID_BIAS_MV)
    table = _table("fastest clock in MHz, and TOPS/W of full tiles at 4 bit", ("supply",), biases)
    for row in report.grid:
        known = next(point for point in row if point is not None)
        cells = ["-" if point is None else f"{_mhz(point)}  {point.tops_per_watt[4]:5.1f}" for point in row]
        table.add_row(f"{known.power.voltage_mv / 1000:.3f} V", *cells)
    return table


def _vgg16(report: ChipReport) -> Table:
    parts = tuple(field.name for field in fields(Energy))
    table = _table(
        "VGG16-style network by the model's rules, 0.525 V, 1.5 V bias, 600 MHz: uJ an inference",
        ("clusters",),
        ("cycles", *parts, "sum", "TOPS/W"),
    )
    for clusters, cost in report.vgg16.items():
        energies = [getattr(cost.energy, part) for part in parts] + [cost.energy.total]
        cells = [f"{energy / FEMTO_PER_MICRO:.2f}" for energy in energies]
        table.add_row(str(clusters), str(cost.cycles), *cells, f"{cost.tops_per_watt:.2f}")
    return table


def _use_case(report: ChipReport) -> Table:
    case, battery = report.use_case, report.battery
    table = _table(
        f"camera; small network fitted: {case.operations / 1e6:.0f} million operations, "
        f"{case.share:.2f} of the VGG16-style one",
        ("part",),
        ("published", "model", "work", "leakage", "busy", "gated while idle", "voltage for the clock", "then"),
    )
    points = published()
    rows = (("watching", "always_on_power", case.always_on), ("awake", "wake_up_power", case.wake_up))
    for title, name, scene in rows:
        point = points[name]
        table.add_row(title, f"{point.value:g} {point.unit}", *_scene_cells(scene))
    table.caption = (
        f"NPU alone, awake {battery.awake_percent:g} % of the time, battery of {battery.mwh:g} mWh: "
        f"{battery.published_days:.0f} days by the published powers, {battery.model_days:.0f} by the model"
    )
    table.caption_justify = "left"
    return table


def _scene_cells(scene: SceneFigures) -> list[str]:
    watts = (scene.watts, scene.work_watts, scene.leakage_watts)
    first = [_power(value) for value in watts]
    needed = f"{scene.needed_mv / 1000:.3f} V"
    return [*first, f"{100 * scene.busy:.1f} %", _power(scene.gated_watts), needed, _power(scene.raised_watts)]


def _power(watts: float) -> str:
    return f"{watts * 1e3:.2f} mW" if watts >= 1e-3 else f"{watts * 1e6:.0f} uW"


def _comparisons(report: ChipReport) -> Table:
    table = _table("published figures against each other", ("what",), ("off",), ("verdict", "calculation"))
    for item in report.comparisons:
        verdict = Text(item.verdict.value, STYLES.get(item.verdict, ""))
        table.add_row(item.title, f"{item.deviation_pct:+.1f} %", verdict, item.text)
    return table


def _notes(console: Console, report: ChipReport) -> None:
    fitted = sum(figure.role == "fit" for figure in report.figures)
    console.print(
        f"{fitted} of {len(report.figures)} figures were used to choose constants of the model (fit); the others "
        f"follow from them (check). Full-tile figures leave out kernel loads and streams. docs/energy.md says more."
    )
    for source in published().sources.values():
        console.print(f"published: {source}", markup=False)

"""The chip's summary: every published figure, the model's, and the residual; as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from emu.npu.power import BODY_BIAS_MV, REFERENCE_VOLTAGE_MV, PowerState
from sdk.report.battery import AWAKE_PERCENT, BATTERY_MWH, battery_days
from sdk.report.chip_model import (
    CHECK,
    CLUSTERS,
    FIT,
    Figure,
    OperatingPoint,
    array_figures,
    bias_curve,
    describe,
    grid,
    peak,
)
from sdk.report.conflicts import Comparison, comparisons
from sdk.report.network import NetworkFigures
from sdk.report.network_energy import NetworkCost, network_cost, vgg16
from sdk.report.published import published
from sdk.report.use_case import SceneFigures, UseCase, use_case

MICRO, MILLI = 1e-6, 1e-3


@dataclass(frozen=True, slots=True)
class Battery:
    """How long the NPU runs from a battery.

    Attributes:
        published_days: by the published powers; model_days: by the model's.
    """

    mwh: float
    awake_percent: float
    published_days: float
    model_days: float


@dataclass(frozen=True)
class ChipReport:
    """Everything that `imnpu report chip` shows.

    Attributes:
        bias: operating points over body bias at 0.525 V.
        grid: rows of voltage, columns of body bias; None where that bias is not allowed.
        vgg16: one inference by clusters that work, 1 and 8, by the rules of the model.
    """

    figures: tuple[Figure, ...]
    peak: OperatingPoint
    bias: tuple[OperatingPoint, ...]
    grid: tuple[tuple[OperatingPoint | None, ...], ...]
    vgg16: dict[int, NetworkCost]
    use_case: UseCase
    battery: Battery
    comparisons: tuple[Comparison, ...]

    def as_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "figures": [_figure(figure) for figure in self.figures],
            "peak": _point(self.peak),
            "body_bias": [_point(point) for point in self.bias],
            "grid": [_point(point) for row in self.grid for point in row if point is not None],
            "vgg16": {
                str(clusters): {
                    "cycles": cost.cycles,
                    "operations": cost.operations,
                    "energy_fj": asdict(cost.energy),
                    "tops_per_w": cost.tops_per_watt,
                }
                for clusters, cost in self.vgg16.items()
            },
            "use_case": {
                "operations": self.use_case.operations,
                "share_of_vgg16": self.use_case.share,
                "always_on": _scene(self.use_case.always_on),
                "wake_up": _scene(self.use_case.wake_up),
            },
            "battery": asdict(self.battery),
            "comparisons": [
                {**asdict(comparison), "verdict": comparison.verdict.value} for comparison in self.comparisons
            ],
            "sources": published().sources,
        }


def chip_report(
    battery_mwh: float = BATTERY_MWH, awake_percent: float = AWAKE_PERCENT, vgg16_run: NetworkFigures | None = None
) -> ChipReport:
    """Run the model at every operating point.

    Args:
        battery_mwh: what the camera's battery holds, in mWh.
        awake_percent: share of the time in which the camera is awake, in %.
        vgg16_run: the network's figures from firmware on one cluster; without them its efficiency comes from the
            rules of the model.
    """
    points = published()
    tables = PowerState(REFERENCE_VOLTAGE_MV, BODY_BIAS_MV, int(1000 * points["table_clock"].value))
    costs = {clusters: network_cost(vgg16(), tables, clusters) for clusters in (1, CLUSTERS)}
    case = use_case(points)
    network = Figure(
        "vgg16_efficiency",
        "VGG16-style, 1 cluster",
        points["vgg16_efficiency"],
        costs[1].tops_per_watt if vgg16_run is None else vgg16_run.tops_per_watt(),
        FIT,
        f"{describe(tables)}, {'by rule' if vgg16_run is None else 'firmware run'}",
    )
    figures = (*array_figures(), network, *_use_case_figures(case))
    watching, awake = points["always_on_power"].value * MICRO, points["wake_up_power"].value * MILLI
    battery = Battery(
        battery_mwh,
        awake_percent,
        battery_days(battery_mwh, awake_percent, watching, awake),
        battery_days(battery_mwh, awake_percent, case.always_on.watts, case.wake_up.watts),
    )
    rows = tuple(tuple(row) for row in grid())
    return ChipReport(figures, peak(), tuple(bias_curve()), rows, costs, case, battery, tuple(comparisons(points)))


def _use_case_figures(case: UseCase) -> tuple[Figure, Figure]:
    points = published()
    return (
        Figure(
            "always_on_power",
            "camera watching",
            points["always_on_power"],
            case.always_on.watts / MICRO,
            FIT,
            "0.525 V, no bias, 10 MHz, 1 cluster",
        ),
        Figure(
            "wake_up_power",
            "camera awake",
            points["wake_up_power"],
            case.wake_up.watts / MILLI,
            CHECK,
            "0.525 V, 0.3 V bias, 400 MHz, 8 clusters",
        ),
    )


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "published": figure.published.value,
        "unit": figure.published.unit,
        "model": figure.model,
        "residual_pct": figure.residual_pct,
        "within_rounding": figure.within_rounding,
        "role": figure.role,
        "published_at": figure.published.at,
        "model_at": figure.at,
        "source": figure.published.source,
    }


def _point(point: OperatingPoint) -> dict[str, Any]:
    return {
        **asdict(point.power),
        **{f"tops_{bits}b": value for bits, value in point.tops.items()},
        **{f"tops_per_w_{bits}b": value for bits, value in point.tops_per_watt.items()},
        **{f"tops_per_mm2_{bits}b": value for bits, value in point.density.items()},
    }


def _scene(scene: SceneFigures) -> dict[str, Any]:
    return {
        "busy": scene.busy,
        "work_uw": scene.work_watts / MICRO,
        "leakage_uw": scene.leakage_watts / MICRO,
        "power_uw": scene.watts / MICRO,
        "power_uw_gated": scene.gated_watts / MICRO,
        "power_uw_at_needed_voltage": scene.raised_watts / MICRO,
        "needed_mv": scene.needed_mv,
    }

"""The chip's figures, out of the model: what `emu.npu` measures, at the operating points of the published figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from emu.npu.power import (
    BODY_BIAS_MV,
    HIGH_VOLTAGE_BIAS_MV,
    REFERENCE_VOLTAGE_MV,
    VOLTAGES_MV,
    PowerState,
    f_max,
    highest_bias,
)
from sdk.report.cluster_bench import Measured, measure_full_array
from sdk.report.published import Point, published

CLUSTERS = 8
"""Clusters of the chip."""
TERA_PER_KILO = 1e-9
KHZ_PER_MHZ = 1000
BIAS_STEPS_MV = tuple(range(0, BODY_BIAS_MV + 1, 100))
GRID_VOLTAGES_MV = (525, 600, 700, 800, 900, 1000)
GRID_BIAS_MV = (0, 300, 600, 900, 1200, 1500)
FIT, CHECK = "fit", "check"
"""A constant of the model was chosen for this figure; or the figure follows from others and could have failed."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A published figure and the model's.

    Attributes:
        role: `FIT` or `CHECK`.
        at: the model's operating point.
    """

    name: str
    title: str
    published: Point
    model: float
    role: str
    at: str

    @property
    def residual_pct(self) -> float:
        """Model over published, less 1, in %."""
        return 100 * (self.model / self.published.value - 1)

    @property
    def within_rounding(self) -> bool:
        """Whether the model's figure, rounded as the published one is, equals it."""
        return self.published.low <= self.model <= self.published.high


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The chip at one voltage and body bias, at the fastest clock, every row of every tile at work.

    Attributes:
        tops, tops_per_watt, density: by operand bits, 1 and 4; density in TOPS/mm2.
    """

    power: PowerState
    tops: dict[int, float]
    tops_per_watt: dict[int, float]
    density: dict[int, float]


@cache
def measure(bits: int, power: PowerState) -> Measured:
    """A cluster with full tiles, measured once."""
    return measure_full_array(bits, power)


def fastest(voltage_mv: int, body_bias_mv: int) -> PowerState:
    """A voltage and a body bias with the fastest clock that they allow."""
    return PowerState(voltage_mv, body_bias_mv, f_max(voltage_mv, body_bias_mv))


def operating_point(voltage_mv: int, body_bias_mv: int) -> OperatingPoint:
    """Measure the chip there; its clusters are alike, so one of them is measured."""
    power = fastest(voltage_mv, body_bias_mv)
    measured = {bits: measure(bits, power) for bits in (1, 4)}
    tops = {
        bits: CLUSTERS * one.operations_per_cycle * power.clock_khz * TERA_PER_KILO for bits, one in measured.items()
    }
    area = published()["area"].value
    return OperatingPoint(
        power,
        tops,
        {bits: one.system_tops_per_watt for bits, one in measured.items()},
        {bits: value / area for bits, value in tops.items()},
    )


def peak() -> OperatingPoint:
    """The fastest that the chip gets."""
    return operating_point(VOLTAGES_MV[1], HIGH_VOLTAGE_BIAS_MV)


def bias_curve() -> list[OperatingPoint]:
    """Body bias from none to the highest, at the lowest voltage."""
    return [operating_point(REFERENCE_VOLTAGE_MV, bias) for bias in BIAS_STEPS_MV]


def grid() -> list[list[OperatingPoint | None]]:
    """Rows of voltage, columns of body bias; None where that much bias is not allowed."""
    return [
        [operating_point(voltage, bias) if bias <= highest_bias(voltage) else None for bias in GRID_BIAS_MV]
        for voltage in GRID_VOLTAGES_MV
    ]


def array_figures() -> Iterator[Figure]:
    """Peaks, densities, efficiencies, and how they go with body bias."""
    points = published()
    top = peak()
    without = operating_point(REFERENCE_VOLTAGE_MV, 0)
    full = operating_point(REFERENCE_VOLTAGE_MV, BODY_BIAS_MV)
    for bits in (1, 4):
        name, at = f"peak_tops_{bits}b", describe(top.power)
        yield Figure(name, f"peak, {bits} bit", points[name], top.tops[bits], FIT if bits == 1 else CHECK, at)
    for bits in (1, 4):
        name = f"density_{bits}b"
        yield Figure(name, f"density, {bits} bit", points[name], top.density[bits], CHECK, describe(top.power))
    for bits in (1, 4):
        name, measured = f"tile_{bits}b", measure(bits, without.power)
        yield Figure(name, f"tile, {bits} bit", points[name], measured.tile_tops_per_watt, FIT, describe(without.power))
    for bits in (1, 4):
        name = f"system_{bits}b"
        yield Figure(
            name, f"IMNPU, {bits} bit", points[name], without.tops_per_watt[bits], FIT, describe(without.power)
        )
    ratio = full.density[4] / without.density[4]
    yield Figure("bias_density", "TOPS/mm2, 1.5 V over 0 V bias", points["bias_density"], ratio, FIT, "0.525 V")
    change = 100 * (full.tops_per_watt[4] / without.tops_per_watt[4] - 1)
    yield Figure(
        "bias_efficiency", "TOPS/W, 1.5 V against 0 V bias", points["bias_efficiency"], change, FIT, "0.525 V, 4 bit"
    )
    clock = full.power.clock_khz / KHZ_PER_MHZ
    yield Figure("table_clock", "clock of the tables", points["table_clock"], clock, FIT, "0.525 V, 1.5 V bias")


def describe(power: PowerState) -> str:
    """An operating point for people."""
    volts, bias = power.voltage_mv / 1000, power.body_bias_mv / 1000
    return f"{volts:g} V, {bias:g} V bias, {power.clock_khz / KHZ_PER_MHZ:.0f} MHz"

"""Which published figures agree with each other, and which do not: arithmetic on the published numbers alone.

A figure stands for the interval of numbers that round to it. Figures agree if one set of numbers inside the intervals
fulfils the relation between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from asm.rules import ROW_BITS, TILES
from emu.npu.power import BODY_BIAS_MV, VOLTAGES_MV
from sdk.report.chip_model import CLUSTERS, KHZ_PER_MHZ
from sdk.report.network_energy import vgg16
from sdk.report.published import Point, Published

OPERATIONS_PER_MAC = 2


class Verdict(Enum):
    """What comes out of a comparison."""

    AGREE = "agree"
    ROUNDING = "agree within rounding"
    CONDITIONS = "hold at different operating points"
    CONFLICT = "contradict"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Published figures held against each other.

    Attributes:
        figures: names in `Published.points`.
        deviation_pct: by how much the printed values miss the relation, in %.
        text: the calculation, for people.
    """

    title: str
    figures: tuple[str, ...]
    verdict: Verdict
    deviation_pct: float
    text: str


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers from ``low`` to ``high``."""

    low: float
    high: float

    @staticmethod
    def of(point: Point) -> Interval:
        """All numbers that round to a figure."""
        return Interval(point.low, point.high)

    def __truediv__(self, other: Interval) -> Interval:
        return Interval(self.low / other.high, self.high / other.low)

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.low - other.high, self.high - other.low)

    def times(self, factor: float) -> Interval:
        """Scaled by a positive number."""
        return Interval(self.low * factor, self.high * factor)

    def over(self, number: float) -> Interval:
        """A positive number divided by each of these."""
        return Interval(number / self.high, number / self.low)

    def common(self, other: Interval) -> Interval:
        """What both hold; `empty` if nothing."""
        return Interval(max(self.low, other.low), min(self.high, other.high))

    @property
    def empty(self) -> bool:
        """Whether it holds nothing."""
        return self.low > self.high

    def text(self, digits: int = 3) -> str:
        """For people."""
        return f"{self.low:.{digits}f}..{self.high:.{digits}f}"


def tile_operations(bits: int) -> int:
    """Operations of a tile in a cycle: it multiplies one row."""
    return OPERATIONS_PER_MAC * ROW_BITS // bits


def comparisons(points: Published) -> Iterator[Comparison]:
    """All of them."""
    yield from _area(points)
    yield _clock(points)
    yield _operating_points(points)
    yield _overhead(points)
    yield _bias(points)
    yield _wake_up_clock(points)
    yield _wake_up_energy(points)
    yield _title(points)
    yield from _rates(points)


def _percent(found: float, expected: float) -> float:
    return 100 * (found / expected - 1)


def _agreement(common: Interval, deviation: float) -> Verdict:
    if common.empty:
        return Verdict.CONFLICT
    return Verdict.ROUNDING if abs(deviation) > 1e-9 else Verdict.AGREE


def _area(points: Published) -> Iterator[Comparison]:
    area = points["area"]
    for bits in (1, 4):
        peak, density = points[f"peak_tops_{bits}b"], points[f"density_{bits}b"]
        implied = peak.value / density.value
        common = (Interval.of(peak) / Interval.of(density)).common(Interval.of(area))
        deviation = _percent(peak.value / area.value, density.value)
        yield Comparison(
            f"peak, density and area, {bits} bit",
            (f"peak_tops_{bits}b", f"density_{bits}b", "area"),
            _agreement(common, deviation),
            deviation,
            f"{peak.value:g} TOPS / {area.value:g} mm2 = {peak.value / area.value:.2f} TOPS/mm2, printed "
            f"{density.value:g}; the two give {implied:.3f} mm2, any area of {common.text()} mm2 fulfils all three",
        )


def _clock(points: Published) -> Comparison:
    """One clock behind all four peak figures."""
    per_hertz = {bits: CLUSTERS * TILES * tile_operations(bits) * 1e-6 for bits in (1, 4)}
    area, names, clocks = points["area"], [], []
    for bits in (1, 4):
        for name, factor in ((f"peak_tops_{bits}b", 1.0), (f"density_{bits}b", area.value)):
            names.append(name)
            clocks.append((Interval.of(points[name]).times(factor / per_hertz[bits]), points[name].value * factor))
    common = clocks[0][0]
    for interval, _ in clocks[1:]:
        common = common.common(interval)
    centres = [value / per_hertz[bits] for (_, value), bits in zip(clocks, (1, 1, 4, 4), strict=True)]
    return Comparison(
        "the clock behind the four peak figures",
        tuple(names),
        _agreement(common, max(centres) - min(centres)),
        _percent(max(centres), min(centres)),
        f"{CLUSTERS * TILES} tiles need {', '.join(f'{clock:.0f}' for clock in centres)} MHz for {', '.join(names)}; "
        f"with {area.value:g} mm2, every clock of {common.text(1)} MHz rounds to all four",
    )


def _operating_points(points: Published) -> Comparison:
    """Peak figures and efficiencies cannot be had at the same time."""
    clock = points["table_clock"].value
    tops = {bits: CLUSTERS * TILES * tile_operations(bits) * clock * 1e-6 for bits in (1, 4)}
    density = {bits: value / points["area"].value for bits, value in tops.items()}
    peak = points["peak_tops_1b"].value
    return Comparison(
        "peak figures and the clock of the tables",
        ("peak_tops_1b", "peak_tops_4b", "density_1b", "density_4b", "table_clock"),
        Verdict.CONDITIONS,
        _percent(peak, tops[1]),
        f"at {clock:g} MHz the chip has {tops[1]:.1f} TOPS and {density[1]:.1f} TOPS/mm2 at 1 bit, {tops[4]:.1f} and "
        f"{density[4]:.2f} at 4 bit: the peak figures need {peak / tops[1]:.2f} times that clock, so they do not "
        f"come together with the TOPS/W, which are those of 0.525 V",
    )


def _overhead(points: Published) -> Comparison:
    """What lies between tile and system has one energy in the model; TOPS/W are operations per picojoule."""
    around = {}
    for bits in (1, 4):
        system = Interval.of(points[f"system_{bits}b"]).over(tile_operations(bits))
        tile = Interval.of(points[f"tile_{bits}b"]).over(tile_operations(bits))
        around[bits] = system - tile
    centre = {
        bits: tile_operations(bits) / points[f"system_{bits}b"].value
        - tile_operations(bits) / points[f"tile_{bits}b"].value
        for bits in (1, 4)
    }
    deviation = _percent(centre[1], centre[4])
    return Comparison(
        "tile and IMNPU at 1 and at 4 bit",
        ("tile_1b", "system_1b", "tile_4b", "system_4b"),
        _agreement(around[1].common(around[4]), deviation),
        deviation,
        f"the energy around a busy tile is {centre[1]:.2f} pJ a cycle by the 1-bit figures ({around[1].text()}), "
        f"{centre[4]:.2f} pJ by the 4-bit ones ({around[4].text()}); a model that has one energy for both misses one, "
        f"unless {points['system_1b'].value:g} and {points['tile_1b'].value:g} are rounded to tens",
    )


def _bias(points: Published) -> Comparison:
    """The clock without bias, from the density ratio; the loss of efficiency belongs to it."""
    clock, ratio = points["table_clock"], points["bias_density"]
    slow = Interval.of(clock) / Interval.of(ratio)
    kept = 1 + points["bias_efficiency"].value / 100
    system = points["system_4b"].value
    return Comparison(
        "IMNPU efficiency and the clock of the tables",
        ("system_1b", "system_4b", "table_clock", "bias_density", "bias_efficiency"),
        Verdict.CONDITIONS,
        _percent(kept, 1),
        f"{clock.value:g} MHz need 1.5 V body bias, which costs {100 * (1 - kept):.0f} %: if "
        f"{points['system_1b'].value:g} and {system:g} TOPS/W hold without bias, at {slow.text(0)} MHz, the tables' "
        f"clock has {system * kept:.1f} at 4 bit; {points['vgg16_efficiency'].value:g} for the VGG16-style network "
        f"must be seen against that",
    )


def _wake_up_clock(points: Published) -> Comparison:
    """A straight line between the two published ends of the body-bias curve."""
    scene = points.scenes["wake_up"]
    end, ratio = points["table_clock"].value, points["bias_density"].value
    start = end / ratio
    line = start + (end - start) * scene.body_bias_mv / BODY_BIAS_MV
    wanted = scene.clock_khz / KHZ_PER_MHZ
    return Comparison(
        "clock of the wake-up and the body-bias curve",
        ("wake_up_power", "table_clock", "bias_density"),
        Verdict.CONDITIONS,
        _percent(wanted, line),
        f"a straight line from {start:.0f} MHz without bias to {end:g} MHz at 1.5 V passes 0.3 V at {line:.0f} MHz; "
        f"the use case runs {wanted:g} MHz there: the curve bends, or the voltage is above 0.525 V; neither is said",
    )


def _wake_up_energy(points: Published) -> Comparison:
    """Energy of an inference in both parts of the use case."""
    small, large = points.scenes["always_on"], points.scenes["wake_up"]
    one = points["always_on_power"].value / small.inferences_per_second
    scaled = 1000 * points["wake_up_power"].value / (large.inferences_per_second * large.network_size)
    power, wake = Interval.of(points["always_on_power"]), Interval.of(points["wake_up_power"])
    common = power.times(1 / small.inferences_per_second).common(
        wake.times(1000 / (large.inferences_per_second * large.network_size))
    )
    deviation = _percent(scaled, one)
    return Comparison(
        "energy of an inference, watching and awake",
        ("always_on_power", "wake_up_power"),
        _agreement(common, deviation),
        deviation,
        f"{one:.1f} uJ watching, {scaled:.1f} uJ for a tenth of an inference awake: the second figure is the first one "
        f"times 300, although body bias, leakage and number of clusters differ",
    )


def _title(points: Published) -> Comparison:
    """The low end of the title's range against the square of the voltage."""
    low, system = points["lowest_efficiency"].value, points["system_4b"].value
    lowest, highest = (voltage / 1000 for voltage in VOLTAGES_MV)
    factor = (lowest / highest) ** 2
    voltage = lowest * (system / low) ** 0.5
    one_bit = points["system_1b"].value
    return Comparison(
        "the range of 40 to 310 TOPS/W and the square of the voltage",
        ("lowest_efficiency", "system_1b", "system_4b"),
        Verdict.CONFLICT,
        _percent(system * factor, low),
        f"from {lowest:g} to {highest:.1f} V the square of the voltage takes {system:g} TOPS/W at 4 bit to "
        f"{system * factor:.1f}, and {one_bit:g} at 1 bit to {one_bit * factor:.1f}: neither is {low:g}; 4 bit "
        f"has {low:g} at {voltage:.2f} V. Where {low:g} holds is not said",
    )


def _rates(points: Published) -> Iterator[Comparison]:
    """Cycles and inferences a second; power of the network."""
    clock = points["table_clock"].value * 1e6
    for clusters in (1, 8):
        cycles, rate = points[f"vgg16_cycles_{clusters}"], points[f"vgg16_rate_{clusters}"]
        common = Interval.of(cycles).over(clock).common(Interval.of(rate))
        deviation = _percent(clock / cycles.value, rate.value)
        macs = sum(workload.macs for workload in vgg16().workloads())
        watts = OPERATIONS_PER_MAC * macs * rate.value / (points["vgg16_efficiency"].value * 1e12)
        yield Comparison(
            f"cycles and inferences a second, {clusters} cluster{'s' * (clusters > 1)}",
            (f"vgg16_cycles_{clusters}", f"vgg16_rate_{clusters}", "table_clock"),
            _agreement(common, deviation),
            deviation,
            f"600 MHz / {cycles.value:g} = {clock / cycles.value:.1f}, printed {rate.value:g}; with "
            f"{points['vgg16_efficiency'].value:g} TOPS/W the NPU takes {watts * 1000:.1f} mW",
        )

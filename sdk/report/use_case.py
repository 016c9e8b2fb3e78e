"""The published use case: a camera that watches with a small network all the time, and wakes up for a large one.

The networks are not published. Their layers are taken to be like those of the VGG16-style network, and the small one
to be the share of it that fits the published power of watching; the power of the wake-up then follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from emu.npu.energy import leakage_nanowatts
from emu.npu.power import REFERENCE_VOLTAGE_MV, VOLTAGES_MV, PowerState, f_max
from sdk.report.network_energy import network_cost, vgg16
from sdk.report.published import Published, Scene

FEMTO, NANO = 1e-15, 1e-9
HERTZ_PER_KHZ = 1000


@dataclass(frozen=True, slots=True)
class SceneFigures:
    """A part of the use case by the model.

    Attributes:
        busy: share of the time in which the clusters work, 0..1.
        work_watts: without leakage.
        leakage_watts: of its clusters, all the time.
        allowed_khz: fastest clock at 0.525 V with the scene's body bias.
        needed_mv: lowest voltage that allows the scene's clock by the model's law; `raised_watts` is the power there.
    """

    scene: Scene
    busy: float
    work_watts: float
    leakage_watts: float
    allowed_khz: int
    needed_mv: int

    @property
    def watts(self) -> float:
        """With the leakage of all the time."""
        return self.work_watts + self.leakage_watts

    @property
    def gated_watts(self) -> float:
        """With the leakage of the time of work only, as if clusters were cut off in between."""
        return self.work_watts + self.busy * self.leakage_watts

    @property
    def raised_watts(self) -> float:
        """As `watts`, at `needed_mv` instead of 0.525 V: energy goes with the square of the voltage."""
        return self.watts * (self.needed_mv / REFERENCE_VOLTAGE_MV) ** 2


@dataclass(frozen=True, slots=True)
class UseCase:
    """Both parts.

    Attributes:
        share: the small network, in inferences of the VGG16-style one.
        operations: of the small network.
    """

    share: float
    operations: float
    always_on: SceneFigures
    wake_up: SceneFigures


def use_case(points: Published) -> UseCase:
    """Fit the small network to the published power of watching, and work out the rest."""
    watching = points.scenes["always_on"]
    goal = points["always_on_power"].value * 1e-6
    whole = _scene(watching, 1.0)
    share = (goal - whole.leakage_watts) / whole.work_watts
    operations = share * network_cost(vgg16(), PowerState()).operations
    return UseCase(share, operations, _scene(watching, share), _scene(points.scenes["wake_up"], share))


def _scene(scene: Scene, share: float) -> SceneFigures:
    """A scene whose small network is ``share`` of the VGG16-style one."""
    power = PowerState(REFERENCE_VOLTAGE_MV, scene.body_bias_mv, scene.clock_khz)
    one = network_cost(vgg16(), power, scene.clusters)
    rate = share * scene.network_size * scene.inferences_per_second
    return SceneFigures(
        scene,
        rate * one.cycles / (HERTZ_PER_KHZ * scene.clock_khz),
        rate * (one.energy.total - one.energy.leakage) * FEMTO,
        scene.clusters * leakage_nanowatts(power) * NANO,
        f_max(REFERENCE_VOLTAGE_MV, scene.body_bias_mv),
        lowest_voltage(scene.clock_khz, scene.body_bias_mv),
    )


def lowest_voltage(clock_khz: int, body_bias_mv: int) -> int:
    """Lowest supply voltage in millivolts at which a cluster runs with this clock and body bias."""
    return next(
        voltage for voltage in range(VOLTAGES_MV[0], VOLTAGES_MV[1] + 1) if f_max(voltage, body_bias_mv) >= clock_khz
    )

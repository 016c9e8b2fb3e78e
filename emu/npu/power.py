"""Supply voltage, body bias and clock of a cluster, and the fastest clock that they allow.

    f_max = 600 MHz x ((V - threshold + body factor x bias) / the same at 0.525 V and 1.5 V) ^ exponent

Forward body bias lowers the threshold of the transistors, so that they are faster, and leak more
(`emu/npu/energy.py`).

*Inaccuracies*: published are 600 MHz at 0.525 V and 1.5 V bias, the ratio of 1.8 to the density without bias, and
the peak figures, which fit a clock of 1.745 GHz at 1.0 V and 1.2 V bias. The law between these points is our choice
(the usual power law of the overdrive, with the body factor of the process family); no temperature, no spread
between chips, no time to change from one state to another.
"""

from __future__ import annotations

from dataclasses import dataclass

from asm.rules import Cause, RuleError

VOLTAGES_MV = (525, 1000)
"""Lowest and highest supply voltage; published."""
BODY_BIAS_MV = 1500
"""Highest forward body bias; published."""
HIGH_VOLTAGE_MV = 900
"""From this supply voltage on, `HIGH_VOLTAGE_BIAS_MV` is the highest body bias; published."""
HIGH_VOLTAGE_BIAS_MV = 1200

REFERENCE_KHZ = 600_000
"""Published clock at `REFERENCE_VOLTAGE_MV` and `REFERENCE_BIAS_MV`."""
REFERENCE_VOLTAGE_MV = 525
REFERENCE_BIAS_MV = 1500
THRESHOLD_MV = 305.5
BODY_FACTOR = 0.085
"""Millivolts that the threshold falls for each millivolt of body bias."""
EXPONENT = 1.285


@dataclass(frozen=True, slots=True)
class PowerState:
    """What a cluster runs at; the values after reset are those of the published cycle tables.

    Attributes:
        voltage_mv: supply voltage in millivolts.
        body_bias_mv: forward body bias in millivolts.
        clock_khz: clock of the cluster in kilohertz.
    """

    voltage_mv: int = REFERENCE_VOLTAGE_MV
    body_bias_mv: int = REFERENCE_BIAS_MV
    clock_khz: int = REFERENCE_KHZ

    def check(self) -> None:
        """Raises `RuleError` unless a cluster can work like that."""
        lowest, highest = VOLTAGES_MV
        if self.clock_khz < 1:
            raise RuleError(Cause.bad_field, "CLOCK_KHZ must be at least 1, not 0")
        if self.voltage_mv > highest:
            raise RuleError(Cause.bad_field, f"VOLTAGE_MV must be {lowest}..{highest}, not {self.voltage_mv}")
        if self.voltage_mv < lowest:
            raise RuleError(Cause.voltage_too_low, f"VOLTAGE_MV must be {lowest}..{highest}, not {self.voltage_mv}")
        bias = highest_bias(self.voltage_mv)
        if self.body_bias_mv > bias:
            raise RuleError(
                Cause.bad_field,
                f"BODY_BIAS_MV must be 0..{bias} at {self.voltage_mv} mV, not {self.body_bias_mv}",
            )
        fastest = f_max(self.voltage_mv, self.body_bias_mv)
        if self.clock_khz > fastest:
            raise RuleError(
                Cause.voltage_too_low,
                f"{self.voltage_mv} mV with {self.body_bias_mv} mV of body bias allow {fastest} kHz, "
                f"CLOCK_KHZ is {self.clock_khz}",
            )


def highest_bias(voltage_mv: int) -> int:
    """Highest forward body bias in millivolts at a supply voltage."""
    return HIGH_VOLTAGE_BIAS_MV if voltage_mv >= HIGH_VOLTAGE_MV else BODY_BIAS_MV


def f_max(voltage_mv: int, body_bias_mv: int) -> int:
    """Fastest clock in kilohertz, rounded down; both arguments must lie in the published range."""
    overdrive = _overdrive(voltage_mv, body_bias_mv) / _overdrive(REFERENCE_VOLTAGE_MV, REFERENCE_BIAS_MV)
    return int(REFERENCE_KHZ * overdrive**EXPONENT)


def _overdrive(voltage_mv: int, body_bias_mv: int) -> float:
    """Millivolts above the threshold."""
    return voltage_mv - THRESHOLD_MV + BODY_FACTOR * body_bias_mv

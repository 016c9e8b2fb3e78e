"""How long the camera's NPU runs from a battery."""

from __future__ import annotations

SECONDS_PER_DAY = 86_400
JOULES_PER_MILLIWATT_HOUR = 3.6
BATTERY_MWH = 3700.0
"""1000 mAh at 3.7 V."""
AWAKE_PERCENT = 1.0
"""Share of the time in which the camera is awake."""


def battery_days(battery_mwh: float, awake_percent: float, watching_watts: float, awake_watts: float) -> float:
    """Days that the NPU alone could run from a battery.

    Args:
        battery_mwh: what the battery holds, in mWh.
        awake_percent: share of the time in which the large network runs instead of the small one, in %.
    """
    awake = awake_percent / 100
    watts = (1 - awake) * watching_watts + awake * awake_watts
    return battery_mwh * JOULES_PER_MILLIWATT_HOUR / watts / SECONDS_PER_DAY

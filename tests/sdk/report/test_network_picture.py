"""The picture of a network's report leaves out nothing."""

from __future__ import annotations

from fractions import Fraction

from sdk.report.network import LayerTime
from sdk.report.network_picture import TIME_PARTS


def test_the_bars_of_a_layer_are_all_of_its_cycles() -> None:
    time = LayerTime(*(Fraction(1 << place) for place in range(7)))
    assert sum(getattr(time, part) for part in TIME_PARTS) == time.total == 127

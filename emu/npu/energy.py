"""Energy of a cluster: a fit of a few constants to published efficiencies.

    E = (V / 0.525 V)^2 x (tile-cycles x (array + overhead) + kernel words x load + activation bytes x stream
                           + time x leakage(body bias))
    leakage(bias) = 40 uW x 135 ^ (bias / 1.5 V)

Everything is an integer number of femtojoules, rounded down for each component of each command, so that sums do not
depend on their order.

*Inaccuracies*: a fit, not a measurement; `docs/energy.md` has the residuals. Fitted to published figures at 0.525 V,
with kernels of which half the weights are 0: other sparsities cost the same here. That energy and leakage go with
the square of the voltage is our choice; nothing published tests it. Published are 1-bit and 4-bit arrays: 2 bits are
interpolated linearly, the wider operand decides, and 8 bits are passes of 4. Control instructions, copies and
fills cost the leakage of their time only, tensor arithmetic also the bytes that it streams. A program that waits
leaks; a cluster that has neither a program nor a command to run costs nothing here (it is taken to be gated).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from asm.rules import ROW_BITS
from emu.npu.power import BODY_BIAS_MV, REFERENCE_VOLTAGE_MV, PowerState
from emu.npu.timing import KERNEL_PORT_BITS, Cost

FEMTO_PER_PICO = 1000
ARRAY_FJ = {1: 2660, 2: 2743, 4: 2910}
"""Array of one tile, a cycle, by the bits that it multiplies in one pass."""
OVERHEAD_FJ = 3850
"""Everything around one busy tile, a cycle."""
KERNEL_WORD_FJ = 56_000
"""Loading one 64-bit kernel word."""
ACTIVATION_BYTE_FJ = 630
"""Streaming one byte of features or outputs."""
LEAKAGE_NW = 40_000
"""A cluster's leakage without body bias: 40 uW."""
LEAKAGE_RATIO = 135
"""Leakage at 1.5 V body bias (5.4 mW) over that without: 0.70 V a decade."""
FEMTO_PER_NANO = 1_000_000


@dataclass(frozen=True, slots=True)
class Energy:
    """Femtojoules by where they go.

    Attributes:
        array: reading and multiplying in the tiles.
        overhead: everything around busy tiles.
        kernels: loading weights.
        activations: streaming features and outputs.
        leakage: of the time that passed.
    """

    array: int = 0
    overhead: int = 0
    kernels: int = 0
    activations: int = 0
    leakage: int = 0

    @property
    def total(self) -> int:
        """The sum of all components."""
        return self.array + self.overhead + self.kernels + self.activations + self.leakage

    def leaking(self, femtojoules: int) -> Energy:
        """The same with more leakage."""
        return Energy(self.array, self.overhead, self.kernels, self.activations, self.leakage + femtojoules)

    def __add__(self, other: Energy) -> Energy:
        return Energy(
            self.array + other.array,
            self.overhead + other.overhead,
            self.kernels + other.kernels,
            self.activations + other.activations,
            self.leakage + other.leakage,
        )

    def __sub__(self, other: Energy) -> Energy:
        return Energy(
            self.array - other.array,
            self.overhead - other.overhead,
            self.kernels - other.kernels,
            self.activations - other.activations,
            self.leakage - other.leakage,
        )


def work_energy(cost: Cost, power: PowerState) -> Energy:
    """What a command does costs this; the leakage of its time is not in it."""

    def scaled(femtojoules: int, divisor: int = 1) -> int:
        return femtojoules * power.voltage_mv**2 // (divisor * REFERENCE_VOLTAGE_MV**2)

    return Energy(
        array=scaled(cost.row_bits * ARRAY_FJ[cost.array_bits], ROW_BITS),
        overhead=scaled(cost.row_bits * OVERHEAD_FJ, ROW_BITS),
        kernels=scaled(cost.kernel_bits * KERNEL_WORD_FJ, KERNEL_PORT_BITS),
        activations=scaled(cost.activation_bytes * ACTIVATION_BYTE_FJ),
    )


@lru_cache(maxsize=64)
def leakage_nanowatts(power: PowerState) -> int:
    """What one cluster leaks."""
    at_reference: int = round(LEAKAGE_NW * LEAKAGE_RATIO ** (power.body_bias_mv / BODY_BIAS_MV))
    return at_reference * power.voltage_mv**2 // REFERENCE_VOLTAGE_MV**2


def leakage(ticks: int, hertz: int, power: PowerState) -> int:
    """Femtojoules that one cluster leaks in ``ticks`` of a clock of ``hertz``."""
    return leaked(ticks, hertz, leakage_nanowatts(power))


def leaked(ticks: int, hertz: int, nanowatts: int) -> int:
    """Femtojoules of a leakage in nanowatts."""
    return ticks * nanowatts * FEMTO_PER_NANO // hertz

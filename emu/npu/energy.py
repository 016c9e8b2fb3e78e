"""Energy of a cluster: a fit of a few constants to published efficiencies.

    E = tile-cycles x (array + overhead) + kernel words x load + activation bytes x stream + time x leakage

Everything is an integer number of femtojoules, so that sums do not depend on their order.

*Inaccuracies*: a fit, not a measurement. Fitted to the published figures at 0.525 V, 600 MHz and 1.5 V forward
body bias, with kernels of which half the weights are 0; other voltages, biases and sparsities are not modelled.
Published are 1-bit and 4-bit arrays: 2 bits are interpolated linearly, and the wider operand decides. Copies
and control instructions cost only the leakage of their time; a cluster that is idle between commands costs
nothing here (it is taken to be gated).
"""

from __future__ import annotations

from asm.rules import ROW_BITS
from emu.npu.timing import KERNEL_PORT_BITS, Cost

FEMTO_PER_PICO = 1000
ARRAY_FJ = {1: 2660, 2: 2743, 4: 2910}
"""Array of one tile, a cycle, by bits of the wider operand."""
OVERHEAD_FJ = 3850
"""Everything around one busy tile, a cycle."""
KERNEL_WORD_FJ = 56_000
"""Loading one 64-bit kernel word."""
ACTIVATION_BYTE_FJ = 630
"""Streaming one byte of features or outputs."""
LEAKAGE_FJ_PER_SECOND = 5_400_000_000_000
"""5.4 mW a cluster at 1.5 V forward body bias."""


def work_energy(cost: Cost) -> int:
    """Femtojoules of what a command does; the leakage of its time is not in it."""
    tiles = cost.row_bits * (ARRAY_FJ[cost.bits] + OVERHEAD_FJ) // ROW_BITS
    return tiles + cost.kernel_bits * KERNEL_WORD_FJ // KERNEL_PORT_BITS + cost.activation_bytes * ACTIVATION_BYTE_FJ


def leakage(cycles: int, hertz: int) -> int:
    """Femtojoules that one cluster leaks in ``cycles`` of a clock of ``hertz``."""
    return cycles * LEAKAGE_FJ_PER_SECOND // hertz

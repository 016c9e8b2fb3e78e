"""Energy by component against the formulas written out, exact sums, and how it goes with voltage and body bias."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import floor, log10

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asm import parameters
from asm.parameters import CommandCode
from asm.rules import KERNEL_ROWS
from emu.npu.energy import Energy, leakage, leakage_nanowatts, work_energy
from emu.npu.power import PowerState
from emu.npu.timing import Cost
from tests.emu.npu.small_machine import SYSTEM, SmallMachine, kernel_words, tensor_words

VOLTAGES = st.integers(525, 1000)
ARRAY_PJ = {1: Fraction("2.66"), 4: Fraction("2.91")}
PARTS = ("array", "overhead", "kernels", "activations", "leakage")


@given(
    voltage=VOLTAGES,
    bits=st.sampled_from((1, 4)),
    macs=st.integers(0, 10**9),
    kernel_bits=st.integers(0, 10**8),
    activation_bytes=st.integers(0, 10**8),
)
def test_the_formula(voltage: int, bits: int, macs: int, kernel_bits: int, activation_bytes: int) -> None:
    """E = (V / 0.525 V)^2 (T (a + o) + L k + A x), each part rounded down to a femtojoule."""
    cost = Cost(macs=macs, bits=bits, array_bits=bits, kernel_bits=kernel_bits, activation_bytes=activation_bytes)
    factor = 1000 * (Fraction(voltage) / 525) ** 2
    tile_cycles = Fraction(macs * bits, 1024)
    expected = Energy(
        array=floor(factor * tile_cycles * ARRAY_PJ[bits]),
        overhead=floor(factor * tile_cycles * Fraction("3.85")),
        kernels=floor(factor * Fraction(kernel_bits, 64) * 56),
        activations=floor(factor * activation_bytes * Fraction("0.63")),
    )
    assert work_energy(cost, PowerState(voltage_mv=voltage)) == expected


def test_two_bits_lie_between_one_and_four() -> None:
    one, two, four = (
        work_energy(Cost(macs=1024 * 1000 // bits, bits=bits, array_bits=bits), PowerState()).array
        for bits in (1, 2, 4)
    )
    assert (two - one) * 3 == pytest.approx(four - one, rel=0.01)
    assert one < two < four


@pytest.mark.parametrize(("bias", "microwatts"), [(0, 40), (1500, 5400)])
def test_published_ends_of_the_leakage(bias: int, microwatts: int) -> None:
    assert leakage_nanowatts(PowerState(body_bias_mv=bias)) == microwatts * 1000
    assert leakage(1, 1, PowerState(body_bias_mv=bias)) == microwatts * 10**9


def test_a_decade_of_leakage_takes_seven_tenths_of_a_volt() -> None:
    low, high = (leakage_nanowatts(PowerState(body_bias_mv=bias)) for bias in (400, 1100))
    assert 0.7 / log10(high / low) == pytest.approx(0.70, abs=0.01)


def test_more_voltage_or_bias_costs_more() -> None:
    cost = Cost(macs=10**6, bits=4, kernel_bits=10**6, activation_bytes=10**6)
    by_voltage = [work_energy(cost, PowerState(voltage_mv=voltage)).total for voltage in range(525, 1001, 25)]
    assert all(less < more for less, more in pairwise(by_voltage))
    leaks = [leakage_nanowatts(PowerState(body_bias_mv=bias)) for bias in range(0, 1501, 50)]
    assert all(less < more for less, more in pairwise(leaks))
    assert leakage_nanowatts(PowerState(voltage_mv=1000, body_bias_mv=0)) == 40_000 * 1000**2 // 525**2


@given(st.lists(st.tuples(*[st.integers(0, 2**60)] * len(PARTS)), max_size=8))
def test_sums_are_exact(rows: list[tuple[int, ...]]) -> None:
    energies = [Energy(*row) for row in rows]
    total = sum(energies, Energy())
    assert total.total == sum(sum(row) for row in rows)
    assert total - sum(reversed(energies), Energy()) == Energy()


@pytest.mark.parametrize("power", [PowerState(), PowerState(1000, 1200, 1_500_000), PowerState(525, 0, 10_000)])
def test_a_cluster_counts_what_its_commands_cost(power: PowerState) -> None:
    """The parts of the records add up to the counter, and are those of the formula at the cluster's power state."""
    machine = SmallMachine()
    machine.cluster.on_command.append(machine.records.append)
    machine.set("VOLTAGE_MV", power.voltage_mv)
    machine.set("BODY_BIAS_MV", power.body_bias_mv)
    machine.set("CLOCK_KHZ", power.clock_khz)
    side, channels, kernels = 6, 28, KERNEL_ROWS
    machine.set("TOPOLOGY", parameters.Topology.pack(chain=1, parallel=1, stripes=1))
    machine.set("TILE_MODE", 0xFF)
    machine.set("KERNEL_SHAPE", *kernel_words((kernels, 3, 3, channels), "s4", "u4", 1, (1, 1, 1, 1)))
    machine.set("LOAD_ADDRESS", SYSTEM, kernels)
    machine.set("INPUT_ADDRESS", *tensor_words(SYSTEM + 0x8000, "u4", (side, side, channels)))
    machine.set("OUTPUT_ADDRESS", *tensor_words(SYSTEM + 0x1_0000, "s32", (side, side, kernels)))
    machine.command(CommandCode.load)
    machine.command(CommandCode.convolve)
    assert machine.messages == []
    spent = sum((record.energy for record in machine.records), Energy())
    assert spent == machine.cluster.counters.energy
    assert machine.counter("ENERGY_PJ") == spent.total // 1000
    scale = Fraction(power.voltage_mv, 525) ** 2
    row_bits, kernel_bits = side * side * kernels * 9 * channels * 4, kernels * 9 * channels * 4
    assert spent.array == floor(scale * Fraction(row_bits, 1024) * 2910)
    assert spent.overhead == floor(scale * Fraction(row_bits, 1024) * 3850)
    assert spent.kernels == floor(scale * Fraction(kernel_bits, 64) * 56_000)
    assert spent.activations == floor(scale * (side * side * (channels // 2 + 4 * kernels)) * 630)
    seconds = Fraction(machine.counter("BUSY_CYCLES"), 1000 * power.clock_khz)
    leaked = float(seconds) * 40e-6 * 135 ** (power.body_bias_mv / 1500) * float(scale)
    assert spent.leakage * 1e-15 == pytest.approx(leaked, rel=1e-4)

"""Convolutions on the cluster equal the plain-integer reference, by registers and by programs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from asm import isa, parameters
from asm.parameters import CommandCode
from asm.rules import ROW_BITS
from tests.emu.npu.small_machine import (
    DONE,
    NO_BASE,
    SYSTEM,
    SmallMachine,
    kernel_words,
    random_elements,
    tensor_words,
    unpack_tensor,
)
from tests.reference import integer

ARRAY = ("u1", "s1", "u2", "s2", "u4", "s4")
OUTPUTS = ("u1", "s1", "u2", "s2", "u4", "s4", "u8", "s8", "s32")
WEIGHTS, INPUT, OUTPUT, TABLE = SYSTEM, SYSTEM + 0x4_0000, SYSTEM + 0x8_0000, SYSTEM + 0xC_0000
BOUNDS = {"s1": (-1, 1), "u1": (0, 1), "s32": (integer.LOWEST, integer.HIGHEST)}


def format_bounds(name: str) -> tuple[int, int]:
    """Smallest and largest value."""
    bits = integer.element_bits(name)
    signed = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return BOUNDS.get(name, signed if name[0] == "s" else (0, 2**bits - 1))


@dataclass(frozen=True)
class Case:
    """One convolution."""

    weights: str
    features: str
    output: str
    kernel: tuple[int, int, int, int]
    size: tuple[int, int]
    stride: int
    padding: tuple[int, int, int, int]
    topology: tuple[int, int, int]
    relu: bool
    clamp: tuple[int, int]
    seed: int
    extra_channels: tuple[int, int] = (0, 0)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Anything that the rules allow, small enough for loops in Python."""
    weights, features = draw(st.sampled_from(ARRAY)), draw(st.sampled_from(ARRAY))
    chain = draw(st.integers(1, 8))
    parallel = draw(st.integers(1, 8 // chain))
    stripes = draw(st.integers(1, 8 // (chain * parallel)))
    height, width = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    most = ROW_BITS // (height * width * integer.element_bits(weights)) * chain
    channels = draw(st.integers(chain, min(most, chain + 20)))
    kernels = draw(st.integers(1, min(32 * parallel, 40)))
    size = (draw(st.integers(height, 7)), draw(st.integers(width, 7)))
    padding = draw(st.tuples(*[st.integers(0, 2)] * 4))
    output = draw(st.sampled_from(OUTPUTS))
    low = draw(st.integers(-20, 5))
    high = draw(st.integers(low, 40))
    clamp = draw(st.sampled_from([(integer.LOWEST, integer.HIGHEST), (low, high)]))
    extra = (draw(st.integers(0, 9)), draw(st.integers(0, 9)))
    return Case(
        weights,
        features,
        output,
        (kernels, height, width, channels),
        size,
        draw(st.integers(1, 3)),
        padding,
        (chain, parallel, stripes),
        draw(st.booleans()),
        clamp,
        draw(st.integers(0, 2**32)),
        extra,
    )


def place(tensor: NDArray[np.int64], name: str, pixel_channels: int, fill: int) -> bytes:
    """A tensor as a slice of the channels of wider pixels; the other elements have the code ``fill``."""
    height, width, channels = tensor.shape
    bits = integer.element_bits(name)
    wide = np.full((height, width, pixel_channels), fill, np.int64)
    codes = (tensor > 0).astype(np.int64) if name == "s1" else tensor % 2**bits
    wide[:, :, :channels] = codes
    return b"".join(integer.pack(row.reshape(-1), f"u{bits}") for row in wide)


class Setup:
    """A machine with a case in its memory."""

    def __init__(self, case: Case) -> None:
        self.case, self.machine = case, SmallMachine()
        generator = np.random.default_rng(case.seed)
        kernels, _, _, channels = case.kernel
        self.weights = random_elements(generator, case.weights, case.kernel)
        self.features = random_elements(generator, case.features, (*case.size, channels))
        self.psums = integer.conv2d(self.features, self.weights, case.stride, case.padding)
        reach = max(int(np.abs(self.psums).max()), 1)
        self.table = np.stack(
            [
                generator.integers(-reach, reach + 1, kernels),
                generator.integers(0, 2**12, kernels),
                generator.integers(8, 20, kernels),
                generator.integers(-3, 4, kernels),
            ],
            axis=1,
        )
        self.shape = self.psums.shape
        self.input_channels = channels + case.extra_channels[0]
        self.output_channels = kernels + case.extra_channels[1]
        bus, (chain, _, _) = self.machine.bus, case.topology
        self.packed = integer.pack_kernels(self.weights, case.weights, chain)
        bus.write(WEIGHTS, self.packed)
        bus.write(INPUT, place(self.features, case.features, self.input_channels, 1))
        bus.write(TABLE, self.table.astype("<i4").tobytes())

    def tensors(self, output: str) -> tuple[int, ...]:
        """Words of input and output."""
        source = tensor_words(INPUT, self.case.features, self.features.shape, pixel_channels=self.input_channels)
        return source + tensor_words(OUTPUT, output, self.shape, pixel_channels=self.output_channels)

    def set_up(self) -> tuple[isa.Instruction, ...]:
        """Topology, mode, kernel, load."""
        case = self.case
        chain, parallel, stripes = case.topology
        return (
            isa.SetTopology(0, (parameters.Topology.pack(chain=chain, parallel=parallel, stripes=stripes),)),
            isa.SetMode(0, (0xFF,)),
            isa.SetKernel(0, kernel_words(case.kernel, case.weights, case.features, case.stride, case.padding)),
            isa.Load(NO_BASE, (WEIGHTS, case.kernel[0])),
        )

    def activation(self, bypass: bool) -> isa.SetActivation:
        """The activation unit's set-up."""
        control = parameters.ActivationControl.pack(bypass=int(bypass), relu=int(self.case.relu))
        low, high = (bound % 2**32 for bound in self.case.clamp)
        return isa.SetActivation(NO_BASE, (control, TABLE, low, high))

    def by_registers(self, bypass: bool, output: str) -> None:
        """The same writes that the program makes, by the host."""
        *set_up, load = self.set_up()
        for step in (*set_up, self.activation(bypass)):
            self.machine.set(step.register, *step.words)
            if step.register == "KERNEL_SHAPE":
                self.machine.set(load.register, *load.words)
                self.machine.command(CommandCode.load)
        for number, word in enumerate(self.tensors(output)):
            self.machine.cluster.write(0x12C + 4 * number, 4, word)
        self.machine.command(CommandCode.convolve)

    def by_program(self, bypass: bool, output: str) -> None:
        """All of it as a program."""
        convolve = isa.Conv(NO_BASE, self.tensors(output))
        self.machine.run_program(*self.set_up(), self.activation(bypass), convolve, isa.Halt())

    def expected(self, output: str) -> bytes:
        """Memory after the output was written over bytes of 0xA5."""
        low, high = format_bounds(output)
        relu, (clamp_low, clamp_high) = self.case.relu, self.case.clamp
        clamped = integer.requantise(self.psums, self.table, relu, clamp_low, clamp_high)
        return self.over_a5(np.clip(clamped, low, high), output)

    def over_a5(self, values: NDArray[np.int64], output: str) -> bytes:
        """Values in the output's slice; all bits around them as they were."""
        bits = integer.element_bits(output)
        row_bytes = -(-self.shape[1] * self.output_channels * bits // 8)
        memory = [integer.unpack(b"\xa5" * row_bytes, row_bytes * 8 // bits, f"u{bits}") for _ in range(self.shape[0])]
        for (row, column, channel), value in np.ndenumerate(values):
            code = int(value > 0) if output == "s1" else int(value) % 2**bits
            memory[row][column * self.output_channels + channel] = code
        return b"".join(integer.pack(row, f"u{bits}") for row in memory)

    def check(self, by: str, bypass: bool, output: str) -> None:
        """Run, and compare memory byte by byte, with some bytes on both sides."""
        expected = self.over_a5(self.psums, output) if bypass else self.expected(output)
        bus = self.machine.bus
        bus.write(OUTPUT - 8, b"\xa5" * (len(expected) + 16))
        (self.by_program if by == "program" else self.by_registers)(bypass, output)
        assert self.machine.messages == []
        assert self.machine.get("INTERRUPT_STATUS") == DONE
        assert bus.read(OUTPUT - 8, len(expected) + 16) == b"\xa5" * 8 + expected + b"\xa5" * 8


@given(cases())
@settings(max_examples=150)
def test_any_convolution_by_program(case: Case) -> None:
    Setup(case).check("program", bypass=False, output=case.output)


@given(cases())
@settings(max_examples=50)
def test_any_convolution_by_registers(case: Case) -> None:
    Setup(case).check("registers", bypass=False, output=case.output)


@given(cases())
@settings(max_examples=50)
def test_psums_leave_with_bypass(case: Case) -> None:
    Setup(case).check("program", bypass=True, output="s32")


@pytest.mark.parametrize("weights", ARRAY)
@pytest.mark.parametrize("features", ARRAY)
def test_every_pair_of_formats(weights: str, features: str) -> None:
    case = Case(
        weights, features, "s8", (33, 3, 3, 10), (6, 5), 1, (1, 1, 1, 1), (2, 2, 2), False, (-128, 127), 7, (3, 1)
    )
    Setup(case).check("program", bypass=True, output="s32")
    Setup(case).check("registers", bypass=False, output="s8")


@pytest.mark.parametrize(
    "topology", [(8, 1, 1), (4, 2, 1), (2, 3, 1), (1, 3, 2), (1, 4, 2), (1, 8, 1), (2, 2, 2), (1, 2, 4)]
)
def test_published_topologies(topology: tuple[int, int, int]) -> None:
    """The table's topologies, written there as stripes x chain x parallel, with every row of the tiles in use."""
    stripes, chain, parallel = topology
    case = Case(
        "s4",
        "u4",
        "u4",
        (32 * parallel, 3, 3, 28 * chain),
        (9, 6),
        1,
        (1, 1, 1, 1),
        (chain, parallel, stripes),
        True,
        (0, 15),
        3,
    )
    setup = Setup(case)
    setup.check("program", bypass=False, output="u4")
    used = setup.machine.cluster.tiles.tiles[: chain * parallel * stripes]
    assert {(tile.rows_used, tile.bits_used) for tile in used} == {(32, 3 * 3 * 28 * 4)}


def test_a_window_matrix_larger_than_a_chunk() -> None:
    case = Case("s4", "u4", "s8", (2, 3, 3, 100), (40, 50), 1, (1, 1, 1, 1), (4, 1, 1), False, (-128, 127), 1)
    Setup(case).check("program", bypass=True, output="s32")


def test_tiles_filled_by_hand() -> None:
    """The host writes the rows in memory mode; LOAD_COUNT says how many kernels there are."""
    generator = np.random.default_rng(1)
    weights = random_elements(generator, "s2", (3, 1, 1, 40))
    features = random_elements(generator, "s4", (1, 2, 40))
    machine = SmallMachine()
    for kernel in range(3):
        machine.bus.write(0x3800_0000 + 128 * kernel, integer.pack(weights[kernel].reshape(-1), "s2"))
    machine.bus.write(INPUT, integer.pack_tensor(features, "s4"))
    machine.set("KERNEL_SHAPE", *kernel_words(weights.shape, "s2", "s4", 1, (0, 0, 0, 0)))
    machine.set("TILE_MODE", 1)
    machine.set("LOAD_COUNT", 3)
    machine.set("INPUT_ADDRESS", *tensor_words(INPUT, "s4", features.shape), *tensor_words(OUTPUT, "s32", (1, 2, 3)))
    machine.command(CommandCode.convolve)
    assert machine.messages == []
    made = unpack_tensor(machine.bus.read(OUTPUT, 24), (1, 2, 3), "s32")
    np.testing.assert_array_equal(made, integer.conv2d(features, weights))


def test_stripes_multiply_what_they_hold() -> None:
    """A host that fills stripes with different kernels gets them on different rows."""
    machine = SmallMachine()
    for tile, weight in enumerate((1, 2)):
        machine.bus.write(0x3800_0000 + 0x1000 * tile, bytes([weight]))
    machine.bus.write(INPUT, bytes([0x05, 0x06, 0x07]))
    machine.set("TOPOLOGY", parameters.Topology.pack(chain=1, parallel=1, stripes=2))
    machine.set("KERNEL_SHAPE", *kernel_words((1, 1, 1, 1), "u4", "u4", 1, (0, 0, 0, 0)))
    machine.set("TILE_MODE", 3)
    machine.set("LOAD_COUNT", 1)
    machine.set("INPUT_ADDRESS", *tensor_words(INPUT, "u4", (3, 1, 1)), *tensor_words(OUTPUT, "s32", (3, 1, 1)))
    machine.command(CommandCode.convolve)
    assert unpack_tensor(machine.bus.read(OUTPUT, 12), (3, 1, 1), "s32").reshape(-1).tolist() == [5, 6, 14]

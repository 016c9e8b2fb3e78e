"""Generated layers: what they are, how a program makes them, what the reference says about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from asm import isa, parameters
from asm.parameters import PoolingMode
from asm.rules import ElementFormat
from tests.emu.npu.small_machine import DONE, NO_BASE, SYSTEM, SmallMachine, random_elements, tensor_words
from tests.reference import integer, layers

ARRAY = ("u1", "s1", "u2", "s2", "u4", "s4", "u8", "s8")
OUTPUTS = (*ARRAY, "s32")
PSUMS = ("s32", "psum64")
WEIGHTS, INPUT, INITIAL, OUTPUT, TABLE, LOOKUP = (SYSTEM + number * 0x2_0000 for number in range(6))
ROW_BITS = 1024


def format_bounds(name: str) -> tuple[int, int]:
    """Smallest and largest value."""
    if name in PSUMS:
        return integer.LOWEST, integer.HIGHEST
    bits = integer.element_bits(name)
    if bits == 1:
        return (-1, 1) if name == "s1" else (0, 1)
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if name[0] == "s" else (0, 2**bits - 1)


@dataclass(frozen=True)
class Stage:
    """What happens behind the psums.

    Attributes:
        output: format; a psum's means bypass.
        pooling: mode, window, strides.
        ceil: whether windows that stick out count, by axis.
        bands: into how many bands the result is cut.
    """

    output: str
    bypass: bool
    lookup: bool
    compressed: bool
    relu: bool
    clamp: tuple[int, int]
    pooling: tuple[str, tuple[int, int], tuple[int, int]]
    ceil: tuple[bool, bool]
    bands: int
    seed: int


@dataclass(frozen=True)
class Layer:
    """One convolution.

    Attributes:
        topology: chain, parallel, stripes, interleave.
        initial: format of the psums that it starts from, "" for none; the larger ``reach``, the closer to the limits.
    """

    weights: str
    features: str
    kernel: tuple[int, int, int, int]
    size: tuple[int, int]
    strides: tuple[int, int]
    padding: tuple[int, int, int, int]
    topology: tuple[int, int, int, int]
    depthwise: bool
    sparse: bool
    initial: str
    reach: int
    compressed_load: bool
    compressed_input: bool
    seed: int
    stage: Stage


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    """Any output stage."""
    bypass = draw(st.booleans())
    lookup = not bypass and draw(st.booleans())
    output = draw(st.sampled_from(PSUMS if bypass else OUTPUTS))
    modes = ["none", "max"] if output == "s1" else ["none", "max", "average"]
    window, strides = (draw(st.tuples(st.integers(1, 3), st.integers(1, 3))) for _ in range(2))
    low = draw(st.integers(-150, 5))
    bounds = (low, draw(st.integers(low, 300)))
    return Stage(
        output,
        bypass,
        lookup,
        draw(st.sampled_from([False, False, True])),
        draw(st.booleans()),
        draw(st.sampled_from([(integer.LOWEST, integer.HIGHEST), bounds])),
        (draw(st.sampled_from(modes)), window, strides),
        draw(st.tuples(st.booleans(), st.booleans())),
        draw(st.integers(1, 3)),
        draw(st.integers(0, 2**32)),
    )


@st.composite
def plain_stages(draw: st.DrawFn) -> Stage:
    """What most layers have: requantised elements, and the largest of 2 x 2 or no pooling."""
    return Stage(
        draw(st.sampled_from([name for name in OUTPUTS if name not in ("s1", "u1", "s32")])),
        False,
        False,
        False,
        draw(st.booleans()),
        draw(st.sampled_from([(integer.LOWEST, integer.HIGHEST), (-3, 9)])),
        (draw(st.sampled_from(["none", "max"])), (2, 2), (2, 2)),
        draw(st.tuples(st.booleans(), st.booleans())),
        draw(st.integers(1, 3)),
        draw(st.integers(0, 2**32)),
    )


@st.composite
def plain_convolutions(draw: st.DrawFn) -> Layer:
    """Convolutions as most layers have them: dense kernels, psums from zero, nothing compressed."""
    layer = draw(convolutions())
    kernels, height, width, channels = layer.kernel
    return replace(
        layer,
        kernel=(draw(st.sampled_from([4, 8, kernels])), height, width, channels),
        depthwise=False,
        sparse=False,
        initial="",
        compressed_load=False,
        compressed_input=False,
        stage=draw(plain_stages()),
    )


@st.composite
def convolutions(draw: st.DrawFn) -> Layer:
    """Any convolution, small enough for loops in Python."""
    depthwise, sparse = draw(st.sampled_from([(False, False), (False, False), (False, True), (True, False)]))
    weights = draw(st.sampled_from([name for name in ARRAY if not (sparse and name == "s1")]))
    chain = 1 if depthwise else draw(st.integers(1, 8))
    parallel = draw(st.integers(1, 8 // chain))
    stripes = draw(st.integers(1, 8 // (chain * parallel)))
    height, width = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    most = max(ROW_BITS // (height * width * integer.element_bits(weights)) // 2, 1) * chain
    channels = 1 if depthwise else draw(st.integers(chain, min(most, chain + 12)))
    kernels = draw(st.integers(1, 4) | st.integers(1, min(32 * parallel, 40)))
    return Layer(
        weights,
        draw(st.sampled_from(ARRAY)),
        (kernels, height, width, channels),
        (draw(st.integers(height, 6)), draw(st.integers(width, 6))),
        draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        draw(st.tuples(*[st.integers(0, 2)] * 4)),
        (chain, parallel, stripes, draw(st.integers(0, 1))),
        depthwise,
        sparse,
        draw(st.sampled_from(["", "", *PSUMS])),
        draw(st.sampled_from([1000, 2**31 - 1])),
        draw(st.sampled_from([False, False, True])),
        draw(st.sampled_from([False, False, True])),
        draw(st.integers(0, 2**32)),
        draw(stages()),
    )


class StageRun:
    """An output stage on a machine: its tables in memory, its instructions, what it must make."""

    def __init__(self, stage: Stage, machine: SmallMachine, psums: NDArray[np.int64]) -> None:
        self.stage, self.psums = stage, psums
        generator = np.random.default_rng(stage.seed)
        kernels, reach = psums.shape[2], max(int(np.abs(psums).max()), 1)
        columns = ((-reach, reach + 1), (0, 2**12), (8, 40 if reach > 2**20 else 20), (-3, 4))
        self.table = np.stack([generator.integers(*bounds, kernels) for bounds in columns], axis=1)
        self.table[:, 0] = np.clip(self.table[:, 0], integer.LOWEST, integer.HIGHEST)
        self.lookup = generator.integers(0, 256, 256).astype(np.uint8).tobytes()
        machine.bus.write(TABLE, self.table.astype("<i4").tobytes())
        machine.bus.write(LOOKUP, self.lookup)
        mode, window, strides = stage.pooling
        if mode == "none":
            window = strides = (1, 1)
        self.mode, self.window, self.strides = mode, window, strides
        sizes = [
            sorted(layers.pooled_sizes(size, extent, stride))
            for size, extent, stride in zip(psums.shape[:2], window, strides, strict=True)
        ]
        self.height, self.width = (some[-1 if up else 0] for some, up in zip(sizes, stage.ceil, strict=True))

    def bands(self) -> list[range]:
        """The rows of each band."""
        edges = [self.height * band // self.stage.bands for band in range(self.stage.bands + 1)]
        bands = [range(first, last) for first, last in pairwise(edges)]
        return [band for band in bands if band]

    def unpooled(self, band: range) -> range:
        """Rows before pooling that a band is made of."""
        last = (band.stop - 1) * self.strides[0] + self.window[0]
        return range(band.start * self.strides[0], min(last, self.psums.shape[0]))

    def set_up(self) -> tuple[isa.Instruction, ...]:
        """Activation, tables, pooling."""
        stage = self.stage
        control = parameters.ActivationControl.pack(bypass=stage.bypass, relu=stage.relu, lookup=stage.lookup)
        low, high = (bound % 2**32 for bound in stage.clamp)
        mode, (height, width), (stride_y, stride_x) = stage.pooling
        pooling = parameters.Pooling.pack(
            mode=PoolingMode[mode], height=height, width=width, stride_y=stride_y, stride_x=stride_x
        )
        return (
            isa.SetActivation(NO_BASE, (control, TABLE, low, high)),
            isa.SetLookup(NO_BASE, (LOOKUP,)),
            isa.SetPooling(0, (pooling,)),
        )

    def tensor(self, band: range) -> tuple[int, ...]:
        """Words of the output tensor of a band, in its place in the whole output."""
        shape = (len(band), self.width, self.psums.shape[2])
        place = OUTPUT + band.start * self.row_bytes
        if self.stage.compressed:
            return compressed_words(place, self.stage.output, shape)
        return tensor_words(place, self.stage.output, shape)

    @property
    def row_bytes(self) -> int:
        """Bytes from row to row of the output."""
        elements = self.width * self.psums.shape[2]
        mask = -(-elements // 8) if self.stage.compressed else 0
        return mask + -(-elements * integer.element_bits(self.stage.output) // 8)

    def expected(self) -> bytes:
        """The whole output."""
        stage, (low, high) = self.stage, format_bounds(self.stage.output)
        values = self.psums
        if not stage.bypass:
            values = integer.requantise(values, self.table, stage.relu, *stage.clamp)
            if stage.lookup:
                values = layers.look_up(values, self.lookup, stage.output[0] == "s", low, high)
            values = np.clip(values, low, high)
        if self.mode != "none":
            values = layers.pool(values, self.mode, self.window, self.strides, self.height, self.width)
        if stage.output == "s1":
            values = np.where(values > 0, 1, -1)
        if stage.compressed:
            runs = (layers.compress_run(row.reshape(-1).tolist(), stage.output) for row in values)
            return b"".join(run.ljust(self.row_bytes, b"\xa5") for run in runs)
        packed = integer.pack_tensor(values, stage.output)
        last_bits = values.shape[1] * values.shape[2] * integer.element_bits(stage.output) % 8
        behind = 0xA5 & -(1 << last_bits) if last_bits else 0
        rows = (packed[row : row + self.row_bytes] for row in range(0, len(packed), self.row_bytes))
        return b"".join(row[:-1] + bytes([row[-1] | behind & 0xFF]) for row in rows)

    def check(self, machine: SmallMachine) -> None:
        """Compare memory byte by byte, with some bytes on both sides."""
        expected = self.expected()
        assert machine.messages == []
        assert machine.get("INTERRUPT_STATUS") == DONE
        assert machine.bus.read(OUTPUT - 8, len(expected) + 16) == b"\xa5" * 8 + expected + b"\xa5" * 8


def compressed_words(address: int, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The five words of a compressed tensor of ``shape``."""
    place, layout, size, line, pixel = tensor_words(address, name, shape)
    _, width, channels = shape
    return place, layout | parameters.TensorFormat.pack(compressed=1), size, line + -(-width * channels // 8), pixel


def compress_tensor(tensor: NDArray[np.int64], name: str) -> bytes:
    """A compressed tensor, its rows at the line stride of `compressed_words`; bytes that no row needs are 0x5A."""
    _, width, channels = tensor.shape
    line = -(-width * channels // 8) + -(-width * channels * integer.element_bits(name) // 8)
    return b"".join(layers.compress_run(row.reshape(-1).tolist(), name).ljust(line, b"\x5a") for row in tensor)


def fill_output(machine: SmallMachine) -> None:
    """Put known bytes where outputs go."""
    machine.bus.write(OUTPUT - 8, b"\xa5" * 0x1_8000)


def check_convolution(layer: Layer) -> None:
    """Run a convolution as a program, band after band, and compare with the reference."""
    machine, generator = SmallMachine(), np.random.default_rng(layer.seed)
    kernels, height, width, channels = layer.kernel
    chain, parallel, stripes, interleave = layer.topology
    input_channels = kernels if layer.depthwise else channels
    weights = random_elements(generator, layer.weights, layer.kernel)
    pack = integer.pack_kernels
    if layer.sparse:
        weights, pack = layers.make_sparse(weights, chain, generator), layers.pack_sparse_kernels
    if layer.compressed_load:
        pack = layers.compress_kernels
    features = random_elements(generator, layer.features, (*layer.size, input_channels))
    shape = [
        (size + before + after - kernel) // stride + 1
        for size, before, after, kernel, stride in zip(
            layer.size, layer.padding[::2], layer.padding[1::2], (height, width), layer.strides, strict=True
        )
    ]
    initial = generator.integers(-layer.reach - 1, layer.reach, (*shape, kernels), endpoint=True)
    initial = np.where(generator.random(initial.shape) < 0.3, np.sign(initial) * layer.reach, initial)
    arguments = (features, weights, layer.strides, layer.padding, chain)
    psums = layers.convolution(*arguments, initial if layer.initial else None, layer.depthwise)
    machine.bus.write(WEIGHTS, pack(weights, layer.weights, chain))
    source = tensor_words(INPUT, layer.features, features.shape)
    if layer.compressed_input:
        source = compressed_words(INPUT, layer.features, features.shape)
        machine.bus.write(INPUT, compress_tensor(features, layer.features))
    else:
        machine.bus.write(INPUT, integer.pack_tensor(features, layer.features))
    fill_output(machine)
    stage = StageRun(layer.stage, machine, psums)
    program: list[isa.Instruction] = [
        isa.SetTopology(
            0, (parameters.Topology.pack(chain=chain, parallel=parallel, stripes=stripes, interleave=interleave),)
        ),
        isa.SetMode(0, (0xFF,)),
        isa.SetKernel(0, _kernel_words(layer)),
        isa.Load(NO_BASE, (WEIGHTS, parameters.LoadCount.pack(kernels=kernels, compressed=layer.compressed_load))),
        *stage.set_up(),
    ]
    place = INITIAL
    for band in stage.bands():
        program.append(isa.SetPartition(0, (parameters.Partition.pack(first_row=band.start),)))
        words = source + stage.tensor(band)
        if layer.initial:
            start = initial[stage.unpooled(band).start : stage.unpooled(band).stop]
            data = integer.pack_tensor(start, layer.initial)
            machine.bus.write(place, data)
            program.append(isa.Accumulate(NO_BASE, words + tensor_words(place, layer.initial, start.shape)))
            place += len(data)
        else:
            program.append(isa.Conv(NO_BASE, words))
    machine.run_program(*program, isa.Halt())
    stage.check(machine)


def _kernel_words(layer: Layer) -> tuple[int, int, int]:
    _, height, width, channels = layer.kernel
    top, bottom, left, right = layer.padding
    stride_y, stride_x = layer.strides
    return (
        parameters.KernelShape.pack(height=height, width=width, stride_y=stride_y, stride_x=stride_x),
        parameters.KernelFormat.pack(
            weights=ElementFormat[layer.weights],
            features=ElementFormat[layer.features],
            channels=channels,
            depthwise=layer.depthwise,
            sparse=layer.sparse,
        ),
        parameters.Padding.pack(top=top, bottom=bottom, left=left, right=right),
    )


@dataclass(frozen=True)
class Arithmetic:
    """A sum (with scales) or a product (without) of two tensors."""

    formats: tuple[str, str]
    shape: tuple[int, int, int]
    scales: tuple[int, int] | None
    seed: int
    stage: Stage


@st.composite
def arithmetics(draw: st.DrawFn) -> Arithmetic:
    """Any sum or product."""
    scale = st.integers(-(2**15), 2**15 - 1)
    return Arithmetic(
        draw(st.tuples(st.sampled_from(OUTPUTS), st.sampled_from(OUTPUTS))),
        draw(st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))),
        draw(st.none() | st.tuples(scale, scale)),
        draw(st.integers(0, 2**32)),
        draw(stages()),
    )


def check_arithmetic(case: Arithmetic) -> None:
    """Run a sum or product as a program, band after band, and compare with the reference."""
    machine, generator = SmallMachine(), np.random.default_rng(case.seed)
    first, second = (random_elements(generator, name, case.shape) for name in case.formats)
    if case.scales is None:
        psums = layers.tensor_product(first, second)
    else:
        psums = layers.tensor_sum(first, second, case.scales)
    machine.bus.write(INPUT, integer.pack_tensor(first, case.formats[0]))
    machine.bus.write(INITIAL, integer.pack_tensor(second, case.formats[1]))
    fill_output(machine)
    stage = StageRun(case.stage, machine, psums)
    scales = case.scales or (1, 1)
    scale = parameters.OperandScale.pack(first=scales[0] % 2**16, second=scales[1] % 2**16)
    program: list[isa.Instruction] = [*stage.set_up(), isa.SetScale(0, (scale,))]
    kind = isa.Product if case.scales is None else isa.Sum
    for band in stage.bands():
        program.append(isa.SetPartition(0, (parameters.Partition.pack(first_row=band.start),)))
        words = tensor_words(INPUT, case.formats[0], case.shape) + stage.tensor(band)
        program.append(kind(NO_BASE, words + tensor_words(INITIAL, case.formats[1], case.shape)))
    machine.run_program(*program, isa.Halt())
    stage.check(machine)

"""Commands beside the plain convolution: what they refuse, saturation by hand, broadcast loads, what they cost."""

from __future__ import annotations

import numpy as np
import pytest

from asm import parameters
from asm.parameters import CommandCode, PoolingMode
from asm.rules import Cause, ElementFormat
from emu.npu.commands import command_class
from tests.emu.npu.datapath import INITIAL, INPUT, LOOKUP, OUTPUT, TABLE, WEIGHTS, compressed_words
from tests.emu.npu.small_machine import (
    DONE,
    ERROR,
    SmallMachine,
    kernel_words,
    random_elements,
    tensor_words,
    unpack_tensor,
)
from tests.reference import integer, layers

KERNEL = (4, 3, 3, 8)


def ready(clusters: int = 1) -> SmallMachine:
    """Four kernels of 3 x 3 x 8 (s4) over a chain of 2, for an input of 5 x 5 x 8 (u4) and psums of 5 x 5 x 4."""
    machine = SmallMachine(clusters)
    generator = np.random.default_rng(5)
    machine.bus.write(WEIGHTS, integer.pack_kernels(random_elements(generator, "s4", KERNEL), "s4", 2))
    machine.bus.write(INPUT, integer.pack_tensor(random_elements(generator, "u4", (5, 5, 8)), "u4"))
    for cluster in range(clusters):
        machine.set("INTERRUPT_ENABLE", 7, cluster=cluster)
        machine.set("TILE_MODE", 0xFF, cluster=cluster)
        machine.set("TOPOLOGY", parameters.Topology.pack(chain=2, parallel=1, stripes=2), cluster=cluster)
        machine.set("KERNEL_SHAPE", *kernel_words(KERNEL, "s4", "u4", 1, (1, 1, 1, 1)), cluster=cluster)
    machine.set("LOAD_ADDRESS", WEIGHTS, 4)
    source, output = tensor_words(INPUT, "u4", (5, 5, 8)), tensor_words(OUTPUT, "s32", (5, 5, 4))
    machine.set("INPUT_ADDRESS", *source, *output, *tensor_words(INITIAL, "s32", (5, 5, 4)))
    machine.set("LOOKUP_TABLE", LOOKUP)
    machine.set("ACTIVATION_TABLE", TABLE)
    return machine


def refused(machine: SmallMachine, code: CommandCode, cause: Cause, text: str) -> None:
    """The command is refused at once, and memory stays."""
    before = machine.bus.read(OUTPUT, 0x1000)
    machine.set("COMMAND", code)
    assert text in machine.messages[-1], machine.messages
    assert machine.get("ERROR_CAUSE") == cause
    assert machine.get("INTERRUPT_STATUS") == ERROR
    machine.run()
    assert machine.clock.now == 0
    assert machine.bus.read(OUTPUT, 0x1000) == before


POOL = {"mode": PoolingMode.max, "height": 2, "width": 2, "stride_y": 2, "stride_x": 2}
DEPTHWISE = parameters.KernelFormat.pack(weights=ElementFormat.s4, features=ElementFormat.u4, channels=2, depthwise=1)
SPARSE_ONES = parameters.KernelFormat.pack(weights=ElementFormat.s1, features=ElementFormat.u4, channels=8, sparse=1)
PSUM64_OUTPUT = {"OUTPUT_FORMAT": 0x0004_0009, "OUTPUT_PIXEL_STRIDE": 256, "OUTPUT_LINE_STRIDE": 160}
LOOKUP_ONLY = parameters.ActivationControl.pack(bypass=1, lookup=1)


@pytest.mark.parametrize(
    ("registers", "cause", "text"),
    [
        ({"POOLING": 3}, Cause.bad_field, "the pooling mode must be none, max or average (0..2), not 3"),
        ({"POOLING": 1}, Cause.bad_field, "the pooling window's height must be at least 1, not 0"),
        ({"POOLING": parameters.Pooling.pack(**POOL)}, Cause.shape_mismatch, "the output's height must be at most 3"),
        (
            {"POOLING": parameters.Pooling.pack(**POOL), "OUTPUT_SHAPE": 0x0005_0003},
            Cause.shape_mismatch,
            "the output's width must be 2 or 3, not 5",
        ),
        ({"OUTPUT_SHAPE": 0x0004_0005}, Cause.shape_mismatch, "the output's width must be 5, not 4"),
        (
            {"PARTITION": 2},
            Cause.shape_mismatch,
            "must be at most 3 (the result has 5 rows, the output begins at row 2)",
        ),
        ({"PARTITION": 2 << 24}, Cause.bad_field, "cluster 1 is in the set of clusters, but this machine does not"),
        ({"KERNEL_FORMAT": DEPTHWISE, "LOAD_COUNT": 4}, Cause.bad_field, "have 1 channel and a chain of 1 tile, not 2"),
        ({"KERNEL_FORMAT": SPARSE_ONES, "LOAD_COUNT": 4}, Cause.bad_field, "sparse weights cannot be s1"),
        ({"ACTIVATION_CONTROL": LOOKUP_ONLY}, Cause.bad_field, "with bypass there is no look-up"),
        ({"ACTIVATION_CONTROL": 4, "LOOKUP_TABLE": 0}, Cause.bus_error, "read of 256 bytes at 0x00000000"),
        (
            {"ACTIVATION_CONTROL": 0, **PSUM64_OUTPUT},
            Cause.bad_field,
            "psum64 leaves with bypass only",
        ),
        (
            {"ACTIVATION_CONTROL": 0, "OUTPUT_FORMAT": 0x0004_0001, "POOLING": 0x0001_1112},
            Cause.bad_field,
            "an average of s1 may be 0",
        ),
        (
            {"INPUT_FORMAT": 0x0008_0014, "INPUT_PIXEL_STRIDE": 64},
            Cause.bad_field,
            "the input is compressed: its pixel stride must be 32 bits, not 64",
        ),
        (
            {"INPUT_FORMAT": 0x0008_0014, "INPUT_LINE_STRIDE": 24},
            Cause.shape_mismatch,
            "the input is compressed: its line stride must be at least 25 bytes, for rows without zeros, not 24",
        ),
    ],
)
def test_refused_convolutions(registers: dict[str, int], cause: Cause, text: str) -> None:
    machine = ready()
    for name, value in registers.items():
        machine.set(name, value)
    refused(machine, CommandCode.convolve, cause, text)


@pytest.mark.parametrize(
    ("registers", "cause", "text"),
    [
        ({"OPERAND_FORMAT": 0x0004_0007}, Cause.bad_field, "must have psums, s32 or psum64, not s8"),
        ({"OPERAND_SHAPE": 0x0005_0004}, Cause.shape_mismatch, "each of the 5 x 5 x 4 sums before pooling, not 4 x 5"),
        ({"OPERAND_SHAPE": 0}, Cause.shape_mismatch, "the third tensor (psums) must be at least 1 x 1 x 1"),
        ({"OPERAND_ADDRESS": 0x1000}, Cause.bus_error, "nothing is mapped there"),
    ],
)
def test_refused_psums(registers: dict[str, int], cause: Cause, text: str) -> None:
    machine = ready()
    for name, value in registers.items():
        machine.set(name, value)
    refused(machine, CommandCode.accumulate, cause, text)


@pytest.mark.parametrize(
    ("registers", "cause", "text"),
    [
        (
            {"OPERAND_FORMAT": 0x0008_0009, "OPERAND_PIXEL_STRIDE": 512},
            Cause.bad_field,
            "second input cannot be psum64",
        ),
        ({}, Cause.shape_mismatch, "both inputs must have one shape, not (5, 5, 8) and (5, 5, 4)"),
        (
            {"OPERAND_FORMAT": 0x0008_0004, "OPERAND_PIXEL_STRIDE": 32},
            Cause.shape_mismatch,
            "the output's channels must be those of the inputs, 8, not 4",
        ),
    ],
)
@pytest.mark.parametrize("code", [CommandCode.sum, CommandCode.product])
def test_refused_arithmetic(code: CommandCode, registers: dict[str, int], cause: Cause, text: str) -> None:
    machine = ready()
    for name, value in registers.items():
        machine.set(name, value)
    refused(machine, code, cause, text)


def test_saturation_follows_the_chain() -> None:
    """The first tile saturates upwards, the second subtracts from the limit: another order gives another sum."""
    machine = SmallMachine()
    limit = 2**31 - 1
    weights = np.array([7, -7]).reshape(1, 1, 1, 2)
    features = np.array([15, 15, 15, 0, 0, 15]).reshape(1, 3, 2)
    initial = np.array([limit - 10, limit - 10, -limit - 1]).reshape(1, 3, 1)
    machine.bus.write(WEIGHTS, integer.pack_kernels(weights, "s4", 2))
    machine.bus.write(INPUT, integer.pack_tensor(features, "u4"))
    machine.bus.write(INITIAL, integer.pack_tensor(initial, "psum64"))
    machine.set("TILE_MODE", 3)
    machine.set("TOPOLOGY", parameters.Topology.pack(chain=2, parallel=1, stripes=1))
    machine.set("KERNEL_SHAPE", *kernel_words(weights.shape, "s4", "u4", 1, (0, 0, 0, 0)))
    machine.set("LOAD_ADDRESS", WEIGHTS, 1)
    machine.command(CommandCode.load)
    source, output = tensor_words(INPUT, "u4", (1, 3, 2)), tensor_words(OUTPUT, "psum64", (1, 3, 1))
    machine.set("INPUT_ADDRESS", *source, *output, *tensor_words(INITIAL, "psum64", (1, 3, 1)))
    machine.command(CommandCode.accumulate)
    assert machine.messages == []
    made = [int.from_bytes(machine.bus.read(OUTPUT + 8 * place, 8), "little", signed=True) for place in range(3)]
    assert made == [limit - 105, limit, -limit - 1]


def compressed_load(data: bytes) -> SmallMachine:
    """Load 4 kernels of 1 x 1 x 3 (u4) from a compressed set."""
    machine = SmallMachine()
    machine.bus.write(WEIGHTS, data)
    machine.set("KERNEL_SHAPE", *kernel_words((4, 1, 1, 3), "u4", "u4", 1, (0, 0, 0, 0)))
    machine.set("LOAD_ADDRESS", WEIGHTS, parameters.LoadCount.pack(kernels=4, compressed=1))
    machine.command(CommandCode.load)
    return machine


def test_a_compressed_load() -> None:
    """Bytes by hand: 8 of the header, a mask and up to two bytes a kernel; the load takes a cycle per 8 bytes."""
    machine = compressed_load(bytes([16, 0, 0, 0, 4, 0, 0, 0, 0b101, 0x21, 0, 0b111, 0x43, 0x05, 0b010, 0x06]))
    assert machine.messages == []
    rows = [machine.bus.read(0x3800_0000 + 128 * row, 2) for row in range(4)]
    assert [row.hex() for row in rows] == ["0102", "0000", "4305", "6000"]
    assert machine.clock.now == machine.counter("LOAD_CYCLES") == machine.counter("KERNEL_WORDS") == 2


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (bytes([20, 0, 0, 0, 4, 0, 0, 0]), "have a multiple of 8 bytes, 8 at least; the header says 20"),
        (bytes([0, 0, 0, 0, 4, 0, 0, 0]), "have a multiple of 8 bytes, 8 at least; the header says 0"),
        (bytes([16, 0, 0, 0, 5, 0, 0, 0]), "4 slices are loaded; the compressed kernels have 5"),
        (bytes([8, 0, 0, 0, 4, 0, 0, 0]), "slice 0 of the compressed kernels runs past their 8 bytes"),
        (bytes([16, 0, 0, 0, 4, 0, 0, 0, *[7, 0, 0] * 2, 7, 0]), "slice 2 of the compressed kernels runs past"),
        (bytes([24, 0, 0, 0, 4, 0, 0, 0]) + bytes(16), "12 bytes follow the 4 slices of the compressed kernels"),
        (bytes([16, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]), "4 bytes follow the 4 slices"),
    ],
)
def test_bad_compressed_loads(data: bytes, text: str) -> None:
    machine = compressed_load(data)
    assert machine.get("ERROR_CAUSE") == Cause.bad_encoding
    assert text in machine.messages[0]
    assert machine.get("LOAD_COUNT") == 0
    assert machine.bus.read(0x3800_0000, 0x8000) == bytes(0x8000)


def sparse_load(data: bytes) -> SmallMachine:
    """Load a kernel of 1 x 1 x 6 (u4), 2:4 sparse, from a compressed set."""
    machine = SmallMachine()
    machine.bus.write(WEIGHTS, data)
    machine.set("KERNEL_SHAPE", *kernel_words((1, 1, 1, 6), "u4", "u4", 1, (0, 0, 0, 0)))
    machine.set("KERNEL_FORMAT", machine.get("KERNEL_FORMAT") | parameters.KernelFormat.pack(sparse=1, channels=0))
    machine.set("LOAD_ADDRESS", WEIGHTS, parameters.LoadCount.pack(kernels=1, compressed=1))
    machine.command(CommandCode.load)
    return machine


def test_sparse_kernels_from_a_compressed_set() -> None:
    """By hand: weights 0 5 0 6 | 7 0: values 5 6 7 0, places 1 3 0 1, two bits each."""
    machine = sparse_load(bytes([16, 0, 0, 0, 1, 0, 0, 0, 0b011010, 0x65, 0x07, 0, 0, 0, 0, 0]))
    assert machine.messages == []
    assert machine.bus.read(0x3800_0000, 4).hex() == "65074d00"


def test_a_compressed_set_that_is_not_sparse() -> None:
    machine = sparse_load(bytes([16, 0, 0, 0, 1, 0, 0, 0, 0b010111, 0x21, 0x43, 0, 0, 0, 0, 0]))
    assert machine.get("ERROR_CAUSE") == Cause.bad_encoding
    assert "group 0 of slice 0 of the compressed kernels has 3 weights that are not 0" in machine.messages[0]


def test_a_broadcast_load() -> None:
    """Every cluster of the set has the rows and the count; the ones outside the set do not."""
    machine = ready(clusters=4)
    machine.set("LOAD_ADDRESS", WEIGHTS, parameters.LoadCount.pack(kernels=4, clusters=0b1011))
    machine.command(CommandCode.load)
    assert machine.messages == []
    for cluster in range(4):
        machine.set("TILE_MODE", 0, cluster=cluster)
    arrays = [machine.bus.read(0x3800_0000 + 0x8000 * cluster, 0x8000) for cluster in range(4)]
    assert arrays[0] == arrays[1] == arrays[3] != bytes(0x8000) == arrays[2]
    counts = [machine.get("LOAD_COUNT", cluster) & 0xFFFF for cluster in range(4)]
    assert counts == [4, 4, 0, 4]
    assert machine.clusters[3].tiles[0].rows_used == 4


def test_refused_broadcasts() -> None:
    for registers, cause, text in (
        ({"KERNEL_SHAPE": 0x0011_0302}, Cause.shape_mismatch, "cluster 1 must have the same KERNEL_SHAPE as cluster 0"),
        (
            {"TOPOLOGY": 0x111},
            Cause.shape_mismatch,
            "the same TOPOLOGY as cluster 0 to get the same kernels: 0x00000212",
        ),
        ({"COMMAND": CommandCode.load}, Cause.busy, "the load is also for cluster 1, which is working"),
    ):
        machine = ready(clusters=2)
        machine.set("LOAD_ADDRESS", WEIGHTS, 4, cluster=1)
        for name, value in registers.items():
            machine.set(name, value, cluster=1)
        machine.set("LOAD_ADDRESS", WEIGHTS, parameters.LoadCount.pack(kernels=4, clusters=3))
        machine.set("COMMAND", CommandCode.load)
        assert machine.get("ERROR_CAUSE") == cause
        assert text in machine.messages[-1]
    machine = ready()
    machine.set("LOAD_ADDRESS", WEIGHTS, parameters.LoadCount.pack(kernels=4, clusters=1 << 6))
    refused(machine, CommandCode.load, Cause.bad_field, "cluster 6 is in the set of clusters")


def test_what_a_band_costs() -> None:
    """Rows 1 and 2 of 2 x 2 pooling: rows 2..4 of the convolution, for which rows 1..4 of the input are streamed."""
    machine = ready()
    machine.set("POOLING", parameters.Pooling.pack(**POOL))
    machine.set("PARTITION", parameters.Partition.pack(first_row=1, unshared=1))
    machine.set("OUTPUT_SHAPE", 0x0003_0002)
    cost = command_class(CommandCode.convolve).of_registers(machine.cluster).cost
    assert cost.macs == 3 * 5 * 4 * 3 * 3 * 8
    assert (cost.rows, cost.columns, cost.kernels, cost.slice_bits) == (2, 5, 4, 3 * 3 * 4 * 4)
    assert (cost.input_bytes, cost.output_bytes, cost.unshared_bytes) == (4 * 20, 2 * 3 * 16, 5 * 20)
    assert cost.activation_bytes == 4 * 20 + 3 * 5 * 16


@pytest.mark.parametrize(
    ("weights", "features", "bits", "array"),
    [
        ("s4", "u1", 4, 4),
        ("u1", "s1", 1, 1),
        ("u1", "s2", 2, 2),
        ("s8", "u4", 8, 4),
        ("s8", "u8", 16, 4),
        ("u1", "u8", 8, 4),
    ],
)
def test_bits_per_mac(weights: str, features: str, bits: int, array: int) -> None:
    machine = SmallMachine()
    machine.set("KERNEL_SHAPE", *kernel_words((2, 1, 1, 16), weights, features, 1, (0, 0, 0, 0)))
    machine.set("LOAD_COUNT", 2)
    output = tensor_words(OUTPUT, "s32", (1, 1, 2))
    machine.set("INPUT_ADDRESS", *tensor_words(INPUT, features, (1, 1, 16)), *output)
    cost = command_class(CommandCode.convolve).of_registers(machine.cluster).cost
    assert (cost.bits, cost.array_bits, cost.slice_bits) == (bits, array, 16 * bits)


def test_sparse_kernels_cost_what_is_stored() -> None:
    machine = SmallMachine()
    shape, kind, padding = kernel_words((2, 1, 1, 18), "s4", "u4", 1, (0, 0, 0, 0))
    machine.set("KERNEL_SHAPE", shape, kind | parameters.KernelFormat.pack(sparse=1, channels=0), padding)
    machine.set("LOAD_COUNT", 2)
    output = tensor_words(OUTPUT, "s32", (1, 1, 2))
    machine.set("INPUT_ADDRESS", *tensor_words(INPUT, "u4", (1, 1, 18)), *output)
    groups = 5
    convolution = command_class(CommandCode.convolve).of_registers(machine.cluster).cost
    assert (convolution.macs, convolution.slice_bits) == (2 * 2 * groups, 2 * groups * 4)
    load = command_class(CommandCode.load).of_registers(machine.cluster).cost
    assert load.kernel_bits == 2 * groups * (2 * 4 + 4)


def test_compressed_tensors_count_what_is_streamed() -> None:
    """A row of 8 elements: a byte of mask and what is not 0."""
    machine = SmallMachine()
    first, second = np.zeros((2, 8, 1), np.int64), np.ones((2, 8, 1), np.int64)
    first[0, :3], second[1, 2:] = 5, 0
    for place, tensor in ((INPUT, first), (INITIAL, second)):
        for row in range(2):
            run = layers.compress_run(tensor[row].reshape(-1).tolist(), "u8")
            machine.bus.write(place + 9 * row, run)
    words = [compressed_words(place, "u8", (2, 8, 1)) for place in (INPUT, OUTPUT, INITIAL)]
    machine.bus.write(TABLE, np.array([0, 1, 0, 0], "<i4").tobytes())
    machine.set("ACTIVATION_CONTROL", 0, TABLE)
    machine.set("INPUT_ADDRESS", *(word for tensor in words for word in tensor))
    machine.command(CommandCode.product)
    assert machine.messages == []
    assert machine.get("INTERRUPT_STATUS") == DONE
    assert machine.bus.read(OUTPUT, 4) == bytes([0b111, 5, 5, 5])
    assert machine.bus.read(OUTPUT + 9, 1) == bytes([0])
    assert machine.counter("ACTIVATION_BYTES") == (1 + 3 + 1 + 0) + (1 + 8 + 1 + 2) + (1 + 3 + 1 + 0)


def test_psums_of_two_halves() -> None:
    """A kernel with too many channels for one load: two halves, the second starts from the psums of the first."""
    generator = np.random.default_rng(9)
    weights, features = random_elements(generator, "s4", (3, 2, 2, 12)), random_elements(generator, "u4", (4, 4, 12))
    machine = SmallMachine()
    machine.set("TILE_MODE", 1)
    machine.bus.write(INPUT, integer.pack_tensor(features, "u4"))
    machine.set("OPERAND_ADDRESS", *tensor_words(INITIAL, "s32", (3, 3, 3)))
    for half, (code, output) in enumerate(((CommandCode.convolve, INITIAL), (CommandCode.accumulate, OUTPUT))):
        part = weights[..., 6 * half : 6 * half + 6]
        machine.bus.write(WEIGHTS, integer.pack_kernels(part, "s4", 1))
        machine.set("KERNEL_SHAPE", *kernel_words(part.shape, "s4", "u4", 1, (0, 0, 0, 0)))
        machine.set("LOAD_ADDRESS", WEIGHTS, 3)
        machine.command(CommandCode.load)
        source = tensor_words(INPUT + 3 * half, "u4", (4, 4, 6), pixel_channels=12, line_stride=24)
        machine.set("INPUT_ADDRESS", *source, *tensor_words(output, "s32", (3, 3, 3)))
        machine.command(code)
    assert machine.messages == []
    made = unpack_tensor(machine.bus.read(OUTPUT, 108), (3, 3, 3), "s32")
    np.testing.assert_array_equal(made, integer.conv2d(features, weights))

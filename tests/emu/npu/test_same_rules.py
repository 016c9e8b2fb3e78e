"""The assembler refuses what the cluster refuses: one program, followed along its text and run."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from asm import isa, parameters
from asm.rules import ElementFormat, RuleError
from asm.state import ClusterState
from tests.emu.npu.small_machine import NO_BASE, SYSTEM, SmallMachine, tensor_words

KERNELS, TABLE, LOOKUP = SYSTEM + 0x8_0000, SYSTEM + 0xC_0000, SYSTEM + 0xD_0000
TENSORS = (SYSTEM, SYSTEM + 0x2_0000, SYSTEM + 0x4_0000)
FORMATS = ("u1", "s1", "u4", "s4", "s8")
"""Formats that the tiles multiply."""
SMALL = st.integers(1, 4)
RARELY = st.sampled_from([False] * 7 + [True])


def setup(draw: st.DrawFn) -> tuple[list[isa.Instruction], dict[str, int]]:
    """Set-up instructions, and what a matching command must have."""
    depthwise, count = draw(RARELY), draw(SMALL)
    height, width, stride, pad = draw(SMALL), draw(SMALL), draw(st.integers(1, 2)), draw(st.integers(0, 1))
    channels = 1 if depthwise else draw(SMALL)
    features = draw(st.sampled_from(FORMATS))
    pooling = [draw(st.sampled_from([0, 0, 0, 1, 1, 1, 2, 2, 2, 3])), *(draw(SMALL) for _ in range(4))]
    first_row = draw(st.sampled_from([0, 0, 0, 1, 2]))
    bypass = draw(st.booleans())
    size = draw(st.integers(3, 8))
    program: list[isa.Instruction] = [
        isa.SetMode(words=(draw(st.sampled_from([0xFF, 0xFF, 0xFF, 0x3F])),)),
        isa.SetTopology(
            words=(
                parameters.Topology.pack(
                    chain=draw(st.sampled_from([1, 1, 2])),
                    parallel=draw(st.integers(1, 2)),
                    stripes=draw(st.integers(1, 4)),
                    interleave=draw(st.integers(0, 1)),
                ),
            )
        ),
        isa.SetKernel(
            words=(
                parameters.KernelShape.pack(height=height, width=width, stride_y=stride, stride_x=stride),
                parameters.KernelFormat.pack(
                    weights=ElementFormat[draw(st.sampled_from(FORMATS))],
                    features=ElementFormat[features],
                    depthwise=depthwise,
                    sparse=draw(RARELY),
                    channels=channels,
                ),
                parameters.Padding.pack(top=pad, bottom=pad, left=pad, right=pad),
            )
        ),
        isa.SetActivation(
            NO_BASE,
            (
                parameters.ActivationControl.pack(bypass=bypass, relu=draw(st.booleans()), lookup=draw(RARELY)),
                TABLE,
                parameters.ClampLow.value.reset,
                parameters.ClampHigh.value.reset,
            ),
        ),
        isa.SetLookup(NO_BASE, (LOOKUP,)),
        isa.SetPooling(words=(parameters.Pooling.pack(**dict(zip(parameters.Pooling.fields, pooling, strict=True))),)),
        isa.SetPartition(words=(parameters.Partition.pack(first_row=first_row),)),
        isa.Load(NO_BASE, (KERNELS, parameters.LoadCount.pack(kernels=count))),
    ]
    known = {"size": size, "features": ElementFormat[features], "bypass": bypass, "count": count}
    known["channels"] = count if depthwise else channels
    rows = (size + 2 * pad - height) // stride + 1
    known["height"] = max((rows - pooling[1]) // pooling[3] + 1 if pooling[0] else rows, 1)
    columns = (size + 2 * pad - width) // stride + 1
    known["width"] = max((columns - pooling[2]) // pooling[4] + 1 if pooling[0] else columns, 1)
    known["rows"], known["columns"], known["first_row"] = max(rows, 1), max(columns, 1), first_row
    return program, known


def varied(draw: st.DrawFn, tensor: tuple[int, ...]) -> tuple[int, ...]:
    """A tensor's words; now and then it has other strides, or is compressed, mostly with strides that are right."""
    address, form, shape, line, pixel = tensor
    if draw(RARELY):
        return (
            address,
            form,
            shape,
            max(line - draw(st.integers(0, 2)), 0),
            draw(st.sampled_from([0, pixel, 2 * pixel])),
        )
    if not draw(RARELY):
        return tensor
    elements = parameters.TensorShape.width.extract(shape) * parameters.TensorFormat.channels.extract(form)
    line += -(-elements // 8) - draw(st.integers(0, 1)) + draw(st.integers(0, 1))
    return address, parameters.TensorFormat.compressed.insert(form, 1), shape, line, pixel + draw(RARELY) * pixel


@st.composite
def programs(draw: st.DrawFn) -> list[isa.Instruction]:
    """Programs of one command, of which many are right, and the others nearly."""
    program, known = setup(draw)
    size, form = known["size"], ElementFormat(known["features"]).name
    off = st.sampled_from([0] * 9 + [1])
    output = draw(st.sampled_from(["s32", "psum64"])) if known["bypass"] else draw(st.sampled_from(["u8", "s4", "s1"]))
    output = draw(st.sampled_from([output] * 9 + ["s32", "psum64"]))
    kind = draw(st.sampled_from([isa.Conv, isa.Accumulate, isa.Sum, isa.Product]))
    source_shape = (size, size, known["channels"] + draw(off))
    height = max(known["height"] - known["first_row"] + draw(off), 1)
    target_shape = (height, known["width"] + draw(off), known["count"] + draw(off))
    psums_shape = (known["rows"] - draw(off), known["columns"], known["count"])
    if kind in (isa.Sum, isa.Product):
        source_shape = psums_shape = (known["rows"], known["columns"], known["count"])
        form = draw(st.sampled_from(["u4", "s32", "psum64"]))
    if min(psums_shape) < 1:
        psums_shape = (1, 1, 1)
    words = [
        *varied(draw, tensor_words(TENSORS[0], form, source_shape)),
        *varied(draw, tensor_words(TENSORS[1], output, target_shape)),
    ]
    if kind is not isa.Conv:
        third = draw(st.sampled_from(["s32", "psum64", "u4"]))
        words += tensor_words(TENSORS[2], third, psums_shape)
    return [*program, kind(NO_BASE, tuple(words)), isa.Halt()]


def refused_by_assembler(program: list[isa.Instruction]) -> str:
    """What the first instruction that breaks a rule does wrong, as far as the text tells; "" if none does."""
    state, offset = ClusterState(), isa.HEADER_BYTES
    for instruction in program:
        try:
            state.apply(instruction, offset)
        except RuleError as error:
            return str(error)
        offset += instruction.size
    return ""


@settings(max_examples=300)
@given(programs())
def test_assembler_and_cluster_refuse_the_same(program: list[isa.Instruction]) -> None:
    machine = SmallMachine()
    machine.run_program(*program)
    refused = machine.messages if machine.get("ERROR_CAUSE") else []
    early = refused_by_assembler(program)
    assert bool(early) == bool(refused), (early, refused, [(type(item).__name__, item.words) for item in program])

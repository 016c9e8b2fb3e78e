"""Rules of the hardware that the assembler checks along the text of a program."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asm
from asm import isa, parameters
from asm.errors import AssemblyErrors
from asm.rules import RuleError, window_counts
from asm.state import ClusterState

SETUP = """\
tensor image  : u4[8, 8, 16] at r0
tensor hidden : u4[8, 8, 32] at r1
tensor sums   : s32[8, 8, 32] at r2
kernels layer : s4[32, 3, 3, 16] at 0x3000_0000
kernels large : s4[96, 5, 5, 16] at 0x3000_0000
kernels single : s4[32, 3, 3, 1] at 0x3000_0000
requant table[32] at 0x3001_0000
mode compute 0..7
topology stripes=8
kernel layer, features=u4, pad=1
activation table, relu
load layer
"""


def message_of(text: str) -> str:
    """The only error of a program."""
    with pytest.raises(AssemblyErrors) as caught:
        asm.assemble(text)
    (error,) = caught.value.diagnostics
    assert error.span.line == len(text.split("\n"))
    return error.message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("topology chain=4, parallel=3", "chain 4 x parallel 3 x stripes 1 needs 12 tiles; a cluster has 8"),
        ("topology chain=0", "chain must be 1..8, not 0"),
        (
            "kernel large, features=u4",
            "a 5 x 5 x 16 kernel of s4 over a chain of 1 needs 1600 bits a tile; a row has 1024 "
            "(a longer chain would help)",
        ),
        ("kernel s32[1, 1, 16], features=u4", "weights must be u1, s1, u2, s2, u4, s4, u8 or s8, not s32"),
        ("kernel layer, features=psum64", "features must be u1, s1, u2, s2, u4, s4, u8 or s8, not psum64"),
        ("kernel layer, features=u4, stride=0", "stride must be at least 1, not 0"),
        ("load at 0, count=33", "one load brings 1..32 kernels (32 x parallel 1), not 33"),
        ("load at 0, count=0", "one load brings 1..32 kernels (32 x parallel 1), not 0"),
        ("conv hidden, hidden[:, :, 0:8]", "the input must have 16 channels, as the kernel, not 8"),
        (
            "conv hidden, tensor(s4[8, 8, 16] at r0)",
            "the input must be u4, as the kernel's features, not s4",
        ),
        (
            "conv hidden[0:6, :, :], image",
            "the output's height must be 8 (input 8, padding 1+1, kernel 3, stride 1), not 6",
        ),
        (
            "conv hidden[:, 0:7, :], image",
            "the output's width must be 8 (input 8, padding 1+1, kernel 3, stride 1), not 7",
        ),
        (
            "conv hidden[:, :, 0:8], image",
            "the output must have 32 channels, one for each loaded kernel, not 8",
        ),
        (
            "conv tensor(u4[8, 8, 32] at r1, pixel=130), image",
            "the output's pixel stride must be a multiple of 4 bits, not 130",
        ),
        ("activation bypass\nconv hidden, image", "with activation bypass the output must be s32 or psum64, not u4"),
        ("mode compute 0..6\nconv hidden, image", "the topology uses tiles 0..7, but tile 7 is in memory mode"),
        ("topology stripes=8\nconv hidden, image", "no kernels are loaded since the last topology or kernel"),
        (
            "kernel layer, features=u4, pad=1\nconv hidden, image",
            "no kernels are loaded since the last topology or kernel",
        ),
        ("kernel layer, features=u4, depthwise", "a depthwise kernel has 1 channel, not 16"),
        (
            "topology chain=2\nkernel single, features=u4, depthwise",
            "depthwise kernels have 1 channel and a chain of 1 tile, not 1 and 2",
        ),
        (
            "kernel single, features=u4, pad=1, depthwise\nload single\nconv hidden, image",
            "the input must have 32 channels, one for each depthwise kernel, not 16",
        ),
        (
            "pool max 2x2\nconv hidden, image",
            "the output's height must be 4, not 8",
        ),
        (
            "pool max 3x3, stride=2\nconv hidden[0:4, 0:2, :], image",
            "the output's width must be 3 or 4, not 2",
        ),
        ("pool max 2x2, stride=0", "the pooling window's stride_y must be at least 1, not 0"),
        ("pool max 2x0", "the pooling window's width must be at least 1, not 0"),
        (
            "pool average 2x2\nconv tensor(s1[4, 4, 32] at r1), image",
            "an average of s1 may be 0, which s1 does not hold; use another output",
        ),
        (
            "partition first=4\nconv hidden, image",
            "the output's height must be at most 4 (the result has 8 rows, the output begins at row 4), not 8",
        ),
        (
            "partition first=9\nconv hidden[0:1, :, :], image",
            "the output's height must be at most 0 (the result has 8 rows, the output begins at row 9), not 1",
        ),
        (
            "pool max 2x2\npartition first=2\nconv hidden[0:3, 0:4, :], image",
            "the output's height must be at most 2 (the result has 4 rows, the output begins at row 2), not 3",
        ),
        (
            "partition first=0\nconv hidden[0:4, 0:7, :], image",
            "the output's width must be 8, not 7",
        ),
        (
            "kernel layer, features=u4\nload layer\npartition first=0\nconv hidden, image[0:2, :, :]",
            "the kernel's height 3 is larger than the padded input's height 2",
        ),
        (
            "kernel s4[7, 5, 10], features=u4, sparse",
            "a 7 x 5 x 10 kernel of s4 over a chain of 1 needs 1056 bits a tile; a row has 1024 "
            "(a longer chain would help)",
        ),
        ("kernel s1[3, 3, 16], features=u4, sparse", "sparse weights cannot be s1: it has no 0"),
        ("barrier 3, clusters=0", "a barrier needs the clusters that take part, at least one"),
        ("accumulate hidden, image, hidden", "psums must be s32 or psum64, not u4"),
        (
            "accumulate hidden, image, sums[:, :, 0:8]",
            "the psums must have 32 channels, as the output, not 8",
        ),
        (
            "accumulate hidden, image, sums[0:4, :, :]",
            "there must be 8 x 8 psums, one for each sum before pooling, not 4 x 8",
        ),
        (
            "accumulate hidden, hidden, sums",
            "the input must have 16 channels, as the kernel, not 32",
        ),
        (
            "pool max 3x3, stride=2\npartition first=1\naccumulate hidden[0:2, 0:4, :], image, sums",
            "there must be 5 x 8 psums, one for each sum before pooling, not 8 x 8",
        ),
        ("activation bypass, lookup", "with bypass there is no look-up: psums leave as they are"),
        (
            "conv tensor(psum64[8, 8, 32] at r1), image",
            "an output of psum64 needs activation bypass; use s32",
        ),
        (
            "sum hidden, hidden, tensor(psum64[8, 8, 32] at r1)",
            "the second input cannot be psum64; use s32",
        ),
        ("sum hidden, hidden, image", "the inputs must have one shape, not 8 x 8 x 32 and 8 x 8 x 16"),
        ("product hidden, image, image", "the output must have 16 channels, as the inputs, not 32"),
        ("sum hidden[0:4, :, :], hidden, hidden", "the output's height must be 8, not 4"),
        (
            "activation bypass\nsum hidden, hidden, hidden",
            "with activation bypass the output must be s32 or psum64, not u4",
        ),
        (
            "conv hidden, tensor(u4[8, 8, 16] compressed at r0, pixel=72)",
            "the input is compressed: its pixel stride must be 64 bits, not 72",
        ),
        (
            "conv hidden, tensor(u4[8, 8, 16] compressed at r0, line=79)",
            "the input is compressed: its line stride must be at least 80 bytes, for a row without zeros, not 79",
        ),
        (
            "conv tensor(u4[8, 8, 32] at r1, pixel=124), image",
            "the output's pixels overlap: the pixel stride must be at least 128 bits, not 124",
        ),
        (
            "conv tensor(u4[8, 8, 32] at r1, line=127), image",
            "the output's rows overlap: the line stride must be at least 128 bytes, not 127",
        ),
        ("fill at 0, 8, bytes=0", "a fill moves at least 1 byte, and repeats at least once"),
        ("loop 3 { }", "the body of a loop needs at least one instruction"),
        ("copy at 0, at 8, bytes=0", "a copy moves at least 1 byte, and repeats at least once"),
        ("copy at 0, at 8, bytes=1, repeat=(0, 1, 1)", "a copy moves at least 1 byte, and repeats at least once"),
        ("loop 1 { loop 1 { loop 1 { loop 1 { loop 1 { nop } } } } }", "loops nest at most 4 deep"),
    ],
)
def test_a_broken_rule_is_an_error_unless_it_is_unchecked(line: str, message: str) -> None:
    assert message_of(SETUP + line) == message
    *before, last = line.split("\n")
    unchecked = last.replace("{ loop 1 { nop", "{ unchecked loop 1 { nop") if "{ loop" in last else f"unchecked {last}"
    asm.assemble(SETUP + "\n".join([*before, unchecked]))


@pytest.mark.parametrize(
    "lines",
    [
        "conv hidden, image\nactivation bypass\nconv sums, image",
        "pool max 2x2\nconv hidden[0:4, 0:4, :], image\npool none\nconv hidden, image",
        "pool max 3x3, stride=2\nconv hidden[0:3, 0:4, :], image\nconv hidden[0:4, 0:3, :], image",
        "partition first=6\nconv hidden[6:8, :, :], image\npartition none\nconv hidden, image",
        "partition first=0, unshared\nconv hidden[0:3, :, :], image",
        "pool average 8x8\npartition first=0\nconv hidden[0, 0, :], image",
        "activation bypass\nconv tensor(psum64[8, 8, 32] at r3), image",
        "accumulate hidden, image, sums\nactivation bypass\naccumulate sums, image, sums",
        "pool max 2x2\naccumulate hidden[0:4, 0:4, :], image, sums",
        "pool max 3x3, stride=2\npartition first=1\naccumulate hidden[1:4, 0:4, :], image, sums[2:8, :, :]",
        "kernel layer, features=u4, pad=1\nbarrier 1, clusters=3\nconv hidden, image",
        "kernel layer, features=u4, pad=1\nwait 1\nconv hidden, image",
        "sum hidden, hidden, tensor(s8[8, 8, 32] at r3)\npool max 8x8\nproduct hidden[0, 0, :], hidden, hidden",
        "kernel single, features=u4, pad=1, depthwise\nload single\nconv hidden, hidden",
        "kernel s4[5, 5, 13], features=u4, sparse\nload at 0, count=32, compressed",
        "conv tensor(u4[8, 8, 32] compressed at r3), tensor(u4[8, 8, 16] compressed at r0, line=80)",
        "conv hidden, tensor(u4[8, 8, 16] at r0, line=0, pixel=0)",
        "sum tensor(u4[1, 1, 8] at r1, line=0, pixel=0), hidden[0, 0, 0:8], hidden[0, 0, 8:16]",
        "kernel s8[3, 3, 8], features=u8, pad=1\nload at 0, count=32, overlap\nconv hidden, tensor(u8[8, 8, 8] at r0)",
    ],
)
def test_what_is_right(lines: str) -> None:
    asm.assemble(SETUP + lines)


def test_a_pooling_mode_that_does_not_exist_breaks_a_rule() -> None:
    """The language cannot say it: it is seen in a blob."""
    with pytest.raises(RuleError, match=r"^the pooling mode must be none, max or average \(0\.\.2\), not 3$"):
        ClusterState().apply(isa.SetPooling(words=(parameters.Pooling.pack(mode=3),)), 16)


@given(st.integers(1, 40), st.integers(1, 15), st.integers(1, 15))
def test_window_counts_are_those_of_windows_laid_out_one_by_one(size: int, window: int, stride: int) -> None:
    starts = range(0, size, stride)
    inside = [start for start in starts if start + window <= size]
    before_reaches_end = [start for start in starts if start == 0 or start - stride + window < size]
    assert window_counts(size, window, stride) == (len(inside), len(before_reaches_end))


@pytest.mark.parametrize("barrier", ["a: jump a", "halt", "words 0"])
def test_nothing_is_known_after(barrier: str) -> None:
    asm.assemble(f"{SETUP}{barrier}\nconv hidden, image[0:2, 0:2, 0:2]\nsum hidden[0, 0, :], hidden, hidden")


def test_nothing_is_known_at_the_start() -> None:
    """The host may have loaded kernels by registers."""
    asm.assemble("conv tensor(u4[8, 8, 32] at r1), tensor(u4[8, 8, 16] at r1)")


def test_a_loop_more_is_known_after_it_is_closed() -> None:
    text = "loop 1 {\n" * 4 + "nop\n" + "}\n" * 2 + "loop 1 {\nloop 1 {\nnop\n" + "}\n" * 4
    assert asm.assemble(text).size == 16 + 6 * 12 + 2 * 4


def test_a_chain_makes_a_large_kernel_fit() -> None:
    asm.assemble(SETUP + "topology chain=2, parallel=3\nkernel large, features=u4, pad=2\nload large")

"""Rules of the hardware that the assembler checks along the text of a program."""

from __future__ import annotations

import pytest

import asm
from asm.errors import AssemblyErrors

SETUP = """\
tensor image  : u4[8, 8, 16] at r0
tensor hidden : u4[8, 8, 32] at r1
tensor sums   : s32[8, 8, 32] at r2
kernels layer : s4[32, 3, 3, 16] at 0x3000_0000
kernels large : s4[96, 5, 5, 16] at 0x3000_0000
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
        ("kernel s8[1, 1, 16], features=u4", "weights must be u1, s1, u2, s2, u4 or s4, not s8"),
        ("kernel layer, features=u8", "features must be u1, s1, u2, s2, u4 or s4, not u8"),
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


def test_the_set_up_itself_is_right() -> None:
    asm.assemble(SETUP + "conv hidden, image\nactivation bypass\nconv sums, image")


@pytest.mark.parametrize("barrier", ["a: jump a", "halt", "words 0"])
def test_nothing_is_known_after(barrier: str) -> None:
    asm.assemble(f"{SETUP}{barrier}\nconv hidden, image[0:2, 0:2, 0:2]")


def test_nothing_is_known_at_the_start() -> None:
    """The host may have loaded kernels by registers."""
    asm.assemble("conv tensor(u4[8, 8, 32] at r1), tensor(u4[8, 8, 16] at r1)")


def test_a_loop_more_is_known_after_it_is_closed() -> None:
    text = "loop 1 {\n" * 4 + "nop\n" + "}\n" * 2 + "loop 1 {\nloop 1 {\nnop\n" + "}\n" * 4
    assert asm.assemble(text).size == 16 + 6 * 12 + 2 * 4


def test_a_chain_makes_a_large_kernel_fit() -> None:
    asm.assemble(SETUP + "topology chain=2, parallel=3\nkernel large, features=u4, pad=2\nload large")

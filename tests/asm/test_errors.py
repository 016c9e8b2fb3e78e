"""What is said about wrong source files."""

# ruff: noqa: E501 - the table of messages has one case a line
from __future__ import annotations

from pathlib import Path

import pytest

import asm
from asm.errors import AssemblyErrors, Diagnostic, UnresolvedError

DECLARATIONS = """\
const K = 64
tensor image : u4[8, 8, 3] at r0
tensor hidden : u4[8, 8, K] at 0x3000_0000
tensor odd : u4[3, 3, 3] at 0x3000_0000
tensor packed : u4[8, 8, 2] compressed at 0x3000_0000
kernels layer : s4[K, 3, 3, 3] at 0
requant table[K] at 0
start:
"""


def errors_of(text: str, path: str = "test.imn") -> list[Diagnostic]:
    """The errors of a source text."""
    with pytest.raises(AssemblyErrors) as caught:
        asm.assemble(text, path)
    return caught.value.diagnostics


def test_an_error_shows_the_place_the_rule_and_what_to_do() -> None:
    (error,) = errors_of("start: halt\n\tconst hiddn = 3\n\tset r1, hidden + 1 ; more\n", "dir/x.imn")
    assert str(error) == (
        "dir/x.imn:3:10: error: hidden is not declared\n"
        "    \tset r1, hidden + 1 ; more\n"
        "    \t        ^~~~~~\n"
        "    did you mean hiddn?"
    )


def test_all_errors_of_a_file_are_reported_in_the_order_of_its_lines() -> None:
    text = (
        "program twice\n"
        "tensor a u4[1, 1, 1] at 0\n"  # syntax
        "conv a, missing\n"  # `a` has an error of its own: only `missing` is new, but the output comes first
        "set r99, 5\n"
        "topology chain=9\n"
        "cnov a, a\n"
        "set r1 5\n"  # syntax
        "halt $\n"  # no token at all
        "loop 3 {\n"
    )
    found = [(error.span.line, error.span.column, error.message) for error in errors_of(text)]
    assert found == [
        (2, 10, "expected ':', but found 'u4'"),
        (4, 5, "set needs a register to write, r0..r15, here"),
        (5, 1, "chain must be 1..8, not 9"),
        (6, 1, "there is no instruction cnov"),
        (7, 8, "expected '=', ',', '[', '}' or the end of the line, but found '5'"),
        (8, 6, "'$' does not belong here"),
        (9, 1, "the body of this loop is not closed"),
    ]


def test_a_broken_line_causes_no_errors_elsewhere() -> None:
    text = (
        "again: set r1 5\n"
        "loop 2, {\n"
        "tensor bad : u4[0, 1, 1] at 0\n"
        "const N = 1 / 0\n"
        "tensor more : u4[N, 1, 1] at 0\n"
        "}\n"
        "conv bad, more\n"
        "set r1, N\n"
        "jump again\n"
    )
    assert [error.span.line for error in errors_of(text)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("line", "column", "message", "hint"),
    [
        # names
        ("conv hiden, image", 6, "hiden is not declared", "did you mean hidden?"),
        ("jump strat", 6, "there is no label strat", "did you mean start?"),
        ("jump hidden", 6, "there is no label hidden", ""),
        ("tensr x : u4[1, 1, 1] at 0", 9, "expected '=', ',', '[', '}' or the end of the line, but found ':'", "did you mean tensor?"),
        ("start: nop", 1, "start is already declared on line 8", "choose another name"),
        ("const r3 = 1", 7, "r3 has a meaning of its own and cannot be declared", "choose another name"),
        ("program a\nprogram b", 9, "the program already has a name, on line 9", ""),
        ("set r1, start", 9, "start is a label; only jump and jumpnz go to labels", ""),
        ("set r1, hidden", 9, "hidden is a tensor, not a number", "write address of hidden"),
        ("conv start, image", 6, "start is a label, not a tensor, kernels or a table", ""),
        ("conv K, image", 6, "K is a constant, not a tensor, kernels or a table", ""),
        ("conv layer, image", 6, "layer is kernels, not a tensor", ""),
        ("load image", 6, "image is a tensor, not kernels", ""),
        ("activation layer", 12, "layer is kernels, not a requantisation table", ""),
        # operands
        ("conv hidden", 1, "conv needs an input", ""),
        ("conv hidden, image, odd", 21, "conv does not take this operand", ""),
        ("topology chian=1", 10, "topology has no chian=", "did you mean chain?"),
        ("topology chain=1, chain=2", 25, "chain is given twice", ""),
        ("kernel layer", 1, "kernel needs features=", "for example features=u4"),
        ("kernel layer, features=x4", 24, "x4 is not an element format", "formats are u1, s1, u2, s2, u4, s4, u8, s8, s32, psum64"),
        ("kernel layer, features=u4, pad=(1, 2)", 32, "(top, bottom, left, right) has 4 numbers, not 2", ""),
        ("kernel layer, features=u4, stride=16", 1, "stride_y must be 0..15, not 16", ""),
        ("activation table, rleu", 19, "activation does not take this operand", "did you mean relu?"),
        ("activation table, clamp=7..-8", 25, "the range 7..-8 is empty: the lower bound comes first", ""),
        ("activation table, clamp=7", 25, "a range is needed here", "write low..high, both included"),
        ("activation table, clamp=0..0x8000_0000", 25, "clamp must fit signed 32 bits, 0..2147483648 does not", ""),
        ("activation relu", 1, "activation needs a requantisation table, or bypass", ""),
        ("mode 0..7", 6, "mode needs compute or memory, and tiles", "for example mode compute 0..7"),
        ("mode compute 0..8", 14, "tiles are 0..7, not 0..8", ""),
        ("mode compute 256", 14, "compute must be 0..255, not 256", ""),
        ("wait 32", 1, "event must be 0..31, not 32", ""),
        ("signal 1", 1, "signal needs clusters=", "for example clusters=0xff for all of them"),
        ("interrupt 256", 1, "code must be 0..255, not 256", ""),
        ("interrupt r3", 11, "a number is needed here, not a register", ""),
        ("add r1, 5", 9, "add needs a register to read, r0..r15, here", ""),
        ("set r1, address of image", 9, "set takes a number or an absolute address here, not one relative to r0", "write add r2, r0, 0"),
        ("loop extern n {\nnop }", 6, "a loop counts to a number or a register", ""),
        ("loop -1 {\nnop }", 6, "count must be 0..4294967295, not -1", ""),
        ("}", 1, "'}' closes no loop", "remove it, or open a loop above"),
        ("load at 0", 1, "load needs count=", "for example count=32"),
        ("load at 0x1_0000_0000, count=1", 6, "an address must fit 32 bits, 0x100000000 does not", ""),
        ("signal 1, clusters=0x100", 20, "clusters must be 0..255, not 256", ""),
        ("barrier 1", 1, "barrier needs clusters=", "for example clusters=0xff for all of them"),
        ("barrier 32, clusters=1", 1, "event must be 0..31, not 32", ""),
        ("load layer, overlpa", 13, "load does not take this operand", "did you mean overlap?"),
        ("load layer, clusters=256", 22, "clusters must be 0..255, not 256", ""),
        ("load layer[0:32], compressed", 6, "compressed kernels have no parts: where a part begins depends on the weights before it", "declare each part as kernels of its own"),
        ("counters 8", 10, "counters needs a place in memory here", "write counters at address"),
        ("counters", 1, "counters needs a place in memory", ""),
        ("lookup table", 8, "lookup needs the address of a look-up table here", "write at address"),
        ("pool 2x2", 6, "2x2 is not a number", "write 12, 0x1f, 0b101 or 0o17, with _ between digits"),
        ("pool min 2x2", 6, "pool needs max or average, and a window, or none", "for example pool max 2x2, stride=2"),
        ("pool max", 6, "pool needs max or average, and a window, or none", "for example pool max 2x2, stride=2"),
        ("pool", 1, "pool needs max or average, and a window, or none", ""),
        ("pool max 16x2", 1, "height must be 0..15, not 16", ""),
        ("pool max 99999999999999999x2", 6, "a window of 9999999999999999... is too large", ""),
        ("pool max 2x2, stride=(1, 2, 3)", 22, "(y, x) has 2 numbers, not 3", ""),
        ("partition", 1, "partition needs none, or a part", "for example partition first=14, unshared, clusters=0x0f"),
        ("partition none, first=3", 17, "partition has no first=", ""),
        ("partition first=0x10000", 1, "first_row must be 0..65535, not 65536", ""),
        ("wrap", 1, "wrap needs none, or source= and destination=", "for example wrap source=1024"),
        ("wrap source=-1", 1, "bytes must be 0..4294967295, not -1", ""),
        ("scale 1", 1, "scale needs the second factor", ""),
        ("scale 1, 32768", 10, "a factor must be -32768..32767, not 32768", ""),
        ("fill hidden", 1, "fill needs a value", ""),
        ("fill hidden, 16", 14, "an element to fill u4[8, 8, 64] with must be 0..15, not 16", ""),
        ("fill packed, 1", 14, "an element to fill u4[8, 8, 2] compressed with must be 0, not 1", ""),
        ("fill tensor(s32[1, 1, 1] at 0), 5", 33, "a fill repeats one byte: elements of s32 can be 0 or -1", ""),
        ("fill odd[:, 0, :], 0", 1, "a fill writes whole bytes; the pixels of this slice are not", "use multiples of 2 channels"),
        ("fill at 0, 256, bytes=4", 12, "a fill writes a byte, -128..255, not 256", ""),
        ("fill at 0, 0", 1, "fill needs bytes=", "for example bytes=64"),
        ("fill at 0, 0, bytes=1, repeat=(1, 2, 3)", 31, "(count, destination step) has 2 numbers, not 3", ""),
        ("fill at 0, 0, bytes=1" + ", repeat=(1, 2)" * 5, 1, "a fill has at most 4 repeats, not 5", ""),
        ("accumulate hidden, image", 1, "accumulate needs psums", ""),
        ("sum hidden, hidden", 1, "sum needs a second input", ""),
        # shapes and slices
        ("conv hidden, packed[:, 0:4, :]", 14, "a slice of a compressed tensor has whole rows", "write [rows, :, :]"),
        ("copy hidden, packed", 1, "a copy needs equal tensors, not u4[8, 8, 2] compressed to u4[8, 8, 64]", ""),
        ("kernels k : s4[1, 1, 1, 1] compressed at 0", 28, "expected 'at', but found 'compressed'", ""),
        ("tensor t : u4[1, 2] at 0", 12, "a type needs 3 sizes here: u4[height, width, channels]", ""),
        ("tensor t : u4[1, 2, 0] at 0", 21, "channels must be 1..65535, not 0", ""),
        ("tensor t : u4[65536, 2, 1] at 0", 15, "height must be 1..65535, not 65536", ""),
        ("tensor t : f4[1, 2, 1] at 0", 12, "f4 is not an element format", "formats are u1, s1, u2, s2, u4, s4, u8, s8, s32, psum64"),
        ("requant t at 0", 9, "a table needs its number of entries", "write t[16]"),
        ("conv hidden[:, :, 0:65], image", 19, "0:65 is not a slice of channels 0:64", ""),
        ("conv hidden[:, 3:3, :], image", 16, "3:3 is not a slice of width 0:8", ""),
        ("conv hidden[0:2], image", 6, "a slice of a tensor has three parts", "write [rows, columns, channels]"),
        ("conv hidden, image[:, :, 1:3]", 14, "a slice must start at a whole byte, this one starts at bit 4 of a byte", "start at a multiple of 2 channels"),
        ("copy hidden, image", 1, "a copy needs equal tensors, not u4[8, 8, 3] to u4[8, 8, 64]", ""),
        ("copy odd[:, 0, :], odd[:, 2, :]", 1, "a copy writes whole bytes; the pixels of this slice are not", "use multiples of 2 channels"),
        ("copy at 0, image, bytes=4", 12, "copy needs a source here, at an address as the other one", ""),
        ("load layer[0:32]", 6, "a part of kernels cannot be found here: how they lie in memory depends on topology and kernel", "put topology and kernel above, with no jump or halt between"),
        ("topology parallel=2\nkernel layer, features=u4\nload layer[8:40]", 6, "kernels are loaded from a multiple of 32 on, not from 8", ""),
        ("topology chain=2\nkernel layer, features=u4\nload layer[32:40]", 6, "over a chain, kernels are loaded up to a multiple of 32 or to the last, not to 40", ""),
        ("kernel s4[1, 1, 3], features=u4\nload layer", 6, "layer is s4[3, 3, 3] kernels, but the kernel in force is s4[1, 1, 3]", "put kernel layer, ... above"),
        ("conv tensor(u4[1, 1, 1] at 0, lime=4), image", 31, "a tensor has no lime", "it has line=bytes and pixel=bits, its strides"),
    ],
)  # fmt: skip
def test_message(line: str, column: int, message: str, hint: str) -> None:
    error = errors_of(DECLARATIONS + line)[0]
    assert (error.span.column, error.message, error.hint) == (column, message, hint)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "x.imn"
    path.write_bytes(b"halt\nset \xff\xfe\n")
    with pytest.raises(AssemblyErrors) as caught:
        asm.assemble_file(path)
    assert f"{path}:2:5: error: byte 0xff is not UTF-8 text: this is no assembly source" in str(caught.value)


def test_missing_and_unknown_externs() -> None:
    program = asm.assemble("load at extern weights, count=1\nload at extern bias, count=1", "p.imn")
    with pytest.raises(UnresolvedError) as caught:
        program.blob({"bias": 0})
    assert str(caught.value) == (
        "p needs the addresses of weights: link it as an object, or define them (NAME=ADDRESS)"
    )
    with pytest.raises(UnresolvedError, match=r"^p uses no extern called wieghts; did you mean weights\?$"):
        program.blob({"wieghts": 0})
    with pytest.raises(UnresolvedError, match=r"^the address of bias must fit 32 bits, 0x100000000 does not$"):
        program.resolved({"bias": 1 << 32})

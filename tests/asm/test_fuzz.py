"""Whatever the text is, the assembler gives a program or errors that can be printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import asm
from asm.errors import AssemblyErrors, Diagnostic
from asm.isa import MNEMONICS
from asm.program import Program
from asm.resolve import RESERVED

PIECES = [
    *sorted({*MNEMONICS, *RESERVED}),
    *("a", "b", "a:", "b :", "t", "k", "0", "1", "32", "0xffff_ffff", "-1", "99999999999999999999"),
    *("tensor a : u4[8, 8, 16] at r0", "kernels k : s4[64, 3, 3, 16] at extern w", "requant t[8] at 0"),
    *("topology stripes=8", "kernel k, features=u4, pad=1", "load k[0:32]", "conv a[:, :, 0:8], a", "loop 3 {", "}"),
    *("chain=", "features=", "stride=(1, 2)", "pad=(1, 2, 3, 4)", "clamp=0..7", "repeat=(1, 2, 3)", "bytes=", "count="),
    *("max", "average", "none", "2x2", "0x2", "stride=2", "first=1", "clusters=0xff", "source=8", "destination=8"),
    *("tensor c : u4[8, 8, 16] compressed at r1", "accumulate a, c, a", "sum a, a, a", "fill a, 0", "pool max 2x2"),
    *(",", ":", "[", "]", "(", ")", "{", "}", "..", "=", "+", "-", "*", "/", "%", "<<", ">>", "~", "^", "|", "&"),
    *("\n", "\n", "\n", "\t", "; c", "# c", "€", "\0", "\r", "\x0b"),
]


def assembled(text: str) -> tuple[Program | None, list[Diagnostic]]:
    """The program or the errors."""
    try:
        return asm.assemble(text, "fuzz.imn"), []
    except AssemblyErrors as errors:
        return None, errors.diagnostics


def check(text: str) -> None:
    """Assembles; errors must be printable and say something."""
    program, errors = assembled(text)
    assert bool(program) != bool(errors)
    if program:
        assert program.size == 16 or program.lines
    for diagnostic in errors:
        assert str(diagnostic).startswith(f"fuzz.imn:{diagnostic.span.line}:{diagnostic.span.column}: error: ")
        assert "^" in str(diagnostic).split("\n")[2]
        assert diagnostic.source == text.split("\n")[diagnostic.span.line - 1].removesuffix("\r")


@given(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join))
@example("set r1, " + "(" * 5000)
@example("set r1, " + "-" * 5000 + "1")
@example("const a = a")
@example("words " + "9" * 5000)
@example("x[" * 60)
def test_pieces_of_programs(text: str) -> None:
    check(text)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(text)


LINES = [
    "program p",
    "const N = 4",
    "tensor a : u4[8, 8, N * 4] at r0",
    "tensor b : u4[8, 8, 32] at 0x3000_0000",
    "kernels k : s4[64, 3, 3, 16] at extern weights",
    "requant t[64] at extern table",
    "start: mode compute 0..7",
    "topology parallel=1, stripes=8",
    "kernel k, features=u4, pad=1",
    "activation t[32:64], relu, clamp=0..15",
    "load k[32:64]",
    "loop N {",
    "pool max 2x2, stride=(2, 1)",
    "partition first=2, unshared, clusters=0x0f",
    "conv b[2:4, 0:7, 0:32], a",
    "fill b[:, 0, :], 5",
    "}",
    "jumpnz r1, start",
    "halt",
]


@given(st.data())
def test_a_program_with_one_character_changed(data: st.DataObject) -> None:
    text = "\n".join(LINES)
    place = data.draw(st.integers(0, len(text) - 1))
    piece = data.draw(st.one_of(st.sampled_from(list("0123456789[](){},:=.+-*/ \nrx")), st.characters(codec="utf-8")))
    check(text[:place] + piece + text[place + data.draw(st.integers(0, 2)) :])


@given(st.binary(max_size=200))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "bytes.imn"
    path.write_bytes(content)
    message = f"{path}:"
    try:
        asm.assemble_file(path)
    except AssemblyErrors as errors:
        message = str(errors)
    assert message.startswith(f"{path}:")

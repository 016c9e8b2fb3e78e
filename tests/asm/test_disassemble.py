"""From blobs back to text."""

# ruff: noqa: E501 - lines of canonical source are as long as they are
from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asm
from asm import isa
from asm.bits import Field, Layout
from asm.disassemble import disassemble, listing, source
from asm.errors import BlobError

NO_BASE = 16 | 16 << 5 | 16 << 10
"""Immediate of an instruction whose addresses are absolute."""


def blob_of(*words: int) -> bytes:
    """A blob with a header and these words."""
    return struct.pack(f"<{4 + len(words)}I", 0x504E4D49, 0x10000, 4 * (4 + len(words)), 0, *words)


PROGRAM = """\
at_10:
    mode compute 0xff
    topology chain=1, parallel=1, stripes=8
    kernel s4[3, 3, 1], features=u4, stride=(1, 2), pad=(1, 0, 1, 0)
    activation at r3 + 0x40, relu, clamp=-8..15
    load at 0x30001000, count=16
    loop 10 {
        loop r3 {
            conv tensor(u4[3, 4, 16] at 0x30000000, line=64, pixel=64), tensor(u4[4, 8, 1] at r0, line=4, pixel=4)
        }
        set r2, 0x5
        unchecked loop 0 {
        }
    }
    add r2, r2, -1
    jumpnz r2, at_10
    jump at_274
    copy at r1, at 0x30000040, bytes=4, repeat=(2, -64, 64), repeat=(1, 0, 8)
    signal 3, clusters=0xff
    wait 3
    barrier 31, clusters=0x0f
    interrupt 1
    topology chain=1, parallel=1, stripes=4, interleave
    kernel s4[3, 3, 1], features=u4, stride=(1, 1), pad=(0, 0, 0, 0), depthwise, sparse
    lookup at 0x30000000
    activation at 0x30000100, relu, lookup, clamp=0..255
    activation at 0x00000000, bypass, clamp=-2147483648..2147483647
    pool average 2x3, stride=(1, 2)
    pool none
    partition first=14, unshared, clusters=0x0f
    partition none
    load at r1, count=32, compressed, overlap, clusters=0xff
    accumulate tensor(s32[6, 6, 32] at r2, line=768, pixel=1024), tensor(u4[8, 8, 32] compressed at r1, line=160, pixel=128), tensor(psum64[6, 6, 32] at r3, line=1536, pixel=2048)
    scale -1, 32767
    sum tensor(s32[2, 2, 8] at r2, line=64, pixel=256), tensor(s8[2, 2, 8] at r1, line=16, pixel=64), tensor(u8[2, 2, 8] at r3, line=16, pixel=64)
    wrap source=64, destination=0
    wrap none
    fill at r1 + 0x4, 0xff, bytes=4, repeat=(2, -64)
    unchecked topology chain=9, parallel=1, stripes=1
    nop
    halt
at_274:
"""


def test_canonical_source_is_unchanged() -> None:
    assert source(asm.assemble(PROGRAM).blob()) == PROGRAM


def test_listing_shows_offsets_words_and_text() -> None:
    blob = asm.assemble("start: kernel s4[3, 3, 1], features=u4, pad=1\nloop 2 {\nnop\n}\njump start").blob()
    assert listing(blob) == (
        "0x0010  12030000 00110303 00010045  at_10: kernel s4[3, 3, 1], features=u4, stride=(1, 1), pad=(1, 1, 1, 1)\n"
        "0x001c  01010101\n"
        "0x0020  05020000 00000002 00000030  loop 2 {\n"
        "0x002c  00000000                        nop\n"
        "0x0030  03010000 00000010           jump at_10\n"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([0x10010000, 0x00000119], "unchecked topology chain=9, parallel=1, stripes=1"),
        ([0x0301_0000, 20], "words 0x03010000, 0x00000014"),  # a jump into the middle of itself
        ([0x0502_0000, 5, 24], "words 0x05020000, 0x00000005, 0x00000018"),  # a loop that ends within itself
        ([0x0502_0013, 5, 28], "words 0x05020013, 0x00000005, 0x0000001c"),  # a count that a register overrides
        ([0x2002_0000 | 20, 0, 1], "words 0x20020014, 0x00000000, 0x00000001"),  # base register 20
        ([0x1401_0000, 0x1_1201], "words 0x14010000, 0x00011201"),  # a window of no rows
        ([0x1401_0000, 0x1_1113], "words 0x14010000, 0x00011113"),  # a pooling mode that does not exist
        ([0x1401_0000, 0x2_2220], "words 0x14010000, 0x00022220"),  # a window without pooling
        ([0x1401_0000, 0x1_1021], "unchecked pool max 2x0, stride=(1, 1)"),
        ([0x1702_0000, 0, 0], "wrap none"),
        ([0x2002_0000 | NO_BASE, 64, 32 | 1 << 31], "load at 0x00000040, count=32, clusters=0x80"),
        ([0x230F_0000 | NO_BASE, 0x1FF, 0, 4, *[1, 0, 0] * 4], None),  # a fill with more than a byte
        ([0x230F_0000 | NO_BASE, 0xFF, 0, 4, 2, 8, 8, *[1, 0, 0] * 3], None),  # a fill with steps in a source
        ([0x1203_0000, 0x0101, 0x0001_000F, 0], "words 0x12030000, 0x00000101, 0x0001000f, 0x00000000"),  # format 15
    ],
)
def test_what_has_no_plain_form(words: list[int], text: str | None) -> None:
    blob = blob_of(*words)
    shown = "words " + ", ".join(f"0x{word:08x}" for word in words) if text is None else text
    assert disassemble(blob)[0].text == shown
    assert asm.assemble(source(blob)).blob() == blob


def test_bytes_behind_the_program_are_ignored() -> None:
    assert [line.text for line in disassemble(blob_of(0) + b"other data")] == ["nop"]


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (b"", "a program has a header of 16 bytes; there are 0 bytes"),
        (b"int main(void) { return 0; }", "a program starts with the magic word 0x504e4d49, not 0x20746e69"),
        (
            struct.pack("<4I", 0x504E4D49, 0x20000, 16, 0),
            "the program is for version 2.0 of the instruction set; this is 1.0",
        ),
        (
            struct.pack("<4I", 0x504E4D49, 0x10001, 16, 0),
            "the program is for version 1.1 of the instruction set; this is 1.0",
        ),
        (
            struct.pack("<4I", 0x504E4D49, 0x10000, 18, 0),
            "the header says 18 bytes; a program has whole words and a header",
        ),
        (
            struct.pack("<4I", 0x504E4D49, 0x10000, 8, 0),
            "the header says 8 bytes; a program has whole words and a header",
        ),
        (
            struct.pack("<4I", 0x504E4D49, 0x10000, 20, 0),
            "the program is cut short: its header says 20 bytes, there are 16",
        ),
        (
            struct.pack("<4I", 0x504E4D49, 0x10000, 16, 7),
            "the last word of the header is reserved and must be 0, not 0x00000007",
        ),
        (blob_of(0, 0xFF00_0000), "at offset 0x14: 0xff is not an opcode"),
        (blob_of(0x0601_0000), "at offset 0x10: the program ends within set"),
        (blob_of(0x0602_0000, 0, 0), "at offset 0x10: set has 1 payload words, the header says 2"),
        (blob_of(0x0100_0100), "at offset 0x10: halt has reserved bits set: 0x0100"),
        (blob_of(0x1001_0000, 0xF111), "at offset 0x14: topology has reserved bits set: 0x0000e000 (Topology)"),
    ],
)
def test_what_is_no_program(blob: bytes, message: str) -> None:
    with pytest.raises(BlobError) as caught:
        disassemble(blob)
    assert str(caught.value) == message


def field_values(field: Field) -> st.SearchStrategy[int]:
    """Values of a field, likely ones more often."""
    likely = [value for value in (0, 1, 2, 8, 16, 64, field.reset, field.limit) if value <= field.limit]
    if field.values is not None:
        likely += list(field.values)
    return st.one_of(st.sampled_from(likely), st.integers(0, field.limit))


def words(layout: type[Layout]) -> st.SearchStrategy[int]:
    """Words of a layout without reserved bits."""
    return st.fixed_dictionaries({name: field_values(field) for name, field in layout.fields.items()}).map(
        lambda fields: layout.pack(**fields)
    )


def instructions(kind: type[isa.Instruction]) -> st.SearchStrategy[isa.Instruction]:
    """Instructions of a class, legal or not."""
    return st.builds(kind, words(kind.immediate), st.tuples(*(words(layout) for layout in kind.payload)))


@st.composite
def blobs(draw: st.DrawFn) -> bytes:
    """Blobs of well-formed instructions, whose jumps and loops often go to the start of one."""
    kinds = st.sampled_from(sorted(isa.INSTRUCTIONS.values(), key=lambda kind: kind.opcode))
    drawn = draw(st.lists(kinds.flatmap(instructions), max_size=8))
    starts = [16]
    for instruction in drawn:
        starts.append(starts[-1] + instruction.size)
    out: list[int] = []
    for instruction in drawn:
        if isa.Offset in instruction.payload and draw(st.booleans()):
            index = instruction.payload.index(isa.Offset)
            instruction.words = (*instruction.words[:index], draw(st.sampled_from(starts)))
        out += instruction.encode()
    return blob_of(*out)


@given(blobs())
def test_source_of_any_program_assembles_to_the_same_blob(blob: bytes) -> None:
    assert asm.assemble(source(blob)).blob() == blob


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda code: blob_of() + code)))
def test_any_bytes_give_lines_or_a_blob_error(data: bytes) -> None:
    try:
        listing(data)
    except BlobError:
        return


@given(blobs(), st.data())
def test_a_damaged_program_gives_lines_or_a_blob_error(blob: bytes, data: st.DataObject) -> None:
    damaged = bytearray(blob)
    for _ in range(3):
        damaged[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    try:
        again = source(bytes(damaged))
    except BlobError:
        return
    length = struct.unpack_from("<I", damaged, 8)[0]
    assert asm.assemble(again).blob() == bytes(damaged[:length])

"""Every instruction's words. Expected values are written out by hand from the documented bit positions."""

from __future__ import annotations

import pytest

import asm
from asm import isa
from asm.encode import ENCODERS
from asm.text import PRINTERS

DECLARATIONS = """
const K = 64
tensor image  : u4[8, 8, 3] at r0 + 0x20
tensor hidden : u4[8, 6, K] at 0x3000_0000
tensor other  : u4[8, 6, K] at 0x3001_0000
tensor odd    : u4[3, 3, 1] at 0x3002_0000
tensor odd2   : u4[3, 3, 1] at r5
tensor small  : u2[4, 3, 5] compressed at r3 + 4
kernels layer : s4[K, 3, 3, 32] at extern weights - 8
requant table[K] at r4
"""
NO_THIRD = 16 << 10
"""What a base register field holds when the instruction has no such address, or an absolute one: 16."""
NO_SECOND = 16 << 5 | NO_THIRD
NO_BASE = 16 | NO_SECOND


def words_of(text: str, declarations: str = DECLARATIONS) -> list[int]:
    """The words behind the header."""
    return list(asm.assemble(declarations + text).words[4:])


def test_header_of_the_blob() -> None:
    assert asm.assemble("nop\nhalt").words == (0x504E4D49, 0x0001_0000, 24, 0, 0, 0x0100_0000)


def test_every_instruction_has_a_form_in_both_directions() -> None:
    kinds = set(isa.INSTRUCTIONS.values())
    assert set(PRINTERS) == kinds
    assert set(ENCODERS) | {isa.Loop} == kinds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nop", [0x0000_0000]),
        ("halt", [0x0100_0000]),
        ("interrupt 0x7f", [0x0200_007F]),
        ("a: jump a", [0x0301_0000, 16]),
        ("nop\na: jumpnz r9, a", [0, 0x0401_0009, 20]),
        ("loop 10 {\nnop\n}\nhalt", [0x0502_0000, 10, 32, 0, 0x0100_0000]),
        ("loop r3 { nop }", [0x0502_0013, 0, 32, 0]),
        ("set r2, 5", [0x0601_0002, 5]),
        ("set r15, -1", [0x0601_000F, 0xFFFF_FFFF]),
        ("set r2, address of hidden + 4", [0x0601_0002, 0x3000_0004]),
        ("set r2, address of hidden[1:2, 2:3, 2:4]", [0x0601_0002, 0x3000_0000 + 192 + 64 + 1]),
        ("add r2, r3, -1", [0x0701_0032, 0xFFFF_FFFF]),
        ("wait 31", [0x0800_001F]),
        ("signal 3, clusters=0xff", [0x0900_FF03]),
        ("barrier 3, clusters=0x0f", [0x0A00_0F03]),
        ("counters at 0x3000_0008", [0x0B01_0000 | NO_BASE, 0x3000_0008]),
        ("counters at r4 + 16", [0x0B01_0000 | NO_SECOND | 4, 16]),
        ("topology chain=2, parallel=4", [0x1001_0000, 2 | 4 << 4 | 1 << 8]),
        ("topology stripes=8", [0x1001_0000, 1 | 1 << 4 | 8 << 8]),
        ("topology stripes=4, interleave", [0x1001_0000, 1 | 1 << 4 | 4 << 8 | 1 << 12]),
        ("mode compute 0..7", [0x1101_0000, 0xFF]),
        ("mode compute 2..4", [0x1101_0000, 0b11100]),
        ("mode compute 0x81", [0x1101_0000, 0x81]),
        ("mode memory 0..3", [0x1101_0000, 0xF0]),
        (
            "kernel layer, features=u2, stride=(2, 1), pad=(1, 2, 3, 4)",
            [0x1203_0000, 3 | 3 << 8 | 2 << 16 | 1 << 20, 5 | 2 << 4 | 32 << 16, 1 | 2 << 8 | 3 << 16 | 4 << 24],
        ),
        (
            "kernel s1[1, 5, 7], features=s1, pad=2",
            [0x1203_0000, 1 | 5 << 8 | 1 << 16 | 1 << 20, 1 | 1 << 4 | 7 << 16, 0x0202_0202],
        ),
        (
            "kernel s8[3, 3, 1], features=u8, depthwise",
            [0x1203_0000, 3 | 3 << 8 | 1 << 16 | 1 << 20, 7 | 6 << 4 | 1 << 8 | 1 << 16, 0],
        ),
        (
            "kernel layer, sparse, features=s1",
            [0x1203_0000, 3 | 3 << 8 | 1 << 16 | 1 << 20, 5 | 1 << 4 | 1 << 9 | 32 << 16, 0],
        ),
        ("activation bypass", [0x1304_0000 | NO_BASE, 1, 0, 0x8000_0000, 0x7FFF_FFFF]),
        ("activation table, relu, clamp=-8..7", [0x1304_0000 | 4 | NO_SECOND, 2, 0, 0xFFFF_FFF8, 7]),
        ("activation table[32:64]", [0x1304_0000 | 4 | NO_SECOND, 0, 512, 0x8000_0000, 0x7FFF_FFFF]),
        ("activation at 0x100", [0x1304_0000 | NO_BASE, 0, 0x100, 0x8000_0000, 0x7FFF_FFFF]),
        (
            "activation table, relu, lookup, clamp=0..255",
            [0x1304_0000 | 4 | NO_SECOND, 0b110, 0, 0, 255],
        ),
        ("lookup at 0x3000_4000", [0x1601_0000 | NO_BASE, 0x3000_4000]),
        ("lookup at r2 + 16", [0x1601_0000 | 2 | NO_SECOND, 16]),
        ("pool max 2x3", [0x1401_0000, 1 | 2 << 4 | 3 << 8 | 2 << 12 | 3 << 16]),
        ("pool max 2x2, stride=1", [0x1401_0000, 1 | 2 << 4 | 2 << 8 | 1 << 12 | 1 << 16]),
        ("pool average 7x15, stride=(3, 4)", [0x1401_0000, 2 | 7 << 4 | 15 << 8 | 3 << 12 | 4 << 16]),
        ("pool none", [0x1401_0000, 0x1_1110]),
        ("partition first=14, unshared, clusters=0x0f", [0x1501_0000, 14 | 1 << 16 | 0x0F << 24]),
        ("partition unshared", [0x1501_0000, 1 << 16]),
        ("partition none", [0x1501_0000, 0]),
        ("wrap source=1024, destination=4096", [0x1702_0000, 1024, 4096]),
        ("wrap destination=64", [0x1702_0000, 0, 64]),
        ("wrap none", [0x1702_0000, 0, 0]),
        ("scale 1, -1", [0x1801_0000, 1 | 0xFFFF << 16]),
        ("scale -32768, 32767", [0x1801_0000, 0x8000 | 0x7FFF << 16]),
        ("load layer", [0x2002_0000 | NO_BASE, 0xFFFF_FFF8, 64]),
        ("load at r2 - 16, count=3", [0x2002_0000 | 2 | NO_SECOND, 0xFFFF_FFF0, 3]),
        ("load layer, compressed, overlap, clusters=0x81", [0x2002_0000 | NO_BASE, 0xFFFF_FFF8, 64 | 0x8103 << 16]),
        ("load at 8, overlap, count=2", [0x2002_0000 | NO_BASE, 8, 2 | 1 << 17]),
        (
            "conv hidden, image",
            [
                0x210A_0000 | 0 | NO_SECOND,
                *(0x20, 4 | 3 << 16, 8 | 8 << 16, 12, 12),
                *(0x3000_0000, 4 | 64 << 16, 8 | 6 << 16, 192, 256),
            ],
        ),
        (
            "conv hidden[2:4, 1, 32:64], image[:, 0:2, :]",
            [
                0x210A_0000 | 0 | NO_SECOND,
                *(0x20, 4 | 3 << 16, 8 | 2 << 16, 12, 12),
                *(0x3000_0000 + 2 * 192 + 32 + 16, 4 | 32 << 16, 2 | 1 << 16, 192, 256),
            ],
        ),
        (
            "conv tensor(s32[1, 2, 3] at r7), tensor(u1[4, 5, 6] at 0x10, line=9, pixel=8)",
            [
                0x210A_0000 | 16 | 7 << 5 | NO_THIRD,
                *(0x10, 0 | 6 << 16, 4 | 5 << 16, 9, 8),
                *(0, 8 | 3 << 16, 1 | 2 << 16, 24, 96),
            ],
        ),
        (
            "copy other, hidden",
            [0x220F_0000 | NO_BASE, 0x3000_0000, 0x3001_0000, 8 * 192] + [1, 0, 0] * 4,
        ),
        (
            "copy odd2, odd",
            [0x220F_0000 | 16 | 5 << 5 | NO_THIRD, 0x3002_0000, 0, 6] + [1, 0, 0] * 4,
        ),
        (
            "copy other[:, 0:2, :], hidden[:, 2:4, :]",
            [0x220F_0000 | NO_BASE, 0x3000_0040, 0x3001_0000, 64] + [8, 192, 192] + [1, 0, 0] * 3,
        ),
        (
            "copy other[0:3, :, 0:8], hidden[0:3, :, 8:16]",
            [0x220F_0000 | NO_BASE, 0x3000_0004, 0x3001_0000, 4] + [3, 192, 192] + [6, 32, 32] + [1, 0, 0] * 2,
        ),
        (
            "copy at r1, at 0x40, bytes=12, repeat=(2, -4, 16), repeat=(3, 5, 6)",
            [0x220F_0000 | 16 | 1 << 5 | NO_THIRD, 0x40, 0, 12] + [2, 0xFFFF_FFFC, 16, 3, 5, 6] + [1, 0, 0] * 2,
        ),
        (
            "conv small[1:3, :, :], tensor(u2[4, 3, 5] compressed at 0x40, line=16)",
            [
                0x210A_0000 | 16 | 3 << 5 | NO_THIRD,
                *(0x40, 2 | 1 << 4 | 5 << 16, 4 | 3 << 16, 16, 10),
                *(10, 2 | 1 << 4 | 5 << 16, 2 | 3 << 16, 6, 10),
            ],
        ),
        (
            "accumulate hidden, image, tensor(psum64[8, 6, 64] at r9 + 8)",
            [
                0x240F_0000 | 0 | 16 << 5 | 9 << 10,
                *(0x20, 4 | 3 << 16, 8 | 8 << 16, 12, 12),
                *(0x3000_0000, 4 | 64 << 16, 8 | 6 << 16, 192, 256),
                *(8, 9 | 64 << 16, 8 | 6 << 16, 3072, 4096),
            ],
        ),
        (
            "sum odd2, odd, tensor(s4[3, 3, 1] at r1)",
            [
                0x250F_0000 | 16 | 5 << 5 | 1 << 10,
                *(0x3002_0000, 4 | 1 << 16, 3 | 3 << 16, 2, 4),
                *(0, 4 | 1 << 16, 3 | 3 << 16, 2, 4),
                *(0, 5 | 1 << 16, 3 | 3 << 16, 2, 4),
            ],
        ),
        (
            "product odd2, odd, odd2",
            [
                0x260F_0000 | 16 | 5 << 5 | 5 << 10,
                *(0x3002_0000, 4 | 1 << 16, 3 | 3 << 16, 2, 4),
                *(0, 4 | 1 << 16, 3 | 3 << 16, 2, 4) * 2,
            ],
        ),
        ("fill hidden, 5", [0x230F_0000 | NO_BASE, 0x55, 0x3000_0000, 8 * 192] + [1, 0, 0] * 4),
        ("fill odd2, 0", [0x230F_0000 | 5 | NO_SECOND, 0, 0, 6] + [1, 0, 0] * 4),
        (
            "fill hidden[:, 0, :], 15",
            [0x230F_0000 | NO_BASE, 0xFF, 0x3000_0000, 32] + [8, 0, 192] + [1, 0, 0] * 3,
        ),
        (
            "fill hidden[0:3, :, 8:16], 1",
            [0x230F_0000 | NO_BASE, 0x11, 0x3000_0004, 4] + [3, 0, 192] + [6, 0, 32] + [1, 0, 0] * 2,
        ),
        ("fill tensor(s1[1, 1, 8] at 0), -1", [0x230F_0000 | NO_BASE, 0, 0, 1] + [1, 0, 0] * 4),
        ("fill tensor(s1[1, 1, 8] at 0), 1", [0x230F_0000 | NO_BASE, 0xFF, 0, 1] + [1, 0, 0] * 4),
        ("fill tensor(s2[1, 1, 8] at 0), -2", [0x230F_0000 | NO_BASE, 0xAA, 0, 2] + [1, 0, 0] * 4),
        ("fill tensor(s8[1, 1, 8] at 0), -2", [0x230F_0000 | NO_BASE, 0xFE, 0, 8] + [1, 0, 0] * 4),
        ("fill tensor(s32[1, 1, 8] at 0), -1", [0x230F_0000 | NO_BASE, 0xFF, 0, 32] + [1, 0, 0] * 4),
        ("fill small, 0", [0x230F_0000 | 3 | NO_SECOND, 0, 4, 24] + [1, 0, 0] * 4),
        (
            "fill at r1 - 4, -1, bytes=4, repeat=(2, -8), repeat=(3, 16)",
            [0x230F_0000 | 1 | NO_SECOND, 0xFF, 0xFFFF_FFFC, 4] + [2, 0, 0xFFFF_FFF8, 3, 0, 16] + [1, 0, 0] * 2,
        ),
        (
            "copy tensor(u2[4, 3, 5] compressed at 64, line=8), small",
            [0x220F_0000 | 3 | NO_SECOND, 4, 64, 6] + [4, 6, 8] + [1, 0, 0] * 3,
        ),
        ("words 1, -1, 0xdead_beef", [1, 0xFFFF_FFFF, 0xDEAD_BEEF]),
    ],
)
def test_words(text: str, expected: list[int]) -> None:
    assert words_of(text) == expected


def test_part_of_kernels_is_addressed_by_whole_chunks_of_the_topology() -> None:
    """3 x 3 x 16 x 4 bits are 72 bytes a tile, 144 bytes a kernel over a chain of 2."""
    text = "topology chain=2, stripes=4\nkernel layer, features=u4\nload layer[32:64]"
    assert words_of(text)[6:] == [0x2002_0000 | NO_BASE, 32 * 144 - 8, 32]


def test_part_of_sparse_kernels_is_addressed_by_their_smaller_slices() -> None:
    """3 x 3 x 16 weights in groups of 4, two of them stored with 4 + 2 bits: 36 x 12 bits, 54 bytes padded to 56."""
    text = "topology chain=2, stripes=4\nkernel layer, features=u4, sparse\nload layer[32:64]"
    assert words_of(text)[6:] == [0x2002_0000 | NO_BASE, 32 * 2 * 56 - 8, 32]


def test_relocations_hold_symbol_and_addend() -> None:
    text = "set r1, extern buffer + 4\nload layer\nwords extern last\nlookup at extern sigmoid\n"
    text += "fill at extern halo, 0, bytes=8"
    program = asm.assemble(DECLARATIONS + text)
    assert [(item.offset, item.symbol, item.addend) for item in program.relocations] == [
        (20, "buffer", 4),
        (28, "weights", -8),
        (36, "last", 0),
        (44, "sigmoid", 0),
        (56, "halo", 0),
    ]
    words = memoryview(
        program.blob({"buffer": 0x1000, "weights": 0x2000, "last": 0x3000, "sigmoid": 0x4000, "halo": 0x5000})
    ).cast("I")
    assert [words[offset // 4] for offset in (20, 28, 36, 44, 56)] == [0x1004, 0x1FF8, 0x3000, 0x4000, 0x5000]


def test_labels_lines_and_tensors_of_the_program() -> None:
    program = asm.assemble(
        "tensor t : u2[2, 3, 5] compressed at r1 + 8\n\na: nop\nb: c: set r1, 2\nloop 2 {\nnop }\nd:", "dir/my-file.imn"
    )
    assert program.name == "my_file"
    assert program.labels == {"a": 16, "b": 20, "c": 20, "d": 44}
    assert program.lines == ((16, 3), (20, 4), (28, 5), (40, 6))
    (tensor,) = program.tensors
    assert (tensor.name, tensor.format, tensor.height, tensor.width, tensor.channels) == ("t", "u2", 2, 3, 5)
    assert (tensor.offset, tensor.register, tensor.symbol) == (8, 1, None)
    assert (tensor.compressed, tensor.line_bytes) == (True, 2 + 4)  # a mask of 15 bits, 15 elements of 2 bits


def test_nested_loops_end_behind_their_own_bodies() -> None:
    text = "loop 2 {\nloop 3 {\nnop\n}\nnop\n}\n"
    assert words_of(text) == [0x0502_0000, 2, 48, 0x0502_0000, 3, 44, 0, 0]


def test_windows_line_ends() -> None:
    assert asm.assemble("nop\r\nhalt\r\n").words == asm.assemble("nop\nhalt\n").words

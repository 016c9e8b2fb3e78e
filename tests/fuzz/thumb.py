"""Random Thumb code: every encoding space of ARMv7-M, with the bits of each instruction drawn by chance."""

from __future__ import annotations

import random
import struct

NARROW = (
    "000xxxxxxxxxxxxx",  # shift, add, subtract
    "001xxxxxxxxxxxxx",  # move, compare, add, subtract immediate
    "010000xxxxxxxxxx",  # data processing
    "010001xxxxxxxxxx",  # high registers, BX, BLX
    "01001xxxxxxxxxxx",  # literal loads
    "0101xxxxxxxxxxxx",  # loads and stores, register offset
    "011xxxxxxxxxxxxx",
    "100xxxxxxxxxxxxx",
    "1010xxxxxxxxxxxx",  # addresses
    "1011xxxxxxxxxxxx",  # miscellaneous: PUSH, POP, CBZ, CPS, REV, hints
    "10111111xxxx1000",  # IT
    "10111111xxxxxxxx",
    "1100xxxxxxxxxxxx",  # LDM, STM
    "1101xxxx000xxxxx",  # conditional branches forwards, SVC, UDF
    "11100000000xxxxx",  # branches forwards
)
WIDE = (
    "11110xxxxxxxxxxx0xxxxxxxxxxxxxxx",  # data processing, immediate
    "11101010xxxxxxxxxxxxxxxxxxxxxxxx",  # data processing, shifted register
    "11101011xxxxxxxxxxxxxxxxxxxxxxxx",
    "1110100xx0xxxxxxxxxxxxxxxxxxxxxx",  # LDM, STM
    "1110100xx1xxxxxxxxxxxxxxxxxxxxxx",  # LDRD, STRD, exclusives, table branches
    "11101000010xxxxxxxxxxxxx000000xx",  # LDREX, STREX
    "1110100011010000111100000000xxxx",  # TBB
    "11111000xxxxxxxxxxxxxxxxxxxxxxxx",  # loads and stores
    "11111001xxx1xxxxxxxxxxxxxxxxxxxx",
    "11111010xxxxxxxx1111xxxxxxxxxxxx",  # shifts, extensions, parallel arithmetic
    "11111011xxxxxxxxxxxxxxxxxxxxxxxx",  # multiplication, division
    "11110xxxxxxxxxxx1xx1xxxxxxxxxxxx",  # branches, BL
    "11110011100xxxxx1000xxxxxxxxxxxx",  # MSR
    "1111001111101111" "1000xxxxxxxxxxxx",  # MRS
    "1111001110111111" "10001111xxxxxxxx",  # barriers, CLREX
    "1110110xxxxxxxxxxxxx101xxxxxxxxx",  # floating-point loads and stores
    "11101110xxxxxxxxxxxx101xxxxxxxxx",  # floating-point arithmetic and moves
    "111x11xxxxxxxxxxxxxxxxxxxxxxxxxx",  # coprocessors
)  # fmt: skip
SEMIHOSTING = 0xBEAB
MOVE_TO_R0 = 0x2000


def halfwords(pattern: str, source: random.Random) -> bytes:
    """An encoding: each x of the pattern becomes 0 or 1."""
    free, fixed = int(pattern.replace("1", "0").replace("x", "1"), 2), int(pattern.replace("x", "0"), 2)
    value = source.getrandbits(len(pattern)) & free | fixed
    return struct.pack("<H", value) if len(pattern) == 16 else struct.pack("<HH", value >> 16, value & 0xFFFF)


def instruction(source: random.Random) -> bytes:
    """One instruction, or a semihosting call of any number."""
    kind = source.random()
    if kind < 0.5:
        return halfwords(source.choice(NARROW), source)
    if kind < 0.9:
        return halfwords(source.choice(WIDE), source)
    if kind < 0.95:
        return struct.pack("<HH", MOVE_TO_R0 | source.randrange(0x40), SEMIHOSTING)
    return source.randbytes(2 * source.randint(1, 2))

"""How long an instruction is, and which instructions need attention; native code and plain functions."""

from __future__ import annotations

FLOATING_POINT, DIVIDE, ATTENTION = 1, 2, 4
LOAD_EXCLUSIVE, STORE_EXCLUSIVE = 8, 16
STACK_LIMIT, CHANGE_STATE, NOT_BASELINE = 32, 64, 128
MASKS, LEVEL = 256, 512
USER_COUNTER, IGNORED = 1, 2
"""Values of `emu.cpu.hook_state.Site`; different instruction sets share the bits."""


def thumb_width(first: int, second: int) -> int:
    """Bytes of a Thumb instruction: 4 if its first half-word starts with 0b11101, 0b11110 or 0b11111."""
    return 4 if second >= 0xE8 else 2


def thumb_word(first: int, second: int, third: int, fourth: int) -> int:
    """A Thumb instruction as a number: its half-words one behind the other as it is written in manuals."""
    half = first | second << 8
    return half << 16 | third | fourth << 8 if second >= 0xE8 else half


def thumb_site(first: int, second: int, third: int, fourth: int) -> int:
    """Kind of a Thumb instruction by its bytes: of those that `emu.cpu.hook_state.Site` names, or 0."""
    if second & 0xEC == 0xEC and fourth & 0x0E == 0x0A:
        return FLOATING_POINT
    if second == 0xFB and (first & 0xF0 == 0x90 or first & 0xF0 == 0xB0):
        return DIVIDE
    if second == 0xBF and first == 0x40:
        return ATTENTION
    if second == 0xF3 and first & 0xF0 == 0x80 and fourth & 0xF0 == 0x80 and third & 0x7E == 0x0A:
        return STACK_LIMIT
    if second == 0x47 and first & 7 == 4:
        return CHANGE_STATE
    if second & 0xF5 == 0xB1 or (second == 0xBF and first & 0x0F != 0):
        return NOT_BASELINE
    if second == 0xB6 and first & 0xE9 == 0x61:
        return LEVEL | MASKS
    if second == 0xF3 and first & 0xF0 == 0x80 and fourth & 0xF0 == 0x80 and 0x11 <= third <= 0x14:
        return MASKS if third < 0x13 else LEVEL | MASKS
    if second == 0xF8 and first & 0x80 == 0 and first & 0x0F != 0x0F and fourth & 0x0F == 0x0E:
        return ATTENTION
    if second == 0xF9 and first & 0x90 == 0x10 and first & 0x0F != 0x0F and fourth & 0x0F == 0x0E:
        return ATTENTION
    if second == 0xE8:
        kind, sized = first & 0xF0, third & 0x40 != 0
        if kind == 0x50 or (kind == 0xD0 and sized):
            return LOAD_EXCLUSIVE
        if kind == 0x40 or (kind == 0xC0 and sized):
            return STORE_EXCLUSIVE
    return 0


def riscv_width(first: int, second: int) -> int:
    """Bytes of a RISC-V instruction: 4 if its two lowest bits are set."""
    return 4 if first & 3 == 3 else 2


def riscv_word(first: int, second: int, third: int, fourth: int) -> int:
    """A RISC-V instruction as a number."""
    half = first | second << 8
    return half | third << 16 | fourth << 24 if first & 3 == 3 else half


def riscv_site(first: int, second: int, third: int, fourth: int) -> int:
    """Kind of a RISC-V instruction by its bytes.

    USER_COUNTER: a CSR instruction on 0xC00..0xC9F. IGNORED: an illegal instruction that Unicorn passes over, where it
    should trap: many compressed ones, and fsgnj.d. Else 0.
    """
    if first & 0x7F == 0x53 and second & 0x70 == 0 and fourth & 0xFE == 0x22:
        return IGNORED
    if first & 0x7F == 0x73 and second & 0x30 != 0 and 0xC0 <= fourth < 0xCA:
        return USER_COUNTER
    quadrant, function, bit_12 = first & 3, second >> 5, second & 0x10 != 0
    if quadrant == 0 and (function == 1 or function == 4 or function == 5):
        return IGNORED
    if quadrant == 1 and function == 4 and bit_12 and second & 0x0C != 0x08:
        return IGNORED
    if quadrant == 2 and (function & 1 == 1 or (function == 0 and bit_12)):
        return IGNORED
    return 0

"""How long an instruction is, and which instructions need attention; plain functions that numba compiles too."""

from __future__ import annotations

FLOATING_POINT, DIVIDE, SEND_EVENT = 1, 2, 4
USER_COUNTER = 1
"""Values of `emu.cpu.hook_state.Site`; different instruction sets share the bits."""


def thumb_width(first: int, second: int) -> int:
    """Bytes of a Thumb instruction: 4 if its first half-word starts with 0b11101, 0b11110 or 0b11111."""
    return 4 if second >= 0xE8 else 2


def thumb_site(first: int, second: int, fourth: int) -> int:
    """Kind of a Thumb instruction by its bytes: coprocessor 10 or 11 (floating point), SDIV and UDIV, SEV, or 0."""
    if second & 0xEC == 0xEC and fourth & 0x0E == 0x0A:
        return FLOATING_POINT
    if second == 0xFB and (first & 0xF0 == 0x90 or first & 0xF0 == 0xB0):
        return DIVIDE
    if second == 0xBF and first == 0x40:
        return SEND_EVENT
    return 0


def riscv_width(first: int, second: int) -> int:
    """Bytes of a RISC-V instruction: 4 if its two lowest bits are set."""
    return 4 if first & 3 == 3 else 2


def riscv_site(first: int, second: int, fourth: int) -> int:
    """Kind of a RISC-V instruction by its bytes: CSR instructions on 0xC00..0xC9F, the user-mode counters, or 0."""
    if first & 0x7F == 0x73 and second & 0x30 != 0 and 0xC0 <= fourth < 0xCA:
        return USER_COUNTER
    return 0

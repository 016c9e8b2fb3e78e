"""Which blocks poll: loops that only load, compute, compare and branch; native code.

A block that jumps back to its own beginning does the same again and again if no instruction needs what the round
before has left in a register: then all that a round leaves follows from what it loads and from registers that never
change. While what it loads stays the same, rounds can be skipped.

The *effects* of an instruction are a number:

    bits   1..31   registers, or flags, that it reads
    bits  32..62   registers, or flags, that it writes, in the same order
    bit    0       it is a branch that leaves no address
    `OTHER`        anything else: a store, a call, a jump to a register, a system instruction, ...

Registers have the numbers 1..31: x1..x31 of RISC-V; r0..r15, N, Z, C and V of Arm.
"""

from __future__ import annotations

OTHER = -1
BRANCH = 1
REGISTERS = 0xFFFF_FFFE
NOTHING = 0
NEGATIVE_ZERO, CARRY, OVERFLOW = 3 << 17, 1 << 19, 1 << 20
"""Arm's flags."""
FLAGS = NEGATIVE_ZERO | CARRY | OVERFLOW


def polls(live: int, written: int, last: int, target: int) -> bool:
    """Whether a block polls.

    Args:
        live: registers that it reads before it writes them, if it does.
        written: registers that it writes.
        last: effects of its last instruction.
        target: where that jumps to, 0 for the beginning of the block, if it is a branch.
    """
    return last >= 0 and last & BRANCH != 0 and live & written == 0 and target == 0


def effects(reads: int, writes: int) -> int:
    """Packed."""
    return reads & REGISTERS | (writes & REGISTERS) << 31


def written_by(packed: int) -> int:
    """The registers that an instruction writes."""
    return packed >> 31 & REGISTERS


def signed(value: int, bits: int) -> int:
    """The lowest bits of ``value`` as a two's-complement number."""
    sign = 1 << (bits - 1)
    return ((value & ((sign << 1) - 1)) ^ sign) - sign


# RISC-V


def riscv_jump(first: int, second: int, third: int, fourth: int) -> int:
    """How far an instruction that is `BRANCH` jumps."""
    word = first | second << 8 | third << 16 | fourth << 24
    if first & 0x7F == 0x63:
        return signed(word >> 19 & 0x1000 | word << 4 & 0x800 | word >> 20 & 0x7E0 | word >> 7 & 0x1E, 13)
    if first & 3 == 3:
        return signed(word >> 11 & 0x10_0000 | word & 0xF_F000 | word >> 9 & 0x800 | word >> 20 & 0x7FE, 21)
    half = word & 0xFFFF
    if half >> 13 == 5:
        high = half >> 1 & 0xB00 | half << 2 & 0x400 | half << 1 & 0x80
        return signed(high | half >> 1 & 0x40 | half << 3 & 0x20 | half >> 7 & 0x10 | half >> 2 & 0xE, 12)
    return signed(half >> 4 & 0x100 | half << 1 & 0xC0 | half << 3 & 0x20 | half >> 7 & 0x18 | half >> 2 & 6, 9)


def riscv_effects(first: int, second: int, third: int, fourth: int) -> int:
    """Effects of a RISC-V instruction by its bytes."""
    half = first | second << 8
    return wide_effects(half | third << 16 | fourth << 24) if first & 3 == 3 else compressed_effects(half)


def wide_effects(word: int) -> int:
    """Effects of an instruction of 32 bits."""
    opcode, target = word & 0x7F, 1 << (word >> 7 & 31)
    first, second = 1 << (word >> 15 & 31), 1 << (word >> 20 & 31)
    if opcode == 0x03 or opcode == 0x13:
        return effects(first, target)
    if opcode == 0x33:
        return effects(first | second, target)
    if opcode == 0x17 or opcode == 0x37:
        return effects(NOTHING, target)
    if opcode == 0x63:
        return effects(first | second, NOTHING) | BRANCH
    if opcode == 0x6F and target == 1:
        return BRANCH
    return OTHER


def compressed_effects(half: int) -> int:
    """Effects of an instruction of 16 bits."""
    kind = (half & 3) << 3 | half >> 13
    register, other = 1 << (half >> 7 & 31), 1 << (half >> 2 & 31)
    short, other_short = 1 << (8 + (half >> 7 & 7)), 1 << (8 + (half >> 2 & 7))
    if kind == 0o02:  # c.lw
        return effects(short, other_short)
    if kind == 0o10 or kind == 0o20:  # c.addi, c.slli
        return effects(register, register)
    if kind == 0o12 or (kind == 0o13 and register != 1 << 2):  # c.li, c.lui
        return effects(NOTHING, register)
    if kind == 0o14:
        return effects(short | (other_short if half >> 10 & 3 == 3 else NOTHING), short)
    if kind == 0o15:  # c.j
        return BRANCH
    if kind == 0o16 or kind == 0o17:  # c.beqz, c.bnez
        return effects(short, NOTHING) | BRANCH
    if kind == 0o22 and register != 1:  # c.lwsp
        return effects(1 << 2, register)
    if kind == 0o24 and register != 1 and other != 1:  # c.mv, c.add
        return effects(other | (register if half >> 12 & 1 != 0 else NOTHING), register)
    return OTHER


# Thumb
def thumb_jump(first: int, second: int, third: int, fourth: int) -> int:
    """How far an instruction that is `BRANCH` jumps."""
    return 4 + 2 * (signed(first | second << 8, 11) if second >> 4 == 14 else signed(first, 8))


def thumb_effects(first: int, second: int, third: int, fourth: int) -> int:
    """Effects of a Thumb instruction by its bytes; IT is `OTHER`, so that no instruction is conditional."""
    half = first | second << 8
    return narrow_effects(half) if half < 0xE800 else wide_thumb_effects(half, third | fourth << 8)


def narrow_effects(half: int) -> int:
    """Effects of an instruction of one half-word."""
    low, middle, high = 2 << (half & 7), 2 << (half >> 3 & 7), 2 << (half >> 8 & 7)
    group = half >> 11
    if group < 3:  # shifts by a number; by 0 it is a move
        carry = CARRY if group != 0 or half >> 6 & 31 != 0 else NOTHING
        return effects(middle, low | NEGATIVE_ZERO | carry)
    if group == 3:
        third = NOTHING if half >> 10 & 1 != 0 else 2 << (half >> 6 & 7)
        return effects(middle | third, low | FLAGS)
    if group == 4:
        return effects(NOTHING, high | NEGATIVE_ZERO)
    if group == 5:
        return effects(high, FLAGS)
    if group == 6 or group == 7:
        return effects(high, high | FLAGS)
    if half >> 10 == 0x10:
        return register_effects(half >> 6 & 15, low, middle)
    if half >> 10 == 0x11:
        return high_register_effects(half)
    if group == 9:
        return effects(NOTHING, high)
    if half >> 12 == 5 and half >> 9 & 7 >= 3:
        return effects(middle | 2 << (half >> 6 & 7), low)
    if group == 13 or group == 15 or group == 17:
        return effects(middle, low)
    if group == 19 or group == 21:
        return effects(2 << 13, high)
    if group == 20:
        return effects(NOTHING, high)
    if half >> 8 == 0xB2 or (half >> 8 == 0xBA and half >> 6 & 3 != 2):  # extensions, byte reversals
        return effects(middle, low)
    if half == 0xBF00:
        return NOTHING
    if half >> 12 == 13 and half >> 9 & 7 != 7:
        return effects(FLAGS, NOTHING) | BRANCH
    return BRANCH if group == 28 else OTHER


def register_effects(operation: int, low: int, middle: int) -> int:
    """Effects of the data-processing instructions on two low registers."""
    if operation == 0 or operation == 1 or operation == 12 or operation == 14:  # AND, EOR, ORR, BIC
        return effects(low | middle, low | NEGATIVE_ZERO)
    if operation == 8:  # TST
        return effects(low | middle, NEGATIVE_ZERO)
    if operation == 9:  # RSB
        return effects(middle, low | FLAGS)
    if operation == 10 or operation == 11:  # CMP, CMN
        return effects(low | middle, FLAGS)
    if operation == 15:  # MVN
        return effects(middle, low | NEGATIVE_ZERO)
    return OTHER


def high_register_effects(half: int) -> int:
    """Effects of ADD, CMP and MOV on any registers."""
    operation, target, source = half >> 8 & 3, half >> 4 & 8 | half & 7, half >> 3 & 15
    if operation == 1:
        return effects(2 << target | 2 << source, FLAGS)
    if operation == 3 or target == 15:
        return OTHER
    return effects(2 << source | (2 << target if operation == 0 else NOTHING), 2 << target)


def wide_thumb_effects(first: int, second: int) -> int:
    """Effects of an instruction of two half-words."""
    base, target, source = 2 << (first & 15), 2 << (second >> 12), 2 << (second & 15)
    if first & 0xFE10 == 0xF810 and first >> 5 & 3 != 3 and second >> 12 != 15:  # loads
        if first & 0x80 != 0 or first & 15 == 15 or second & 0xF00 == 0xC00:
            return effects(base, target)
        return effects(base | source, target) if second & 0xFC0 == 0 else OTHER
    target = 2 << (second >> 8 & 15)
    if first & 0xFE00 == 0xEA00 and (second & 0x70F0 == 0 or first & 0x10 == 0) and second & 0x70F0 != 0x30:
        effect = modified_effects(first, target, base, NOTHING)
        return effect if effect == OTHER else effect | effects(source, NOTHING)
    if first & 0xF800 != 0xF000 or second & 0x8000 != 0:
        return OTHER
    if first & 0x200 == 0:
        rotated = first & 0x400 != 0 or second & 0x4000 != 0
        return modified_effects(first, target, base, CARRY if rotated else NOTHING)
    if first & 0xFBF0 == 0xF240:  # MOVW
        return effects(NOTHING, target)
    if first & 0xFBF0 == 0xF2C0 or first & 0xFFF0 == 0xF360:  # MOVT, BFI
        return effects(target | base, target)
    if first & 0xFFF0 == 0xF340 or first & 0xFFF0 == 0xF3C0:  # SBFX, UBFX
        return effects(base, target)
    return OTHER


def modified_effects(first: int, target: int, base: int, carry: int) -> int:
    """Effects of the data-processing instructions with an immediate or a second register that is not read here."""
    operation, sets_flags = first >> 5 & 15, first & 0x10 != 0
    logical = operation <= 4
    if not logical and operation != 8 and operation != 13 and operation != 14:  # ADD, SUB, RSB
        return OTHER
    flags = (NEGATIVE_ZERO | carry if logical else FLAGS) if sets_flags else NOTHING
    if target == 2 << 15:  # TST, TEQ, CMN, CMP
        target = NOTHING
        if not sets_flags or operation == 1 or operation == 2 or operation == 3 or operation == 14:
            return OTHER
    if base == 2 << 15:  # MOV, MVN
        base = NOTHING
    return effects(base, target | flags)

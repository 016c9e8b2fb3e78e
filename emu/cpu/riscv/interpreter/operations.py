"""Operations of the interpreter, and how they are kept.

An *entry* is one word:

    bits   5..0    operation, 0: not decoded
    bits  10..6    destination register, 0: writes none
    bits  15..11   first source register
    bits  20..16   second source register
    bit   21       the instruction has 4 bytes, else 2
    bits  31..22   instructions of the block that begins here, 0: not known, `BREAKPOINT`: none
    bits  63..32   immediate, signed
"""

from __future__ import annotations

# Operations. Bits 1..0 of a load or store are log2 of its bytes.
# An arithmetic one adds the immediate to its second operand: ADD is also addi and, with x0, lui.
UNKNOWN, ADD_PC, FENCE = range(3)
STORE_BYTE, STORE_HALF, STORE_WORD = range(4, 7)
LOAD_BYTE, LOAD_HALF, LOAD_WORD = range(8, 11)
LOAD_BYTE_UNSIGNED, LOAD_HALF_UNSIGNED = range(12, 14)
(
    ADD, SHIFT_LEFT, LESS, LESS_UNSIGNED, XOR, SHIFT_RIGHT, OR, AND, SUBTRACT, SHIFT_RIGHT_SIGNED,
    MULTIPLY, MULTIPLY_HIGH, MULTIPLY_HIGH_MIXED, MULTIPLY_HIGH_UNSIGNED,
    DIVIDE, DIVIDE_UNSIGNED, REMAINDER, REMAINDER_UNSIGNED,
    WFI, TRANSLATION_FENCE,
    # The following end a block; LONE_TRAP also begins one.
    JUMP, JUMP_REGISTER, EQUAL, NOT_EQUAL, BRANCH_LESS, BRANCH_NOT_LESS, BRANCH_LESS_UNSIGNED, BRANCH_NOT_LESS_UNSIGNED,
    INSTRUCTION_FENCE, TRAP, LONE_TRAP, CALL, EBREAK, FETCH_FAULT,
) = range(16, 50)  # fmt: skip
TARGET_SHIFT, FIRST_SHIFT, SECOND_SHIFT, WIDE, COUNT_SHIFT, IMMEDIATE_SHIFT = 6, 11, 16, 1 << 21, 22, 32
COUNT_MASK = 1023
BREAKPOINT = COUNT_MASK

PART = 1
"""Bit of a word of the table of code: not all of the page and of the next one can be executed."""

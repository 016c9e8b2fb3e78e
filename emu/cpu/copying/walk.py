"""One round of a loop, walked through with numbers of which it is known how they advance from round to round.

A loop of one block copies or fills if its round only loads, stores, adds, shifts, compares and jumps back, so that

- every register that a round needs from the one before advances by the same number each time,
- what is stored was loaded in the same round, unchanged, or is the same in all rounds, and
- the numbers that decide about the jump advance too, so that the round that leaves the loop can be computed.

The walk keeps for each register what it holds: a `NUMBER` with its value in the first round and its *stride*, what is
added to it from round to round (modulo 2^32); or what was *loaded*, as the number of bytes, their address and its
stride; or `UNKNOWN`. Sums, differences and shifts of numbers that advance are numbers that advance. What a round adds
to the registers is found by a first walk, which takes all strides for 0; a second one, with these strides, proves them:
if a round adds to each register that it needs the stride that the register was said to have, then so do all rounds.

All state is in one array of 64-bit integers, see `emu.cpu.copying.slots`. The functions become native code.

Inaccuracies: of the loops that copy, those are left out that need more than one block, that convert what they copy, or
that do anything else on the side.
"""

from __future__ import annotations

from emu.cpu.copying.slots import MOST_MOVES, MOVE_WORDS, REGISTERS, WalkSlot
from emu.cpu.copying.steps import (
    AMOUNT_SHIFT,
    CONSTANT_SHIFT,
    FIRST_SHIFT,
    SECOND_SHIFT,
    STEP_TABLE,
    STEPS,
    TARGET_SHIFT,
    ZERO,
    Order,
    Step,
)
from emu.cpu.native_calls import Words
from emu.cpu.polling import signed

LIVE, WRITTEN, LIMIT, ROUNDS, COMPARED = map(
    int, (WalkSlot.LIVE, WalkSlot.WRITTEN, WalkSlot.LIMIT, WalkSlot.ROUNDS, WalkSlot.COMPARED)
)
LEFT, LEFT_STRIDE, RIGHT, RIGHT_STRIDE = map(
    int, (WalkSlot.LEFT, WalkSlot.LEFT_STRIDE, WalkSlot.RIGHT, WalkSlot.RIGHT_STRIDE)
)
LOADS, MOVES, SPAN = int(WalkSlot.LOADS), int(WalkSlot.MOVES), int(WalkSlot.SPAN)
ENTRY, ADVANCE, KIND, VALUE, STRIDE = map(
    int, (WalkSlot.ENTRY, WalkSlot.ADVANCE, WalkSlot.KIND, WalkSlot.VALUE, WalkSlot.STRIDE)
)
MOVE_TABLE = int(WalkSlot.MOVE_TABLE)
SUM_AND_FLAGS, DIFFERENCE, DIFFERENCE_AND_FLAGS, COMPARE = map(
    int, (Step.SUM_AND_FLAGS, Step.DIFFERENCE, Step.DIFFERENCE_AND_FLAGS, Step.COMPARE)
)
SHIFT_RIGHT, SHIFT_RIGHT_AND_FLAGS, REPLACE_HIGH = map(
    int, (Step.SHIFT_RIGHT, Step.SHIFT_RIGHT_AND_FLAGS, Step.REPLACE_HIGH)
)
LOAD, STORE, JUMP, JUMP_ON_FLAGS = int(Step.LOAD), int(Step.STORE), int(Step.JUMP), int(Step.JUMP_ON_FLAGS)
EQUAL, UNEQUAL, LESS, NOT_GREATER, GREATER, NOT_LESS = range(Order.EQUAL, Order.NOT_LESS + 1)
LESS_SIGNED, NOT_LESS_SIGNED, NEGATIVE = int(Order.LESS_SIGNED), int(Order.NOT_LESS_SIGNED), int(Order.NEGATIVE)

NUMBER, UNKNOWN = 0, -1
"""What a register holds that was not loaded."""
BY_RESULT, BY_DIFFERENCE = 1, 2
"""What flags were set by: their result is all that is known, or their operands are."""
UNKNOWN_ADVANCE = 1 << 40
WORD, SIGN = 0xFFFF_FFFF, 0x8000_0000
FOREVER = 1 << 40
"""More rounds than there are addresses."""


def walk_round(walk: Words) -> bool:
    """Walk through the steps of a round; False if it is none of a loop that copies or fills."""
    begin_walk(walk)
    for index in range(walk[STEPS]):  # noqa: SIM110 - native code has no all()
        if not take_step(walk, walk[STEP_TABLE + index]):
            return False
    return True


def begin_walk(walk: Words) -> None:
    """Go back to the beginning of the round."""
    for register in range(REGISTERS):
        known = walk[ADVANCE + register] != UNKNOWN_ADVANCE
        walk[KIND + register] = NUMBER if known else UNKNOWN
        walk[VALUE + register] = walk[ENTRY + register]
        walk[STRIDE + register] = walk[ADVANCE + register]
    walk[KIND + ZERO] = walk[VALUE + ZERO] = walk[STRIDE + ZERO] = 0
    walk[LIVE] = walk[WRITTEN] = walk[COMPARED] = walk[LOADS] = walk[MOVES] = walk[SPAN] = walk[ROUNDS] = 0
    walk[LIMIT] = FOREVER


def forget_strides(walk: Words) -> None:
    """Before the first walk."""
    for register in range(REGISTERS):
        walk[ADVANCE + register] = 0


def learn_strides(walk: Words) -> None:
    """After the first walk."""
    for register in range(REGISTERS):
        known = walk[KIND + register] == NUMBER
        change = signed(walk[VALUE + register] - walk[ENTRY + register], 32)
        walk[ADVANCE + register] = change if known else UNKNOWN_ADVANCE


def strides_hold(walk: Words) -> bool:
    """After the second walk: whether every register that a round needs has advanced by its stride."""
    for register in range(REGISTERS):
        if walk[LIVE] >> register & 1 != 0:
            advance = walk[ADVANCE + register]
            if walk[KIND + register] != NUMBER or walk[STRIDE + register] != advance:
                return False
            if walk[VALUE + register] != (walk[ENTRY + register] + advance) & WORD:
                return False
    return True


def use(walk: Words, register: int) -> None:
    """The register is read."""
    walk[LIVE] |= 1 << register & ~walk[WRITTEN]


def take_step(walk: Words, packed: int) -> bool:
    """Take one step; False if such a loop cannot have it."""
    step, target = packed & 15, packed >> TARGET_SHIFT & 63
    first, second = packed >> FIRST_SHIFT & 63, packed >> SECOND_SHIFT & 63
    factor, constant = 1 << (packed >> AMOUNT_SHIFT & 63), packed >> CONSTANT_SHIFT
    use(walk, first)
    use(walk, second)
    value, stride = walk[VALUE + first], walk[STRIDE + first]
    other, other_stride = walk[VALUE + second], walk[STRIDE + second]
    kind = walk[KIND + first]
    are_numbers = kind == NUMBER and walk[KIND + second] == NUMBER
    if step in (JUMP, JUMP_ON_FLAGS):
        if step == JUMP:
            compare(walk, are_numbers, value, stride, other, other_stride)
        return jump_back(walk, constant)
    subtracts = DIFFERENCE <= step <= COMPARE
    if step in (COMPARE, DIFFERENCE_AND_FLAGS):
        compare(walk, are_numbers, value, stride, other + constant, other_stride)
    if step == COMPARE:
        return True
    if SHIFT_RIGHT <= step <= SHIFT_RIGHT_AND_FLAGS:
        if kind == NUMBER and stride & ((1 << constant) - 1) == 0:
            walk[LIMIT] = min(walk[LIMIT], rounds_in_range(value, stride))
            value, stride = value >> constant, stride >> constant
        else:
            kind = UNKNOWN
    elif step == REPLACE_HIGH:
        value = value & 0xFFFF | constant << 16
        if stride != 0 or kind != NUMBER:
            kind = UNKNOWN
    elif are_numbers:
        if subtracts:
            factor, constant = -factor, -constant
        value, stride = (value + factor * other + constant) & WORD, signed(stride + factor * other_stride, 32)
    elif second != ZERO or constant != 0:
        kind = UNKNOWN
    if step >= STORE:
        return kind == NUMBER and store(walk, target, 1 << (step - STORE), value, stride)
    if step >= LOAD:
        if kind != NUMBER:
            return False
        kind = 1 << (step - LOAD)
        walk[LOADS] += 1
    elif step in (SUM_AND_FLAGS, SHIFT_RIGHT_AND_FLAGS):
        compare(walk, kind == NUMBER, value, stride, 0, 0)
        walk[COMPARED] = min(walk[COMPARED], BY_RESULT)
    walk[KIND + target], walk[VALUE + target], walk[STRIDE + target] = kind, value, stride
    walk[WRITTEN] |= 1 << target
    return True


def store(walk: Words, source: int, size: int, target: int, stride: int) -> bool:
    """Store a register; False if what is stored cannot be told."""
    use(walk, source)
    kind, count = walk[KIND + source], walk[MOVES]
    if count == MOST_MOVES or (kind != NUMBER and kind != size):
        return False
    if count == 0:
        walk[SPAN] = stride
    if stride != walk[SPAN] or walk[STRIDE + source] != (0 if kind == NUMBER else stride):
        return False
    place = MOVE_TABLE + MOVE_WORDS * count
    while place > MOVE_TABLE and walk[place - MOVE_WORDS] > target:
        for word in range(MOVE_WORDS):
            walk[place + word] = walk[place - MOVE_WORDS + word]
        place -= MOVE_WORDS
    walk[place], walk[place + 1] = target, size
    walk[place + 2], walk[place + 3] = (0 if kind == NUMBER else 1), walk[VALUE + source]
    walk[MOVES] += 1
    return True


# How many rounds jump back
def compare(walk: Words, known: bool, left: int, left_stride: int, right: int, right_stride: int) -> None:
    """Remember what is compared."""
    walk[COMPARED] = BY_DIFFERENCE if known else 0
    walk[LEFT], walk[LEFT_STRIDE] = left, left_stride
    walk[RIGHT], walk[RIGHT_STRIDE] = right & WORD, right_stride


def jump_back(walk: Words, order: int) -> bool:
    """The end of the round: for how many rounds what was compared is in that order; False if that cannot be told."""
    left, left_stride = walk[LEFT], walk[LEFT_STRIDE]
    right, right_stride = walk[RIGHT], walk[RIGHT_STRIDE]
    if walk[COMPARED] == 0 or (walk[COMPARED] == BY_RESULT and UNEQUAL < order < NEGATIVE):
        return False
    if order <= UNEQUAL:
        walk[ROUNDS] = rounds_equal(order == EQUAL, (right - left) & WORD, signed(left_stride - right_stride, 32))
        return True
    if order >= NEGATIVE:
        left, left_stride = (left - right) & WORD, signed(left_stride - right_stride, 32)
        right, right_stride = 0, 0
        order = LESS_SIGNED if order == NEGATIVE else NOT_LESS_SIGNED
    if order >= LESS_SIGNED:
        left, right, order = left ^ SIGN, right ^ SIGN, order - LESS_SIGNED + LESS
    if order in (GREATER, NOT_LESS):
        left, right = right, left
        left_stride, right_stride = right_stride, left_stride
    apart, nearer = right - left, left_stride - right_stride
    if order in (NOT_GREATER, NOT_LESS):
        apart += 1
    rounds = min(rounds_in_range(left, left_stride), rounds_in_range(right, right_stride))
    if apart <= 0:
        rounds = 0
    elif nearer > 0:
        rounds = min(rounds, (apart + nearer - 1) // nearer)
    walk[ROUNDS] = rounds
    return True


def rounds_equal(equal: bool, apart: int, nearer: int) -> int:
    """How many rounds at least two numbers stay equal, or not equal.

    Args:
        apart: how much greater the right one is, modulo 2^32.
        nearer: how much more is added to the left one in each round.
    """
    if nearer == 0:
        return FOREVER if (apart == 0) == equal else 0
    if equal:
        return 1 if apart == 0 else 0
    return apart // nearer if nearer > 0 else (-apart & WORD) // -nearer


def rounds_in_range(value: int, stride: int) -> int:
    """How often a number of 32 bits can have a stride added to it until it wraps, and once more."""
    if stride == 0:
        return FOREVER
    return (WORD - value) // stride + 1 if stride > 0 else value // -stride + 1

"""Blocks that jump back to themselves: rounds that need not be executed one by one; native code.

Rounds of a loop that only waits are counted, see `emu.cpu.polling`. Those of a loop that copies or fills memory are
carried out at once, see `emu.cpu.copying`; the last one is executed, so that all registers have their values, and so is
every round before which something else may happen.
"""

from __future__ import annotations

from emu.clock import DEADLINE, FOREVER, HORIZON, NOW, SKIPS
from emu.cpu.hook_state import PASSES_BEFORE_SKIPPING, Slot
from emu.cpu.native_calls import Words

BLOCK_PC, BLOCK_SIZE, INSTRUCTIONS = int(Slot.BLOCK_PC), int(Slot.BLOCK_SIZE), int(Slot.INSTRUCTIONS)
PASSES, POLL_TIME, UNSTEADY = int(Slot.PASSES), int(Slot.POLL_TIME), int(Slot.UNSTEADY)
OBSERVED = int(Slot.OBSERVED)
INSTRUCTIONS_BEFORE_COPYING = 200
"""Executed one by one before the next rounds are looked at, which takes about as long as these."""


def count_pass(state: Words, pc: int, size: int) -> None:
    """A block begins that may repeat: count how often it has done so without another one in between."""
    if state[BLOCK_PC] != pc or state[BLOCK_SIZE] != size:
        state[PASSES] = 0
    else:
        state[PASSES] += 1


# Waiting
def waits(state: Words, clock: Words) -> bool:
    """Whether a block that may poll has done so before, and would do the same again up to the deadline."""
    steady = state[UNSTEADY] == 0 and state[PASSES] >= PASSES_BEFORE_SKIPPING
    if steady and clock[SKIPS] != 0 and clock[DEADLINE] < FOREVER:
        return True
    state[UNSTEADY], state[POLL_TIME] = 0, clock[NOW]
    return False


def skip_rounds(state: Words, clock: Words, count: int) -> None:
    """Count all rounds of a block up to the deadline instead of executing them."""
    round_time, left = clock[NOW] - state[POLL_TIME], clock[DEADLINE] - clock[NOW]
    if clock[HORIZON] == clock[DEADLINE]:
        left += round_time - 1
    rounds = left // round_time
    clock[NOW] += rounds * round_time
    state[INSTRUCTIONS] += rounds * count
    state[POLL_TIME] = clock[NOW]


# Copying and filling
def may_copy(state: Words, clock: Words, count: int) -> bool:
    """Whether it is time to look at the next rounds of a block that may copy."""
    before = (state[PASSES] - 1) * count
    due = state[PASSES] > 0 and before < INSTRUCTIONS_BEFORE_COPYING <= before + count
    return bool(due and state[OBSERVED] == 0 and clock[SKIPS] != 0)


def rounds_in_time(clock: Words, round_time: int, start_time: int) -> int:
    """How many rounds begin, and if the clock is exact end, before the deadline, besides one more.

    Args:
        round_time: cycles of a round.
        start_time: cycles of a round without what the jump at its end costs.
    """
    left = clock[DEADLINE] - clock[NOW] - (1 if clock[HORIZON] == clock[DEADLINE] else start_time)
    return int(max(0, left // round_time))

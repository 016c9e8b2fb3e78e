"""What the moves of a round come to over many rounds: one run of bytes that is copied or filled."""

from __future__ import annotations

from emu.cpu.copying.slots import MOVE_WORDS
from emu.cpu.copying.walk import LIMIT, LOADS, MOVE_TABLE, MOVES, ROUNDS, SPAN
from emu.cpu.native_calls import Words, bytes_at, move_bytes

TARGET, BYTES, COPIES, SOURCE = MOVE_TABLE, MOVE_TABLE + 1, MOVE_TABLE + 2, MOVE_TABLE + 3
"""Places of the first move."""


def is_stream(walk: Words) -> bool:
    """Whether all rounds store to bytes one behind the other, what they load from such bytes or the same numbers."""
    span, copies, distance = walk[SPAN], walk[COPIES], walk[SOURCE] - walk[TARGET]
    if walk[MOVES] == 0 or walk[LOADS] != (walk[MOVES] if copies != 0 else 0):
        return False
    end = walk[TARGET]
    for place in range(0, walk[MOVES] * MOVE_WORDS, MOVE_WORDS):
        target, size = walk[TARGET + place], walk[BYTES + place]
        if target != end or walk[COPIES + place] != copies:
            return False
        if copies != 0 and walk[SOURCE + place] - target != distance:
            return False
        end += size
    return bool(end - walk[TARGET] == abs(span))


def is_aligned(walk: Words) -> bool:
    """Whether all loads and stores are aligned: some cores trap others."""
    together = walk[SPAN] | (walk[SOURCE] - walk[TARGET] if walk[COPIES] != 0 else 0)
    for place in range(0, walk[MOVES] * MOVE_WORDS, MOVE_WORDS):
        if (walk[TARGET + place] | together) & (walk[BYTES + place] - 1) != 0:
            return False
    return True


def rounds_ahead(walk: Words) -> int:
    """How many rounds there are before the last one, which is left over to set all other registers."""
    return int(min(walk[ROUNDS], walk[LIMIT]))


def rounds_apart(walk: Words, target: int, source: int, rounds: int) -> int:
    """How many rounds can be copied at once, of so many.

    Args:
        target, source: host addresses of the first round's bytes.
    """
    span, distance = walk[SPAN], source - target
    width = abs(span)
    behind = distance if span > 0 else -distance
    # What is read is not written before: either by no round, or only by later ones.
    if behind >= width:
        return rounds
    return int(min(rounds, abs(distance) // width))


def lowest(walk: Words, first: int, rounds: int) -> int:
    """Lowest address of all rounds, of that of the first one."""
    return int(first if walk[SPAN] > 0 else first + (rounds - 1) * walk[SPAN])


def copy_rounds(walk: Words, target: int, source: int, rounds: int) -> None:
    """Copy what so many rounds copy; host addresses of the first round's bytes."""
    move_bytes(lowest(walk, target, rounds), lowest(walk, source, rounds), rounds * abs(walk[SPAN]))


def fill_rounds(walk: Words, target: int, rounds: int) -> None:
    """Store what so many rounds store; host address of the first round's bytes."""
    width, start = abs(walk[SPAN]), lowest(walk, target, rounds)
    room = bytes_at(start)
    for place in range(0, walk[MOVES] * MOVE_WORDS, MOVE_WORDS):
        offset, value = walk[TARGET + place] - walk[TARGET], walk[SOURCE + place]
        for index in range(walk[BYTES + place]):
            room[offset + index] = value >> 8 * index & 0xFF
    done, total = width, rounds * width
    while done < total:
        count = min(done, total - done)
        move_bytes(start + done, start, count)
        done += count

"""The process in which generated cases run: ``python -m tests.fuzz.worker KIND FIRST COUNT``.

It writes the number of every case to stdout before the case begins, so that whoever started it knows which one was the
last if the process dies.
"""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Callable

from tests.fuzz.files import Files
from tests.fuzz.guard import Guard
from tests.fuzz.streams import BOARDS, Streams

GROUP = 50
"""Cases between two settings of the alarm."""
LONGEST_GROUP = 120
"""Seconds; a group that takes longer has a case that hangs."""
LAST = "done"


def make(kind: str, guard: Guard) -> Callable[[int], object]:
    """What runs a case of this kind: a host of `BOARDS`, or "files"."""
    if kind not in BOARDS:
        return Files(guard).run
    streams = Streams(kind)
    streams.run(0)  # compiles and imports what is needed

    def run(seed: int) -> None:
        with guard.on():
            streams.run(seed)

    return run


def main(kind: str, first: int, count: int) -> None:
    """Run the cases; an exception or an alarm ends the process."""
    run = make(kind, Guard())
    for index in range(count):
        if index % GROUP == 0:
            faulthandler.dump_traceback_later(LONGEST_GROUP, exit=True)
        sys.stdout.write(f"{first + index}\n")
        sys.stdout.flush()
        run(first + index)
    faulthandler.cancel_dump_traceback_later()
    print(LAST)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

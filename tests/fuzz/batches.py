"""Runs generated cases in processes of their own: a case that kills its process is a finding, not the end."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from tests.fuzz.worker import LAST

BATCH = 2500
"""Cases of a process."""
ENOUGH = 20
"""Failures after which a run ends."""


@dataclass(frozen=True)
class Failure:
    """A case that did not end well.

    Attributes:
        seed: ``python -m tests.fuzz.worker KIND SEED 1`` repeats it.
        status: the process's exit code; negative for a signal.
        text: the end of what the process wrote to stderr.
    """

    seed: int
    status: int
    text: str


def run_batches(kind: str, seeds: range) -> list[Failure]:
    """Run a case for every seed; those that raised an exception, crashed or hung."""
    failures: list[Failure] = []
    first = seeds.start
    while first < seeds.stop and len(failures) < ENOUGH:
        count = min(BATCH, seeds.stop - first)
        command = [sys.executable, "-m", "tests.fuzz.worker", kind, str(first), str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        *_, last = ["", *done.stdout.split()]
        if last == LAST:
            first += count
            continue
        failed = int(last) if last else first
        failures.append(Failure(failed, done.returncode, done.stderr[-2000:]))
        first = failed + 1
    return failures

"""Whatever firmware or file: no crash, no hang, no traceback, no access to the computer that runs it."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest

from tests.fuzz.batches import run_batches
from tests.fuzz.guard import Guard
from tests.fuzz.streams import BOARDS, Streams

KINDS = (*BOARDS, "files")
MANY = {"cortex-m3": 100_000, "cortex-m4f": 100_000, "rv32imc": 20_000, "files": 100_000}


@pytest.mark.parametrize("kind", KINDS)
def test_some_cases(kind: str) -> None:
    assert run_batches(kind, range(150)) == []


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS)
def test_many_cases(kind: str) -> None:
    assert run_batches(kind, range(1_000_000, 1_000_000 + MANY[kind])) == []


@pytest.mark.parametrize("host", BOARDS)
def test_a_stream_does_not_depend_on_those_before_it(host: str) -> None:
    used = Streams(host)
    ends = [used.run(seed) for seed in range(10)]
    assert [Streams(host).run(seed) for seed in range(10)] == ends
    assert len(set(ends)) == 10


def test_the_guard_notices_what_reaches_out() -> None:
    def reach_out(guard: Guard) -> None:
        with guard.on(), suppress(PermissionError):
            os.mkdir("/absent/folder")

    with pytest.raises(AssertionError, match=r"host access: .*os\.mkdir"):
        reach_out(Guard())

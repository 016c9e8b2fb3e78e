"""The interrupt controller of an RV32 host, by register accesses and line levels alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.bus import Bus
from emu.clock import Clock
from emu.device import Board
from emu.devices.plic import Plic
from emu.log import Log

PRIORITY, PENDING, ENABLE, THRESHOLD, CLAIM = 0x0, 0x1000, 0x2000, 0x20_0000, 0x20_0004


@pytest.fixture
def plic() -> Plic:
    return make_plic()


def make_plic() -> Plic:
    return Plic("plic", Board(Clock(600_000_000), Bus(), Log()))


def enable(plic: Plic, priorities: dict[int, int]) -> None:
    for source, priority in priorities.items():
        plic.write(PRIORITY + 4 * source, 4, priority)
    plic.write(ENABLE, 4, sum(1 << source for source in priorities))


def test_a_high_line_interrupts_only_when_enabled_and_above_the_threshold(plic: Plic) -> None:
    plic.set_source(5, True)
    assert plic.read(PENDING, 4) == 1 << 5
    assert not plic.irq.level
    plic.write(ENABLE, 4, 1 << 5)
    assert not plic.irq.level
    plic.write(PRIORITY + 4 * 5, 4, 2)
    assert plic.irq.level
    plic.write(THRESHOLD, 4, 2)
    assert not plic.irq.level
    plic.write(THRESHOLD, 4, 1)
    assert plic.irq.level


def test_claims_come_by_priority_then_by_number(plic: Plic) -> None:
    enable(plic, {3: 1, 7: 6, 9: 6, 31: 7})
    for source in (3, 7, 9, 31):
        plic.set_source(source, True)
    assert [plic.read(CLAIM, 4) for _ in range(5)] == [31, 7, 9, 3, 0]
    assert not plic.irq.level


def test_the_claim_ignores_the_threshold(plic: Plic) -> None:
    enable(plic, {4: 1})
    plic.write(THRESHOLD, 4, 7)
    plic.set_source(4, True)
    assert not plic.irq.level
    assert plic.read(CLAIM, 4) == 4


def test_a_line_that_stays_high_interrupts_again_after_completion_and_not_before(plic: Plic) -> None:
    enable(plic, {6: 1})
    plic.set_source(6, True)
    assert plic.read(CLAIM, 4) == 6
    assert (plic.irq.level, plic.read(PENDING, 4)) == (False, 0)
    plic.write(CLAIM, 4, 6)
    assert (plic.irq.level, plic.read(PENDING, 4)) == (True, 1 << 6)


def test_a_request_is_kept_when_its_line_falls_before_the_claim(plic: Plic) -> None:
    enable(plic, {6: 1})
    plic.set_source(6, True)
    plic.set_source(6, False)
    assert plic.irq.level
    assert plic.read(CLAIM, 4) == 6
    plic.write(CLAIM, 4, 6)
    assert not plic.irq.level


def test_completing_a_source_that_is_not_enabled_is_ignored(plic: Plic) -> None:
    enable(plic, {6: 1})
    plic.set_source(6, True)
    assert plic.read(CLAIM, 4) == 6
    plic.write(ENABLE, 4, 0)
    plic.write(CLAIM, 4, 6)
    assert plic.read(PENDING, 4) == 0
    plic.write(ENABLE, 4, 1 << 6)
    plic.write(CLAIM, 4, 6)
    assert plic.read(PENDING, 4) == 1 << 6


def test_registers_hold_only_their_bits(plic: Plic) -> None:
    plic.write(PRIORITY + 4, 4, 0xFFFF_FFFF)
    assert plic.read(PRIORITY + 4, 4) == 7
    plic.write(ENABLE, 4, 0xFFFF_FFFF)
    assert plic.read(ENABLE, 4) == 0xFFFF_FFFE
    plic.write(PENDING, 4, 0xFFFF_FFFF)
    assert plic.read(PENDING, 4) == 0


def test_reset_forgets_requests_but_not_the_lines(plic: Plic) -> None:
    enable(plic, {2: 3, 4: 1})
    plic.set_source(2, True)
    plic.set_source(4, True)
    plic.set_source(4, False)
    plic.read(CLAIM, 4)
    plic.reset()
    assert (plic.irq.level, plic.read(PENDING, 4), plic.read(ENABLE, 4)) == (False, 1 << 2, 0)


@pytest.mark.parametrize("source", [0, 32])
def test_a_source_that_does_not_exist_is_refused(plic: Plic, source: int) -> None:
    with pytest.raises(ValueError, match=rf"^plic has sources 1\.\.31, not {source}$"):
        plic.set_source(source, True)


SOURCE = st.integers(1, 31)
ACTION = st.one_of(
    st.tuples(st.just("line"), SOURCE, st.integers(0, 1)),
    st.tuples(st.just("priority"), SOURCE, st.integers(0, 7)),
    st.tuples(st.just("enable"), SOURCE, st.integers(0, 1)),
    st.tuples(st.just("claim"), st.just(0), st.just(0)),
    st.tuples(st.just("complete"), SOURCE, st.just(0)),
)


@given(st.lists(ACTION, max_size=60))
def test_any_sequence_agrees_with_one_small_state_machine_per_source(actions: list[tuple[str, int, int]]) -> None:
    """The reference keeps a state ("idle", "pending", "served") and plain dictionaries for each source."""
    plic = make_plic()
    state = dict.fromkeys(range(1, 32), "idle")
    level, priority, enabled = (dict.fromkeys(range(1, 32), 0) for _ in range(3))

    for action, source, value in actions:
        ranking = sorted((-priority[n], n) for n in state if state[n] == "pending" and enabled[n] and priority[n])
        if action == "line":
            plic.set_source(source, bool(value))
            level[source] = value
        elif action == "priority":
            plic.write(PRIORITY + 4 * source, 4, value)
            priority[source] = value
        elif action == "enable":
            enabled[source] = value
            plic.write(ENABLE, 4, sum(enabled[n] << n for n in enabled))
        elif action == "claim":
            expected = ranking[0][1] if ranking else 0
            assert plic.read(CLAIM, 4) == expected
            if expected:
                state[expected] = "served"
        else:
            plic.write(CLAIM, 4, source)
            if state[source] == "served" and enabled[source]:
                state[source] = "idle"
        for n in state:
            if level[n] and state[n] == "idle":
                state[n] = "pending"
        assert plic.read(PENDING, 4) == sum(1 << n for n in state if state[n] == "pending")
        assert plic.irq.level == any(state[n] == "pending" and enabled[n] and priority[n] for n in state)

"""The memory protection unit: its registers, and its rules against a reference, byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.cpu.arm.memory_map import ProtectionRule
from emu.cpu.arm.mpu_v7 import SystemControlV7
from emu.cpu.core import FaultReport
from emu.cpu.hook_state import Right
from emu.machine import Machine
from tests.emu.cpu import arm_board
from tests.emu.cpu.arm_board import assemble
from tests.emu.cpu.test_cortex_m_models import core
from tests.emu.relay import relay, sliced
from tests.reference.mpu import Entry, Limits, allowed, allowed_v8

TYPE, CTRL, RNR, RBAR, RASR = 0xD90, 0xD94, 0xD98, 0xD9C, 0xDA0
RIGHT = {"r": Right.READ, "w": Right.WRITE, "x": Right.EXECUTE}
PROTECTED_TASKS = Path(__file__).parents[2] / "boards" / "programs" / "protected_tasks.c"
CONTROLS = {host: core(host).system_control for host in ("cortex-m4f", "cortex-m33")}


def control_of(host: str = "cortex-m4f") -> SystemControlV7:
    found = core(host).system_control
    assert isinstance(found, SystemControlV7)
    return found


@pytest.mark.parametrize(("host", "regions"), [("cortex-m0", 0), ("cortex-m3", 8), ("cortex-m4f", 8), ("cortex-m7", 8)])
def test_the_number_of_regions(host: str, regions: int) -> None:
    assert core(host).system_control.read(TYPE, 4) == regions << 8


def test_each_region_has_registers_of_its_own() -> None:
    control = control_of()
    for number in range(8):
        control.write(RNR, 4, number)
        control.write(RBAR, 4, 0x2000_0000 + 0x1000 * number)
        control.write(RASR, 4, 0x0300_0017 + (number << 8))
    for number in range(8):
        control.write(RNR, 4, number)
        assert control.read(RNR, 4) == number
        assert control.read(RBAR, 4) == 0x2000_0000 + 0x1000 * number + number
        assert control.read(RASR, 4) == 0x0300_0017 + (number << 8)


def test_valid_chooses_the_region_and_the_aliases_are_the_same_registers() -> None:
    control = control_of()
    control.write(RNR, 4, 1)
    for alias in range(4):
        control.write(RBAR + 8 * alias, 4, 0x2000_0000 + 0x20 * alias | 1 << 4 | 4 + alias)
        control.write(RASR + 8 * alias, 4, 0x0300_0009)
    assert control.read(RNR, 4) == 7
    assert [control.read(RBAR + 8 * alias, 4) for alias in range(4)] == [0x2000_0067] * 4
    control.write(RNR, 4, 5)
    assert control.read(RBAR, 4) == 0x2000_0025
    control.write(RBAR, 4, 0x3000_0002)
    assert control.read(RBAR, 4) == 0x3000_0005, "without VALID the region number is ignored"


def test_bits_that_do_not_exist_read_0() -> None:
    control = control_of()
    control.write(RASR, 4, 0xFFFF_FFFF)
    assert control.read(RASR, 4) == 0x173F_FF3F
    control.write(CTRL, 4, 0xFFFF_FFF8)
    assert control.read(CTRL, 4) == 0


def test_a_region_that_does_not_exist_is_named() -> None:
    control = control_of()
    warnings: list[str] = []
    control.warn = warnings.append  # type: ignore[method-assign]
    control.write(RNR, 4, 8)
    assert warnings == ["MPU_RNR: there is no region 8, only 0..7"]
    assert control.read(RNR, 4) == 0
    control.write(RBAR, 4, 0x2000_0020)
    control.write(RASR, 4, 0x0300_000B)
    control.write(CTRL, 4, 1)
    assert control.protection is not None
    assert control.protection.regions == ()
    assert warnings[1] == "MPU region 0 at 0x20000020 of 2^6 bytes does not count: too small or misaligned"


def test_reset_switches_it_off() -> None:
    control = control_of()
    control.write(RASR, 4, 0x0300_0017)
    control.write(CTRL, 4, 5)
    control.reset()
    assert [control.read(offset, 4) for offset in (TYPE, CTRL, RNR, RBAR, RASR)] == [0x800, 0, 0, 0, 0]


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """A region: mostly small and near others, sometimes huge."""
    bits = draw(st.one_of(st.integers(5, 13), st.integers(5, 32)))
    base = draw(st.one_of(st.integers(0x2000_0000, 0x2000_4000), st.integers(0, 2**32 - 1))) & -1 << bits
    permission = draw(st.sampled_from((0, 1, 2, 3, 5, 6, 7)))
    fields = draw(st.integers(0, 1)) << 28 | permission << 24 | draw(st.integers(0, 255)) << 8
    return Entry(base, fields | bits - 1 << 1 | draw(st.integers(0, 1)))


@settings(max_examples=100, deadline=None)
@given(st.lists(entries(), max_size=8), st.sampled_from((1, 5)), st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_the_rules_are_those_of_the_manual(regions: list[Entry], enabled: int, somewhere: list[int]) -> None:
    control = CONTROLS["cortex-m4f"]
    control.reset()
    for number, entry in enumerate(regions):
        control.write(RBAR, 4, entry.base | 1 << 4 | number)
        control.write(RASR, 4, entry.attributes)
    control.write(CTRL, 4, enabled)
    rule = control.protection
    assert rule is not None
    addresses = {address & 0xFFFF_FFFF for address in somewhere}
    for entry in regions:
        size = 2 << (entry.attributes >> 1 & 31)
        for bound in range(0, size + 1, size // 8):
            addresses |= {entry.base + bound - 1 & 0xFFFF_FFFF, entry.base + bound & 0xFFFF_FFFF}
    check(rule, addresses, lambda *place, privileged: allowed(regions, enabled, *place, privileged=privileged))


def check(rule: ProtectionRule, addresses: set[int], expected: Callable[..., bool]) -> None:
    """Compare rights at addresses on both levels; ``expected(address, access, privileged=)`` is the reference."""
    for privileged in (True, False):
        spans = rule.spans(privileged)
        assert [span.low for span in spans] == [0, *(span.high for span in spans[:-1])]
        assert spans[-1].high == 1 << 32
        for address in addresses:
            span = next(span for span in spans if address < span.high)
            for access, right in RIGHT.items():
                may = expected(address, access, privileged=privileged)
                assert bool(span.rights & right) == may, (hex(address), access, privileged, span)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """A region of ARMv8-M: mostly small and near others."""
    base = draw(st.one_of(st.integers(0x2000_0000, 0x2000_2000), st.integers(0, 2**32 - 1))) & -32
    size = draw(st.one_of(st.integers(-64, 0x800), st.integers(0, 2**32 - 1)))
    limit = max(0, min(base + size, 2**32 - 1)) & -32
    return Limits(base | draw(st.integers(0, 7)), limit | draw(st.sampled_from((1, 1, 1, 0))))


@settings(max_examples=100, deadline=None)
@given(st.lists(limits(), max_size=16), st.sampled_from((1, 5)), st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_the_rules_of_version_8_are_those_of_the_manual(
    regions: list[Limits], enabled: int, somewhere: list[int]
) -> None:
    control = CONTROLS["cortex-m33"]
    control.reset()
    for number, entry in enumerate(regions):
        control.write(RNR, 4, number)
        control.write(RBAR, 4, entry.base)
        control.write(RASR, 4, entry.limit)
    control.write(CTRL, 4, enabled)
    rule = control.protection
    assert rule is not None
    addresses = {address & 0xFFFF_FFFF for address in somewhere}
    for entry in regions:
        for bound in (entry.base & -32, (entry.limit & -32) + 32):
            addresses |= {bound - 1 & 0xFFFF_FFFF, bound & 0xFFFF_FFFF}
    check(rule, addresses, lambda *place, privileged: allowed_v8(regions, enabled, *place, privileged=privileged))


def test_the_aliases_of_version_8_are_the_regions_of_a_group_of_four() -> None:
    control = core("cortex-m33").system_control
    assert control.read(TYPE, 4) == 16 << 8
    control.write(RNR, 4, 6)
    for index in range(1, 4):
        control.write(RBAR + 8 * index, 4, 0x2000_0000 + 0x20 * index)
        control.write(RASR + 8 * index, 4, 0x2000_0001 + 0x20 * index)
    control.write(RBAR, 4, 0x3000_0007)
    assert [control.read(RBAR + 8 * index, 4) for index in (1, 2, 3)] == [0x2000_0020, 0x3000_0007, 0x2000_0060]
    control.write(RNR, 4, 7)
    assert (control.read(RBAR, 4), control.read(RASR, 4)) == (0x2000_0060, 0x2000_0061)


def test_the_report_names_the_region(tmp_path: Path) -> None:
    board = assemble(
        tmp_path,
        """
        .global reset
        reset:
            ldr r0, =0xe000ed94
            ldr r1, =0x20001013 // region 3
            ldr r2, =0x06000009 // 32 bytes, read only
            str r1, [r0, #8]
            str r2, [r0, #12]
            movs r1, #5
            str r1, [r0]
            dsb
            isb
            ldr r3, =0x2000101e
            ldr r4, [r3]
            str r3, [r3, #-2]
            finish 0
        """,
    )
    reports: list[FaultReport] = []
    board.core.on_fault.append(reports.append)
    board.machine.run(100)
    report = reports[0]
    assert report.text.startswith("write at 0x2000101c: MPU region 3 (r-x, unprivileged r-x)"), report.text
    assert report.address == 0x2000_101C


def test_protected_tasks_run_on_from_snapshots(tmp_path: Path) -> None:
    elf = arm_board.build(tmp_path, PROTECTED_TASKS.read_text(), ".c")

    def make() -> Machine:
        return arm_board.Board(elf).machine

    hashes = sliced(make, 100_000, 333)
    assert len(hashes) > 20
    assert relay(make, 100_000, 333) == hashes

"""Fault reports of real firmware on both hosts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from sdk.debug_info import DebugInfo
from sdk.faults import render_fault, render_place
from sdk.machine_options import MachineOptions
from sdk.session import Session, open_session
from tests.sdk.compiling import PROGRAMS
from tests.sdk.firmware_builds import MACHINES, build_firmware

ONE_CLUSTER = MachineOptions(clusters=1)

SOURCE = (PROGRAMS / "faulty.c").read_text()


@dataclass(frozen=True)
class Misdeed:
    """What the program does wrong: where it writes, or jumps to if ``value`` is negative."""

    address: int
    value: int
    rule: str
    kind: str
    functions: tuple[str, ...]


MISDEEDS = {
    "unmapped": Misdeed(0x1000_0000, 7, "nothing is mapped at 0x10000000", "store access fault", ("store", "step")),
    "flash": Misdeed(0x0800_0000, 7, r"write to flash \(read-only\)", "store access fault", ("store", "step")),
    "jump": Misdeed(
        0xFFFF_FFF0, -1, "nothing is mapped at 0xfffffff0", "instruction access fault", ("?", "call", "step")
    ),
}


@pytest.fixture(scope="module", params=[(name, machine) for name in MISDEEDS for machine in MACHINES])
def ended(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Misdeed, Session]:
    """A run that a fault has ended."""
    name, machine = request.param
    misdeed = MISDEEDS[name]
    folder = tmp_path_factory.mktemp(name)
    values = (
        f"const volatile uintptr_t wild_address = {misdeed.address};\nconst volatile int value = {misdeed.value};\n"
    )
    (folder / "faulty.c").write_text(f"{SOURCE}\n{values}")
    session = open_session(build_firmware(folder / "faulty.c", machine, folder / "faulty.elf"), ONE_CLUSTER)
    session.complete(session.run(10_000_000))
    return misdeed, session


def line_of(text: str) -> int:
    (number,) = [index for index, line in enumerate(SOURCE.splitlines(), 1) if text in line]
    return number


def test_the_report_names_rule_place_and_address(ended: tuple[Misdeed, Session]) -> None:
    misdeed, session = ended
    assert session.fault is not None
    text = render_fault(session.fault, session.info, session.read_memory)
    kind = "HardFault" if session.machine.map.name == "st18" else misdeed.kind
    assert re.match(rf"{kind}: .*{misdeed.rule}", text)
    if misdeed.value < 0:
        assert "  pc       0xfffffff0\n  from     0x" in text
        assert f" in call at faulty.c:{line_of('((function)wild)();')}" in text
    else:
        assert f" in store at faulty.c:{line_of('wild = value;')}\n  address  0x{misdeed.address:08x}\n" in text
    assert re.search(r"\n  time     \d+ cycles\n", text)


def test_the_report_shows_the_source_line_among_its_neighbours(ended: tuple[Misdeed, Session]) -> None:
    misdeed, session = ended
    assert session.fault is not None
    text = render_fault(session.fault, session.info, session.read_memory)
    line = line_of("((function)wild)();" if misdeed.value < 0 else "wild = value;")
    lines = SOURCE.splitlines()
    expected = [f"    {number:4} | {lines[number - 1]}".rstrip() for number in range(line - 2, line + 3)]
    expected[2] = f"  >{expected[2][3:]}"
    assert "\n".join(expected) in text


def test_the_report_has_the_registers_at_the_fault(ended: tuple[Misdeed, Session]) -> None:
    misdeed, session = ended
    assert session.fault is not None
    text = render_fault(session.fault, session.info, session.read_memory)
    values = dict(re.findall(r" (\w+) ([0-9a-f]{8})(?= |\n)", text))
    assert int(values["pc"], 16) == session.fault.pc
    stack = 0x2000_0000 <= int(values["sp"], 16) < 0x2004_0000
    assert stack
    # What was to be written, and where, or where to jump, is in registers.
    assert f"{misdeed.value & 0xFFFF_FFFF:08x}" in values.values()
    assert f"{misdeed.address:08x}" in values.values()


def test_the_calls_begin_at_the_fault_not_in_its_handler(ended: tuple[Misdeed, Session]) -> None:
    misdeed, session = ended
    assert tuple(frame.function for frame in session.backtrace())[: len(misdeed.functions)] == misdeed.functions
    assert session.fault is not None
    text = render_fault(session.fault, session.info, session.read_memory)
    backtrace = text.partition("backtrace:\n")[2]
    assert [re.split(r" in | at ", line)[1] for line in backtrace.splitlines() if line.startswith("  #")] == [
        frame.function for frame in session.backtrace()
    ]
    assert "        int result = value < 0 ? call(value) : store(value);" in backtrace


def test_without_debug_information_there_are_addresses(ended: tuple[Misdeed, Session], tmp_path: Path) -> None:
    _, session = ended
    data = bytearray(session.info.path.read_bytes())
    section = session.info.elf.get_section_by_name(".debug_info")
    data[section["sh_offset"] : section["sh_offset"] + 40] = b"\xff" * 40
    damaged = tmp_path / "damaged.elf"
    damaged.write_bytes(data)
    assert session.fault is not None
    text = render_fault(session.fault, DebugInfo(damaged), session.read_memory)
    assert f"  pc       0x{session.fault.pc:08x}\n" in text
    assert re.search(r"no backtrace: .*damaged\.elf: its debug information is damaged", text)


def test_a_place_is_shown_in_the_same_form(ended: tuple[Misdeed, Session]) -> None:
    _, session = ended
    core = session.machine.core
    text = render_place(core, session.info, session.read_memory)
    assert text.startswith(f"  pc       0x{core.pc:08x} in Default_Handler")

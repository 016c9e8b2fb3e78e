"""Backtraces of real firmware on both hosts, through interrupts; the calls are those in the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdk.backtrace import Frame, render_frames
from sdk.dwarf import Place
from sdk.machine_options import MachineOptions
from sdk.motion import Reason
from sdk.session import Session, open_session
from tests.sdk.compiling import PROGRAMS
from tests.sdk.firmware_builds import MACHINES, build_firmware

ONE_CLUSTER = MachineOptions(clusters=1)

SOURCE = PROGRAMS / "interrupted.c"
ENTRY = {"st18": ["Reset_Handler"], "st18-rv32": ["imnpu_start", "_start"]}


def line_of(text: str) -> int:
    """Number of the only line of the program with that text."""
    (number,) = [index for index, line in enumerate(SOURCE.read_text().splitlines(), 1) if text in line]
    return number


@pytest.fixture(scope="module", params=[(m, t, o) for m in MACHINES for t in ("zig", "gcc") for o in ("0", "s", "2")])
def elf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    machine, toolchain, optimisation = request.param
    output = tmp_path_factory.mktemp("interrupted") / "program.elf"
    return build_firmware(SOURCE, machine, output, toolchain=toolchain, optimisation=optimisation)


def stopped_at(session: Session, where: str) -> list[Frame]:
    """Runs to a function; the backtrace there."""
    session.breakpoints.add(where)
    halt = session.complete(session.run(10_000_000))
    assert halt.reason is Reason.BREAKPOINT
    return session.backtrace()


def own(frames: list[Frame]) -> list[str]:
    """Functions of the test program, with a mark where an exception interrupted it."""
    return [
        f"{frame.function}{' interrupted' if frame.interrupted else ''}"
        for frame in frames
        if frame.place and frame.place.path == SOURCE.name
    ]


def test_a_handler_is_followed_by_what_it_interrupted(elf: Path) -> None:
    session = open_session(elf, ONE_CLUSTER)
    frames = stopped_at(session, "inner")
    recursion = ["descend interrupted", "descend", "descend", "descend"]
    assert own(frames) == ["inner", "handle", *recursion, "wait_for_interrupt", "main"]
    assert [frame.function for frame in frames][-len(ENTRY[session.machine.map.name]) :] == ENTRY[
        session.machine.map.name
    ]


def test_callers_are_at_the_lines_of_their_calls(elf: Path) -> None:
    frames = stopped_at(open_session(elf, ONE_CLUSTER), "inner")
    lines = [frame.place.line for frame in frames if frame.place and frame.place.path == SOURCE.name]
    recursive = line_of("below = again(depth - 1);")
    assert lines[0] in (line_of("static void inner(void)") + 1, line_of("fired = 1;"))
    assert lines[1] == line_of("inner();")
    assert lines[2] in (line_of("while (!fired)"), line_of("level = level + 1;"))
    assert lines[3:6] == [recursive] * 3
    assert lines[6:] == [line_of("int result = descend(3);"), line_of("int result = wait_for_interrupt();")]


def test_the_stack_pointer_of_each_frame_is_where_its_caller_put_it(elf: Path) -> None:
    session = open_session(elf, ONE_CLUSTER)
    frames = [frame for frame in stopped_at(session, "inner") if not frame.inlined]
    for caller in frames[1:]:
        if caller.interrupted:
            continue
        session.complete(session.step_out())
        assert (session.machine.core.pc, session.machine.core.read_register("sp")) == (caller.pc, caller.stack)
        if caller.function == "handle":
            break
    interrupted = next(frame for frame in frames if frame.interrupted)
    session.complete(session.step_out())
    while session.machine.core.read_register("sp") < interrupted.stack:
        session.complete(session.step_out())
    assert (session.machine.core.pc, session.machine.core.read_register("sp")) == (interrupted.pc, interrupted.stack)


def test_an_interrupt_on_the_process_stack_is_followed(elf: Path) -> None:
    session = open_session(elf, ONE_CLUSTER)
    if session.machine.core.architecture != "arm":
        pytest.skip("RISC-V has one stack pointer")
    stopped_at(session, "inner")
    frames = stopped_at(session, "inner")
    assert session.machine.core.read_register("psp") != 0
    recursion = ["descend interrupted", "descend", "descend", "descend"]
    assert own(frames)[:7] == ["inner", "handle", *recursion, "wait_for_interrupt"]
    # Past its frame, what follows is the function that changed the stack.
    assert own(frames)[7:8] in ([], ["with_process_stack"])


def test_a_trace_ends_at_the_reset(elf: Path) -> None:
    session = open_session(elf, ONE_CLUSTER)
    frames = session.backtrace()
    assert [frame.function for frame in frames] == [ENTRY[session.machine.map.name][-1]]


def test_depth_is_bounded(elf: Path) -> None:
    session = open_session(elf, ONE_CLUSTER)
    assert len(stopped_at(session, "inner")) > 4
    assert [frame.function for frame in session.backtrace(depth=2)] == ["inner", "handle"]


def test_frames_are_rendered_with_their_source_lines(elf: Path, tmp_path: Path) -> None:
    session = open_session(elf, ONE_CLUSTER)
    frame = Frame(0x0800_0100, "work", Place(SOURCE.name, line_of("inner();")), 0)
    handled = Frame(0x0800_0200, "idle", None, 0, interrupted=True)
    (elf.parent / SOURCE.name).write_text(SOURCE.read_text())
    assert render_frames([frame, handled], session.info.sources).splitlines() == [
        f"  #0  0x08000100 in work at interrupted.c:{line_of('inner();')}",
        "        inner();",
        "  an exception interrupted:",
        "  #1  0x08000200 in idle",
    ]

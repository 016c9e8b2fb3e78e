"""Sessions on the digits example, built for both hosts: motions, breakpoints, places, tiles; no screen."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from asm.rules import ElementFormat
from emu.npu.cluster import Cluster
from emu.npu.topology import Topology
from sdk import paths
from sdk.breakpoints import BreakpointError
from sdk.dwarf import Place
from sdk.machine_options import MachineOptions
from sdk.motion import Motion, Reason
from sdk.session import Session, open_session
from tests.sdk.compiling import PROGRAMS
from tests.sdk.firmware_builds import MACHINES, build_firmware

ONE_CLUSTER = MachineOptions(clusters=1)
TWO_CLUSTERS = MachineOptions(clusters=2)

DIGITS = paths.examples() / "digits"
FRAME_BYTES = 32
IMAGES = 3


@pytest.fixture(scope="module", params=MACHINES)
def elf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits example at -O0, where lines are executed in the order of the source, with its sources beside it."""
    folder = tmp_path_factory.mktemp("digits")
    for name in ("main.c", "digits.imn"):
        shutil.copy(DIGITS / name, folder)
    return build_firmware(DIGITS, request.param, folder / "digits.elf", optimisation="0")


@pytest.fixture
def session(elf: Path) -> Session:
    return open_session(elf, TWO_CLUSTERS, stream=(DIGITS / "images.bin").read_bytes()[: FRAME_BYTES * IMAGES])


def line_of(name: str, text: str) -> int:
    """Number of the only line of a source file of the example with that text."""
    lines = (DIGITS / name).read_text().splitlines()
    (number,) = [index for index, line in enumerate(lines, 1) if text in line]
    return number


def topology_of(session: Session) -> Topology:
    """How the first cluster is wired."""
    return Topology.of_word(session.clusters[0].read(Cluster.TOPOLOGY.offset, 4))


def go(session: Session, motion: Motion) -> Reason:
    return session.complete(motion).reason


def test_it_starts_at_the_reset_and_runs_to_main(session: Session) -> None:
    symbol = {"st18": "Reset_Handler", "st18-rv32": "_start"}[session.machine.map.name]
    assert session.where().function == symbol
    assert go(session, session.run_to_main()) is Reason.STEP
    first = line_of("main.c", "IMNPU_CHECK(imnpu_init());")
    assert (session.where().function, session.where().place) == ("main", Place("main.c", first))
    assert session.machine.clock.now > 0


def test_next_goes_line_by_line_over_calls(session: Session) -> None:
    session.complete(session.run_to_main())
    seen = []
    for _ in range(3):
        assert go(session, session.step_over()) is Reason.STEP
        assert session.where().function == "main"
        seen.append(session.where().place)
    texts = ("const int cluster =", "const uint32_t arguments[] =", "int images = 0;")
    assert seen == [Place("main.c", line_of("main.c", text)) for text in texts]


def test_step_enters_calls_and_finish_leaves_them(session: Session) -> None:
    session.complete(session.run_to_main())
    assert go(session, session.step_into()) is Reason.STEP
    assert session.where().function == "imnpu_init"
    stack = session.machine.core.read_register("sp")
    assert [frame.function for frame in session.backtrace()][:2] == ["imnpu_init", "main"]
    assert go(session, session.step_out()) is Reason.STEP
    assert session.where().function == "main"
    assert session.machine.core.read_register("sp") > stack


def test_next_does_not_stop_in_a_recursive_call(tmp_path: Path, elf: Path) -> None:
    machine = "st18" if open_session(elf, ONE_CLUSTER).machine.core.architecture == "arm" else "st18-rv32"
    program = build_firmware(PROGRAMS / "interrupted.c", machine, tmp_path / "program.elf", optimisation="0")
    session = open_session(program, ONE_CLUSTER)
    session.complete(session.run_to_main())
    session.breakpoints.add("descend")
    session.complete(session.run())
    (first,) = session.breakpoints
    session.breakpoints.remove(first)
    depth = len(session.backtrace())
    lines = [line.strip() for line in (PROGRAMS / "interrupted.c").read_text().splitlines()]
    for text in ("below = again(depth - 1);", "return below + 1;"):
        assert go(session, session.step_over()) is Reason.STEP
        place = session.where().place
        assert place is not None
        assert lines[place.line - 1] == text
        assert len(session.backtrace()) == depth


def test_one_instruction_at_a_time(session: Session) -> None:
    session.complete(session.run_to_main())
    for _ in range(5):
        pc, executed = session.machine.core.pc, session.machine.core.instructions
        line, following = session.disassembly(pc, 2)
        assert go(session, session.step_instruction()) is Reason.STEP
        assert session.machine.core.instructions == executed + 1
        if not line.flow:
            assert session.machine.core.pc == following.address == pc + len(line.code)


@pytest.mark.parametrize("where", ["print_result", "main.c:{line}", "*0x{address:x}"])
def test_breakpoints_stop_every_time(session: Session, where: str) -> None:
    line = line_of("main.c", "print_result(images);")
    address = session.info.breakpoint_addresses("main.c", line)[0]
    known = session.breakpoints.add(where.format(line=line, address=address))
    for _ in range(IMAGES):
        halt = session.complete(session.run())
        assert (halt.reason, halt.breakpoint, halt.pc) == (Reason.BREAKPOINT, known, known.addresses[0])
    halt = session.complete(session.run())
    assert (halt.reason, halt.exit_code) == (Reason.EXIT, 0)


def test_a_removed_breakpoint_stops_nothing(session: Session) -> None:
    known = session.breakpoints.add("print_result")
    assert session.breakpoints.add("print_result") is known
    session.breakpoints.remove(known)
    assert list(session.breakpoints) == []
    assert go(session, session.run()) is Reason.EXIT


def test_an_accelerator_breakpoint_stops_before_its_instruction(session: Session) -> None:
    line = line_of("digits.imn", "topology parallel=2, stripes=4")
    known = session.breakpoints.add(f"digits.imn:{line}")
    halt = session.complete(session.run())
    assert (halt.reason, halt.breakpoint) == (Reason.ACCELERATOR_BREAKPOINT, known)
    assert halt.cluster is session.clusters[0]
    place = session.accelerators()[0]
    assert (place.pc, place.place, place.status) == (known.addresses[0], Place("digits.imn", line), "running")
    # The topology of the first layer still holds; the program's next instruction changes it.
    assert topology_of(session).stripes == 8
    session.breakpoints.add(f"digits.imn:{line + 1}")
    session.complete(session.run())
    assert (topology_of(session).parallel, topology_of(session).stripes) == (2, 4)
    assert session.accelerators()[1].pc is None


def test_a_run_with_breakpoints_ends_like_one_without(elf: Path, session: Session) -> None:
    plain = open_session(elf, TWO_CLUSTERS, stream=(DIGITS / "images.bin").read_bytes()[: FRAME_BYTES * IMAGES])
    plain.complete(plain.run())
    for name in ("first_layer:", "second_layer:", "dense_layer:"):
        session.breakpoints.add(f"digits.imn:{line_of('digits.imn', name)}")
    stops = 0
    while go(session, session.run()) is Reason.ACCELERATOR_BREAKPOINT:
        stops += 1
    assert stops == 3 * IMAGES
    assert session.uart == plain.uart
    assert session.machine.clock.now == plain.machine.clock.now
    assert session.machine.core.instructions == plain.machine.core.instructions


def test_tiles_show_mode_formats_and_occupancy(session: Session) -> None:
    assert [tile.compute for tile in session.tiles(0)] == [False] * 8
    session.breakpoints.add(f"digits.imn:{line_of('digits.imn', 'conv parts, edges')}")
    session.complete(session.run())
    weights = np.load(DIGITS / "weights.npz")["conv2_weights"]
    kernels, *shape = weights.shape
    tiles = session.tiles(0)
    assert [tile.compute for tile in tiles] == [True] * 8
    assert {(tile.weights, tile.features) for tile in tiles} == {(ElementFormat.s4, ElementFormat.u4)}
    # 64 kernels over two parallel chains of one tile: 32 rows each, 4 bits a weight, 1024 bits a row.
    assert [tile.kernels for tile in tiles] == [kernels // 2] * 8
    assert {tile.occupancy for tile in tiles} == {int(np.prod(shape)) * 4 / 1024}
    assert [tile.compute for tile in session.tiles(1)] == [False] * 8


def test_a_limit_and_a_pause_end_a_run(session: Session) -> None:
    session.complete(session.run_to_main())
    start = session.machine.clock.now
    assert session.complete(session.run(100)).reason is Reason.LIMIT
    assert start + 100 <= session.machine.clock.now < start + 200
    motion = session.run()
    session.pause()
    with pytest.raises(StopIteration):
        next(motion)
    assert session.ended is not None


def test_pausing_changes_nothing(elf: Path, tmp_path: Path) -> None:
    source = tmp_path / "loop.c"
    source.write_text("volatile int count;\nint main(void)\n{\n    for (;;)\n        ++count;\n}\n")
    machine = "st18" if open_session(elf, ONE_CLUSTER).machine.core.architecture == "arm" else "st18-rv32"
    session = open_session(build_firmware(source, machine, tmp_path / "loop.elf"), ONE_CLUSTER)
    motion = session.run()
    for _ in range(3):
        next(motion)
    session.pause()
    halt = session.complete(motion)
    assert halt.reason is Reason.PAUSE
    assert session.where().function == "main"
    assert session.describe(halt).startswith("paused: main at loop.c:")
    other = open_session(session.info.path, ONE_CLUSTER)
    assert other.complete(other.run(halt.time)).time == halt.time
    address = session.info.symbols["count"].address
    assert session.read_memory(address, 4) == other.read_memory(address, 4) != bytes(4)


def test_a_sleep_without_end_is_noticed(elf: Path, tmp_path: Path) -> None:
    source = tmp_path / "sleep.c"
    source.write_text(
        "#include <imnpu/imnpu.h>\nint main(void)\n{\n    for (;;)\n        imnpu_wait_for_interrupt();\n}\n"
    )
    machine = "st18" if open_session(elf, ONE_CLUSTER).machine.core.architecture == "arm" else "st18-rv32"
    session = open_session(build_firmware(source, machine, tmp_path / "sleep.elf"), ONE_CLUSTER)
    assert go(session, session.run()) is Reason.ASLEEP


def test_the_disassembly_is_that_of_objdump(session: Session, elf: Path) -> None:
    arm = session.machine.core.architecture == "arm"
    tool = shutil.which("arm-none-eabi-objdump" if arm else "riscv64-unknown-elf-objdump")
    if tool is None:
        pytest.skip("objdump is missing: apt install binutils-arm-none-eabi binutils-riscv64-unknown-elf")
    text = subprocess.run(
        [tool, "-d", "--disassemble=main", str(elf)], check=True, text=True, capture_output=True
    ).stdout
    rows = [line for line in text.splitlines() if line.startswith(" ") and "\t" in line]
    addresses = [int(row.partition(":")[0], 16) for row in rows]
    function = session.info.functions.named("main")
    assert function is not None
    lines = session.disassembly(function.low, len(addresses))
    assert [line.address for line in lines] == addresses
    calls = [match[1] for row in rows if (match := re.search(r"\b(?:bl|jal|jalr)\t.*<([^>]+)>", row))]
    assert len(calls) > 10
    assert [line.target for line in lines if re.match(r"(bl|c?\.?jalr?) ", line.text)] == calls
    around = session.instructions_around(addresses[20], 5, 12)
    assert [line.address for line in around] == addresses[15:27]


def test_the_program_ends_with_its_output(session: Session) -> None:
    halt = session.complete(session.run())
    assert (halt.reason, halt.exit_code, session.fault) == (Reason.EXIT, 0, None)
    labels = (DIGITS / "labels.txt").read_text().split()[:IMAGES]
    assert [line.split()[2] for line in session.uart.splitlines() if line.startswith("digit ")] == labels
    assert session.describe(halt) == "the firmware has ended with exit code 0"
    assert session.complete(session.step_over()) == halt


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("nain", "there is no function or accelerator program 'nain': did you mean 'main'?"),
        ("xyzzy", "there is no function or accelerator program 'xyzzy'; write a name, file:line or *address"),
        ("mian.c:3", "there is no code from a file 'mian.c': did you mean 'main.c'?"),
        ("main.c:9999", r"main.c has no code at or after line 9999; its last line with code is \d+"),
    ],
)
def test_a_place_that_is_not_there(session: Session, wanted: str, message: str) -> None:
    pattern = message if "\\d" in message else message.replace("?", r"\?").replace("*", r"\*")
    with pytest.raises(BreakpointError, match=f"^{pattern}$"):
        session.breakpoints.add(wanted)

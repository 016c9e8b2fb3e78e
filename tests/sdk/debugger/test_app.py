"""The debugger's screen, driven by keystrokes without a terminal, on the digits example for both hosts."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from sdk import paths
from sdk.debugger.app import DebuggerApp
from sdk.debugger.line_pane import LinePane
from sdk.debugger.panes import RegisterPane
from sdk.debugger.source_pane import SourcePane
from sdk.machine_options import MachineOptions
from sdk.session import open_session
from tests.sdk.firmware_builds import MACHINES, build_firmware

ONE_CLUSTER = MachineOptions(clusters=1)
TWO_CLUSTERS = MachineOptions(clusters=2)

DIGITS = paths.examples() / "digits"
FRAMES = (DIGITS / "images.bin").read_bytes()[: 32 * 2]
SIZE = (120, 40)
KEYS = {" ": "space", ":": "colon", ".": "full_stop", "*": "asterisk", "_": "underscore"}


@pytest.fixture(scope="module", params=MACHINES)
def elf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits example at -O0, with its sources beside it."""
    folder = tmp_path_factory.mktemp("digits")
    for name in ("main.c", "digits.imn"):
        shutil.copy(DIGITS / name, folder)
    return build_firmware(DIGITS, request.param, folder / "digits.elf", optimisation="0")


class Screen:
    """A debugger at main(), its keyboard, and what can be read on it."""

    def __init__(self, app: DebuggerApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        """Presses keys; waits after each until the program has stopped again."""
        for key in keys:
            await self.pilot.press(key)
            await self.app.workers.wait_for_complete()
            await self.pilot.pause()

    async def command(self, line: str) -> None:
        """Types a line at the prompt."""
        await self.press("colon", *(KEYS.get(character, character) for character in line), "enter")

    def pane(self, name: str) -> list[str]:
        """The lines of a pane."""
        return self.app.query_one(f"#{name}", LinePane).text.splitlines()

    def marked(self, name: str) -> str:
        """The line of a pane with the arrow, without the arrow and the number."""
        (line,) = [line for line in self.pane(name) if "▶" in line[:2]]
        return line[2:].split(maxsplit=1)[1]

    def text(self, name: str) -> str:
        """A line of the screen: status or message."""
        return str(self.app.query_one(f"#{name}", Static).render())

    def title(self, name: str) -> str:
        return str(self.app.query_one(f"#{name}").border_title)


@pytest.fixture
async def screen(elf: Path) -> AsyncIterator[Screen]:
    session = open_session(elf, TWO_CLUSTERS, stream=FRAMES)
    app = DebuggerApp(session, session.run_to_main())
    async with app.run_test(size=SIZE) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        yield Screen(app, pilot)


def line_of(name: str, text: str) -> int:
    lines = (DIGITS / name).read_text().splitlines()
    (number,) = [index for index, line in enumerate(lines, 1) if text in line]
    return number


async def test_it_opens_at_main_with_every_pane_filled(screen: Screen) -> None:
    session = screen.app.session
    assert screen.marked("source") == "IMNPU_CHECK(imnpu_init());"
    assert screen.title("source") == "main.c · main"
    source = [line[7:] for line in screen.pane("source")]
    assert source == (DIGITS / "main.c").read_text().splitlines()
    address = f"{session.machine.core.pc:08x}"
    assert next(line for line in screen.pane("disassembly") if "▶" in line)[2:10] == address
    assert "main:" in screen.pane("disassembly")
    assert f"sp {session.machine.core.read_register('sp'):08x}" in "\n".join(screen.pane("registers"))
    assert screen.pane("calls")[0] == f" 0 main  main.c:{line_of('main.c', 'imnpu_init()')}"
    assert screen.pane("program") == ["the cluster has not run a program yet"]
    assert screen.title("program") == "cluster 0 of 2 · idle"
    assert [line.count("memory") for line in screen.pane("tiles")] == [2] * 4
    assert screen.pane("uart") == []
    assert screen.text("status").startswith(f"digits.elf on {session.machine.map.name} · cycle ")


async def test_n_steps_over_and_highlights_what_changed(screen: Screen) -> None:
    registers = screen.app.query_one(RegisterPane)
    before = screen.app.session.main_registers()
    await screen.press("n")
    after = screen.app.session.main_registers()
    assert screen.marked("source") == "const int cluster = IMNPU_CHECK(imnpu_cluster_claim());"
    assert "pc" in registers.changed
    assert registers.changed == {name for name in after if after[name] != before[name]}


async def test_s_steps_into_and_f_out(screen: Screen) -> None:
    await screen.press("s")
    assert screen.title("source").endswith(" · imnpu_init")
    assert [line.split()[1] for line in screen.pane("calls")[:2]] == ["imnpu_init", "main"]
    await screen.press("f")
    assert screen.title("source") == "main.c · main"


async def test_i_steps_one_instruction(screen: Screen) -> None:
    await screen.press("n", "n")
    assert not screen.app.session.disassembly(screen.app.session.machine.core.pc, 1)[0].flow
    executed, lines = screen.app.session.machine.core.instructions, screen.pane("disassembly")
    await screen.press("i")
    assert screen.app.session.machine.core.instructions == executed + 1
    current = next(index for index, line in enumerate(lines) if "▶" in line)
    assert screen.marked("disassembly") == lines[current + 1][2:].split(maxsplit=1)[1]


async def test_b_at_the_cursor_sets_and_removes_a_breakpoint(screen: Screen) -> None:
    line = line_of("main.c", "print_result(images);")
    pane = screen.app.query_one("#source", SourcePane)
    assert pane.chosen is not None
    await screen.press(*["down"] * (line - pane.chosen.line), "b")
    assert [item for item in screen.pane("source") if item.startswith("●")] == [
        f"● {line:4}         print_result(images);"
    ]
    assert screen.text("message") == f"breakpoint 1 at main.c:{line}"
    await screen.press("c")
    assert screen.marked("source") == "print_result(images);"
    assert screen.text("message") == f"breakpoint 1, main at main.c:{line}"
    await screen.press("b")
    assert not [item for item in screen.pane("source") if item.startswith("●")]
    await screen.press("c")
    assert screen.text("message") == "the firmware has ended with exit code 0"


async def test_a_line_of_the_accelerator_program_stops_the_sequencer(screen: Screen) -> None:
    line = line_of("digits.imn", "load conv2")
    await screen.command(f"break digits.imn:{line}")
    await screen.press("c")
    assert screen.text("message") == f"breakpoint 1, cluster 0 at digits.imn:{line}"
    assert screen.marked("program") == "load conv2"
    assert screen.title("program") == "digits.imn · cluster 0 of 2 · running"
    assert [row.count("compute s4xu4") for row in screen.pane("tiles")] == [2] * 4
    assert screen.app.query_one("#tiles").border_subtitle == "chain 1 · parallel 2 · stripes 4"
    occupied = screen.pane("tiles")
    await screen.command(f"break digits.imn:{line + 1}")
    await screen.press("c")
    assert screen.marked("program") == "conv parts, edges"
    await screen.command(f"break digits.imn:{line_of('digits.imn', 'topology chain=4')}")
    await screen.press("c")
    assert screen.pane("tiles") != occupied
    assert all("56%" in row for row in screen.pane("tiles"))  # 3 x 3 x 16 weights of 4 bits in rows of 1024


async def test_the_serial_port_is_shown(screen: Screen) -> None:
    await screen.press("c")
    labels = (DIGITS / "labels.txt").read_text().split()[: len(FRAMES) // 32]
    digits = [line for line in screen.pane("uart") if line.startswith("digit ")]
    assert [line.split()[2] for line in digits] == labels
    assert screen.text("status").endswith("· ended")


async def test_the_next_cluster_is_shown(screen: Screen) -> None:
    await screen.press("right_square_bracket")
    assert screen.title("program") == "cluster 1 of 2 · idle"
    assert screen.title("tiles") == "tiles of cluster 1"
    await screen.command("cluster 7")
    assert screen.text("message") == "the machine has clusters 0..1, not 7"


async def test_tab_goes_through_the_panes_and_b_elsewhere_asks_where(screen: Screen) -> None:
    assert screen.app.focused is not None
    assert screen.app.focused.id == "source"
    await screen.press("tab")
    assert screen.app.focused.id == "program"
    await screen.press("b")
    prompt = screen.app.query_one("#prompt", Input)
    assert (screen.app.focused, prompt.value) == (prompt, "break ")
    await screen.press("m", "a", "i", "n", "enter")
    assert screen.text("message").startswith("breakpoint 1 at main.c:")
    assert screen.app.focused.id == "source"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("brake main", "there is no command 'brake': did you mean break?"),
        ("break nain", "there is no function or accelerator program 'nain': did you mean 'main'?"),
        ("delete 3", "there is no breakpoint 3; there are: none"),
        ("memory 0x10000000", "read of 16 bytes at 0x10000000: nothing is mapped there"),
        ("memory nowhere", "memory: the address, if it is not a symbol, must be a number, not 'nowhere'"),
    ],
)
async def test_a_wrong_command_is_explained(screen: Screen, line: str, message: str) -> None:
    await screen.command(line)
    assert screen.text("message") == message
    assert screen.marked("source") == "IMNPU_CHECK(imnpu_init());"


async def test_memory_and_symbols(screen: Screen) -> None:
    info = screen.app.session.info
    digits = info.symbols["digits"]
    await screen.command("memory digits 4")
    assert screen.text("message") == f"0x{digits.address:08x}: {b'IMNP'.hex(' ')}"
    await screen.command("symbol digits")
    assert screen.text("message") == f"digits: 0x{digits.address:08x}, {digits.size} bytes"


async def test_p_pauses_a_program_that_never_stops(tmp_path: Path, elf: Path) -> None:
    source = tmp_path / "loop.c"
    source.write_text("volatile int count;\nint main(void)\n{\n    for (;;)\n        ++count;\n}\n")
    machine = open_session(elf, ONE_CLUSTER).machine.map.name
    session = open_session(build_firmware(source, machine, tmp_path / "loop.elf"), ONE_CLUSTER)
    app = DebuggerApp(session, session.run_to_main())
    async with app.run_test(size=SIZE) as pilot:
        screen = Screen(app, pilot)
        await app.workers.wait_for_complete()
        await pilot.press("c")
        await pilot.pause()
        assert app.running
        await pilot.press("n")
        await pilot.pause()
        assert screen.text("message") == "the program is running: p pauses it"
        await screen.press("p")
        assert not app.running
        assert screen.text("message").startswith("paused: main at loop.c:")
        await pilot.press("q")
    assert not app.is_running

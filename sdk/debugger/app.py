"""The debugger's screen: panes that show a `Session`, keys that move it."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer, Input, Static

from emu.npu.topology import Topology
from sdk.breakpoints import BreakpointError
from sdk.debugger.commands import Answer, CommandError, execute
from sdk.debugger.highlight import highlight_c, highlight_program
from sdk.debugger.panes import CallPane, ConsolePane, DisassemblyPane, RegisterPane, TilePane
from sdk.debugger.source_pane import SourcePane
from sdk.dwarf import Place
from sdk.motion import Halt, Motion
from sdk.session import Session

INSTRUCTIONS_BEFORE, INSTRUCTIONS = 12, 48
"""Disassembled instructions before the current one, and in all."""
PLACEHOLDER = ": break main, break digits.imn:12, memory image 32, help"
REFRESH_SECONDS = 0.1
"""How often clock and serial port are redrawn while the program runs."""


class DebuggerApp(App[None]):
    """The screen.

    Args:
        session: what is debugged.
        start: how to get to where people want to begin, None: stay at the reset.

    Attributes:
        cluster: number of the cluster that is shown.
        running: whether a motion is under way.
    """

    CSS_PATH = "debugger.tcss"
    TITLE = "imnpu debug"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "step", "step"),
        Binding("n", "next", "next"),
        Binding("i", "instruction", "instruction"),
        Binding("f", "finish", "finish"),
        Binding("c", "continue", "continue"),
        Binding("p", "pause", "pause"),
        Binding("b", "break", "break"),
        Binding("right_square_bracket", "cluster", "cluster", key_display="]"),
        Binding("colon", "prompt", "command", key_display=":"),
        Binding("tab", "app.focus_next", "pane", priority=True),
        Binding("q", "quit", "quit"),
        Binding("escape", "leave_prompt", show=False),
    ]

    def __init__(self, session: Session, start: Motion | None = None) -> None:
        super().__init__()
        self.session, self._start = session, start
        self.cluster = 0
        self.running = False

    def compose(self) -> ComposeResult:
        """The panes."""
        yield Static(id="status")
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield SourcePane("source", highlight_c, id="source")
                yield SourcePane("accelerator", highlight_program, id="program")
                yield ConsolePane("uart", id="uart")
            with Vertical(id="right"):
                yield DisassemblyPane("disassembly", id="disassembly")
                yield RegisterPane("registers", id="registers")
                yield TilePane("tiles", id="tiles")
                yield CallPane("calls", id="calls")
        yield Static(id="message")
        # What `b` has begun to write must not be selected, or the next key would replace it.
        yield Input(id="prompt", placeholder=PLACEHOLDER, compact=True, select_on_focus=False)
        yield Footer()

    def on_mount(self) -> None:
        """Shows the first place."""
        self.set_interval(REFRESH_SECONDS, self._show_progress)
        self.query_one("#source").focus()
        self._show_all()
        if self._start is not None:
            self.move(self._start)

    # ---- moving

    def move(self, motion: Motion) -> None:
        """Drives a motion in the background, slice by slice; the screen answers in between."""
        if self.running:
            motion.close()
            self.say("the program is running: p pauses it")
            return
        self.running = True
        self.say("running: p pauses")
        self.run_worker(self._drive(motion), exit_on_error=True)

    async def _drive(self, motion: Motion) -> None:
        try:
            while True:
                next(motion)
                await asyncio.sleep(0)
        except StopIteration as end:
            halt: Halt = end.value
        finally:
            self.running = False
        if halt.cluster is not None:
            self.cluster = halt.cluster.index
        self.say(self.session.describe(halt))
        self._show_all()

    def action_step(self) -> None:
        """To the next line, into calls."""
        self.move(self.session.step_into())

    def action_next(self) -> None:
        """To the next line, over calls."""
        self.move(self.session.step_over())

    def action_instruction(self) -> None:
        """One instruction."""
        self.move(self.session.step_instruction())

    def action_finish(self) -> None:
        """To the caller."""
        self.move(self.session.step_out())

    def action_continue(self) -> None:
        """To the next breakpoint."""
        self.move(self.session.run())

    def action_pause(self) -> None:
        """Stops what is running."""
        if self.running:
            self.session.pause()
        else:
            self.say("the program is not running")

    # ---- breakpoints, clusters, prompt

    def action_break(self) -> None:
        """A breakpoint at the cursor, or none any more; elsewhere, asks where."""
        pane = self.focused
        place = pane.chosen if isinstance(pane, SourcePane) else None
        if place is None:
            self._open_prompt("break ")
            return
        known = next((item for item in self.session.breakpoints if item.place == place), None)
        if known is None:
            self._answer(f"break {place}")
        else:
            self._answer(f"delete {known.number}")

    def action_cluster(self) -> None:
        """Shows the next cluster."""
        self._answer(f"cluster {(self.cluster + 1) % len(self.session.clusters)}")

    def action_prompt(self) -> None:
        """To the command line."""
        self._open_prompt("")

    def action_leave_prompt(self) -> None:
        """Back to the source."""
        self.query_one("#prompt", Input).value = ""
        self.query_one("#source").focus()

    def _open_prompt(self, text: str) -> None:
        prompt = self.query_one("#prompt", Input)
        prompt.value = text
        prompt.focus()
        prompt.cursor_position = len(text)

    @on(Input.Submitted, "#prompt")
    def _entered(self, event: Input.Submitted) -> None:
        self.action_leave_prompt()
        self._answer(event.value)

    def _answer(self, line: str) -> None:
        """Carries out a command line and shows what it says."""
        try:
            answer = execute(self.session, line)
        except (CommandError, BreakpointError) as error:
            self.say(str(error))
            return
        self._follow(answer)

    def _follow(self, answer: Answer) -> None:
        if answer.quit:
            self.exit()
            return
        if answer.cluster is not None:
            self.cluster = answer.cluster
        self.say(answer.text)
        if answer.motion is not None:
            self.move(answer.motion)
        elif not self.running:
            self._show_sources()
            self._show_code()
            self._show_tiles()

    # ---- showing

    def say(self, text: str) -> None:
        """Shows a message."""
        self.query_one("#message", Static).update(text.replace("[", "\\["))

    def _show_all(self) -> None:
        self._show_sources()
        self._show_code()
        self._show_tiles()
        self.query_one(RegisterPane).show_registers(self.session.main_registers())
        self.query_one(CallPane).show_frames(self.session.backtrace())
        self._show_status()

    def _show_progress(self) -> None:
        """What may be shown while the program runs."""
        if self.running:
            self._show_status()

    def _show_status(self) -> None:
        machine = self.session.machine
        clock = machine.clock
        state = "running" if self.running else "ended" if self.session.ended else "stopped"
        time = f"cycle {clock.now:,} · {1e6 * clock.seconds:,.1f} us"
        status = f"{self.session.info.path.name} on {machine.map.name} · {time} · {state}"
        self.query_one("#status", Static).update(status)
        self.query_one(ConsolePane).show_output(self.session.uart)

    def _show_sources(self) -> None:
        session = self.session
        here = session.where()
        source = self.query_one("#source", SourcePane)
        note = f"no source line for 0x{here.pc:08x}" + (f" in {here.function}" if here.function != "?" else "")
        self._show_place(source, here.place, note)
        source.border_title = f"{here.place.path} · {here.function}" if here.place else "source"
        accelerator = session.accelerators()[self.cluster]
        program = self.query_one("#program", SourcePane)
        self._show_place(program, accelerator.place, "the cluster has not run a program yet")
        name = f"{accelerator.place.path} · " if accelerator.place else ""
        program.border_title = f"{name}cluster {self.cluster} of {len(session.clusters)} · {accelerator.status}"

    def _show_place(self, pane: SourcePane, place: Place | None, note: str) -> None:
        broken = {
            item.place.line
            for item in self.session.breakpoints
            if item.place and place and item.place.path == place.path
        }
        pane.show_place(place, self.session.source(place.path) if place else [], broken, note)

    def _show_code(self) -> None:
        session = self.session
        pc = session.where().pc
        lines = session.instructions_around(pc, INSTRUCTIONS_BEFORE, INSTRUCTIONS)
        functions = (session.info.functions.at(line.address) for line in lines)
        labels = {function.low: function.name for function in functions if function is not None}
        broken = {address for item in session.breakpoints for address in item.addresses}
        self.query_one(DisassemblyPane).show_code(lines, pc, labels, broken)

    def _show_tiles(self) -> None:
        pane = self.query_one(TilePane)
        topology = Topology.of_word(self.session.clusters[self.cluster].TOPOLOGY)
        pane.border_title = f"tiles of cluster {self.cluster}"
        pane.border_subtitle = f"chain {topology.chain} · parallel {topology.parallel} · stripes {topology.stripes}"
        pane.show_tiles(self.session.tiles(self.cluster))

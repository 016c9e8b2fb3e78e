"""How a session moves: continue, step, finish, as generators that yield between slices.

Whoever drives a motion may do something else between two slices, e.g. redraw a screen, and may ask it to
pause. What the program does never depends on the slices.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from enum import Enum

from emu.clock import FOREVER
from emu.machine import Machine, Stop, StopReason
from emu.npu.cluster import Cluster
from sdk.backtrace import Frame, Unwinder
from sdk.breakpoints import Breakpoint, BreakpointFinder, Breakpoints
from sdk.dwarf import Place
from sdk.functions import Function
from sdk.host import HOSTS

SLICE_CYCLES = 1_000_000
"""Emulated cycles of a slice: some milliseconds."""
SLICE_STEPS = 200
"""Single instructions of a slice."""


class Reason(Enum):
    """Why a motion ended."""

    STEP = "step"
    BREAKPOINT = "breakpoint"
    ACCELERATOR_BREAKPOINT = "accelerator breakpoint"
    PAUSE = "paused"
    LIMIT = "the cycle limit is reached"
    EXIT = "the firmware has ended"
    LOCKUP = "the CPU is locked up: a fault inside a fault handler"
    ASLEEP = "the CPU sleeps and nothing is going to wake it"


STOPS = {
    StopReason.EXIT: Reason.EXIT,
    StopReason.LOCKUP: Reason.LOCKUP,
    StopReason.ASLEEP: Reason.ASLEEP,
}
FINAL = (Reason.EXIT, Reason.LOCKUP)
"""After these there is nothing more to execute."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Where a motion ended, and why.

    Attributes:
        breakpoint: which one stopped it.
        cluster: whose sequencer has stopped at it.
    """

    reason: Reason
    pc: int
    time: int
    exit_code: int | None = None
    breakpoint: Breakpoint | None = None
    cluster: Cluster | None = None


Motion = Generator[None, None, Halt]
"""Yields between slices, returns why it ended."""


class Mover:
    """Moves a machine.

    Args:
        state: gives all registers by name.

    Attributes:
        ended: the halt after which there is nothing more to execute, None before it.
    """

    def __init__(
        self,
        machine: Machine,
        finder: BreakpointFinder,
        breakpoints: Breakpoints,
        unwinder: Unwinder,
        state: Callable[[], dict[str, int]],
    ) -> None:
        self._machine, self._core, self._clock = machine, machine.core, machine.clock
        self._finder, self._breakpoints, self._unwinder, self._state = finder, breakpoints, unwinder, state
        self._lines, self._functions = finder.info.lines, finder.info.functions
        self._host = HOSTS[machine.core.architecture]
        self._pause = False
        self.ended: Halt | None = None

    def pause(self) -> None:
        """Make the motion that is under way end after its slice."""
        self._pause = True

    # ---- motions

    def run(self, cycles: int | None = None) -> Motion:
        """Go on until something stops the program, or for ``cycles``."""
        return (yield from self._go((), None, cycles))

    def run_to(self, address: int) -> Motion:
        """Go on to an address, or to what stops the program before; not at all if it is there already."""
        if self._core.pc == address:
            return self._halt(Reason.STEP)
        return (yield from self._go({address}, None))

    def step_instruction(self) -> Motion:
        """Execute one instruction of the host."""
        yield from ()
        return self._step() or self._halt(Reason.STEP)

    def step_into(self) -> Motion:
        """Go on to the next source line, which may be in a function that is called; without lines: to its return."""
        start, function, steps = self._lines.at(self._core.pc), self._functions.at(self._core.pc), 0
        self._pause = False
        while True:
            before = self._core.pc
            halt = self._step()
            if halt is not None:
                return halt
            pc = self._core.pc
            if self._breakpoints.at(pc):
                return self._halt(Reason.BREAKPOINT)
            called = self._called_from(before)
            if called and self._lines.at(pc) is not None:
                return (yield from self._enter(pc))
            if called or (self._functions.at(pc) != function and self._is_handler()):
                halt = yield from self.step_out()
                if halt.reason is not Reason.STEP:
                    return halt
            if self._is_other_line(start, function):
                return self._halt(Reason.STEP)
            steps += 1
            if steps % SLICE_STEPS == 0:
                yield
                if self._pause:
                    return self._halt(Reason.PAUSE)

    def step_over(self) -> Motion:
        """Go on to the next source line of this function or, after its end, to its caller."""
        start, function = self._lines.at(self._core.pc), self._functions.at(self._core.pc)
        if start is None or function is None:
            return (yield from self.step_instruction())
        rows = self._lines.within(function.low, function.high)
        lines = {row.address for row in rows if row.is_statement and row.place not in (None, start)}
        return (yield from self._go(lines, self._unwinder.caller(self._state())))

    def step_out(self) -> Motion:
        """Go on until this function has returned; without a caller: go on."""
        caller = self._unwinder.caller(self._state())
        return (yield from self.run() if caller is None else self._go((), caller))

    # ---- how

    def _go(self, lines: Collection[int], caller: Frame | None, cycles: int | None = None) -> Motion:
        """Run until the function of ``caller``'s callee comes to one of ``lines`` or has returned."""
        self._pause = False
        if self.ended is not None:
            return self.ended
        end = FOREVER if cycles is None else self._clock.now + cycles
        targets = set(lines) if caller is None else {*lines, caller.pc}
        with self._breakpoints.also(targets):
            while True:
                executed = self._core.instructions
                self._leave_accelerator_breakpoint()
                stop = self._machine.run(min(SLICE_CYCLES, end - self._clock.now))
                halt = self._halt_of(stop)
                if halt is not None:
                    return halt
                if stop.reason is StopReason.BREAKPOINT:
                    if self._core.pc in targets and self._is_at(lines, caller):
                        return self._halt(Reason.STEP)
                    if self._breakpoints.at(self._core.pc):
                        return self._halt(Reason.BREAKPOINT)
                if self._clock.now >= end:
                    return self._halt(Reason.LIMIT)
                if self._core.instructions == executed and self._clock.next_event == FOREVER:
                    return self._halt(Reason.ASLEEP)
                yield
                if self._pause:
                    return self._halt(Reason.PAUSE)

    def _is_at(self, lines: Collection[int], caller: Frame | None) -> bool:
        """Whether the function that was to go on is at one of its lines or has returned, and not a recursive call."""
        if caller is None:
            return True
        state = self._state()
        if self._core.pc == caller.pc and state["sp"] >= caller.stack:
            return True
        now = self._unwinder.caller(state)
        return self._core.pc in lines and now is not None and (now.pc, now.stack) == (caller.pc, caller.stack)

    def _enter(self, pc: int) -> Motion:
        """Go on to where the arguments of the function that begins at ``pc`` are in place."""
        function = self._functions.at(pc)
        entry = pc if function is None else self._finder.entry(function)
        if entry == pc:
            return self._halt(Reason.STEP)
        return (yield from self._go({entry}, None))

    def _step(self) -> Halt | None:
        """One instruction; a halt if that was all."""
        if self.ended is not None:
            return self.ended
        self._leave_accelerator_breakpoint()
        return self._halt_of(self._machine.step())

    def _leave_accelerator_breakpoint(self) -> None:
        if self._breakpoints.hit is not None:
            cluster, self._breakpoints.hit = self._breakpoints.hit[0], None
            cluster.sequencer.resume()

    def _called_from(self, address: int) -> bool:
        """Whether the instruction at ``address`` was a call and has been executed just now."""
        after = address + self._host.instruction_size(self._machine.bus.view(address, 2).view("<u2")[0])
        returns = (self._host.code_address(self._core.read_register(name)) for name in self._host.return_names)
        return self._core.pc != after and after in returns

    def _is_handler(self) -> bool:
        """Whether this function was entered by an exception."""
        caller = self._unwinder.caller(self._state())
        return caller is not None and caller.interrupted

    def _is_other_line(self, start: Place | None, function: Function | None) -> bool:
        """Whether the core has come to a line that is not ``start`` of ``function``."""
        place = self._lines.at(self._core.pc)
        if place is None:
            return False
        if self._functions.at(self._core.pc) != function:
            return True
        return place != start and self._lines.starts_statement(self._core.pc)

    def _halt_of(self, stop: Stop) -> Halt | None:
        """A halt if the machine stopped for good or at an accelerator breakpoint."""
        if stop.reason in STOPS:
            halt = self._halt(STOPS[stop.reason])
            self.ended = halt if halt.reason in FINAL else None
            return halt
        return None if self._breakpoints.hit is None else self._halt(Reason.ACCELERATOR_BREAKPOINT)

    def _halt(self, reason: Reason) -> Halt:
        known, cluster = None, None
        if reason is Reason.BREAKPOINT:
            known = self._breakpoints.at(self._core.pc)
        elif reason is Reason.ACCELERATOR_BREAKPOINT and self._breakpoints.hit is not None:
            cluster, known = self._breakpoints.hit
        return Halt(reason, self._core.pc, self._clock.now, self._core.exit_code, known, cluster)

"""The sequencer: fetches an accelerator program from memory and runs it beside the host.

Every control and set-up instruction takes a cycle; a command takes its own time, its fetch is hidden behind the
command before it. In `strict` timing all of them take as many cycles as their fetch has 64-bit beats. Instructions
that only change the cluster's registers are executed in one go, and their cycles pass afterwards; one that can be
seen from outside (`mode`, `interrupt`, `signal`, `wait`, `barrier`, `counters`, `halt`) acts at the end of its own
cycle.

*Inaccuracies*: a host that watches r0..r15 or the set-up registers while a program runs may see them change up to
`BURST` cycles early. Fetches, and what `counters` writes, do not use the ports of the system memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import TYPE_CHECKING, ClassVar

from asm import isa
from asm.rules import LOOP_DEPTH, Cause, RuleError
from emu.bus import BusError
from emu.npu.code import Code
from emu.npu.decoded import WORD_BYTES, Decoded
from emu.npu.passages import Passages, Position, Recording
from emu.npu.synchronisation import BarrierWait, EventWait, arrived, check_barrier, end_waits, stuck
from emu.npu.timing import TimingModel
from emu.state import Saved

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster

WORD_MASK = 0xFFFF_FFFF
BURST = 64
"""Most instructions that are executed in one go: time passes even in a program that only jumps."""


@dataclass(slots=True)
class HardwareLoop:
    """A loop that is running: addresses of its body and of what follows, iterations left."""

    start: int
    end: int
    left: int


class Sequencer(Saved):
    """Runs one program.

    Attributes:
        pc: address of the current instruction, or of the next one.
        base, end: addresses of the program and of the byte behind it.
        loops: innermost last.
        running: whether a program runs.
        waiting: what it waits for, None if it does not wait.
        header: first word of the current instruction.
        time: machine cycles at which the current instruction begins. The clock may be later, by what was left of
            the host's basic block; the program does not lose that time.
        breakpoints: addresses of instructions before which the program is held, for debuggers; reset keeps them.
        on_breakpoint: called with the address when that happens; `resume` goes on.
        held: whether the program is held at a breakpoint. It loses no time by that.
    """

    saved = (
        *("pc", "base", "end", "time", "header", "loops", "running", "waiting", "held"),
        *("_size", "_paid", "_left"),
    )
    saved_types: ClassVar = {"loops": list[HardwareLoop], "waiting": EventWait | BarrierWait | None}

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._strict = cluster.timing is TimingModel.STRICT
        self._code = Code(cluster.bus, cluster.setup)
        self._passages = Passages()
        self._next = cluster.event("sequencer", self._passed)
        self.breakpoints: set[int] = set()
        self.on_breakpoint: Callable[[int], None] = lambda address: None
        self.clear()

    def clear(self) -> None:
        """State after power-up."""
        self.pc = self.base = self.end = self.time = 0
        self.header = self._size = 0
        self.stop()

    def stop(self) -> None:
        """No program runs any more; `pc` stays where it is."""
        self.loops: list[HardwareLoop] = []
        self.running = False
        self.waiting: EventWait | BarrierWait | None = None
        self._paid = self.held = False
        self._left: int | None = None
        self._next.cancel()

    def resume(self) -> None:
        """Go on from the breakpoint that the program is held at."""
        if self.held:
            self.held, self._left = False, self.pc
            self._next.at(self.time)

    def start(self) -> None:
        """Check the program at PROGRAM_BASE and run it. Raises `RuleError`, `BusError`."""
        base, provided = self.cluster.PROGRAM_BASE, self.cluster.PROGRAM_LENGTH
        self.pc = base
        if base % WORD_BYTES:
            raise RuleError(Cause.misaligned, f"a program must lie at a multiple of 4, not at 0x{base:08x}")
        if provided and provided < isa.HEADER_BYTES:
            raise RuleError(
                Cause.truncated, f"the header alone has {isa.HEADER_BYTES} bytes, PROGRAM_LENGTH is {provided}"
            )
        magic, version, length, reserved = struct.unpack("<4I", self.cluster.bus.read(base, isa.HEADER_BYTES))
        _check_header(magic, version, length, reserved, provided)
        self.cluster.bus.view(base, length)
        self.stop()
        self.base, self.end, self.pc = base, base + length, base + isa.HEADER_BYTES
        self.running = True
        self._next.after(0)

    @property
    def position(self) -> Position:
        """Where the program is, and what of it is done; assigning goes there."""
        loops = tuple((loop.start, loop.end, loop.left) for loop in self.loops)
        return self.base, self.end, self.pc, self.header, self._size, self._paid, self._left, loops

    @position.setter
    def position(self, position: Position) -> None:
        *place, loops = position
        self.base, self.end, self.pc, self.header, self._size, self._paid, self._left = place
        self.loops = list(starmap(HardwareLoop, loops))

    def command_ended(self, time: int) -> None:
        """The command of the current instruction was over at ``time``: go on."""
        self._advance(self._size)
        self._run(time)

    def events_changed(self, time: int) -> None:
        """An event flag was set at machine cycle ``time``: perhaps the one that the program waits for."""
        if isinstance(self.waiting, EventWait) and self.cluster.EVENTS >> self.waiting.event & 1:
            self.go_on(time)

    def go_on(self, time: int) -> None:
        """What the program waits for has happened at machine cycle ``time``."""
        if isinstance(self.waiting, BarrierWait):
            self._advance(self._size)
        self.waiting = None
        self._next.at(self.time + self.cluster.pass_wait(max(time - self.time, 0)))

    def _passed(self) -> None:
        self._run(self._next.due, fresh=True)

    def _run(self, time: int, *, fresh: bool = False) -> None:
        """Execute from machine cycle ``time`` on, for as long as nobody else could see the difference.

        Args:
            fresh: a passage may begin here.
        """
        clock, cluster, passages = self.cluster.clock, self.cluster, self._passages
        quiet, recording = 0, None
        try:
            while True:
                self.time = time
                if self._paid:
                    if not self._act():
                        return
                    quiet, fresh = 0, True
                if fresh and not self._strict and not self.breakpoints:
                    fresh = False
                    begin = *cluster.words.values(), cluster.tiles.modes, cluster.position, self.position
                    known = passages.at(begin)
                    if known is None:
                        recording = Recording(cluster, begin, time)
                    elif time + known.duration < clock.quiet_until():
                        known.repeat(cluster, time)
                        time, fresh = time + known.duration, True
                        continue
                wakes = self._burst()
                if wakes is None:
                    return
                if wakes >= quiet:
                    quiet = clock.quiet_until()
                    if wakes >= quiet:
                        break
                clock.advance_to(wakes)
                time, running = wakes, cluster.running
                if running is not None:
                    record = cluster.finish()
                    if record is None:
                        return
                    self._advance(self._size)
                    quiet = 0
                    if recording is not None:
                        recording.add(running, record)
                if recording is not None and (self._paid or recording.is_full):
                    passages.keep(recording, time)
                    recording, fresh = None, True
        except (RuleError, BusError) as error:
            self.stop()
            cluster.report(error, pc=self.pc, info=self.header)
            return
        if cluster.running is not None:
            cluster.finish_later()
        else:
            self._next.at(wakes)

    def _burst(self) -> int | None:
        """Execute until something takes time or can be seen from outside.

        Returns:
            Machine cycles at which it goes on: a command that was started ends then, or instructions have taken
            their cycles. None if something else lets it go on, or it has ended.
        """
        cycles = 0
        while cycles < BURST:
            if self.breakpoints and self.pc in self.breakpoints and self.pc != self._left:
                if cycles:
                    break
                self.held = True
                self.on_breakpoint(self.pc)
                return None
            self._left = None
            decoded = self._fetch()
            fetch_cycles = decoded.fetch if self._strict else 1
            if decoded.command is not None:
                if cycles:
                    break
                if self._strict:
                    self.time += self.cluster.pass_control_cycles(fetch_cycles)
                self._write(decoded)
                return self.cluster.start(decoded.command, self.time, self.pc)
            cycles += fetch_cycles
            if decoded.visible:
                self._paid = True
                break
            self._execute(decoded)
        return self.time + self.cluster.pass_control_cycles(cycles)

    def _act(self) -> bool:
        """Execute an instruction that can be seen from outside, at the end of its cycle.

        Returns:
            Whether the program goes on at once.
        """
        self._left, self._paid = None, False
        decoded = self._fetch()
        if decoded.visible:  # It may have been overwritten since.
            self._execute(decoded)
        return self.running and self.waiting is None and not self._next.scheduled

    def _fetch(self) -> Decoded:
        """The instruction at `pc`. Raises `RuleError`, `BusError`."""
        self.header = 0
        if not self.base + isa.HEADER_BYTES <= self.pc < self.end or self.pc % WORD_BYTES:
            raise RuleError(
                Cause.ran_past_end,
                f"0x{self.pc:08x} is not in the code of the program, "
                f"0x{self.base + isa.HEADER_BYTES:08x}..0x{self.end - 1:08x}",
            )
        try:
            decoded = self._code.fetch(self.pc, self.end)
        except RuleError:
            self.header = int.from_bytes(self.cluster.bus.read(self.pc, WORD_BYTES), "little")
            raise
        self.header, self._size = decoded.header, decoded.size
        return decoded

    def _advance(self, size: int) -> None:
        """Go on behind an instruction, or back to the start of a loop that ends there."""
        self.pc += size
        while self.loops and self.pc == self.loops[-1].end:
            loop = self.loops[-1]
            loop.left -= 1
            if loop.left:
                self.pc = loop.start
                return
            self.loops.pop()

    def _write(self, decoded: Decoded) -> None:
        """Write the payload to its registers."""
        setup = decoded.setup or self.cluster.setup(decoded.kind, self._payload(decoded))
        self.cluster.write_setup(setup)

    def _payload(self, decoded: Decoded) -> Sequence[int]:
        """The payload, base registers added to addresses. Raises `RuleError`."""
        if decoded.wrong:
            raise RuleError(Cause.bad_field, decoded.wrong)
        values = list(decoded.words)
        for place, base in decoded.bases:
            values[place] = (values[place] + self.cluster.R[base]) & WORD_MASK
        return values

    def _execute(self, decoded: Decoded) -> None:
        """Carry out a control or set-up instruction."""
        kind, immediate, words = decoded.kind, decoded.immediate, decoded.words
        if kind.register:
            self._write(decoded)
            self._advance(self._size)
        elif kind is isa.Halt:
            self.stop()
            self.cluster.halted()
        elif kind is isa.Interrupt:
            self.cluster.program_interrupt(isa.InterruptImmediate.unpack(immediate)["code"])
            self._advance(self._size)
        elif kind is isa.KeepCounters:
            self.cluster.keep_counters(*self._payload(decoded))
            self._advance(self._size)
        elif kind in (isa.Wait, isa.Signal, isa.Barrier):
            self._event(kind, **isa.EventImmediate.unpack(immediate))
        elif kind in (isa.Jump, isa.JumpNZ):
            tested = isa.RegisterImmediate.unpack(immediate)["destination"] if kind is isa.JumpNZ else None
            if tested is None or self.cluster.R[tested]:
                self._jump(words[0])
            else:
                self._advance(self._size)
        elif kind is isa.Loop:
            self._loop(words, **isa.LoopImmediate.unpack(immediate))
        else:
            if kind in (isa.Set, isa.Add):
                self._arithmetic(kind, words[0], **isa.RegisterImmediate.unpack(immediate))
            self._advance(self._size)

    def _arithmetic(self, kind: type[isa.Instruction], value: int, destination: int, source: int) -> None:
        registers = self.cluster.R
        registers[destination] = value if kind is isa.Set else registers[source] + value

    def _event(self, kind: type[isa.Instruction], event: int, clusters: int) -> None:
        """`wait`, `signal` and `barrier`."""
        if kind is isa.Signal:
            self._advance(self._size)
            self.cluster.signal(event, clusters, self.time)
        elif kind is isa.Barrier:
            self._barrier(BarrierWait(event, clusters))
        elif self.cluster.EVENTS >> event & 1:
            self.cluster.EVENTS &= ~(1 << event)
            self._advance(self._size)
        else:
            self.waiting, self._paid = EventWait(event), True

    def _barrier(self, barrier: BarrierWait) -> None:
        """Wait for the others; the last one lets all go on."""
        check_barrier(self.cluster, barrier)
        self.waiting = barrier
        for cluster in arrived(self.cluster, barrier):
            cluster.sequencer.go_on(self.time)
        end_waits(stuck(self.cluster.peers))

    def _jump(self, offset: int) -> None:
        """Go on at an offset; loops whose body does not hold it are left."""
        self.pc = self.base + offset
        while self.loops and not self.loops[-1].start <= self.pc < self.loops[-1].end:
            self.loops.pop()

    def _loop(self, words: tuple[int, ...], register: int, by_register: int) -> None:
        """Begin a loop, or skip it."""
        count, offset = words
        if by_register:
            count = self.cluster.R[register]
        start, end = self.pc + self._size, self.base + offset
        if not start < end <= self.end or end % WORD_BYTES:
            raise RuleError(
                Cause.bad_field,
                f"a loop must end behind its first instruction and inside the program, not at offset 0x{offset:x}",
            )
        if not count:
            self._advance(end - self.pc)
            return
        if len(self.loops) == LOOP_DEPTH:
            raise RuleError(Cause.loop_depth, f"loops nest {LOOP_DEPTH} deep at most")
        self.loops.append(HardwareLoop(start, end, count))
        self.pc = start


def _check_header(magic: int, version: int, length: int, reserved: int, provided: int) -> None:
    """Raises `RuleError` unless a program may start like that. ``provided`` is the host's length, 0 unknown."""
    if magic != isa.MAGIC:
        raise RuleError(Cause.bad_magic, f"a program starts with 0x{isa.MAGIC:08x}, not 0x{magic:08x}")
    if version >> 16 != isa.VERSION >> 16:
        raise RuleError(
            Cause.bad_version,
            f"this sequencer runs version {isa.VERSION >> 16}, the program has version {version >> 16}",
        )
    if reserved:
        raise RuleError(Cause.bad_field, f"the reserved word of the header must be 0, not 0x{reserved:08x}")
    if length < isa.HEADER_BYTES or length % WORD_BYTES:
        raise RuleError(
            Cause.bad_field,
            f"a program's length must be a multiple of 4 and at least {isa.HEADER_BYTES}, not {length}",
        )
    if provided and length > provided:
        raise RuleError(Cause.truncated, f"the header says {length} bytes, PROGRAM_LENGTH is {provided}")

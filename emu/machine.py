"""A machine: a map that is data, and the running thing that is made from it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from emu.bus import Bus
from emu.clock import FOREVER, Clock
from emu.cpu import ENGINES, make_core
from emu.cpu.core import Core, Pause
from emu.cpu.timing.costs import CpuTiming
from emu.device import Board, Device, Line
from emu.log import Log
from emu.memory import Memory, MemoryTiming
from emu.snapshot import Snapshot, SnapshotError, check_layout
from emu.state import State, plain


@dataclass(frozen=True)
class MemoryRegion:
    """A line of the memory map: plain memory."""

    name: str
    base: int
    size: int
    access: str
    doc: str
    timing: MemoryTiming | None = None
    mirror_of: str | None = None
    """An earlier memory whose bytes appear here once more."""


@dataclass(frozen=True)
class Peripheral:
    """A line of the memory map: a device.

    Attributes:
        interrupt: input of the host's interrupt controller that its line is wired to.
        options: further arguments of the device's constructor.
        lines: inputs of further lines, by the names of the device's attributes.
        nmi: its line is wired to the host's non-maskable interrupt.
        also_at: another address of the same registers.
    """

    name: str
    base: int
    device: type[Device]
    doc: str
    interrupt: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    nmi: bool = False
    also_at: int | None = None


@dataclass(frozen=True)
class MachineMap:
    """What is where: the source of bus, linker script, header, SVD and manual.

    Attributes:
        host: name of the host CPU (`emu.cpu.CORES`).
        reset_address: where the vector table (Cortex-M) or the first instruction (RV32) is.
        clusters: NPU clusters.
        timing: timing model of the clusters, `published` or `strict`.
        host_options: how the host CPU is built: keyword arguments of its class.
        cpu_timing: how long the host's instructions take.
    """

    name: str
    title: str
    host: str
    clock_hz: int
    reset_address: int
    memories: tuple[MemoryRegion, ...]
    peripherals: tuple[Peripheral, ...]
    clusters: int
    doc: str = ""
    timing: str = "published"
    host_options: Mapping[str, Any] = field(default_factory=dict)
    cpu_timing: CpuTiming = field(default_factory=CpuTiming)


class StopReason(Enum):
    """Why a machine came back from `Machine.run`."""

    EXIT = "firmware ended the run"
    LIMIT = "the cycle limit is reached"
    BREAKPOINT = "breakpoint"
    STEP = "step"
    LOCKUP = "the CPU is locked up: a fault inside a fault handler"
    ASLEEP = "the CPU sleeps and nothing is going to wake it"
    REQUEST = "stopped on request"


@dataclass(frozen=True)
class Stop:
    """Where and why a run stopped."""

    reason: StopReason
    time: int
    pc: int
    exit_code: int | None = None


STOP_OF_PAUSE = {
    Pause.EXIT: StopReason.EXIT,
    Pause.BREAKPOINT: StopReason.BREAKPOINT,
    Pause.STEP: StopReason.STEP,
    Pause.LOCKUP: StopReason.LOCKUP,
    Pause.REQUEST: StopReason.REQUEST,
}


UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error)
"""What the parts of a machine raise when they are to take back something that is no state of theirs."""


class Machine:
    """A running machine.

    Args:
        map: what is where.
        engine: what executes the host's instructions, one of `emu.cpu.ENGINES`.
        exact: stop, and take events, at the very instruction instead of the end of its block.
        skips: rounds of loops that do nothing but wait, copy or fill memory are not executed one by one.

    Attributes:
        devices: by name.
    """

    def __init__(
        self,
        map: MachineMap,  # noqa: A002 - the field's word for it
        engine: str = ENGINES[0],
        *,
        exact: bool = False,
        skips: bool = True,
    ) -> None:
        self.map = map
        self.log = Log()
        longest_block = map.cpu_timing.longest_block
        self.clock = Clock(map.clock_hz, exact=exact, longest_block=longest_block, skips=skips)
        self.bus = Bus()
        self.board = Board(self.clock, self.bus, self.log)
        for region in map.memories:
            memory = Memory(region.name, region.base, region.size, region.access, region.doc, region.timing)
            self.bus.add_memory(memory)
        for region in map.memories:
            if region.mirror_of is not None:
                self.bus.memory(region.name).mirror(self.bus.memory(region.mirror_of))
        self.devices: dict[str, Device] = {}
        for item in map.peripherals:
            device = item.device(item.name, self.board, **item.options)
            self.bus.add_device(item.base, device)
            if item.also_at is not None:
                self.bus.add_device(item.also_at, device)
            self.devices[item.name] = device
        self.core: Core = make_core(map.host, self.board, map.reset_address, engine, map.host_options, map.cpu_timing)
        self.core.attach(self.devices)
        self.clock.at_rest = lambda: self.core.rests
        self._inputs: dict[int, list[Line]] = {}
        for item in map.peripherals:
            self._wire(self.devices[item.name], item)
        self.bus.on_write.append(self.core.invalidate)
        self.board.requests.on_request = self.core.request_stop

    def _wire(self, device: Device, item: Peripheral) -> None:
        if item.interrupt is not None:
            self._connect(device.irq, item.interrupt)
        if item.nmi:
            device.irq.connect(self.core.set_nmi)
        for name, number in item.lines.items():
            self._connect(getattr(device, name), number)

    def _connect(self, line: Line, number: int) -> None:
        """Wire a line to an input; lines that share an input are ORed."""
        sharing = self._inputs.setdefault(number, [])
        sharing.append(line)
        line.connect(lambda _: self.core.set_interrupt(number, any(other.level for other in sharing)))

    def reset(self) -> None:
        """Power-up state of core and devices; memories keep their contents."""
        self.board.requests.reset, self.board.requests.exit_code = False, None
        for device in self.devices.values():
            device.reset()
        self.core.reset()

    # State

    def get_state(self) -> dict[str, State]:
        """All that decides how the machine goes on, as plain data; not the messages, and nothing of a debugger."""
        return {
            "clock": self.clock.get_state(),
            "requests": self.board.requests.get_state(),
            "core": self.core.get_state(),
            "devices": {device.name: device.get_state() for _, device in self.bus.devices},
            "memories": {memory.name: memory.get_state() for memory in self.bus.memories},
        }

    @property
    def layout(self) -> dict[str, State]:
        """What the machine consists of; the engine is no part of it."""
        return {
            "name": self.map.name,
            "host": self.map.host,
            "host configuration": plain(dict(self.map.host_options)),
            "clock": self.map.clock_hz,
            "number of clusters": self.map.clusters,
            "timing": self.map.timing,
            "CPU timing": plain(self.map.cpu_timing),
            "memory map": [[memory.name, memory.base, memory.size] for memory in self.bus.memories],
            "device map": [[device.name, type(device).__name__, base] for base, device in self.bus.devices],
        }

    def snapshot(self) -> Snapshot:
        """The machine's state now, between two runs."""
        return Snapshot(self.layout, self.get_state())

    def state_hash(self) -> str:
        """SHA-256 of the state; equal on all engines and in all processes."""
        return self.snapshot().hash

    def restore(self, snapshot: Snapshot) -> None:
        """Go back, or on, to a snapshot of a machine like this one; breakpoints and observers stay.

        Raises:
            SnapshotError: it is of another machine, or does not hold a state of this one. In the latter case reset the
                machine before you use it.
        """
        check_layout(snapshot, self.layout)
        state = snapshot.state
        try:
            for memory in self.bus.memories:
                memory.set_state(state["memories"][memory.name])
            for _, device in self.bus.devices:
                device.set_state(state["devices"][device.name])
            self.board.requests.set_state(state["requests"])
            self.clock.set_state(state["clock"])
            for memory in self.bus.memories:
                self.bus.written(memory.base, memory.size)
            self.core.set_state(state["core"])
        except UNREADABLE as error:
            raise SnapshotError(
                f"the snapshot has no state of this machine: {type(error).__name__}: {error}"
            ) from error

    def run(self, cycles: int | None = None) -> Stop:
        """Run until firmware ends, a breakpoint, or ``cycles`` from now.

        A machine that is not exact stops late, by at most the rest of a block.
        """
        clock, core = self.clock, self.core
        clock.limit = FOREVER if cycles is None else clock.now + cycles
        while True:
            clock.dispatch()
            if self._serve_requests():
                return self._stop(StopReason.EXIT)
            if clock.now >= clock.limit:
                return self._stop(StopReason.LIMIT)
            pause = core.run()
            if pause is Pause.SLEEP:
                if clock.next_event == FOREVER and self._end_deadlocks():
                    continue
                if clock.next_event == FOREVER and clock.limit == FOREVER:
                    return self._stop(StopReason.ASLEEP)
                clock.advance_to(min(clock.next_event, clock.limit))
            elif pause is Pause.RESET:
                self.reset()
            elif pause is not Pause.DEADLINE and not (pause is Pause.REQUEST and self.board.requests.waiting):
                return self._stop(STOP_OF_PAUSE[pause])

    def _serve_requests(self) -> bool:
        """Reset the machine if a device asks for that; whether the run has to end because a device asks for that."""
        requests = self.board.requests
        if requests.exit_code is not None:
            self.core.exit_code = requests.exit_code
            return True
        if requests.reset:
            self.reset()
        return False

    def step(self) -> Stop:
        """Execute one instruction of the host; time jumps to the next event if it sleeps."""
        clock = self.clock
        clock.limit = FOREVER
        while True:
            clock.dispatch()
            if self._serve_requests():
                return self._stop(StopReason.EXIT)
            pause = self.core.step()
            if pause is Pause.RESET:
                self.reset()
                return self._stop(StopReason.STEP)
            if pause is not Pause.SLEEP:
                return self._stop(STOP_OF_PAUSE[pause])
            if clock.next_event == FOREVER:
                if self._end_deadlocks():
                    continue
                return self._stop(StopReason.ASLEEP)
            clock.advance_to(clock.next_event)

    def _end_deadlocks(self) -> bool:
        """The host sleeps and nothing is scheduled: whether a device has given up waiting."""
        return any(device.give_up() for device in self.devices.values())

    def _stop(self, reason: StopReason) -> Stop:
        return Stop(reason, self.clock.now, self.core.pc, self.core.exit_code)

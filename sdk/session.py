"""A machine with its program's symbols and lines: step, break, look. No user interface, no printing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from emu.bus import BusError
from emu.cpu.core import FaultReport
from emu.npu.cluster import Cluster
from sdk.accelerator import TileState, status_of, tiles_of
from sdk.backtrace import DEPTH, Frame, Unwinder
from sdk.breakpoints import BreakpointFinder, Breakpoints
from sdk.debug_info import DebugInfo
from sdk.disassembly import Disassembler, Line
from sdk.dwarf import Place
from sdk.host import HOSTS
from sdk.loader import load_elf
from sdk.machine_options import MachineOptions
from sdk.motion import Halt, Motion, Mover, Reason
from sdk.runner import Runner

PLAIN = MachineOptions()
"""The machine for the firmware's architecture, as it is."""


@dataclass(frozen=True, slots=True)
class HostPlace:
    """Where the host is: ``function`` is "?" and ``place`` None where nothing is known."""

    pc: int
    function: str
    place: Place | None


@dataclass(frozen=True, slots=True)
class AcceleratorPlace:
    """Where a cluster's program is.

    Attributes:
        status: what the cluster is doing, in a word.
        pc: address of the current or next instruction, None before the first program.
    """

    cluster: int
    status: str
    pc: int | None
    place: Place | None


class Session:
    """A program on a machine, to be run piece by piece.

    Motions (`run`, `step_over`, ...) are generators that yield between slices, so that a screen stays alive;
    `complete` drives one to its end.

    Args:
        runner: the machine with the program in it.
        info: the program's debug information.

    Attributes:
        breakpoints: `add`, `remove`, iterate.
        clusters: the NPU clusters.
    """

    def __init__(self, runner: Runner, info: DebugInfo) -> None:
        self.runner, self.machine, self.info = runner, runner.machine, info
        machine = self.machine
        self.host = HOSTS[machine.core.architecture]
        self.clusters = runner.clusters
        self._disassembler = Disassembler(self.host, info.label)
        self._finder = finder = BreakpointFinder(info, self._disassembler, machine.bus.read)
        self.breakpoints = Breakpoints(finder, machine.core, self.clusters)
        self._unwinder = Unwinder(info, machine.bus.read)
        self._mover = Mover(machine, finder, self.breakpoints, self._unwinder, self._core_state)

    # ---- motion

    def run(self, cycles: int | None = None) -> Motion:
        """Go on until something stops the program, or for ``cycles``."""
        return self._mover.run(cycles)

    def run_to_main(self) -> Motion:
        """Go on to main(); not at all if there is none."""
        function = self.info.functions.named("main")
        return self._mover.run_to(self._finder.entry(function) if function else self.machine.core.pc)

    def step_instruction(self) -> Motion:
        """Execute one instruction of the host."""
        return self._mover.step_instruction()

    def step_into(self) -> Motion:
        """Go on to the next source line, which may be in a function that is called."""
        return self._mover.step_into()

    def step_over(self) -> Motion:
        """Go on to the next source line of this function or, after its end, to its caller."""
        return self._mover.step_over()

    def step_out(self) -> Motion:
        """Go on until this function has returned."""
        return self._mover.step_out()

    @staticmethod
    def complete(motion: Motion) -> Halt:
        """Drives a motion to its end."""
        while True:
            try:
                next(motion)
            except StopIteration as end:
                halt: Halt = end.value
                return halt

    def pause(self) -> None:
        """Make the motion that is under way end after its slice."""
        self._mover.pause()

    @property
    def ended(self) -> Halt | None:
        """The halt after which there is nothing more to execute, None before it."""
        return self._mover.ended

    @property
    def fault(self) -> FaultReport | None:
        """The fault that ended the run."""
        core = self.machine.core
        failed = self.ended is not None and (core.abnormal_exit or self.ended.reason is Reason.LOCKUP)
        return core.last_fault if failed else None

    # ---- where it is

    def registers(self) -> dict[str, int]:
        """The host's registers by name; after a fault that ended the run, as they were at the fault."""
        if self.fault is not None:
            return dict(self.fault.registers)
        return self._core_state()

    def main_registers(self) -> dict[str, int]:
        """The registers that matter to people, in the order in which they expect them."""
        names = dict.fromkeys((*self.host.registers, *self.host.status_registers))
        values = self.registers()
        return {name: values[name] for name in names if name in values and name != "zero"}

    def _core_state(self) -> dict[str, int]:
        core = self.machine.core
        return {"pc": core.pc} | {name: core.read_register(name) for name in core.register_names}

    def where(self) -> HostPlace:
        """Where the host is; after a fault that ended the run, where the fault was."""
        pc = self.fault.pc if self.fault is not None else self.machine.core.pc
        scopes, function = self.info.scopes(pc), self.info.functions.at(pc)
        if function is None:
            return HostPlace(pc, "?", None)
        return HostPlace(pc, scopes[0].function, scopes[0].place or self.info.lines.near(pc, function.low))

    def accelerators(self) -> list[AcceleratorPlace]:
        """Where the clusters' programs are."""
        return [self._accelerator(cluster) for cluster in self.clusters]

    def _accelerator(self, cluster: Cluster) -> AcceleratorPlace:
        pc = cluster.read(Cluster.PROGRAM_PC.offset, 4)
        place = self.info.lines.at(pc) if pc else None
        return AcceleratorPlace(cluster.index, status_of(cluster), pc or None, place)

    def backtrace(self, depth: int = DEPTH) -> list[Frame]:
        """The calls that led here, the innermost first."""
        return self._unwinder.backtrace(self.registers(), depth)

    # ---- what is there

    def disassembly(self, address: int, count: int) -> list[Line]:
        """``count`` instructions of the host from ``address`` on; fewer at the end of the memory."""
        code, found = b"", 0
        while found < count:
            try:
                first = self.machine.bus.read(address + len(code), 2)
                size = self.host.instruction_size(int.from_bytes(first, "little"))
                code += first + self.machine.bus.read(address + len(code) + 2, size - 2)
            except BusError:
                break
            found += 1
        return self._disassembler.lines(code, address)

    def instructions_around(self, address: int, before: int, count: int) -> list[Line]:
        """``count`` instructions, of which up to ``before`` come before ``address`` in the same function."""
        function = self.info.functions.at(address)
        low = address if function is None else function.low
        earlier = []
        for line in self.disassembly(low, (address - low) // 2):
            if line.address >= address:
                break
            earlier.append(line)
        first = earlier[-before].address if before and len(earlier) >= before else low
        return self.disassembly(first if earlier else address, count)

    def source(self, path: str) -> list[str]:
        """The lines of a source file; empty if it is not on this computer."""
        return self.info.sources.lines(path)

    def tiles(self, cluster: int) -> list[TileState]:
        """The tiles of a cluster: mode, formats, occupancy."""
        return tiles_of(self.clusters[cluster])

    def read_memory(self, address: int, count: int) -> bytes:
        """Bytes of memory. Raises `emu.bus.BusError`."""
        return self.machine.bus.read(address, count)

    @property
    def uart(self) -> str:
        """What the program has sent to its first serial port so far."""
        return self.runner.uart.decode(errors="replace")

    def describe(self, halt: Halt) -> str:
        """Why a motion ended, and where, in one line."""
        here = self.where()
        place = f"{here.function} at {here.place}" if here.place else f"{here.function}, 0x{here.pc:08x}"
        if halt.reason is Reason.EXIT:
            if self.fault is not None:
                return f"{self.fault.kind}: {self.fault.text}, in {place}"
            return f"the firmware has ended with exit code {halt.exit_code}"
        if halt.cluster is not None and halt.breakpoint is not None:
            return f"breakpoint {halt.breakpoint.number}, cluster {halt.cluster.index} at {halt.breakpoint.place}"
        if halt.breakpoint is not None:
            return f"breakpoint {halt.breakpoint.number}, {place}"
        return f"{halt.reason.value}: {place}"


def open_session(elf: Path, options: MachineOptions = PLAIN, stream: bytes = b"", uart_input: bytes = b"") -> Session:
    """A session at the reset of a program.

    Args:
        elf: the firmware.
        options: the machine.
        stream: what the input stream delivers.
        uart_input: what the UART receives.

    Raises:
        ImageError: the file is not firmware for the machine.
        UnknownTimingError: the host has no such timing.
        UnknownMachineError: there is no such machine.
        UnknownEngineError: the host has no such engine.
        DebugInfoError: the debug information is damaged.
    """
    image = load_elf(elf)
    machine = options.machine_for(image)
    runner = Runner(image, machine, stream=stream, uart_input=uart_input, engine=options.engine, exact=options.exact)
    return Session(runner, DebugInfo(elf))

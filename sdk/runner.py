"""Runs firmware on a machine from reset to its end, and keeps what happened. No user interface, no printing."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from emu.cpu import ENGINES
from emu.cpu.core import FaultReport
from emu.devices.serial_port import SerialPort
from emu.devices.stream import InputStream
from emu.machine import Machine, MachineMap, Stop, StopReason
from emu.npu.cluster import Cluster
from emu.npu.counters import Counters
from emu.npu.energy import FEMTO_PER_PICO
from emu.npu.record import CommandRecord
from emu.snapshot import Snapshot
from sdk.accelerator import clusters_of
from sdk.loader import Image, ImageError, check_fits, check_is_in, load_into

FAULTS_KEPT = 16


class Outcome(Enum):
    """How a run ended."""

    EXIT = "firmware ended the run"
    ABNORMAL = "firmware reported a run-time error"
    LIMIT = "the cycle limit is reached"
    LOCKUP = "the CPU is locked up: a fault inside a fault handler"
    ASLEEP = "the CPU sleeps and nothing is going to wake it"
    STOPPED = "stopped on request"


OUTCOMES = {
    StopReason.LIMIT: Outcome.LIMIT,
    StopReason.LOCKUP: Outcome.LOCKUP,
    StopReason.ASLEEP: Outcome.ASLEEP,
    StopReason.REQUEST: Outcome.STOPPED,
}


@dataclass(frozen=True)
class RunResult:
    """What happened. Everything but ``wall_seconds`` is the same in every run with the same inputs.

    Attributes:
        stop: where and when the machine stopped.
        uart: all bytes that firmware sent.
        instructions: retired by the host.
        counters: totals of every cluster, whatever firmware has cleared.
        commands: all commands that the clusters carried out, in order of their ends.
        faults: synchronous faults that the host took, oldest first; at most the newest `FAULTS_KEPT`.
        instructions_here: those of them that this runner has emulated; the rest came with a snapshot.
        wall_seconds: what the run took on this computer.
    """

    machine: MachineMap
    outcome: Outcome
    stop: Stop
    uart: bytes = field(repr=False)
    instructions: int
    counters: tuple[Counters, ...] = field(repr=False)
    commands: tuple[CommandRecord, ...] = field(repr=False)
    faults: tuple[FaultReport, ...] = field(repr=False)
    instructions_here: int
    wall_seconds: float

    @property
    def exit_code(self) -> int | None:
        """Firmware's own exit code, a C `int`; None if it did not end by itself."""
        code = self.stop.exit_code
        if self.outcome is not Outcome.EXIT or code is None:
            return None
        return code - (1 << 32) if code >> 31 else code

    @property
    def cycles(self) -> int:
        """Machine cycles from reset to the end."""
        return self.stop.time

    @property
    def seconds(self) -> float:
        """Time that passed on the machine."""
        return self.cycles / self.machine.clock_hz

    @property
    def energy_pj(self) -> int:
        """Energy of all clusters in picojoules."""
        return sum(counters.energy_fj for counters in self.counters) // FEMTO_PER_PICO

    @property
    def host_mips(self) -> float:
        """Millions of host instructions emulated in a second of wall-clock time."""
        return self.instructions_here / self.wall_seconds / 1e6 if self.wall_seconds else 0.0

    def figures(self) -> dict[str, Any]:
        """The deterministic figures as plain data."""
        return {
            "machine": self.machine.name,
            "host": self.machine.host,
            "clock_hz": self.machine.clock_hz,
            "outcome": self.outcome.name.lower(),
            "exit_code": self.exit_code,
            "cycles": self.cycles,
            "seconds": self.seconds,
            "host_instructions": self.instructions,
            "uart_bytes": len(self.uart),
            "timing": self.machine.timing,
            "cpu_timing": self.machine.cpu_timing.model,
            "flash_wait_states": self.machine.cpu_timing.flash.wait_states,
            "npu_commands": len(self.commands),
            "npu_energy_pj": self.energy_pj,
            "clusters": [self._cluster_figures(index) for index in range(len(self.counters))],
        }

    def _cluster_figures(self, index: int) -> dict[str, Any]:
        counters = self.counters[index]
        return {
            "commands": counters.commands,
            "load_cycles": counters.load_cycles,
            "work_cycles": counters.work_cycles,
            "copy_cycles": counters.copy_cycles,
            "stall_input_cycles": counters.stall_input_cycles,
            "stall_output_cycles": counters.stall_output_cycles,
            "stall_port_cycles": counters.stall_port_cycles,
            "wait_cycles": counters.wait_cycles,
            "control_cycles": counters.control_cycles,
            "kernel_port_bytes": counters.kernel_port_bytes,
            "input_port_bytes": counters.input_port_bytes,
            "operand_port_bytes": counters.operand_port_bytes,
            "output_port_bytes": counters.output_port_bytes,
            "macs": sum(command.cost.macs for command in self.commands if command.cluster == index),
            "energy_pj": counters.energy_pj,
            "energy_parts_fj": asdict(counters.energy),
        }


class Runner:
    """A machine with firmware in it, reset and ready to run.

    Args:
        image: the firmware.
        machine: what to run it on.
        stream: bytes that the input stream delivers.
        uart_input: bytes that the serial port receives.
        engine: what executes the host's instructions, one of `emu.cpu.ENGINES`.
        exact: stop, and take events, at the very instruction instead of the end of its block.
        skips: rounds of loops that do nothing but wait, copy or fill memory are not executed one by one.
        snapshot: go on from here instead of from reset; ``stream`` and ``uart_input`` come behind what it still holds.

    Attributes:
        uart: bytes sent so far, none of those before the snapshot.
        clusters: the NPU clusters.
        commands: records of the commands that have ended so far, likewise.
        faults: faults so far, at most the newest `FAULTS_KEPT`, likewise.

    Raises:
        ImageError: the image is for another host, does not fit, is not what the snapshot holds, or there is no device
            for ``stream``.
        SnapshotError: the snapshot is of another machine.
        UnknownEngineError: the host has no such engine.
        UnknownTimingError: the host has no such timing.
    """

    def __init__(
        self,
        image: Image,
        machine: MachineMap,
        *,
        stream: bytes = b"",
        uart_input: bytes = b"",
        engine: str = ENGINES[0],
        exact: bool = False,
        skips: bool = True,
        snapshot: Snapshot | None = None,
    ) -> None:
        check_fits(image, machine)
        self.image = image
        self.machine = Machine(machine, engine, exact=exact, skips=skips)
        load_into(image, self.machine.bus)
        self.uart = bytearray()
        self.commands: list[CommandRecord] = []
        self.faults: list[FaultReport] = []
        self._wall_seconds = 0.0
        self.port.sinks.append(self.uart.extend)
        self.machine.reset()
        if image.architecture == "riscv" and "tohost" in image.symbols:
            from sdk.host_interface import HostInterface

            HostInterface(self.machine, image.symbols["tohost"], image.symbols.get("fromhost"), self._print)
        if snapshot is not None:
            self.machine.restore(snapshot)
            check_is_in(image, self.machine.bus)
        self._instructions_before = self.machine.core.instructions
        self.port.receive(uart_input)
        if "stream0" in self.machine.devices:
            self.input_stream.feed(stream)
        elif stream:
            raise ImageError(f"{machine.name} has no input stream: leave out --stream")
        self.clusters: list[Cluster] = clusters_of(self.machine)
        for cluster in self.clusters:
            cluster.on_command.append(self.commands.append)
        self.machine.core.on_fault.append(self._keep_fault)

    @property
    def port(self) -> SerialPort:
        """The first serial port."""
        port = self.machine.devices["uart0"]
        assert isinstance(port, SerialPort)
        return port

    @property
    def input_stream(self) -> InputStream:
        """The input stream of a machine that has one."""
        stream = self.machine.devices["stream0"]
        assert isinstance(stream, InputStream)
        return stream

    def _print(self, data: bytes) -> None:
        """Firmware's output that does not come through the serial port."""
        for sink in self.port.sinks:
            sink(data)

    def _keep_fault(self, fault: FaultReport) -> None:
        self.faults = [*self.faults, fault][-FAULTS_KEPT:]

    def run(self, max_cycles: int | None = None) -> RunResult:
        """Run on until firmware ends or ``max_cycles`` from now have passed; may be called again."""
        start = time.perf_counter()
        stop = self.machine.run(max_cycles)
        self._wall_seconds += time.perf_counter() - start
        core = self.machine.core
        if stop.reason is StopReason.EXIT:
            outcome = Outcome.ABNORMAL if core.abnormal_exit else Outcome.EXIT
        else:
            outcome = OUTCOMES[stop.reason]
        return RunResult(
            machine=self.machine.map,
            outcome=outcome,
            stop=stop,
            uart=bytes(self.uart),
            instructions=core.instructions,
            counters=tuple(cluster.counters for cluster in self.clusters),
            commands=tuple(self.commands),
            faults=tuple(self.faults),
            instructions_here=max(core.instructions - self._instructions_before, 0),
            wall_seconds=self._wall_seconds,
        )

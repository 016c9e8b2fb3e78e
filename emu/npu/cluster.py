"""An NPU cluster: eight tiles, a register block, a sequencer, a tensor DMA."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from asm import isa, parameters
from asm.bits import Field
from asm.parameters import CommandCode
from asm.rules import CAUSE_TEXT, TILES, Cause, RuleError
from emu.bus import BusError
from emu.device import Board
from emu.npu import energy, layouts
from emu.npu.arithmetic import Choice
from emu.npu.cluster_time import ClusterTime, Passed
from emu.npu.commands import command_class
from emu.npu.counters import CounterRegisters
from emu.npu.decoded import Setup
from emu.npu.kernel_sets import KernelSets
from emu.npu.passages import Position
from emu.npu.power import PowerState
from emu.npu.prepared import Preparation
from emu.npu.record import CommandRecord
from emu.npu.running import Running
from emu.npu.sequencer import Sequencer
from emu.npu.synchronisation import end_waits
from emu.npu.tile import TileArray
from emu.npu.timing import Cost, TimingModel
from emu.registers import Access, Register, RegisterArray, Word
from emu.state import State

POWER_AFTER_RESET = PowerState()
COPY_LOOP_STRIDE = 12
"""Bytes between two elements of COPY_COUNT, COPY_SOURCE_STRIDE and COPY_DESTINATION_STRIDE."""


class Cluster(CounterRegisters):
    """Eight tiles and what drives them.

    Args:
        index: number of the cluster, 0..7: its bit in the set of `signal`.
        tiles: name of the memory that holds the tile arrays, 32 KiB.
        timing: what decides how long its commands take.

    Attributes:
        tiles: the tiles: mode, format of the weights, rows and bits in use.
        choice: who computes its convolutions.
        sequencer: position and state of the program.
        running: the command that is running, None if there is none.
        power: voltage, body bias and clock.
        time: its clock, and what its commands take.
        on_command: called with a `CommandRecord` when a command has ended without error.

    *Inaccuracies*: registers, commands and the sequencer are our own; published are tiles, topologies and cycles.
    One command at a time. See also the modules of this package.
    """

    saved = ("tiles", "sequencer", "power", "time", "_passed")

    ID = Register(0x000, layouts.Identification, access=Access.RO)
    CONTROL = Register(0x004, layouts.Control, access=Access.WO)
    STATUS = Register(0x008, layouts.Status, access=Access.RO)
    INTERRUPT_STATUS = Register(0x00C, layouts.InterruptCauses, access=Access.W1C)
    INTERRUPT_ENABLE = Register(0x010, layouts.InterruptCauses, "Which causes drive the interrupt line.")
    ERROR_CAUSE = Register(0x014, layouts.ErrorCause, access=Access.RO)
    ERROR_PC = Register(
        0x018, Word, "Address of the instruction that failed, 0 if no program was running.", access=Access.RO
    )
    ERROR_INFO = Register(
        0x01C, Word, "Bus error: the address. Other errors of an instruction: its first word. Else 0.", access=Access.RO
    )
    PROGRAM_BASE = Register(0x020, parameters.Address, "Address of the program that START runs; a multiple of 4.")
    PROGRAM_LENGTH = Register(0x024, Word, "Bytes that the host provides there; 0: as many as the header says.")
    PROGRAM_PC = Register(0x028, parameters.Address, "Address of the next or current instruction.", access=Access.RO)
    PROGRAM_CODE = Register(0x02C, layouts.ProgramCode, access=Access.RO)
    EVENTS = Register(0x030, Word, "Event flags, one bit each.", access=Access.RO)
    EVENT_SET = Register(0x034, Word, "Bits written as 1 set event flags.", access=Access.WO)
    R = RegisterArray(0x040, Word, "Registers r0..r15 of the sequencer; arguments of a program.", count=isa.REGISTERS)

    TILE_MODE = Register(0x100, parameters.TileMode)
    TOPOLOGY = Register(0x104, parameters.Topology)
    KERNEL_SHAPE = Register(0x108, parameters.KernelShape)
    KERNEL_FORMAT = Register(0x10C, parameters.KernelFormat)
    PADDING = Register(0x110, parameters.Padding)
    ACTIVATION_CONTROL = Register(0x114, parameters.ActivationControl)
    ACTIVATION_TABLE = Register(
        0x118, parameters.Address, "Table of 16 bytes a kernel: int32 bias, multiplier, shift, offset; a multiple of 4."
    )
    CLAMP_LOW = Register(0x11C, parameters.ClampLow)
    CLAMP_HIGH = Register(0x120, parameters.ClampHigh)
    LOAD_ADDRESS = Register(0x124, parameters.Address, "Where `load` finds the kernels; a multiple of 8.")
    LOAD_COUNT = Register(
        0x128,
        parameters.LoadCount,
        "Kernels that are loaded: what `load` brings and `convolve` uses. Writes to TOPOLOGY, KERNEL_SHAPE and "
        "KERNEL_FORMAT clear it.",
    )
    INPUT_ADDRESS = Register(0x12C, parameters.Address, "First byte of the input.")
    INPUT_FORMAT = Register(0x130, parameters.TensorFormat)
    INPUT_SHAPE = Register(0x134, parameters.TensorShape)
    INPUT_LINE_STRIDE = Register(0x138, parameters.LineStride)
    INPUT_PIXEL_STRIDE = Register(0x13C, parameters.PixelStride)
    OUTPUT_ADDRESS = Register(0x140, parameters.Address, "First byte of the output.")
    OUTPUT_FORMAT = Register(0x144, parameters.TensorFormat)
    OUTPUT_SHAPE = Register(0x148, parameters.TensorShape)
    OUTPUT_LINE_STRIDE = Register(0x14C, parameters.LineStride)
    OUTPUT_PIXEL_STRIDE = Register(0x150, parameters.PixelStride)
    OPERAND_ADDRESS = Register(
        0x154, parameters.Address, "First byte of the second input, or of the psums to start from."
    )
    OPERAND_FORMAT = Register(0x158, parameters.TensorFormat)
    OPERAND_SHAPE = Register(0x15C, parameters.TensorShape)
    OPERAND_LINE_STRIDE = Register(0x160, parameters.LineStride)
    OPERAND_PIXEL_STRIDE = Register(0x164, parameters.PixelStride)
    COPY_SOURCE = Register(0x168, parameters.Address, "First byte that a copy reads; the byte that a fill writes.")
    COPY_DESTINATION = Register(0x16C, parameters.Address, "First byte that a copy or fill writes.")
    COPY_BYTES = Register(0x170, parameters.CopyBytes)
    COPY_COUNT = RegisterArray(
        0x174,
        parameters.Count,
        "Iterations of the copy's loops, outermost first; 1 or more.",
        count=parameters.COPY_LOOPS,
        stride=COPY_LOOP_STRIDE,
        group="COPY_LOOP",
    )
    COPY_SOURCE_STRIDE = RegisterArray(
        0x178, parameters.SourceStride, count=parameters.COPY_LOOPS, stride=COPY_LOOP_STRIDE, group="COPY_LOOP"
    )
    COPY_DESTINATION_STRIDE = RegisterArray(
        0x17C, parameters.DestinationStride, count=parameters.COPY_LOOPS, stride=COPY_LOOP_STRIDE, group="COPY_LOOP"
    )
    COPY_SOURCE_WRAP = Register(0x1A4, parameters.WrapBytes)
    COPY_DESTINATION_WRAP = Register(0x1A8, parameters.WrapBytes)
    POOLING = Register(0x1AC, parameters.Pooling)
    PARTITION = Register(0x1B0, parameters.Partition)
    LOOKUP_TABLE = Register(0x1B4, parameters.Address, "256 bytes; the lower byte of the clamped value selects one.")
    OPERAND_SCALE = Register(0x1B8, parameters.OperandScale)
    COMMAND = Register(0x1BC, layouts.Command, access=Access.WO)

    VOLTAGE_MV = Register(0x1C0, layouts.SupplyVoltage)
    BODY_BIAS_MV = Register(0x1C4, layouts.BodyBias)
    CLOCK_KHZ = Register(0x1C8, layouts.ClusterClock)

    def __init__(
        self, name: str, board: Board, index: int, tiles: str, timing: TimingModel = TimingModel.PUBLISHED
    ) -> None:
        super().__init__(name, board)
        self.index, self.timing = index, timing
        self.tiles = TileArray(board.bus.memory(tiles))
        self.kernel_sets = KernelSets()
        self.choice = Choice.of_environment()
        self.sequencer = Sequencer(self)
        self.running: Running | None = None
        self.power = POWER_AFTER_RESET
        self._nanowatts = energy.leakage_nanowatts(self.power)
        self.time = ClusterTime(timing, self.clock.hertz)
        self.on_command: list[Callable[[CommandRecord], None]] = []
        self._preparation = Preparation(self, type(self).TILE_MODE.offset, type(self).OPERAND_SCALE.offset)
        self._end = self.event("command", self._ended)
        self._passed = Passed()

    def reset(self) -> None:
        """State after power-up; the tiles are memory and keep their contents."""
        super().reset()
        self.sequencer.clear()
        self._end.cancel()
        self.running = None
        self._set_power(POWER_AFTER_RESET)
        self._restart_time()
        self.tiles.modes = 0
        self.tiles.forget()

    def get_state(self) -> dict[str, State]:
        """Registers, tiles, sequencer, time, counters, and the command that is running."""
        running = self.running
        return {**super().get_state(), "running": None if running is None else running.get_state()}

    def set_state(self, state: Mapping[str, State]) -> None:
        """Take back what `get_state` gave."""
        super().set_state(state)
        self._nanowatts = energy.leakage_nanowatts(self.power)
        running = state["running"]
        self.running = None if running is None else Running.of_state(running)

    @property
    def peers(self) -> list[Cluster]:
        """All clusters of the machine, this one included."""
        return [device for _, device in self.bus.devices if isinstance(device, Cluster)]

    def peer(self, index: int) -> Cluster | None:
        """The cluster of that number in the same machine, None if there is none."""
        return next((cluster for cluster in self.peers if cluster.index == index), None)

    def register_words(self, first: Register, count: int) -> tuple[int, ...]:
        """The stored words of ``count`` consecutive registers."""
        return tuple(self.words[first.offset + 4 * place] for place in range(count))

    @property
    def position(self) -> Position:
        """What has passed, as far as what comes next depends on it; assigning goes there."""
        passed = self._passed
        return self.time.position, passed.control, passed.wait, passed.leakage

    @position.setter
    def position(self, position: Position) -> None:
        self.time.position, self._passed = position[0], Passed(*position[1:])

    # ---- commands

    def start(self, code: CommandCode, time: int, pc: int | None) -> int:
        """Check a command and let its time begin; `finish` ends it, or `finish_later` lets an event do that.

        Args:
            time: machine cycles at which it begins.
            pc: address of its instruction, None if the host starts it.

        Returns:
            Machine cycles at which it ends.

        Raises:
            RuleError, BusError: it cannot be carried out; nothing has happened.
        """
        try:
            prepared = self._preparation.command(code)
        except (RuleError, BusError):
            self._forget_kernels(code)
            raise
        demand = prepared.demand
        if code is CommandCode.load:
            for number in demand.cost.clusters:
                peer = self.peer(number)
                if peer is not None:
                    peer.time.load_begins()
        cycles, other_total = self.time.take(demand, time)
        end = time + self.time.ticks(cycles.total)
        self.running = Running(prepared.command, demand, pc, time, end, cycles, other_total)
        return end

    def _restart_time(self) -> None:
        self.time.restart()
        self._passed = Passed()

    def _set_power(self, power: PowerState) -> None:
        self.power, self._nanowatts = power, energy.leakage_nanowatts(power)
        self.time.set_clock(power.clock_khz)

    def _forget_kernels(self, code: CommandCode) -> None:
        """A load that did not happen leaves no kernels."""
        if code is CommandCode.load:
            self.LOAD_COUNT = 0

    def finish_later(self) -> None:
        """Let an event end the command that is running."""
        assert self.running is not None
        self._end.at(self.running.end)

    def _ended(self) -> None:
        running = self.running
        assert running is not None
        if self.finish() is None:
            return
        if running.pc is None:
            self._raise(layouts.InterruptCauses.DONE)
        else:
            self.sequencer.command_ended(running.end)

    def finish(self) -> CommandRecord | None:
        """The time of the running command is over: carry it out. None if it failed, which is reported."""
        running = self.running
        assert running is not None
        self.running = None
        try:
            cost = running.command.carry_out(self)
        except (RuleError, BusError) as error:
            self._forget_kernels(running.command.kind)
            self.sequencer.stop()
            self.report(error, pc=running.pc)
            return None
        return self._count(running, cost)

    def _count(self, running: Running, cost: Cost) -> CommandRecord:
        """Add a command to the counters and tell the observers; ``cost`` is what it really took."""
        cycles, demand = running.cycles, running.demand
        spent = demand.energy(self.power) if cost is demand.cost else energy.work_energy(cost, self.power)
        leaked = self._leakage(cycles.total)
        self.counted.add(cycles, cost, spent, leaked)
        passed, self._passed = self._passed, Passed()
        published, strict = cycles.total, running.other_total
        if self.timing is TimingModel.STRICT:
            published, strict = strict, published
        record = CommandRecord(
            self.index, running.command.kind, running.pc, running.start, running.end, cycles, published, strict,
            passed.control, passed.wait, cost, spent, leaked + passed.leakage,
        )  # fmt: skip
        for observer in self.on_command:
            observer(record)
        return record

    def _leakage(self, cycles: int) -> int:
        """Femtojoules that the cluster leaks in that many of its cycles."""
        return energy.leaked(cycles, 1000 * self.power.clock_khz, self._nanowatts)

    # ---- what the sequencer asks for

    def pass_control_cycles(self, cycles: int) -> int:
        """Count cycles of control and set-up instructions. Returns the machine cycles that they take."""
        self.counted.control_cycles += cycles
        self._passed.control += cycles
        return self._pass(cycles)

    def pass_wait(self, ticks: int) -> int:
        """Count the cycles of ``ticks`` machine cycles that a program waited, up to the next clock edge.

        Returns:
            The machine cycles up to there.
        """
        cycles = self.time.cycles_until(ticks)
        self.counted.wait_cycles += cycles
        self._passed.wait += cycles
        return self._pass(cycles)

    def _pass(self, cycles: int) -> int:
        leaked = self._leakage(cycles)
        self.counted.leakage += leaked
        self._passed.leakage += leaked
        self.time.pass_cycles(cycles)
        return self.time.ticks(cycles)

    @staticmethod
    def setup(kind: type[isa.Instruction], values: Sequence[int]) -> Setup:
        """What an instruction with these values writes to the registers."""
        first = getattr(Cluster, kind.register).offset
        words = {first + 4 * place: value for place, value in enumerate(values)}
        writers = ((Cluster._by_offset[offset][0].writer, value) for offset, value in words.items())
        return Setup(words, tuple((writer, value) for writer, value in writers if writer is not None))

    def write_setup(self, setup: Setup) -> None:
        """Write an instruction's values to its registers as the host would; no reserved bit is set."""
        self.words.update(setup.words)
        for effect, value in setup.effects:
            effect(self, value)

    def halted(self) -> None:
        """The program has ended."""
        self._raise(layouts.InterruptCauses.DONE)

    def program_interrupt(self, code: int) -> None:
        """The program has something to tell the host."""
        self.PROGRAM_CODE = code
        self._raise(layouts.InterruptCauses.PROGRAM)

    def signal(self, event: int, clusters: int, time: int) -> None:
        """Set an event flag in every cluster of a set (one bit each), at machine cycle ``time``."""
        for index in range(TILES):
            if clusters >> index & 1:
                peer = self.peer(index)
                if peer is not None:
                    peer.set_events(1 << event, time)
                else:
                    self.warn(f"signal of event {event} to cluster {index}, which this machine does not have")

    def set_events(self, flags: int, time: int) -> None:
        """Set event flags at machine cycle ``time``; a program that waits for one of them goes on."""
        self.EVENTS |= flags
        self.sequencer.events_changed(time)

    def give_up(self) -> bool:
        """End a deadlock: every program that waits stops with an error that says who waits for whom."""
        return end_waits([peer for peer in self.peers if peer.sequencer.waiting is not None])

    # ---- errors and interrupts

    def report(self, error: RuleError | BusError, *, pc: int | None = None, info: int = 0) -> None:
        """Put an error into the registers, raise the interrupt, tell people.

        Args:
            pc: address of the instruction, None if no program is to blame.
            info: first word of the instruction; a bus error puts its address there instead.
        """
        cause = Cause.bus_error
        if isinstance(error, RuleError):
            cause = error.cause
        else:
            info = error.address
        self.ERROR_CAUSE, self.ERROR_PC, self.ERROR_INFO = cause, pc or 0, info
        place = "registers written by the host"
        if pc is not None:
            place = f"{'program' if pc == self.PROGRAM_BASE else 'instruction'} at 0x{pc:08x}"
        self.warn(f"{cause.name}: {CAUSE_TEXT[cause]}: {error} ({place})", pc)
        self._raise(layouts.InterruptCauses.ERROR)

    def _raise(self, cause: Field) -> None:
        self.INTERRUPT_STATUS |= cause.mask
        self._drive()

    def _drive(self) -> None:
        self.irq.set(bool(self.INTERRUPT_STATUS & self.INTERRUPT_ENABLE))

    # ---- behaviour of the registers

    @CONTROL.on_write
    def _control(self, value: int) -> None:
        if layouts.Control.RESET.extract(value):
            self.reset()
        if layouts.Control.ABORT.extract(value):
            self._abort()
        if layouts.Control.START.extract(value):
            self._start_program()

    def _abort(self) -> None:
        if self.running is None and not self.sequencer.running:
            return
        pc = self.sequencer.pc if self.sequencer.running else None
        if self.running is not None:
            self._forget_kernels(self.running.command.kind)
        self._end.cancel()
        self.running = None
        self.sequencer.stop()
        self.report(RuleError(Cause.aborted, "CONTROL.ABORT was written"), pc=pc)

    def _start_program(self) -> None:
        if self._refuse_if_busy("CONTROL.START"):
            return
        self.ERROR_CAUSE = 0
        self._restart_time()
        try:
            self.power.check()
            self.sequencer.start()
        except (RuleError, BusError) as error:
            self.report(error, pc=self.PROGRAM_BASE)

    @COMMAND.on_write
    def _command(self, value: int) -> None:
        if self._refuse_if_busy("COMMAND"):
            return
        self.ERROR_CAUSE = 0
        try:
            self.power.check()
            self.start(command_class(value).kind, self.clock.now, None)
            self.finish_later()
        except (RuleError, BusError) as error:
            self.report(error)

    def _refuse_if_busy(self, what: str) -> bool:
        """Whether a write must be refused because the cluster works; what is running goes on."""
        if self.running is None and not self.sequencer.running:
            return False
        self.report(RuleError(Cause.busy, f"{what} was written before the cluster was done; wait for it, or abort"))
        return True

    @TILE_MODE.on_write
    def _tile_mode(self, value: int) -> None:
        if self.running is None:
            self.tiles.modes = value
        elif value != self.tiles.modes:
            self.TILE_MODE = self.tiles.modes
            self.report(RuleError(Cause.busy, "TILE_MODE cannot change while a command runs"))

    @VOLTAGE_MV.on_write
    @BODY_BIAS_MV.on_write
    @CLOCK_KHZ.on_write
    def _power_changed(self, value: int) -> None:
        wanted = PowerState(self.VOLTAGE_MV, self.BODY_BIAS_MV, self.CLOCK_KHZ)
        if wanted == self.power:
            return
        if self.running is None and not self.sequencer.running:
            self._set_power(wanted)
            return
        power = self.power
        self.VOLTAGE_MV, self.BODY_BIAS_MV, self.CLOCK_KHZ = power.voltage_mv, power.body_bias_mv, power.clock_khz
        self.report(RuleError(Cause.busy, "voltage, body bias and clock cannot change while the cluster works"))

    @TOPOLOGY.on_write
    @KERNEL_SHAPE.on_write
    @KERNEL_FORMAT.on_write
    def _kernels_changed(self, value: int) -> None:
        self.LOAD_COUNT = 0

    @STATUS.on_steady_read
    def _status(self) -> int:
        return layouts.Status.pack(
            BUSY=int(self.running is not None),
            RUNNING=int(self.sequencer.running),
            WAITING=int(self.sequencer.waiting is not None),
            ERROR=int(self.ERROR_CAUSE != 0),
        )

    @INTERRUPT_STATUS.on_write
    @INTERRUPT_ENABLE.on_write
    def _interrupts_changed(self, value: int) -> None:
        self._drive()

    @PROGRAM_PC.on_read
    def _program_pc(self) -> int:
        return self.sequencer.pc

    @EVENT_SET.on_write
    def _event_set(self, value: int) -> None:
        self.set_events(value, self.clock.now)

"""An NPU cluster: eight tiles, a register block, a sequencer, a tensor DMA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from asm import isa
from asm.bits import Field
from asm.isa import CommandCode
from asm.rules import CAUSE_TEXT, ROW_BITS, TILES, Cause, RuleError
from emu.bus import BusError
from emu.device import Board, Device
from emu.npu import energy, layouts
from emu.npu.commands import Command, command_class
from emu.npu.counters import Counters, counter
from emu.npu.energy import Energy
from emu.npu.kernels import KernelReader
from emu.npu.power import PowerState
from emu.npu.record import CommandRecord
from emu.npu.sequencer import Sequencer
from emu.npu.tile import TileArray
from emu.npu.timing import KERNEL_PORT_BITS, Cost, whole_cycles
from emu.npu.topology import Topology
from emu.registers import Access, Register, RegisterArray, Word

COPY_LOOP_STRIDE = 12
"""Bytes between two elements of COPY_COUNT, COPY_SOURCE_STRIDE and COPY_DESTINATION_STRIDE."""


@dataclass(frozen=True, slots=True)
class Running:
    """A command whose time is passing.

    Attributes:
        pc: address of its instruction, None if the host started it.
        start: machine cycles since reset.
        load_cycles, work_cycles: what it takes; the cycles of a copy are in its cost.
    """

    command: Command
    cost: Cost
    pc: int | None
    start: int
    load_cycles: int
    work_cycles: int


class Cluster(Device):
    """Eight tiles and what drives them.

    Args:
        index: number of the cluster, 0..7: its bit in the set of `signal`.
        tiles: name of the memory that holds the tile arrays, 32 KiB.

    Attributes:
        tiles: the tiles: mode, format of the weights, rows and bits in use.
        sequencer: position and state of the program.
        running: the command that is running, None if there is none.
        power: voltage, body bias and clock.
        counters: the totals behind the counter registers.
        on_command: called with a `CommandRecord` when a command has ended without error.

    *Inaccuracies*: registers, commands and the sequencer are our own; published are tiles, topologies and cycles.
    One command at a time: loads do not overlap work. No 8-bit operands, pooling or psum input. See also the
    modules of this package.
    """

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
    PROGRAM_BASE = Register(0x020, isa.Address, "Address of the program that START runs; a multiple of 4.")
    PROGRAM_LENGTH = Register(0x024, Word, "Bytes that the host provides there; 0: as many as the header says.")
    PROGRAM_PC = Register(0x028, isa.Address, "Address of the next or current instruction.", access=Access.RO)
    PROGRAM_CODE = Register(0x02C, layouts.ProgramCode, access=Access.RO)
    EVENTS = Register(0x030, Word, "Event flags, one bit each.", access=Access.RO)
    EVENT_SET = Register(0x034, Word, "Bits written as 1 set event flags.", access=Access.WO)
    R = RegisterArray(0x040, Word, "Registers r0..r15 of the sequencer; arguments of a program.", count=isa.REGISTERS)

    TILE_MODE = Register(0x100, isa.TileMode)
    TOPOLOGY = Register(0x104, isa.Topology)
    KERNEL_SHAPE = Register(0x108, isa.KernelShape)
    KERNEL_FORMAT = Register(0x10C, isa.KernelFormat)
    PADDING = Register(0x110, isa.Padding)
    ACTIVATION_CONTROL = Register(0x114, isa.ActivationControl)
    ACTIVATION_TABLE = Register(
        0x118, isa.Address, "Table of 16 bytes a kernel: int32 bias, multiplier, shift, offset; a multiple of 4."
    )
    CLAMP_LOW = Register(0x11C, isa.ClampLow)
    CLAMP_HIGH = Register(0x120, isa.ClampHigh)
    LOAD_ADDRESS = Register(0x124, isa.Address, "Where `load` finds the kernels; a multiple of 8.")
    LOAD_COUNT = Register(
        0x128,
        isa.LoadCount,
        "Kernels that are loaded: what `load` brings and `convolve` uses. Writes to TOPOLOGY, KERNEL_SHAPE and "
        "KERNEL_FORMAT clear it.",
    )
    INPUT_ADDRESS = Register(0x12C, isa.Address, "First byte of the input.")
    INPUT_FORMAT = Register(0x130, isa.TensorFormat)
    INPUT_SHAPE = Register(0x134, isa.TensorShape)
    INPUT_LINE_STRIDE = Register(0x138, isa.LineStride)
    INPUT_PIXEL_STRIDE = Register(0x13C, isa.PixelStride)
    OUTPUT_ADDRESS = Register(0x140, isa.Address, "First byte of the output.")
    OUTPUT_FORMAT = Register(0x144, isa.TensorFormat)
    OUTPUT_SHAPE = Register(0x148, isa.TensorShape)
    OUTPUT_LINE_STRIDE = Register(0x14C, isa.LineStride)
    OUTPUT_PIXEL_STRIDE = Register(0x150, isa.PixelStride)
    OPERAND_ADDRESS = Register(0x154, isa.Address, "First byte of the second input, or of the psums to start from.")
    OPERAND_FORMAT = Register(0x158, isa.TensorFormat)
    OPERAND_SHAPE = Register(0x15C, isa.TensorShape)
    OPERAND_LINE_STRIDE = Register(0x160, isa.LineStride)
    OPERAND_PIXEL_STRIDE = Register(0x164, isa.PixelStride)
    COPY_SOURCE = Register(0x168, isa.Address, "First byte that a copy reads; the byte that a fill writes.")
    COPY_DESTINATION = Register(0x16C, isa.Address, "First byte that a copy or fill writes.")
    COPY_BYTES = Register(0x170, isa.CopyBytes)
    COPY_COUNT = RegisterArray(
        0x174,
        isa.Count,
        "Iterations of the copy's loops, outermost first; 1 or more.",
        count=isa.COPY_LOOPS,
        stride=COPY_LOOP_STRIDE,
        group="COPY_LOOP",
    )
    COPY_SOURCE_STRIDE = RegisterArray(
        0x178, isa.SourceStride, count=isa.COPY_LOOPS, stride=COPY_LOOP_STRIDE, group="COPY_LOOP"
    )
    COPY_DESTINATION_STRIDE = RegisterArray(
        0x17C, isa.DestinationStride, count=isa.COPY_LOOPS, stride=COPY_LOOP_STRIDE, group="COPY_LOOP"
    )
    COPY_SOURCE_WRAP = Register(0x1A4, isa.WrapBytes)
    COPY_DESTINATION_WRAP = Register(0x1A8, isa.WrapBytes)
    POOLING = Register(0x1AC, isa.Pooling)
    PARTITION = Register(0x1B0, isa.Partition)
    LOOKUP_TABLE = Register(0x1B4, isa.Address, "256 bytes; the lower byte of the clamped value selects one.")
    OPERAND_SCALE = Register(0x1B8, isa.OperandScale)
    COMMAND = Register(0x1BC, layouts.Command, access=Access.WO)

    BUSY_CYCLES_LOW, BUSY_CYCLES_HIGH = counter(0x200, "busy_cycles", "Cycles in which a command was running.")
    LOAD_CYCLES_LOW, LOAD_CYCLES_HIGH = counter(0x208, "load_cycles", "Cycles of loading kernels.")
    WORK_CYCLES_LOW, WORK_CYCLES_HIGH = counter(0x210, "work_cycles", "Cycles of convolving.")
    COPY_CYCLES_LOW, COPY_CYCLES_HIGH = counter(0x218, "copy_cycles", "Cycles of copying.")
    CONTROL_CYCLES_LOW, CONTROL_CYCLES_HIGH = counter(
        0x220, "control_cycles", "Cycles of control and set-up instructions."
    )
    TILE_CYCLES_LOW, TILE_CYCLES_HIGH = counter(0x228, "tile_cycles", "Full rows of 1024 bits that tiles worked on.")
    KERNEL_WORDS_LOW, KERNEL_WORDS_HIGH = counter(0x230, "kernel_words", "64-bit words of weights that were loaded.")
    ACTIVATION_BYTES_LOW, ACTIVATION_BYTES_HIGH = counter(
        0x238, "activation_bytes", "Bytes of input and output tensors that were streamed."
    )
    COMMANDS_LOW, COMMANDS_HIGH = counter(0x240, "commands", "Commands that ended without error.")
    ENERGY_PJ_LOW, ENERGY_PJ_HIGH = counter(0x248, "energy_pj", "Energy in picojoules.")
    COUNTER_CONTROL = Register(0x250, layouts.CounterControl)

    def __init__(self, name: str, board: Board, index: int, tiles: str) -> None:
        super().__init__(name, board)
        self.index = index
        self.tiles = TileArray(board.bus.memory(tiles))
        self.counters = Counters()
        self.kernel_reader = KernelReader()
        self.sequencer = Sequencer(self)
        self.running: Running | None = None
        self.on_command: list[Callable[[CommandRecord], None]] = []
        self._end = self.event("command", self._finish)
        self._carried = 0
        self.power = PowerState()
        self._recorded = (0, Energy())

    @property
    def topology(self) -> Topology:
        """How the tiles are wired, as TOPOLOGY says; not checked."""
        return Topology.of_word(self.TOPOLOGY)

    def reset(self) -> None:
        """State after power-up; the tiles are memory and keep their contents."""
        super().reset()
        self.sequencer.clear()
        self._end.cancel()
        self.running, self._carried = None, 0
        self._clear_counters()
        self.tiles.modes = 0
        for tile in self.tiles.tiles:
            tile.describe(None, 0, 0)

    def peer(self, index: int) -> Cluster | None:
        """The cluster of that number in the same machine, None if there is none."""
        clusters = (device for _, device in self.bus.devices if isinstance(device, Cluster))
        return next((cluster for cluster in clusters if cluster.index == index), None)

    def register_words(self, first: Register, count: int) -> tuple[int, ...]:
        """The stored words of ``count`` consecutive registers."""
        return tuple(self.words[first.offset + 4 * place] for place in range(count))

    # ---- commands

    def start(self, code: CommandCode, time: int, pc: int | None) -> None:
        """Check a command and let its time begin.

        Args:
            time: machine cycles at which it begins.
            pc: address of its instruction, None if the host starts it.

        Raises:
            RuleError, BusError: it cannot be carried out; nothing has happened.
        """
        try:
            command = command_class(code).of_registers(self)
            command.check(self)
        except (RuleError, BusError):
            self._forget_kernels(code)
            raise
        cost = command.cost
        load, self._carried = whole_cycles(cost.load_units, self._carried)
        work, self._carried = whole_cycles(cost.work_units, self._carried)
        self.running = Running(command, cost, pc, time, load, work)
        self._end.at(time + load + work + cost.copy_cycles)

    def _forget_kernels(self, code: CommandCode) -> None:
        """A load that did not happen leaves no kernels."""
        if code is CommandCode.load:
            self.LOAD_COUNT = 0

    def _finish(self) -> None:
        """The command's time is over: carry it out."""
        running = self.running
        assert running is not None
        self.running = None
        try:
            cost = running.command.carry_out(self)
        except (RuleError, BusError) as error:
            self._forget_kernels(running.command.kind)
            self.sequencer.stop()
            self.report(error, pc=running.pc)
            return
        self._count(running, cost)
        if running.pc is None:
            self._raise(layouts.InterruptCauses.DONE)
        else:
            self.sequencer.command_ended(self._end.due)

    def _count(self, running: Running, cost: Cost) -> None:
        """Add a command to the counters and tell the observers; ``cost`` is what it really took."""
        counters = self.counters
        cycles = running.load_cycles + running.work_cycles + cost.copy_cycles
        counters.load_cycles += running.load_cycles
        counters.work_cycles += running.work_cycles
        counters.copy_cycles += cost.copy_cycles
        counters.row_bits += cost.row_bits
        counters.kernel_bits += cost.kernel_bits
        counters.activation_bytes += cost.activation_bytes
        counters.commands += 1
        leaked = energy.leakage(cycles, self.clock.hertz, self.power)
        counters.energy += energy.work_energy(cost, self.power) + Energy(leakage=leaked)
        if not self.on_command:
            return
        control, spent = self._recorded
        self._recorded = (counters.control_cycles, counters.energy)
        record = CommandRecord(
            cluster=self.index,
            kind=running.command.kind,
            pc=running.pc,
            start=running.start,
            end=self._end.due,
            load_cycles=running.load_cycles,
            work_cycles=running.work_cycles,
            copy_cycles=cost.copy_cycles,
            control_cycles=counters.control_cycles - control,
            macs=cost.macs,
            tiles=cost.tiles,
            tile_cycles=cost.row_bits / ROW_BITS,
            kernel_words=cost.kernel_bits / KERNEL_PORT_BITS,
            activation_bytes=cost.activation_bytes,
            energy=counters.energy - spent,
            utilisation=cost.utilisation,
        )
        for observer in self.on_command:
            observer(record)

    # ---- what the sequencer asks for

    def pass_control_cycles(self, cycles: int) -> None:
        """Count cycles of control and set-up instructions."""
        self.counters.control_cycles += cycles
        self.counters.energy += Energy(leakage=energy.leakage(cycles, self.clock.hertz, self.power))

    def write_words(self, first: str, values: list[int]) -> None:
        """Write consecutive registers as the host would."""
        offset = getattr(type(self), first).offset
        for place, value in enumerate(values):
            self.write(offset + 4 * place, 4, value)

    def halted(self) -> None:
        """The program has ended."""
        self._raise(layouts.InterruptCauses.DONE)

    def program_interrupt(self, code: int) -> None:
        """The program has something to tell the host."""
        self.PROGRAM_CODE = code
        self._raise(layouts.InterruptCauses.PROGRAM)

    def signal(self, event: int, clusters: int) -> None:
        """Set an event flag in every cluster of a set (one bit each)."""
        for index in range(TILES):
            if clusters >> index & 1:
                peer = self.peer(index)
                if peer is not None:
                    peer.set_events(1 << event)
                else:
                    self.warn(f"signal of event {event} to cluster {index}, which this machine does not have")

    def set_events(self, flags: int) -> None:
        """Set event flags; a program that waits for one of them goes on."""
        self.EVENTS |= flags
        self.sequencer.events_changed()

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
        place = "" if pc is None else f" (instruction at 0x{pc:08x})"
        self.warn(f"{cause.name}: {CAUSE_TEXT[cause]}: {error}{place}")
        self._raise(layouts.InterruptCauses.ERROR)

    def _raise(self, cause: Field) -> None:
        self.INTERRUPT_STATUS |= cause.mask
        self._drive()

    def _drive(self) -> None:
        self.irq.set(bool(self.INTERRUPT_STATUS & self.INTERRUPT_ENABLE))

    def _clear_counters(self) -> None:
        self.counters = Counters()
        self._recorded = (0, Energy())

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
        self._carried = 0
        try:
            self.sequencer.start()
        except (RuleError, BusError) as error:
            self.report(error, pc=self.PROGRAM_BASE)

    @COMMAND.on_write
    def _command(self, value: int) -> None:
        if self._refuse_if_busy("COMMAND"):
            return
        self.ERROR_CAUSE = 0
        try:
            self.start(command_class(value).kind, self.clock.now, None)
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

    @TOPOLOGY.on_write
    @KERNEL_SHAPE.on_write
    @KERNEL_FORMAT.on_write
    def _kernels_changed(self, value: int) -> None:
        self.LOAD_COUNT = 0

    @STATUS.on_read
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
        self.set_events(value)

    @COUNTER_CONTROL.on_write
    def _counter_control(self, value: int) -> None:
        if layouts.CounterControl.CLEAR.extract(value):
            self._clear_counters()

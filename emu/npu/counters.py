"""What a cluster counts: cycles by cause, work, traffic, energy."""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar

from asm.rules import ROW_BITS, Cause, RuleError
from emu.device import Board, Device
from emu.npu import layouts
from emu.npu.energy import FEMTO_PER_PICO, Energy
from emu.npu.timing import KERNEL_PORT_BITS, Cost, Cycles
from emu.registers import Access, Register, Word


@dataclass(slots=True)
class Counters:
    """Totals of a cluster.

    Work and loads are kept in the units in which they are whole numbers; the properties round down.

    Attributes:
        load_cycles, work_cycles, copy_cycles, control_cycles: cycles of the cluster by cause.
        stall_input_cycles, stall_output_cycles, stall_port_cycles: cycles in which a command waited for its inputs,
            for its outputs, for a port of a memory.
        wait_cycles: cycles in which a program waited for an event or at a barrier.
        row_bits: kernel bits that tiles worked through; 1024 of them are a tile-cycle.
        kernel_bits: useful weight bits that were loaded.
        kernel_port_bytes, input_port_bytes, operand_port_bytes, output_port_bytes: bytes over each port.
        activation_bytes: bytes of tensors streamed in and out.
        commands: commands that ended without error.
        array_energy, overhead_energy, kernels_energy, activations_energy, leakage: femtojoules by component.
    """

    load_cycles: int = 0
    work_cycles: int = 0
    copy_cycles: int = 0
    control_cycles: int = 0
    stall_input_cycles: int = 0
    stall_output_cycles: int = 0
    stall_port_cycles: int = 0
    wait_cycles: int = 0
    row_bits: int = 0
    kernel_bits: int = 0
    kernel_port_bytes: int = 0
    input_port_bytes: int = 0
    operand_port_bytes: int = 0
    output_port_bytes: int = 0
    activation_bytes: int = 0
    commands: int = 0
    array_energy: int = 0
    overhead_energy: int = 0
    kernels_energy: int = 0
    activations_energy: int = 0
    leakage: int = 0

    def __add__(self, other: Counters) -> Counters:
        return Counters(*map(operator.add, _values(self), _values(other)))

    def __sub__(self, other: Counters) -> Counters:
        return Counters(*map(operator.sub, _values(self), _values(other)))

    @property
    def stall_cycles(self) -> int:
        """Cycles in which a command waited, for whatever reason."""
        return self.stall_input_cycles + self.stall_output_cycles + self.stall_port_cycles

    @property
    def busy_cycles(self) -> int:
        """Cycles in which a command was running."""
        return self.load_cycles + self.work_cycles + self.copy_cycles + self.stall_cycles

    @property
    def tile_cycles(self) -> int:
        """Full rows of a tile that were worked through."""
        return self.row_bits // ROW_BITS

    @property
    def kernel_words(self) -> int:
        """Words of weights that the kernel port brought."""
        return self.kernel_bits // KERNEL_PORT_BITS

    @property
    def energy(self) -> Energy:
        """Femtojoules by component, leakage included."""
        return Energy(
            self.array_energy, self.overhead_energy, self.kernels_energy, self.activations_energy, self.leakage
        )

    @property
    def energy_fj(self) -> int:
        """Energy in femtojoules."""
        return self.array_energy + self.overhead_energy + self.kernels_energy + self.activations_energy + self.leakage

    @property
    def energy_pj(self) -> int:
        """Energy in picojoules."""
        return self.energy_fj // FEMTO_PER_PICO

    def add(self, cycles: Cycles, cost: Cost, spent: Energy, leakage: int) -> None:
        """A command has ended that took ``spent`` for its work and leaked ``leakage`` femtojoules."""
        self.load_cycles += cycles.load
        self.work_cycles += cycles.work
        self.copy_cycles += cycles.copy
        self.stall_input_cycles += cycles.stall_input
        self.stall_output_cycles += cycles.stall_output
        self.stall_port_cycles += cycles.stall_port
        self.row_bits += cost.row_bits
        self.kernel_bits += cost.kernel_bits
        self.kernel_port_bytes += cost.load_bytes
        self.input_port_bytes += cost.input_bytes + cost.table_bytes
        self.operand_port_bytes += cost.psum_bytes
        self.output_port_bytes += cost.output_bytes
        self.activation_bytes += cost.activation_bytes
        self.commands += 1
        self.array_energy += spent.array
        self.overhead_energy += spent.overhead
        self.kernels_energy += spent.kernels
        self.activations_energy += spent.activations
        self.leakage += leakage


_values: Callable[[Counters], tuple[int, ...]] = operator.attrgetter(*(item.name for item in fields(Counters)))
"""All counters, in the order of their declaration."""

KEPT = (
    *("busy_cycles", "load_cycles", "work_cycles", "copy_cycles"),
    *("stall_input_cycles", "stall_output_cycles", "stall_port_cycles", "wait_cycles", "control_cycles"),
    *("tile_cycles", "kernel_words", "kernel_port_bytes", "input_port_bytes", "operand_port_bytes"),
    *("output_port_bytes", "activation_bytes", "commands", "energy_pj"),
)
"""What the instruction `counters` writes, in the order of `imnpu_counters` in the driver library."""
KEPT_BYTES = 8
"""Bytes of each of them."""
_kept: Callable[[Counters], tuple[int, ...]] = operator.attrgetter(*KEPT)
_pack_kept = struct.Struct(f"<{len(KEPT)}Q").pack


def counter(offset: int, attribute: str, doc: str) -> tuple[Register, Register]:
    """The two registers of a 64-bit counter: the low half at ``offset``, the high half behind it.

    Args:
        attribute: name in `Counters`.
        doc: what it counts.
    """
    low = Register(offset, Word, f"{doc} Bits 31..0; reading them latches bits 63..32.", access=Access.RO)
    high = Register(offset + 4, Word, f"{doc} Bits 63..32 at the last read of any low half.", access=Access.RO)

    @low.on_read
    def _low(device: CounterRegisters) -> int:
        value: int = getattr(device.counted, attribute)
        device.latch = value >> 32
        return value & 0xFFFF_FFFF

    @high.on_read
    def _high(device: CounterRegisters) -> int:
        return device.latch

    return low, high


class CounterRegisters(Device):
    """The counters' part of a cluster's register block.

    Attributes:
        counted: since the last reset or COUNTER_CONTROL.CLEAR; what the registers show.
        latch: upper half of the counter whose lower half was read last.
    """

    saved: ClassVar[tuple[str, ...]] = ("_earlier", "counted", "latch")

    BUSY_CYCLES_LOW, BUSY_CYCLES_HIGH = counter(0x200, "busy_cycles", "Cycles in which a command was running.")
    LOAD_CYCLES_LOW, LOAD_CYCLES_HIGH = counter(0x208, "load_cycles", "Cycles of loading kernels.")
    WORK_CYCLES_LOW, WORK_CYCLES_HIGH = counter(0x210, "work_cycles", "Cycles of convolving.")
    COPY_CYCLES_LOW, COPY_CYCLES_HIGH = counter(
        0x218, "copy_cycles", "Cycles of copying, filling and tensor arithmetic."
    )
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
    STALL_INPUT_CYCLES_LOW, STALL_INPUT_CYCLES_HIGH = counter(
        0x258, "stall_input_cycles", "Cycles in which a command waited for its inputs."
    )
    STALL_OUTPUT_CYCLES_LOW, STALL_OUTPUT_CYCLES_HIGH = counter(
        0x260, "stall_output_cycles", "Cycles in which a command waited for its output to leave."
    )
    STALL_PORT_CYCLES_LOW, STALL_PORT_CYCLES_HIGH = counter(
        0x268, "stall_port_cycles", "Cycles in which a command waited for a port of a memory."
    )
    WAIT_CYCLES_LOW, WAIT_CYCLES_HIGH = counter(
        0x270, "wait_cycles", "Cycles in which a program waited for an event or at a barrier."
    )
    KERNEL_PORT_BYTES_LOW, KERNEL_PORT_BYTES_HIGH = counter(
        0x278, "kernel_port_bytes", "Bytes over the kernel port, with the padding of slices."
    )
    INPUT_PORT_BYTES_LOW, INPUT_PORT_BYTES_HIGH = counter(
        0x280, "input_port_bytes", "Bytes of inputs and tables over the input port."
    )
    OPERAND_PORT_BYTES_LOW, OPERAND_PORT_BYTES_HIGH = counter(
        0x288, "operand_port_bytes", "Bytes of psums and second inputs over the operand port."
    )
    OUTPUT_PORT_BYTES_LOW, OUTPUT_PORT_BYTES_HIGH = counter(
        0x290, "output_port_bytes", "Bytes of outputs over the output port."
    )

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self._earlier, self.counted = Counters(), Counters()
        self.latch = 0

    @property
    def counters(self) -> Counters:
        """Totals since the machine was made; nothing clears them."""
        return self._earlier + self.counted

    def reset(self) -> None:
        """The registers show 0 again; the totals go on."""
        super().reset()
        self.clear_counters()

    def keep_counters(self, address: int) -> None:
        """Write what the registers show into memory, as `KEPT` says. Raises `RuleError`, `BusError`."""
        if address % KEPT_BYTES:
            raise RuleError(
                Cause.misaligned, f"counters must be kept at a multiple of {KEPT_BYTES}, not at 0x{address:08x}"
            )
        self.bus.write(address, _pack_kept(*_kept(self.counted)))

    def clear_counters(self) -> None:
        """Let the registers count from 0."""
        self._earlier, self.counted, self.latch = self.counters, Counters(), 0

    @COUNTER_CONTROL.on_write
    def _counter_control(self, value: int) -> None:
        if layouts.CounterControl.CLEAR.extract(value):
            self.clear_counters()

"""An NPU cluster: eight tiles, a register block, a sequencer, a tensor DMA."""

from __future__ import annotations

from asm import isa
from asm.rules import TILES
from emu.device import Board, Device
from emu.npu import layouts
from emu.npu.counters import Counters, counter
from emu.registers import Access, Register, RegisterArray, Word

COPY_LOOP_STRIDE = 12
"""Bytes between two elements of COPY_COUNT, COPY_SOURCE_STRIDE and COPY_DESTINATION_STRIDE."""


class Cluster(Device):
    """Eight tiles and what drives them.

    Args:
        index: number of the cluster, 0..7: its bit in the set of `signal`.
        tiles: name of the memory that holds the tile arrays, 32 KiB.
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
        0x01C, Word, "Bus error: the address. Program errors: the word that was refused. Else 0.", access=Access.RO
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
    COPY_SOURCE = Register(0x154, isa.Address, "First byte that a copy reads.")
    COPY_DESTINATION = Register(0x158, isa.Address, "First byte that a copy writes.")
    COPY_BYTES = Register(0x15C, isa.CopyBytes)
    COPY_COUNT = RegisterArray(
        0x160,
        isa.Count,
        "Iterations of the copy's loops, outermost first; 1 or more.",
        count=isa.COPY_LOOPS,
        stride=COPY_LOOP_STRIDE,
        group="COPY_LOOP",
    )
    COPY_SOURCE_STRIDE = RegisterArray(
        0x164, isa.SourceStride, count=isa.COPY_LOOPS, stride=COPY_LOOP_STRIDE, group="COPY_LOOP"
    )
    COPY_DESTINATION_STRIDE = RegisterArray(
        0x168, isa.DestinationStride, count=isa.COPY_LOOPS, stride=COPY_LOOP_STRIDE, group="COPY_LOOP"
    )
    COMMAND = Register(0x190, layouts.Command, access=Access.WO)

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
        self.counters = Counters()
        self.tile_memory = board.bus.memory(tiles)
        if self.tile_memory.size != TILES * 4096:
            raise ValueError(f"{name}: memory {tiles} must have {TILES * 4096} bytes, not {self.tile_memory.size}")

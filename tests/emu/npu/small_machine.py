"""The smallest machine with NPU clusters: a clock, a bus, memories; the test is the host."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asm import isa, parameters
from asm.isa import Instruction
from asm.parameters import CommandCode
from asm.rules import ElementFormat
from emu.bus import Bus
from emu.clock import FOREVER, Clock
from emu.device import Board
from emu.log import Log
from emu.memory import Memory, MemoryTiming
from emu.npu.cluster import Cluster
from emu.npu.record import CommandRecord
from emu.npu.timing import TimingModel
from emu.registers import RegisterArray
from tests.reference import integer

SYSTEM = 0x3000_0000
ROM = 0x0800_0000
EXTERNAL = 0x6000_0000
TILES = 0x3800_0000
CLUSTERS = 0x5000_0000
NO_BASE = isa.BaseImmediate.pack(first=isa.ABSOLUTE, second=isa.ABSOLUTE, third=isa.ABSOLUTE)
DONE, ERROR, PROGRAM = 1, 2, 4


class SmallMachine:
    """Three memories and some clusters at 600 MHz; interrupts of all causes are enabled.

    The external memory has one port, and takes 100 cycles before a byte a cycle.
    """

    def __init__(
        self,
        clusters: int = 1,
        system_bytes: int = 1 << 20,
        timing: TimingModel = TimingModel.PUBLISHED,
        system_ports: int = 4,
    ) -> None:
        self.clock, self.bus, self.log = Clock(600_000_000), Bus(), Log()
        self.bus.add_memory(Memory("system", SYSTEM, system_bytes, "rw", timing=MemoryTiming(ports=system_ports)))
        self.bus.add_memory(Memory("external", EXTERNAL, 1 << 16, "rw", timing=MemoryTiming(1, 1, 100)))
        self.bus.add_memory(Memory("rom", ROM, 1 << 16, "rx"))
        self.clusters: list[Cluster] = []
        board = Board(self.clock, self.bus, self.log)
        for index in range(clusters):
            self.bus.add_memory(Memory(f"tiles{index}", TILES + index * 0x8000, 0x8000, "rw"))
            cluster = Cluster(f"cluster{index}", board, index=index, tiles=f"tiles{index}", timing=timing)
            self.bus.add_device(CLUSTERS + index * 0x1000, cluster)
            self.clusters.append(cluster)
        self.cluster = self.clusters[0]
        self.records: list[CommandRecord] = []
        for index in range(clusters):
            self.set("INTERRUPT_ENABLE", 7, cluster=index)

    def set(self, name: str, *values: int, cluster: int = 0) -> None:
        """Write consecutive registers, or elements of an array, as the host does."""
        register = getattr(Cluster, name)
        stride = register.stride if isinstance(register, RegisterArray) else 4
        for place, value in enumerate(values):
            self.clusters[cluster].write(register.offset + place * stride, 4, value & 0xFFFF_FFFF)

    def get(self, name: str, cluster: int = 0) -> int:
        """Read a register as the host does."""
        return self.clusters[cluster].read(getattr(Cluster, name).offset, 4)

    def counter(self, name: str, cluster: int = 0) -> int:
        """A 64-bit counter."""
        low = self.get(f"{name}_LOW", cluster)
        return low | self.get(f"{name}_HIGH", cluster) << 32

    def run(self, limit: int = FOREVER) -> None:
        """Let time pass until nothing is going to happen, or until ``limit``."""
        self.clock.dispatch()
        while self.clock.next_event < min(limit, FOREVER):
            self.clock.advance_to(self.clock.next_event)
            self.clock.dispatch()

    def command(self, code: CommandCode) -> None:
        """Start a command and wait for its end."""
        self.set("COMMAND", code)
        self.run()

    def program(self, *instructions: Instruction | tuple[int, ...], address: int = SYSTEM + 0xF_0000) -> bytes:
        """Put a program into memory and its address into PROGRAM_BASE."""
        data = blob(*instructions)
        self.bus.program(address, data)
        self.set("PROGRAM_BASE", address)
        return data

    def run_program(self, *instructions: Instruction | tuple[int, ...]) -> None:
        """Run a program to its end."""
        self.program(*instructions)
        self.set("CONTROL", 1)
        self.run()

    def error(self, cluster: int = 0) -> tuple[int, int, int]:
        """Cause, program counter, information."""
        return self.get("ERROR_CAUSE", cluster), self.get("ERROR_PC", cluster), self.get("ERROR_INFO", cluster)

    def run_programs(self, *programs: Sequence[Instruction]) -> None:
        """Run a program on each cluster, all started at the same time."""
        for index, instructions in enumerate(programs):
            address = SYSTEM + 0x8_0000 + index * 0x1000
            self.bus.program(address, blob(*instructions))
            self.set("PROGRAM_BASE", address, cluster=index)
        for index in range(len(programs)):
            self.set("CONTROL", 1, cluster=index)
        self.run()

    @property
    def messages(self) -> list[str]:
        """What the log says."""
        return [message.text for message in self.log.messages]


def blob(*instructions: Instruction | tuple[int, ...]) -> bytes:
    """A program with its header; a tuple is words that no instruction encodes to."""
    words: list[int] = []
    for item in instructions:
        words.extend(item if isinstance(item, tuple) else item.encode())
    length = isa.HEADER_BYTES + 4 * len(words)
    return struct.pack(f"<{4 + len(words)}I", isa.MAGIC, isa.VERSION, length, 0, *words)


def tensor_words(
    address: int, name: str, shape: Sequence[int], *, pixel_channels: int | None = None, line_stride: int | None = None
) -> tuple[int, ...]:
    """The five words of a tensor of ``shape`` (height, width, channels) in a pixel of ``pixel_channels``."""
    height, width, channels = shape
    element = ElementFormat[name]
    pixel_bits = (channels if pixel_channels is None else pixel_channels) * element.bits
    return (
        address,
        parameters.TensorFormat.pack(format=element, channels=channels),
        parameters.TensorShape.pack(height=height, width=width),
        -(-width * pixel_bits // 8) if line_stride is None else line_stride,
        pixel_bits,
    )


def kernel_words(
    shape: Sequence[int], weights: str, features: str, stride: int, padding: Sequence[int]
) -> tuple[int, int, int]:
    """KERNEL_SHAPE, KERNEL_FORMAT, PADDING of kernels of ``shape`` (kernels, height, width, channels)."""
    _, height, width, channels = shape
    top, bottom, left, right = padding
    return (
        parameters.KernelShape.pack(height=height, width=width, stride_y=stride, stride_x=stride),
        parameters.KernelFormat.pack(
            weights=ElementFormat[weights], features=ElementFormat[features], channels=channels
        ),
        parameters.Padding.pack(top=top, bottom=bottom, left=left, right=right),
    )


def random_elements(generator: np.random.Generator, name: str, shape: Sequence[int]) -> NDArray[np.int64]:
    """Elements of a format, all values equally likely."""
    if name == "s1":
        return generator.integers(0, 2, shape) * 2 - 1
    bits = integer.element_bits(name)
    low = -(2 ** (bits - 1)) if name[0] == "s" else 0
    return generator.integers(low, low + 2**bits, shape)


def unpack_tensor(data: bytes, shape: Sequence[int], name: str) -> NDArray[Any]:
    """A tightly packed tensor of ``shape`` (height, width, channels), by the reference's unpacker."""
    height, width, channels = shape
    row_bytes = -(-width * channels * integer.element_bits(name) // 8)
    rows = [
        integer.unpack(data[row * row_bytes : (row + 1) * row_bytes], width * channels, name) for row in range(height)
    ]
    return np.array(rows, np.int64).reshape(height, width, channels)

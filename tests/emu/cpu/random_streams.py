"""Random RV32IMC programs, valid and invalid, on two machines that must agree about everything."""

from __future__ import annotations

import dataclasses
import random
import struct

from emu.clock import NOW
from emu.cpu.lockstep import compare
from emu.machine import Machine, MachineMap, MemoryRegion
from tests.emu.cpu.riscv_board import DATA, MAP, RAM, ROM, UART

LENGTH = 32
"""Instructions of a stream, about."""
SCRATCH, SCRATCH_SIZE = RAM + 0x8000, 0x200
HANDLER = RAM + 0x300
CYCLES, SLICE = 200, 50
RAM_SIZE, PAGE = 1 << 16, 1 << 12
SMALL = dataclasses.replace(
    MAP,
    host_options={"atomics": True},
    memories=(
        MemoryRegion("ram", RAM, RAM_SIZE, "rwx", ""),
        MemoryRegion("rom", ROM, PAGE, "rx", ""),
        MemoryRegion("data", DATA, PAGE, "rw", ""),
    ),
)
POINTERS = (SCRATCH, SCRATCH + 1, SCRATCH + 0x1FE, DATA, DATA + PAGE - 2, ROM, RAM + RAM_SIZE - 3, UART, UART + 2, 0)
POINTERS += (2**32 - 4, 0x0200_0000, 0x0200_4000, 0x0200_BFF8, 0x0C00_0000, 0x0C20_0004, 0x1800_0000)
VALUES = (0, 1, 2, 5, 31, 0x7F, 0x80, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0xFFFF_FFFE, 0xFFFF_FFFF)
MAJORS = (0x03, 0x23, 0x13, 0x13, 0x13, 0x33, 0x33, 0x33, 0x33, 0x37, 0x17, 0x63, 0x63, 0x6F, 0x67, 0x0F, 0x73, 0x2F)
CSRS = (0x300, 0x304, 0x305, 0x340, 0x341, 0x342, 0x343, 0x344, 0xB00, 0xB02, 0xC00, 0xC01, 0xC02, 0xC80, 0x301, 0xF14)
CSRS += (0x300, 0x3A0, 0x3B0, 0x3B1)
SPECIAL = (0x73, 0x0010_0073, 0x3020_0073, 0x1050_0073, 0x1200_0073, 0x0000_100F, 0x0FF0_000F)
# csrrw t6, mscratch; csrr t6, mepc; addi t6, t6, 2; csrw mepc, t6; csrrw t6, mscratch; mret
HANDLER_CODE = (0x340F_9FF3, 0x3410_2FF3, 0x002F_8F93, 0x341F_9073, 0x340F_9FF3, 0x3020_0073)


def instruction(source: random.Random) -> bytes:
    """One instruction: mostly one that exists, with short jumps."""
    kind = source.random()
    if kind < 0.3:
        return struct.pack("<H", source.randrange(1 << 16) & ~3 | source.choice((0, 1, 1, 2)))
    word = source.getrandbits(32)
    if kind > 0.97:
        return struct.pack("<I", word | 3)
    if kind > 0.95:
        return struct.pack("<I", source.choice(SPECIAL))
    major = source.choice(MAJORS)
    word = word & ~0x7F | major
    if major == 0x33:
        word = word & 0x01FF_FFFF | source.choice((0, 0, 1, 1, 0x20, word >> 25)) << 25
    elif major == 0x13 and word >> 12 & 3 == 1:
        word = word & 0x01FF_FFFF | source.choice((0, 0, 0x20, word >> 25)) << 25
    elif major == 0x63:
        word &= 0x01FF_FF7F  # short, forwards
    elif major == 0x6F:
        word = word & 0xFFF | source.randrange(0, 64, 2) << 20
    elif major == 0x73:
        word = word & 0x000F_FFFF | source.choice((*CSRS, word >> 20)) << 20
    elif major == 0x2F and source.random() < 0.8:
        word = word & ~0x7000 | 0x2000
    elif major in (0x03, 0x23, 0x67) and source.random() < 0.7:
        word &= 0x01FF_FFFF  # small offsets
    return struct.pack("<I", word)


def protection(source: random.Random) -> tuple[list[int], list[int]]:
    """Values of pmpaddr0..3 and pmpcfg0: regions of some bytes or pages around what the streams use."""
    addresses, configurations = [], 0
    for index in range(3):
        place = source.choice((RAM, RAM, RAM, SCRATCH, SCRATCH, DATA, ROM, UART)) + source.randrange(0, 0x180, 4)
        if source.random() < 0.3:
            place &= -PAGE
        addresses.append(place >> 2 | source.choice((0, 0, 1, 3, 7, 31, 0x1FF, 0x3FF)))
        rights = source.choice((0, 1, 3, 4, 5, 7, 7))
        matching = source.choice((0, 1, 2, 3, 3))
        configurations |= (rights | matching << 3 | source.choice((0, 0, 0x80))) << 8 * index
    # The last entry lets most streams go on behind their first instruction.
    return [*addresses, 2**32 - 1], [configurations | source.choice((0x18, 0x1B, 0x1D, 0x1F, 0x1F, 0x1F)) << 24]


class Streams:
    """Two machines that run one random stream after the other.

    Attributes:
        overwritten: streams that overwrote themselves.
    """

    def __init__(self, *engines: str, machine_map: MachineMap = SMALL) -> None:
        self.machines = [Machine(machine_map, engine) for engine in engines]
        self.overwritten = 0

    def run(self, seed: int) -> tuple[str, tuple[str, str]] | None:
        """Run the stream of this seed on both; what differs.

        A stream that overwrites itself ends there: Unicorn counts such a block by its new instructions.
        """
        source = random.Random(seed)
        code = b"".join(instruction(source) for _ in range(LENGTH)).ljust(0x300, b"\xff")
        code = code[:0x300] + struct.pack(f"<{len(HANDLER_CODE)}I", *HANDLER_CODE)
        scratch = source.randbytes(SCRATCH_SIZE)
        registers = [source.choice((*POINTERS, *VALUES, source.getrandbits(32))) for _ in range(32)]
        registers[2] = SCRATCH
        timer, enable, status = source.choice((2**31, 20, 50, 90)), source.choice((0, 0x888)), source.choice((0, 8))
        if source.random() < 0.5:
            status |= source.choice((0, 0x2_0000, 0x2_1800))  # MPRV, and whose rights it takes
        addresses, configurations = protection(source) if source.random() < 0.5 else ([], [])
        for machine in self.machines:
            for memory in machine.bus.memories:
                memory.data[:] = 0
            machine.clock.state[NOW] = 0
            machine.reset()
            machine.bus.program(RAM, code)
            machine.bus.program(SCRATCH, scratch)
            core = machine.core
            for number, value in enumerate(registers):
                core.write_register(f"x{number}", value)
            for number, value in enumerate(addresses):
                core.write_register(f"pmpaddr{number}", value)
            for number, value in enumerate(configurations):
                core.write_register(f"pmpcfg{number}", value)
            core.write_register("mtvec", HANDLER)
            core.write_register("mie", enable)
            core.write_register("mstatus", status)
            machine.devices["clint"].write(0x4004, 4, 0)
            machine.devices["clint"].write(0x4000, 4, timer)
        for _ in range(CYCLES // SLICE):
            stops = [machine.run(SLICE) for machine in self.machines]
            if any(m.bus.memory("ram").data[: len(code)].tobytes() != code for m in self.machines):
                self.overwritten += 1
                break
            difference = compare(*self.machines)
            if difference is not None or stops[0] != stops[1]:
                return difference or ("stop", (str(stops[0]), str(stops[1])))
        return None

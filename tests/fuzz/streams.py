"""Random instruction streams on small machines with all devices of a board: what they leave behind must not matter."""

from __future__ import annotations

import dataclasses
import hashlib
import random
import struct
from collections.abc import Callable

from emu.clock import NOW
from emu.machine import Machine, MachineMap, MemoryRegion
from emu.machines import machine_map
from tests.emu.cpu import random_streams as riscv
from tests.fuzz import thumb

LENGTH = 64
"""Instructions of a stream, about."""
CYCLES = 400
PAGES = 0x4000
"""Bytes of each memory."""
BOARDS = {"cortex-m3": "mps2-an385", "cortex-m4f": "mps2-an386", "rv32imc": "virt"}
CODE = {"arm": 0x0000_0000, "riscv": 0x8000_0000}
DATA = {"arm": 0x2000_0000, "riscv": 0x8010_0000}
VECTORS, FIRST_CODE, HANDLER = 64, 0x100, 0x3000
# tst lr, #4; ite eq; mrs r0, msp; mrs r0, psp; ldr r1, [r0, #24]; adds r1, #2; str r1, [r0, #24]; bx lr
ARM_HANDLER = struct.pack(
    "<11H", 0xF01E, 0x0F04, 0xBF0C, 0xF3EF, 0x8008, 0xF3EF, 0x8009, 0x6981, 0x3102, 0x6181, 0x4770
)
RISCV_HANDLER = struct.pack(f"<{len(riscv.HANDLER_CODE)}I", *riscv.HANDLER_CODE)
SYSTEM_CONTROL = (0xE000_E010, 0xE000_E100, 0xE000_E200, 0xE000_E400, 0xE000_ED00, 0xE000_ED14, 0xE000_ED24)
SYSTEM_CONTROL += (0xE000_ED88, 0xE000_ED90, 0xE000_EF00, 0xE000_EF34, 0xE000_1000, 0xE000_0000, 0xE004_2000)
VALUES = (0, 1, 2, 4, 31, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF1, 0xFFFF_FFFD, 0xFFFF_FFFF)


def small_map(host: str) -> MachineMap:
    """The board of this host with two small memories: clearing them takes no time."""
    board = machine_map(BOARDS[host])
    architecture = "riscv" if host == "rv32imc" else "arm"
    memories = (
        MemoryRegion("code", CODE[architecture], PAGES, "rwx", ""),
        MemoryRegion("data", DATA[architecture], PAGES, "rwx", ""),
    )
    return dataclasses.replace(board, memories=memories)


class Streams:
    """A machine that runs one random stream after the other.

    Args:
        host: a key of `BOARDS`.
    """

    def __init__(self, host: str) -> None:
        self.machine = Machine(small_map(host))
        self._is_arm = self.machine.core.architecture == "arm"
        self._architecture = self.machine.core.architecture
        devices = [base for base, _ in self.machine.bus.devices]
        data = DATA[self._architecture]
        self._pointers = (data, data + 0x100, data + 2, data + PAGES - 4, FIRST_CODE, *devices)
        if self._is_arm:
            self._pointers += SYSTEM_CONTROL
        self._instruction: Callable[[random.Random], bytes] = thumb.instruction if self._is_arm else riscv.instruction

    def run(self, seed: int) -> str:
        """Run the stream of this seed; a digest of the state that it leaves."""
        source = random.Random(seed)
        machine, base = self.machine, CODE[self._architecture]
        for memory in machine.bus.memories:
            memory.data[:] = 0
        machine.clock.state[NOW] = 0
        code = b"".join(self._instruction(source) for _ in range(LENGTH))
        machine.bus.program(base, self._arm_image(source, code) if self._is_arm else code)
        machine.bus.program(base + HANDLER, ARM_HANDLER if self._is_arm else RISCV_HANDLER)
        machine.bus.program(DATA[self._architecture], source.randbytes(0x400))
        machine.reset()
        core = machine.core
        for name in [f"r{number}" if self._is_arm else f"x{number}" for number in range(13)]:
            core.write_register(name, source.choice((*self._pointers, *VALUES, source.getrandbits(32))))
        if not self._is_arm:
            core.write_register("x2", DATA["riscv"] + 0x800)
            core.write_register("mtvec", base + HANDLER)
        machine.run(CYCLES)
        return self._digest()

    def _arm_image(self, source: random.Random, code: bytes) -> bytes:
        """Vector table and code; most handlers skip an instruction, some are in the middle of the code."""
        places = [HANDLER] * 6 + [FIRST_CODE + 2 * source.randrange(LENGTH), source.randrange(PAGES)]
        vectors = [source.choice(places) | int(source.random() < 0.98) for _ in range(VECTORS)]
        vectors[0] = source.choice((DATA["arm"] + 0x800, DATA["arm"] + 0x800, DATA["arm"] + 8, source.getrandbits(32)))
        vectors[1] = FIRST_CODE | 1
        return struct.pack(f"<{VECTORS}I", *vectors) + code

    def _digest(self) -> str:
        machine = self.machine
        state = hashlib.sha256()
        for memory in machine.bus.memories:
            state.update(memory.data.tobytes())
        registers = [machine.core.read_register(name) for name in machine.core.register_names]
        state.update(repr((registers, machine.clock.now, machine.core.instructions, machine.core.exit_code)).encode())
        return state.hexdigest()

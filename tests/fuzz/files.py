"""Mutated ELF, Intel HEX and UF2 files: one clear error, or an image that is loaded and runs for a moment."""

from __future__ import annotations

import random
from pathlib import Path

from emu.machines import machine_map
from sdk.firmware_formats import parse_firmware
from sdk.loader import ImageError, check_fits
from sdk.runner import Runner
from tests.fuzz.guard import Guard
from tests.fuzz.streams import small_map
from tests.sdk.elf_files import RISCV, ElfFile
from tests.sdk.test_firmware_formats import AT_RAM, END, record, uf2_block

RAM = 0x8000_0000
RUN_ONE_IN = 10
CYCLES = 200
CODE = bytes.fromhex("13000000") * 16 + bytes.fromhex("6f000000")
"""addi x0, x0, 0 sixteen times; a jump to itself."""
ELF = ElfFile(machine=RISCV, entry=RAM, segments=[(RAM, RAM, CODE, 0x100)], symbols=[("main", RAM, 0x12)]).build()
HEX = (AT_RAM + record(0, 0, CODE[:32]) + record(0, 32, CODE[32:]) + END).encode()
UF2 = uf2_block(0, 2, RAM, CODE) + uf2_block(1, 2, RAM + 0x100, CODE)
WORDS = (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
MACHINE = machine_map("virt")


def mutate(original: bytes, source: random.Random) -> bytes:
    """A few bytes or words replaced, pieces removed or repeated, the end cut off."""
    data = bytearray(original)
    for _ in range(source.randint(1, 6)):
        if not data:
            break
        place, kind = source.randrange(len(data)), source.random()
        if kind < 0.5:
            data[place] = source.randrange(256)
        elif kind < 0.8:
            data[place : place + 4] = source.choice(WORDS).to_bytes(4, "little")
        elif kind < 0.9:
            del data[place : place + source.randint(1, 16)]
        else:
            data[place:place] = data[: source.randint(1, 64)]
    return bytes(data[: source.randrange(len(data))] if data and source.random() < 0.1 else data)


class Files:
    """Reads one mutated file after the other, and runs some."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._board = small_map("rv32imc")
        Runner(parse_firmware(Path("fw"), ELF, self._board, None), self._board).run(CYCLES)  # imports what is needed

    def run(self, seed: int) -> str:
        """The file of this seed: "loaded", "ran", or the error's text."""
        source = random.Random(seed)
        data = mutate(source.choice((ELF, HEX, UF2)), source)
        with self._guard.on():
            try:
                image = parse_firmware(Path("fw"), data, MACHINE, None)
                if source.randrange(RUN_ONE_IN):
                    check_fits(image, MACHINE)
                    return "loaded"
                Runner(image, self._board).run(CYCLES)
            except ImageError as error:
                text = str(error)
            else:
                return "ran"
        if not text.startswith("fw"):
            raise AssertionError(f"the message does not name the file: {text}")
        return text

"""Bad programs: an error interrupt with cause and program counter, a message, and memory as it was."""

from __future__ import annotations

import pytest

from asm import isa, parameters
from asm.isa import Instruction
from asm.rules import Cause
from emu.bus import BusError
from tests.emu.npu.small_machine import ERROR, NO_BASE, ROM, SYSTEM, TILES, SmallMachine, kernel_words, tensor_words

END = SYSTEM + (1 << 20)
CODE = SYSTEM + 0xF_0000 + isa.HEADER_BYTES


def copy(source: int, destination: int, count: int, *loop: int) -> isa.Copy:
    return isa.Copy(
        NO_BASE, (source, destination, count, *(loop or (1, 0, 0)), *(1, 0, 0) * (parameters.COPY_LOOPS - 1))
    )


def load(address: int) -> isa.Load:
    return isa.Load(NO_BASE, (address, 2))


def convolution(source: int, destination: int) -> isa.Conv:
    return isa.Conv(NO_BASE, tensor_words(source, "u4", (4, 4, 8)) + tensor_words(destination, "s32", (4, 4, 2)))


@pytest.mark.parametrize(
    ("instruction", "cause", "text"),
    [
        (copy(SYSTEM, END - 4, 8), Cause.bus_error, "it runs past the end of system"),
        (copy(END - 4, SYSTEM, 8), Cause.bus_error, "it runs past the end of system"),
        (copy(SYSTEM, SYSTEM + 64, 8, 2, 0, -128 & 0xFFFF_FFFF), Cause.bus_error, "nothing is mapped there"),
        (copy(SYSTEM, ROM, 8), Cause.bus_error, "rom is read-only"),
        (copy(SYSTEM, 0x5000_0000, 8), Cause.bus_error, "is a device, not memory"),
        (copy(TILES, SYSTEM, 8), Cause.bus_error, "the tile is in compute mode"),
        (copy(SYSTEM, TILES + 0x7FF8, 8), Cause.bus_error, "the tile is in compute mode"),
        (load(SYSTEM + 4), Cause.misaligned, "kernels must lie at a multiple of 8"),
        (load(END - 8), Cause.bus_error, "it runs past the end of system"),
        (convolution(SYSTEM, END - 64), Cause.bus_error, "it runs past the end of system"),
        (convolution(END - 8, SYSTEM), Cause.bus_error, "it runs past the end of system"),
        (convolution(TILES, SYSTEM), Cause.bus_error, "the tile is in compute mode"),
    ],
)
def test_refused_instructions(instruction: Instruction, cause: Cause, text: str) -> None:
    machine = SmallMachine()
    machine.bus.write(SYSTEM, bytes(range(256)))
    prepared: list[Instruction] = [
        isa.SetMode(0, (0xFF,)),
        isa.SetKernel(0, kernel_words((2, 3, 3, 8), "s4", "u4", 1, (1, 1, 1, 1))),
        load(SYSTEM),
    ]
    program = [*prepared, instruction, isa.Halt()]
    machine.program(*program)
    before = machine.bus.read(SYSTEM, 1 << 20)
    machine.set("CONTROL", 1)
    machine.run()
    assert machine.get("INTERRUPT_STATUS") == ERROR
    assert machine.error()[:2] == (cause, CODE + sum(item.size for item in prepared))
    assert len(machine.messages) == 1
    assert text in machine.messages[0]
    assert f"(instruction at 0x{machine.get('ERROR_PC'):08x})" in machine.messages[0]
    assert machine.bus.read(SYSTEM, 1 << 20) == before


def test_a_tile_that_is_read_while_it_computes() -> None:
    """The host's own access is a bus error, and the convolution goes on."""
    machine = SmallMachine()
    machine.program(
        isa.SetMode(0, (1,)),
        isa.SetKernel(0, kernel_words((2, 3, 3, 8), "s4", "u4", 1, (1, 1, 1, 1))),
        load(SYSTEM),
        convolution(SYSTEM, SYSTEM + 0x1000),
        isa.Halt(),
    )
    machine.set("CONTROL", 1)
    machine.run(limit=3 + 10)
    assert machine.get("STATUS") == 0b0011
    with pytest.raises(BusError, match="the tile is in compute mode"):
        machine.bus.read(TILES, 4)
    machine.run()
    assert machine.get("INTERRUPT_STATUS") == 1
    assert machine.messages == []

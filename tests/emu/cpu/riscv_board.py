"""A small machine like QEMU's `virt`, and a way to assemble programs for it: what the RV32 tests share."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import ziglang
from elftools.elf.elffile import ELFFile

from emu.cpu import ENGINES
from emu.cpu.riscv.hart import RiscV
from emu.device import Board, Device
from emu.devices.clint import Clint
from emu.devices.plic import Plic
from emu.machine import Machine, MachineMap, MemoryRegion, Peripheral

RAM, ROM, DATA = 0x8000_0000, 0x9000_0000, 0xA000_0000
"""Memory to execute from and write to; read-only memory; memory that cannot be executed."""
UART = 0x1000_0000
UART_INTERRUPT = 9
"""Source 10 of the PLIC, as in QEMU."""

TRANSMIT, INTERRUPT_ENABLE, INTERRUPT_IDENTITY, LINE_STATUS = 0, 1, 2, 5
TRANSMITTER_EMPTY = 2
"""Bit of the enable register, and value of the identity register."""


class Uart16550(Device):
    """The transmit half of a 16550, which QEMU's `virt` has: its registers are single bytes."""

    size = 0x1000
    saved = ("enabled", "empty")

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self.output = bytearray()
        self.enabled = False
        self.empty = False

    def read(self, offset: int, size: int) -> int:
        if offset == INTERRUPT_IDENTITY:
            pending = self.enabled and self.empty
            self.empty = False
            self._update()
            return TRANSMITTER_EMPTY if pending else 1
        return 0x60 if offset == LINE_STATUS else 0

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == TRANSMIT:
            self.output.append(value & 0xFF)
            self.empty = True
        elif offset == INTERRUPT_ENABLE:
            self.empty = bool(value & TRANSMITTER_EMPTY)
            self.enabled = self.empty
        self._update()

    def _update(self) -> None:
        self.irq.set(self.enabled and self.empty)


MAP = MachineMap(
    name="test",
    title="",
    host="rv32imc",
    clock_hz=10_000_000,
    reset_address=RAM,
    memories=(
        MemoryRegion("ram", RAM, 1 << 20, "rwx", ""),
        MemoryRegion("rom", ROM, 1 << 16, "rx", ""),
        MemoryRegion("data", DATA, 1 << 16, "rw", ""),
    ),
    peripherals=(
        Peripheral("clint", 0x0200_0000, Clint, ""),
        Peripheral("plic", 0x0C00_0000, Plic, ""),
        Peripheral("uart", UART, Uart16550, "", interrupt=UART_INTERRUPT),
    ),
    clusters=0,
)


PRELUDE = f"""
.equ RAM, {RAM:#x}
.equ ROM, {ROM:#x}
.equ DATA, {DATA:#x}
.equ UART, {UART:#x}
.equ NOTHING, 0x18000000
.equ MSIP, 0x02000000
.equ MTIMECMP, 0x02004000
.equ MTIME, 0x0200bff8
.equ PLIC, 0x0c000000
.equ PLIC_ENABLE, 0x0c002000
.equ PLIC_THRESHOLD, 0x0c200000
.equ PLIC_CLAIM, 0x0c200004

.macro host                     # a semihosting call: operation in a0, parameter in a1
    .option push
    .option norvc
    .balign 16
    slli x0, x0, 0x1f
    ebreak
    srai x0, x0, 7
    .option pop
.endm

.macro exit code
    la a1, 8f
    li a0, 0x20
    host
7:  j 7b
    .balign 4
8:  .word 0x20026, \\code
.endm

.macro open_memory              # U-mode may access everything
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
.endm

.section .text
.option norelax
.globl _start
_start:
"""


def assemble(source: str, folder: Path) -> Path:
    """An ELF file of ``source`` at `RAM`; the symbols of `PRELUDE` are known. Needs only the ziglang package."""
    text, unlinked, elf = folder / "program.S", folder / "program.o", folder / "program.elf"
    text.write_text(PRELUDE + source)
    zig = Path(ziglang.__file__).with_name("zig")
    cache = {"ZIG_GLOBAL_CACHE_DIR": str(folder / "zig"), "ZIG_LOCAL_CACHE_DIR": str(folder / "zig")}
    cpu = ("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m+c+zicsr+zifencei", "-mabi=ilp32")
    for command in (
        [zig, "cc", "-c", *cpu, text, "-o", unlinked],
        [zig, "ld.lld", "-nostdlib", "--omagic", f"-Ttext={RAM:#x}", unlinked, "-o", elf],
    ):
        done = subprocess.run(command, env=os.environ | cache, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return elf


def symbols(elf: Path) -> dict[str, int]:
    """Addresses by name."""
    with elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}


def load(elf: Path, machine_map: MachineMap = MAP, engine: str = ENGINES[0], *, exact: bool = False) -> Machine:
    """A machine with the program in its memory, after reset."""
    machine = Machine(machine_map, engine, exact=exact)
    with elf.open("rb") as file:
        for segment in ELFFile(file).iter_segments("PT_LOAD"):
            machine.bus.program(segment["p_paddr"], segment.data())
    machine.reset()
    return machine


def core(machine: Machine) -> RiscV:
    """The host, as what it is."""
    assert isinstance(machine.core, RiscV)
    return machine.core


def output(machine: Machine) -> str:
    """What the program printed."""
    uart = machine.devices["uart"]
    assert isinstance(uart, Uart16550)
    return uart.output.decode()


def run_in_qemu(elf: Path) -> tuple[str, int]:
    """Output and exit code of the program in QEMU."""
    qemu = shutil.which("qemu-system-riscv32")
    assert qemu is not None
    machine = ("-M", "virt", "-cpu", "sifive-e31", "-bios", str(elf), "-display", "none", "-monitor", "none")
    options = ("-serial", "stdio", "-semihosting-config", "enable=on,target=native", "-icount", "shift=0")
    done = subprocess.run([qemu, *machine, *options], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout, done.returncode

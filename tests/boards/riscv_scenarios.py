"""Random scripts of instructions for `programs/virt_scenarios.c`: traps, registers of control, PMP, interrupts."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from emu.devices.serial_port import SerialPort
from emu.machine import Machine, StopReason
from emu.machines import machine_map
from sdk.loader import load_elf, load_into
from tests.boards.firmware import build
from tests.boards.scenario_runs import scenarios_of

END, LEAVE, EXECUTE, USER, MACHINE, VECTORS, EDGE = range(7)
"""Operations, as in the firmware."""
SILENT = 1
SCRIPT, SCRATCH = 0x8010_0000, 0x8004_0000
SCRATCH_PAGES = 8
UNPROTECTED = SCRATCH + 0x1000 * SCRATCH_PAGES
EDGE_REGION, EDGE_BYTES = SCRATCH + 0x808, 8
NOWHERE = 0x0700_0000
CLINT, PLIC, UART = 0x0200_0000, 0x0C00_0000, 0x1000_0000
UART_SOURCE = 10
A0, A1 = 10, 11
POWER_OF_TWO = 3 << 3
CSR = {
    "mstatus": 0x300, "misa": 0x301, "mie": 0x304, "mtvec": 0x305, "mcounteren": 0x306, "mcountinhibit": 0x320,
    "mscratch": 0x340, "mepc": 0x341, "mcause": 0x342, "mtval": 0x343, "mip": 0x344,
}  # fmt: skip
WRITABLE = {
    "mstatus": 0x0022_1888, "mcounteren": 7, "mcountinhibit": 5, "mscratch": 0xFFFF_FFFF,
    "mepc": 0xFFFF_FFFE, "mtval": 0xFFFF_FFFF, "mip": 0x888,
}  # fmt: skip
"""Bits that scripts write. QEMU has those of S-mode although it is told to have none."""
COUNTERS = (0xC00, 0xC01, 0xC02, 0xC80, 0xC81, 0xC82, 0xB00, 0xB02, 0xB80, 0xB82)
ILLEGAL_CSRS = (0x001, 0x003, 0x100, 0x104, 0x141, 0x5C0, 0x7C0, 0x800, 0xBC0, 0xCC0, 0xFC0)
ILLEGAL = (0xFFFF_FFFF, 0x0000_0000, 0x1020_0073, 0x0000_007F, 0x0020_0073, 0x7B20_0073, 0x0000_5003)
"""Not there, among them sret, uret and dret."""
ECALL, EBREAK, JUMP, LOAD_RESERVED, STORE_CONDITIONAL = 0x73, 0x0010_0073, 0x0005_0067, 0x1005_252F, 0x18B5_252F
LOADS = {"lb": (0, 1), "lh": (1, 2), "lw": (2, 4), "lbu": (4, 1), "lhu": (5, 2)}
STORES = {"sb": (0, 1), "sh": (1, 2), "sw": (2, 4)}
"""Instructions, their field funct3 and the size of the access."""
PROCESSOR = "rv32,s=false,f=false,d=false,h=false,mmu=false,priv_spec=v1.12.0"
QEMU_SECONDS = 120
LEAST_ACTIONS, MOST_ACTIONS = 20, 60


def load(name: str = "lw") -> int:
    """A load to a0 from the address in a0."""
    return A0 << 15 | LOADS[name][0] << 12 | A0 << 7 | 0x03


def store(name: str = "sw") -> int:
    """A store of a1 to the address in a0."""
    return A1 << 20 | A0 << 15 | STORES[name][0] << 12 | 0x23


def csr(number: int, function: int, source: int = A1) -> int:
    """An access to a control and status register: csrrw is function 1; the old value goes to a0."""
    return number << 20 | source << 15 | function << 12 | A0 << 7 | 0x73


class Writer:
    """Writes one scenario; ``locks``: with locked entries of the PMP."""

    def __init__(self, seed: str, *, locks: bool = False) -> None:
        self._random, self._locks = Random(seed), locks
        self._actions: list[tuple[int, int, int, int, int]] = []
        # QEMU takes the one of the lowest number first, not the external one.
        self._writable = WRITABLE | {"mie": 0xF000_0000 | self._random.choice((0x088, 0x800))}

    def actions(self) -> list[tuple[int, int, int, int, int]]:
        """A whole scenario: operation, detail, instruction, a0, a1 of each action."""
        random = self._random
        kinds: list[tuple[Callable[[], None], int]] = [
            (self._leave, 16),
            (self._user, 12),
            (self._machine, 5),
            (self._vectors, 3),
            (self._write, 30),
            (self._counter, 6),
            (self._illegal, 5),
            (self._call, 6),
            (self._access, 25),
            (self._jump, 8),
            (self._misaligned, 4),
            (self._protect, 14),
            (self._edge, 0 if self._locks else 10),
            (self._interrupt, 16),
            (self._controller, 12),
            (self._atomic, 4),
        ]
        for index in range(5):
            self._execute(csr(0x3B0 + index, 1), 0, (SCRATCH >> 2) + 0x400 * index)
        count = random.randint(LEAST_ACTIONS, MOST_ACTIONS)
        for write in random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds], k=count):
            write()
        self._add(END)
        return self._actions

    def _add(self, operation: int, detail: int = 0, code: int = 0, first: int = 0, second: int = 0) -> None:
        self._actions.append((operation, detail, code, first, second & 0xFFFF_FFFF))

    def _execute(self, code: int, first: int = 0, second: int = 0, detail: int = 0) -> None:
        self._add(EXECUTE, detail, code, first, second)

    def _leave(self) -> None:
        self._add(LEAVE)

    def _user(self) -> None:
        self._add(USER)

    def _machine(self) -> None:
        self._add(MACHINE)

    def _vectors(self) -> None:
        self._add(VECTORS, first=self._random.getrandbits(1))

    def _write(self) -> None:
        """Read a register, or change some of its bits."""
        random = self._random
        name = random.choice(["mstatus", "mstatus", "mie", "mie", *CSR])
        value = random.choice((random.getrandbits(32), 0xFFFF_FFFF)) & self._writable.get(name, 0)
        if name == "mstatus" and random.random() < 0.6:
            value = 8
        if name == "mstatus" and value & 0x1800 not in (0, 0x1800):
            value |= 0x1800
        function = random.choice((1, 2, 2, 3)) if name in self._writable else 2
        if name == "mstatus":
            # One of the two values of MPP, however the bits are changed.
            self._execute(csr(CSR[name], random.choice((2, 2, 3))), 0, value)
        elif value:
            self._execute(csr(CSR[name], function), 0, value)
        else:
            self._execute(csr(CSR[name], 2, 0))

    def _counter(self) -> None:
        self._execute(csr(self._random.choice(COUNTERS), 2, 0), detail=SILENT)

    def _illegal(self) -> None:
        random = self._random
        number = random.choice(ILLEGAL_CSRS)
        read_only = csr(random.choice((0xF11, 0xF12, 0xF13, 0xF14, 0xC00, 0xC01, 0xC02)), 1)
        self._execute(random.choice((csr(number, 2, 0), csr(number, 1), read_only, *ILLEGAL)))

    def _call(self) -> None:
        self._execute(self._random.choice((ECALL, ECALL, EBREAK)))

    def _access(self) -> None:
        """Aligned, to pages that PMP protects, or to no memory."""
        random = self._random
        if random.random() < 0.5:
            name = random.choice(list(LOADS))
            code, size = load(name), LOADS[name][1]
        else:
            name = random.choice(list(STORES))
            code, size = store(name), STORES[name][1]
        address = self._scratch() if random.random() < 0.9 else NOWHERE + random.randrange(0, 0x100, 4)
        self._execute(code, address + random.randrange(0, 4, size), 0x8067)

    def _scratch(self) -> int:
        """Addresses of few words, so that they are near the bounds of regions."""
        random = self._random
        return SCRATCH + 0x1000 * random.randrange(6) + random.choice((0, 0, 4, 8, 0x3FC, 0x400, 0x7FC, 0x800, 0xFFC))

    def _jump(self) -> None:
        address = self._scratch() if self._random.random() < 0.7 else NOWHERE + self._random.randrange(0, 0x100, 2)
        self._execute(JUMP, address)

    def _misaligned(self) -> None:
        address = UNPROTECTED + self._random.randrange(1, 16, 2)
        self._execute(self._random.choice((load("lw"), load("lh"), load("lhu"), store("sw"), store("sh"))), address)

    def _protect(self) -> None:
        """An entry of the PMP or its address; the first one never begins at 0."""
        random = self._random
        if random.random() < 0.5:
            shift = random.choice((0, 0, 1, 3, 7, 8, 9, 10, 11))
            address = self._scratch() >> 2
            self._execute(csr(0x3B0 + random.randrange(5), 1), 0, address & ~((2 << shift) - 1) | (1 << shift) - 1)
            return
        bytes_ = [self._configuration(first=number == 0) for number in range(4)]
        self._execute(csr(0x3A0, 1), 0, int.from_bytes(bytes(bytes_), "little"))

    def _configuration(self, *, first: bool) -> int:
        random = self._random
        matching = random.choice((0, 2, 3) if first else (0, 1, 2, 3))
        rights = random.choice((0, 1, 3, 4, 5, 7))
        locked = self._locks and random.random() < 0.2
        return locked << 7 | matching << 3 | rights

    def _edge(self) -> None:
        """A load or store inside, outside of or across the edges of a region that is allowed less or more.

        One that goes across them is refused by one of both sides: if both allow it, QEMU refuses it nevertheless, as
        an implementation may that does not take it apart.
        """
        random = self._random
        loads = random.random() < 0.5
        name = random.choice(list(LOADS if loads else STORES))
        code, size = (load(name), LOADS[name][1]) if loads else (store(name), STORES[name][1])
        inner, outer = random.choice(((0, 3), (3, 0), (0, 7), (5, 0)) if loads else ((0, 3), (1, 3), (3, 1), (3, 0)))
        address = random.randrange(EDGE_REGION - size, EDGE_REGION + EDGE_BYTES + 1)
        self._add(EDGE, (POWER_OF_TWO | outer) << 8 | POWER_OF_TWO | inner, code, address, random.getrandbits(32))

    def _interrupt(self) -> None:
        """Timer and software interrupt."""
        random = self._random
        if random.random() < 0.5:
            self._execute(store(), CLINT, random.choice((0, 1, 1, 1, 0xFFFF_FFFE, 0xFFFF_FFFF)))
        else:
            self._execute(store(), CLINT + 0x4004, random.choice((0, 0, 0, 0xFFFF_FFFF)))

    def _controller(self) -> None:
        """The UART's interrupt at the PLIC.

        It is always enabled: QEMU overlooks what is pending when it becomes so. Before it is completed the UART's line
        is made low: a line that is still high is a new request (PLIC, interrupt gateways), which QEMU overlooks, too.
        It is claimed with threshold 0: QEMU claims nothing that the threshold holds back (PLIC, interrupt claims: the
        threshold has no effect on them).
        """
        random = self._random
        address, value = random.choice(
            (
                (PLIC + 4 * UART_SOURCE, random.randrange(8)),
                (PLIC + 4 * UART_SOURCE, random.randrange(1, 8)),
                (PLIC + 0x20_0000, random.randrange(8)),
                (PLIC + 0x20_0000, 0),
            )
        )
        kind = random.random()
        if kind < 0.4:
            self._execute(store(), address, value)
        elif kind < 0.6:
            self._execute(store("sb"), UART + 1, random.choice((0, 2, 2)))
        elif kind < 0.7:
            self._execute(load("lbu"), UART + 2)
        elif kind < 0.8:
            self._execute(store(), PLIC + 0x20_0000, 0)
            self._execute(load(), PLIC + 0x20_0004)
        elif kind < 0.9:
            source = random.choice((0, UART_SOURCE, UART_SOURCE))
            if source:
                self._execute(store("sb"), UART + 1, 0)
            self._execute(store(), PLIC + 0x20_0004, source)
        else:
            self._execute(load(), random.choice((address, PLIC + 0x1000)))

    def _atomic(self) -> None:
        """QEMU loses a reservation at a trap, which an implementation may."""
        self._execute(LOAD_RESERVED, UNPROTECTED)
        self._execute(STORE_CONDITIONAL, UNPROTECTED, self._random.getrandbits(8))


def script(seeds: Sequence[str], first: int = 0, *, locks: bool = False) -> bytes:
    """The scenarios of these seeds as the firmware reads them, to begin with number ``first``."""
    begins, data = [], bytearray()
    header = 8 + 4 * len(seeds)
    for seed in seeds:
        begins.append(header + len(data))
        data += b"".join(struct.pack("<HHIII", *action) for action in Writer(seed, locks=locks).actions())
    return struct.pack(f"<{2 + len(begins)}I", len(seeds), first, *begins) + bytes(data)


def build_firmware(folder: Path) -> Path:
    """The firmware that carries scripts out."""
    return build(folder, "virt", "virt_scenarios.c")


def run_here(elf: Path, seeds: Sequence[str], engine: str, *, locks: bool = False) -> list[list[str]]:
    """The lines that each scenario prints on our board."""
    machine = Machine(machine_map("virt"), engine)
    printed = bytearray()
    port = machine.devices["uart0"]
    assert isinstance(port, SerialPort)
    port.sinks.append(printed.extend)
    load_into(load_elf(elf), machine.bus)
    machine.bus.program(SCRIPT, script(seeds, locks=locks))
    machine.reset()
    stop = machine.run(4_000_000 * len(seeds))
    return scenarios_of(printed.decode(), 0, ended=stop.reason is StopReason.EXIT, name=stop.reason.name)


def run_qemu(elf: Path, seeds: Sequence[str], *, locks: bool = False) -> list[list[str]]:
    """The same on QEMU; skips the test if it is absent."""
    if shutil.which("qemu-system-riscv32") is None:
        pytest.skip("needs QEMU: apt install qemu-system-misc")
    data = elf.with_name("script.bin")
    data.write_bytes(script(seeds, locks=locks))
    command = ["qemu-system-riscv32", "-M", "virt", "-cpu", PROCESSOR, "-nographic", "-monitor", "none"]
    command += ["-serial", "stdio", "-bios", "none", "-kernel", str(elf)]
    command += ["-device", f"loader,file={data},addr={SCRIPT:#x},force-raw=on"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=QEMU_SECONDS, check=False, stdin=subprocess.DEVNULL
    )
    return scenarios_of(done.stdout, 0, ended=done.returncode == 0, name="STOPPED")

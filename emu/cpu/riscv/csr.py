"""Control and status registers of the RV32 hart.

The list of `CsrFile` is the definition: a number that is not in it is an illegal instruction. Registers that
exist, but do nothing here, read 0; touching them is reported by name.

*Inaccuracies*: no hardware performance counters: mhpmcounter3..31 and mhpmevent3..31 are 0 and mcounteren does not
enable them, which the specification allows. menvcfg is 0: its only bit orders fences, and all accesses are in order. No
debug triggers: their registers read 0. time, which small harts leave to a trap handler, reads the platform's mtime. The
instruction that stops a counter by mcountinhibit is counted, the one that starts it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from emu.cpu.riscv.pmp import Pmp
from emu.cpu.riscv.state import HartSlot
from emu.cpu.riscv.traps import INTERRUPT_BITS, Privilege, PrivilegedState
from emu.state import Saved

WORD_MASK = 0xFFFF_FFFF
COUNTER_MASK, COUNTER_SIGN = (1 << 64) - 1, 1 << 63
RV32 = 1 << 30
"""misa's field for the width of registers."""
CYCLE, TIME, INSTRET = 1, 2, 4
"""Bits of mcounteren and, but for TIME, of mcountinhibit."""
SATP = 0x180
SUPERVISOR_NAMES = {0x100: "sstatus", 0x104: "sie", 0x105: "stvec", 0x144: "sip", SATP: "satp", 0x302: "medeleg"}
SUPERVISOR_NAMES |= {0x303: "mideleg", 0x001: "fflags", 0x002: "frm", 0x003: "fcsr"}
"""Registers that firmware for bigger harts expects, to be named when it touches them."""


class CsrError(Exception):
    """The access is an illegal instruction, and why."""


class Counter(Saved):
    """A 64-bit counter that firmware may set and stop, driven by something that only grows.

    Args:
        source: what drives it.
        words: the hart's array, see `riscv.state`.
        slot: `CYCLE_OFFSET` or `INSTRET_OFFSET`; the next one tells that it is stopped.
    """

    saved = ("offset", "stopped")
    saved_types: ClassVar = {"stopped": int | None}

    def __init__(self, source: Callable[[], int], words: memoryview, slot: HartSlot) -> None:
        self._source, self._words, self._slot = source, words, slot
        self._stopped: int | None = None

    @property
    def offset(self) -> int:
        """What to add to the source, modulo 2^64."""
        return self._words[self._slot]

    @offset.setter
    def offset(self, offset: int) -> None:
        self._words[self._slot] = (offset & COUNTER_MASK ^ COUNTER_SIGN) - COUNTER_SIGN

    @property
    def stopped(self) -> int | None:
        """The count while it stands still, else None."""
        return self._stopped

    @stopped.setter
    def stopped(self, count: int | None) -> None:
        self._stopped = count
        self._words[self._slot + 1] = count is not None

    def reset(self) -> None:
        """Start at 0."""
        self.offset, self.stopped = -self._source(), None

    @property
    def value(self) -> int:
        """The count, as the instruction that reads it sees it: without itself."""
        return (self._source() + self.offset if self.stopped is None else self.stopped) & COUNTER_MASK

    def inhibit(self, on: bool) -> None:
        """Stop behind the instruction that does so, or go on."""
        if on and self.stopped is None:
            self.stopped = self.value + 1 & COUNTER_MASK
        elif not on and self.stopped is not None:
            value, self.stopped = self.stopped, None
            self._set(value)

    def write_low(self, value: int) -> None:
        """Set bits 31..0."""
        self._set(self.value & ~WORD_MASK | value)

    def write_high(self, value: int) -> None:
        """Set bits 63..32."""
        self._set(value << 32 | self.value & WORD_MASK)

    def _set(self, value: int) -> None:
        """The next instruction reads ``value``: the one that writes must not count."""
        if self.stopped is None:
            self.offset = value - self._source() - 1
        else:
            self.stopped = value


@dataclass(frozen=True)
class Csr:
    """One register: its name, what a read gives, what a write does (None: nothing, or read-only by its number).

    Attributes:
        modelled: it does something.
        protects: a write may change what memory protection allows.
    """

    name: str
    read: Callable[[], int]
    write: Callable[[int], None] | None = None
    modelled: bool = True
    protects: bool = False


class CsrFile:
    """All control and status registers by number.

    Args:
        state: what traps work on.
        pmp: the memory protection.
        extensions: their letters, for misa, which cannot be written.
        cycles, instructions: count since reset; they may be set by firmware.
        time: the platform's mtime, 64 bits.
        satp: it exists, though there is no S-mode, and stays 0: firmware may switch translation off.
        warn: gets a message when firmware touches what is not modelled.
    """

    def __init__(
        self,
        state: PrivilegedState,
        pmp: Pmp,
        extensions: str,
        *,
        cycles: Counter,
        instructions: Counter,
        time: Callable[[], int],
        satp: bool,
        warn: Callable[[str], None],
    ) -> None:
        self.state, self._warn = state, warn
        self.registers: dict[int, Csr] = {}
        self._define_traps()
        self._define_identity(extensions)
        self._define_protection(pmp)
        self._define_counter(0xB00, 0xC00, "cycle", cycles)
        self._define_counter(0xB02, 0xC02, "instret", instructions)
        self._define_inhibition(cycles, instructions)
        self.registers[0xC01] = Csr("time", lambda: time() & WORD_MASK)
        self.registers[0xC81] = Csr("timeh", lambda: time() >> 32)
        self._define_zeros()
        if satp:
            self.registers[SATP] = Csr("satp", lambda: 0)
        self.by_name = {csr.name: csr for csr in self.registers.values()}

    def _define_traps(self) -> None:
        self.registers |= {
            0x300: Csr("mstatus", lambda: self.state.mstatus, self.state.write_mstatus, protects=True),
            0x304: self._stored("mie", INTERRUPT_BITS),
            0x305: Csr("mtvec", lambda: self.state.mtvec, self.state.write_mtvec),
            0x306: self._stored("mcounteren", CYCLE | TIME | INSTRET),
            0x310: Csr("mstatush", lambda: 0),
            0x340: self._stored("mscratch", WORD_MASK),
            0x341: self._stored("mepc", WORD_MASK & ~1),
            0x342: self._stored("mcause", WORD_MASK),
            0x343: self._stored("mtval", WORD_MASK),
            0x344: Csr("mip", lambda: self.state.mip),
        }

    def _stored(self, name: str, mask: int) -> Csr:
        return Csr(name, lambda: getattr(self.state, name), lambda value: setattr(self.state, name, value & mask))

    def _define_identity(self, extensions: str) -> None:
        misa = RV32 | sum(1 << ord(letter) - ord("A") for letter in extensions)
        self.registers[0x301] = Csr("misa", lambda: misa)
        for number, name in enumerate(("mvendorid", "marchid", "mimpid", "mhartid", "mconfigptr"), 0xF11):
            self.registers[number] = Csr(name, lambda: 0)

    def _define_protection(self, pmp: Pmp) -> None:
        """Without entries they read 0."""
        for index in range(4):
            self.registers[0x3A0 + index] = Csr(
                f"pmpcfg{index}",
                partial(pmp.read_configuration, index),
                partial(pmp.write_configuration, index),
                protects=True,
            )
        for index in range(16):
            self.registers[0x3B0 + index] = Csr(
                f"pmpaddr{index}", partial(pmp.read_address, index), partial(pmp.write_address, index), protects=True
            )

    def _define_counter(self, machine: int, user: int, name: str, counter: Counter) -> None:
        def low() -> int:
            return counter.value & WORD_MASK

        def high() -> int:
            return counter.value >> 32

        self.registers[machine] = Csr(f"m{name}", low, counter.write_low)
        self.registers[machine + 0x80] = Csr(f"m{name}h", high, counter.write_high)
        self.registers[user] = Csr(name, low)
        self.registers[user + 0x80] = Csr(f"{name}h", high)

    def _define_inhibition(self, cycles: Counter, instructions: Counter) -> None:
        def read() -> int:
            return CYCLE * (cycles.stopped is not None) | INSTRET * (instructions.stopped is not None)

        def write(value: int) -> None:
            cycles.inhibit(bool(value & CYCLE))
            instructions.inhibit(bool(value & INSTRET))

        self.registers[0x320] = Csr("mcountinhibit", read, write)

    def _define_zeros(self) -> None:
        names = {0x30A: "menvcfg", 0x31A: "menvcfgh"}
        for index in range(3, 32):
            names |= {0x320 + index: f"mhpmevent{index}", 0xB00 + index: f"mhpmcounter{index}"}
            names |= {0xB80 + index: f"mhpmcounter{index}h"}
            names |= {0xC00 + index: f"hpmcounter{index}", 0xC80 + index: f"hpmcounter{index}h"}
        self.registers |= {number: Csr(name, lambda: 0) for number, name in names.items()}
        triggers = {0x7A0: "tselect"} | {0x7A0 + index: f"tdata{index}" for index in (1, 2, 3)}
        self.registers |= {number: Csr(name, lambda: 0, modelled=False) for number, name in triggers.items()}

    def find(self, number: int, *, write: bool) -> Csr:
        """The register for an access from the present privilege.

        Raises:
            CsrError: it does not exist, is read-only, or belongs to a higher privilege.
        """
        csr = self.registers.get(number)
        if csr is None:
            raise CsrError(self._why_unknown(number))
        if number >> 8 & 3 > self.state.privilege:
            raise CsrError(f"csr {csr.name} is not accessible in U-mode")
        if number >> 8 == 0xC and self.state.privilege is Privilege.USER and not self._enabled(number):
            raise CsrError(f"csr {csr.name} is not enabled for U-mode in mcounteren")
        if write and number >> 10 == 3:
            raise CsrError(f"csr {csr.name} is read-only")
        if not csr.modelled:
            self._warn(f"csr {csr.name} is not modelled: it reads 0, writes do nothing")
        return csr

    def _enabled(self, number: int) -> bool:
        return bool(self.state.mcounteren >> (number & 31) & 1)

    def _why_unknown(self, number: int) -> str:
        if number in SUPERVISOR_NAMES:
            return (
                f"csr {SUPERVISOR_NAMES[number]} (0x{number:03x}) does not exist on an RV32IMC hart with M- and U-mode"
            )
        return f"csr 0x{number:03x} does not exist"

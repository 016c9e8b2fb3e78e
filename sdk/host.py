"""What tools must know about a host's architecture: register numbers, calls, exceptions, instructions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

ReadMemory = Callable[[int, int], bytes]
"""``read(address, count)``; raises `emu.bus.BusError` where there is no memory."""


@dataclass(frozen=True)
class Interrupted:
    """Code that an exception interrupted.

    Attributes:
        registers: by DWARF number, as far as they are known.
        pc: the instruction that it goes on with, 0 where that is lost.
    """

    registers: dict[int, int]
    pc: int


class Host(ABC):
    """Conventions of an architecture.

    Attributes:
        registers: names that `Core.read_register` knows, in the order of their DWARF numbers.
        stack_register, return_register: DWARF numbers of the stack pointer and of the return address.
        status_registers: names of the others that matter to people.
        return_names: registers that a call may put its return address into.
        relative_targets: capstone gives the targets of jumps relative to the instruction.
    """

    registers: ClassVar[tuple[str, ...]]
    stack_register: ClassVar[int]
    return_register: ClassVar[int]
    return_names: ClassVar[tuple[str, ...]]
    status_registers: ClassVar[tuple[str, ...]]
    relative_targets: ClassVar[bool] = False

    @abstractmethod
    def instruction_size(self, first_halfword: int) -> int:
        """Bytes of the instruction that begins with these 16 bits."""

    @abstractmethod
    def code_address(self, value: int) -> int:
        """The instruction that a jump to ``value`` goes to."""

    @abstractmethod
    def interrupted(
        self, returns_to: int, caller: dict[int, int], code: bytes, state: Mapping[str, int], read: ReadMemory
    ) -> Interrupted | None:
        """What an exception handler goes back to, None if the function is not one.

        Args:
            returns_to: the function's return address.
            caller: registers as they were when the function was entered, by DWARF number.
            code: the function's machine code.
            state: the machine's registers by name.
        """

    def at_vector(self, pc: int, state: Mapping[str, int]) -> bool:
        """Whether ``pc`` is an entry of a table of jumps that an exception has just entered."""
        return False

    @abstractmethod
    def disassembler(self) -> Any:
        """A capstone disassembler."""


class Arm(Host):
    """Cortex-M."""

    registers = (*(f"r{number}" for number in range(13)), "sp", "lr", "pc")
    stack_register, return_register = 13, 14
    return_names = ("lr",)
    status_registers = ("xpsr", "msp", "psp", "control")

    PROCESS_STACK, BASIC_FRAME = 1 << 2, 1 << 4
    EXCEPTION_RETURNS = (0xFFFF_FFE1, 0xFFFF_FFE9, 0xFFFF_FFED, 0xFFFF_FFF1, 0xFFFF_FFF9, 0xFFFF_FFFD)
    FRAME_BYTES, FLOATING_POINT_FRAME_BYTES = 0x20, 0x68
    PADDED = 1 << 9
    """Bit of the stacked xPSR: a word was skipped to align the stack."""

    def instruction_size(self, first_halfword: int) -> int:
        return 4 if first_halfword >> 11 in (0b11101, 0b11110, 0b11111) else 2

    def code_address(self, value: int) -> int:
        return value & ~1

    def interrupted(
        self, returns_to: int, caller: dict[int, int], code: bytes, state: Mapping[str, int], read: ReadMemory
    ) -> Interrupted | None:
        if returns_to not in self.EXCEPTION_RETURNS:
            return None
        frame = state["psp"] if returns_to & self.PROCESS_STACK else caller[self.stack_register]
        words = [int.from_bytes(read(frame + 4 * index, 4), "little") for index in range(8)]
        registers = dict(caller)
        registers.update(zip((0, 1, 2, 3, 12, self.return_register), words[:6], strict=True))
        size = self.FRAME_BYTES if returns_to & self.BASIC_FRAME else self.FLOATING_POINT_FRAME_BYTES
        registers[self.stack_register] = frame + size + (4 if words[7] & self.PADDED else 0)
        return Interrupted(registers, self.code_address(words[6]))

    def disassembler(self) -> Any:
        import capstone

        return capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)


class RiscV(Host):
    """RV32.

    *Inaccuracies*: where a trap has interrupted a trap handler, the outer handler's return address is lost.
    """

    registers = (
        "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", *(f"a{number}" for number in range(8)),
        *(f"s{number}" for number in range(2, 12)), "t3", "t4", "t5", "t6",
    )  # fmt: skip
    stack_register, return_register = 2, 1
    return_names = ("ra", "t0")
    status_registers = ("pc", "mstatus", "mepc", "mcause", "mtval")
    relative_targets = True

    MRET = (0x3020_0073).to_bytes(4, "little")
    VECTORED, VECTOR_TABLE_BYTES = 1, 4 * 32

    def instruction_size(self, first_halfword: int) -> int:
        return 4 if first_halfword & 3 == 3 else 2

    def code_address(self, value: int) -> int:
        return value & ~1

    def interrupted(
        self, returns_to: int, caller: dict[int, int], code: bytes, state: Mapping[str, int], read: ReadMemory
    ) -> Interrupted | None:
        return Interrupted(caller, state.get("mepc", 0)) if self.MRET in code else None

    def at_vector(self, pc: int, state: Mapping[str, int]) -> bool:
        table = state.get("mtvec", 0)
        size = self.VECTOR_TABLE_BYTES if table & self.VECTORED else 4
        return table & ~3 <= pc < (table & ~3) + size

    def disassembler(self) -> Any:
        import capstone

        return capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC)


HOSTS: dict[str, Host] = {"arm": Arm(), "riscv": RiscV()}
"""By `emu.cpu.core.Core.architecture`."""

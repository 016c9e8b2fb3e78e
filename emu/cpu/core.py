"""What a machine needs from a host CPU, whatever its instruction set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from emu.state import Saved, State

if TYPE_CHECKING:
    from emu.cpu.semihosting import Semihosting
    from emu.device import Device


class Pause(Enum):
    """Why a core came back from `Core.run` or `Core.step`."""

    DEADLINE = "the clock reached its deadline"
    SLEEP = "the core waits for an interrupt"
    BREAKPOINT = "a breakpoint"
    STEP = "one instruction was executed"
    EXIT = "firmware ended the run"
    LOCKUP = "a fault in a fault handler"
    RESET = "firmware asked for a reset of the machine"
    REQUEST = "somebody asked the core to stop"


@dataclass(frozen=True)
class FaultReport:
    """A fault that the core took: everything that a person needs to find its cause.

    Attributes:
        kind: HardFault, BusFault, "load access fault", ...
        text: the rule that was broken, with the address where there is one.
        pc: address of the instruction.
        address: the data address, None if there is none.
        registers: all registers as they were at the instruction.
        time: cycles since reset.
    """

    kind: str
    text: str
    pc: int
    address: int | None
    registers: dict[str, int] = field(repr=False)
    time: int = 0


class Core(Saved, ABC):
    """A host CPU.

    Attributes:
        name: "cortex-m4f", "rv32imc".
        architecture: "arm" or "riscv".
        exit_code: set when firmware ended the run.
        on_fault: called with a `FaultReport` for every synchronous fault that is taken.
        on_trace: called with port, value and number of bytes of what firmware writes to its trace ports; text goes to
            the console of `semihosting` instead.
        last_fault: the newest report.
        semihosting: the firmware's debug console, and how it ended the run.
    """

    saved: ClassVar[tuple[str, ...]] = ("exit_code", "abnormal_exit", "semihosting")

    name: str
    architecture: str
    semihosting: Semihosting

    def __init__(self) -> None:
        self.exit_code: int | None = None
        self.abnormal_exit = False
        self.on_fault: list[Callable[[FaultReport], None]] = []
        self.on_trace: list[Callable[[int, int, int], None]] = []
        self.last_fault: FaultReport | None = None

    def attach(self, devices: Mapping[str, Device]) -> None:
        """Called once by the machine, for cores whose interrupt controllers are devices of the memory map."""

    @abstractmethod
    def reset(self) -> None:
        """Power-up state; execution starts at the reset vector."""

    def set_state(self, state: Mapping[str, State]) -> None:
        """Take back what `get_state` gave, after memories, devices and clock; `last_fault` is forgotten."""
        super().set_state(state)
        self.last_fault = None

    @abstractmethod
    def run(self) -> Pause:
        """Execute until ``clock.now`` reaches ``clock.deadline`` or something else stops the core.

        Exceptions and interrupts are taken inside. A sleeping core returns `Pause.SLEEP` at once while no
        interrupt can wake it.
        """

    @property
    @abstractmethod
    def rests(self) -> bool:
        """Whether it sleeps and `run` would return `Pause.SLEEP` at once."""

    @abstractmethod
    def step(self) -> Pause:
        """Execute exactly one instruction (or take one pending exception)."""

    @abstractmethod
    def request_stop(self) -> None:
        """Make `run` return `Pause.REQUEST` at the next block boundary. May be called from a device."""

    @abstractmethod
    def set_interrupt(self, number: int, level: bool) -> None:
        """Drive external interrupt input ``number`` of the core's interrupt controller."""

    def set_nmi(self, level: bool) -> None:
        """Drive the non-maskable interrupt. Raises LookupError if the core has none."""
        raise LookupError(f"{self.name} has no non-maskable interrupt input")

    @abstractmethod
    def invalidate(self, address: int, count: int) -> None:
        """Forget translated code of these bytes."""

    @property
    @abstractmethod
    def instructions(self) -> int:
        """Instructions retired since reset (counted per block)."""

    @property
    @abstractmethod
    def pc(self) -> int:
        """Address of the next instruction, without mode bits."""

    @pc.setter
    @abstractmethod
    def pc(self, address: int) -> None: ...

    @property
    @abstractmethod
    def register_names(self) -> Sequence[str]:
        """Names for `read_register`, in the order in which people expect them."""

    @abstractmethod
    def read_register(self, name: str) -> int:
        """A register's value, unsigned. Raises KeyError for an unknown name."""

    @abstractmethod
    def write_register(self, name: str, value: int) -> None:
        """Set a register. Raises KeyError for an unknown name."""

    @abstractmethod
    def add_breakpoint(self, address: int) -> None:
        """Return `Pause.BREAKPOINT` before the instruction at ``address``; `run` first leaves one it stands on."""

    @abstractmethod
    def remove_breakpoint(self, address: int) -> None:
        """Undo `add_breakpoint`."""

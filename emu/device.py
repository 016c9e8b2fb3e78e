"""What all devices share: a window of registers, an interrupt line, named events, plain-data state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from emu.bus import Bus
from emu.clock import Clock, Event
from emu.log import Log
from emu.registers import Register, RegisterArray
from emu.state import Saved, State

WORD_MASK = 0xFFFF_FFFF


class Requests(Saved):
    """What devices ask of their machine: a reset, or the end of the run.

    Attributes:
        reset: a device wants the machine to be reset.
        exit_code: the run ends with this code, None: it goes on.
        on_request: called at every request, so that the CPU stops soon.
    """

    saved = ("reset", "exit_code")

    def __init__(self) -> None:
        self.reset = False
        self.exit_code: int | None = None
        self.on_request: Callable[[], None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether there is a request that the machine has not served yet."""
        return self.reset or self.exit_code is not None

    def request_reset(self) -> None:
        """Reset the machine at the next block boundary of the CPU."""
        self.reset = True
        self._notify()

    def request_exit(self, code: int) -> None:
        """End the run at the next block boundary of the CPU."""
        self.exit_code = code
        self._notify()

    def _notify(self) -> None:
        if self.on_request is not None:
            self.on_request()


@dataclass(frozen=True)
class Board:
    """What a device gets from its machine."""

    clock: Clock
    bus: Bus
    log: Log
    requests: Requests = field(default_factory=Requests)


class Line:
    """An interrupt wire. The machine connects it to an input of the host's interrupt controller."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.level = False
        self._sink: Callable[[bool], None] | None = None

    def connect(self, sink: Callable[[bool], None]) -> None:
        """Call ``sink(level)`` at every change of the level."""
        self._sink = sink

    def set(self, level: bool) -> None:
        """Drive the wire."""
        if level != self.level:
            self.level = level
            if self._sink is not None:
                self._sink(level)


class Device(Saved):
    """Base of all devices. A subclass declares `Register` attributes, and names in `saved` what else is its state.

    Attributes:
        size: bytes of the register window.
        words: stored words by offset; the state of every register.
        steady: offsets of words that may be read in between: that changes nothing, and until the next event or write it
            gives the same. A subclass with its own `read` says which ones are.
        irq: the device's interrupt line.
    """

    size: ClassVar[int] = 0x1000
    registers: ClassVar[list[Register]] = []
    steady: ClassVar[frozenset[int]] = frozenset()
    _by_offset: ClassVar[dict[int, tuple[Register, int]]] = {}
    _reset_values: ClassVar[dict[int, int]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        found = {name: item for base in reversed(cls.__mro__) for name, item in vars(base).items()}
        cls.registers = sorted((item for item in found.values() if isinstance(item, Register)), key=lambda r: r.offset)
        cls._by_offset = {}
        for register in cls.registers:
            for index, offset in enumerate(register.offsets()):
                if offset in cls._by_offset:
                    raise ValueError(f"{cls.__name__}.{register.name} overlaps another register at 0x{offset:x}")
                if offset + 4 > cls.size:
                    raise ValueError(f"{cls.__name__}.{register.name} at 0x{offset:x} is outside the window")
                cls._by_offset[offset] = (register, index)
        cls._reset_values = {offset: register.reset for offset, (register, _) in cls._by_offset.items()}
        if "steady" not in vars(cls):
            own = cls.read is not Device.read
            cls.steady = frozenset(o for o, (register, _) in cls._by_offset.items() if register.steady and not own)

    def __init__(self, name: str, board: Board) -> None:
        self.name, self.board = name, board
        self.clock, self.bus = board.clock, board.bus
        self.irq = Line(f"{name}.irq")
        self.words: dict[int, int] = {}
        self._reset_words()

    def _reset_words(self) -> None:
        self.words.update(self._reset_values)

    def reset(self) -> None:
        """Back to the state after power-up. A subclass that keeps more state extends this."""
        self._reset_words()
        self.irq.set(False)

    def get_state(self) -> dict[str, State]:
        """Registers, interrupt lines, and the attributes in `saved`; events are the clock's."""
        lines = {name: line.level for name, line in self._lines()}
        return {"words": dict(self.words), "lines": lines, **super().get_state()}

    def set_state(self, state: Mapping[str, State]) -> None:
        """Take back what `get_state` gave; the lines are not driven, what they lead to has its own state."""
        self.words.update(state["words"])
        for name, line in self._lines():
            line.level = state["lines"][name]
        super().set_state(state)

    def _lines(self) -> list[tuple[str, Line]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Line)]

    def give_up(self) -> bool:
        """Nothing in the machine is going to happen any more: a device that waits stops waiting.

        Returns:
            Whether it has done anything, an interrupt perhaps.
        """
        return False

    def event(self, name: str, action: Callable[[], None]) -> Event:
        """An event of this device, named after it."""
        return self.clock.event(f"{self.name}.{name}", action)

    def warn(self, text: str, pc: int | None = None) -> None:
        """A message for people about something that firmware did, at instruction ``pc`` if that is known."""
        self.board.log.warn(self.clock.now, self.name, text, pc)

    def read(self, offset: int, size: int) -> int:
        """What firmware reads: 1, 2 or 4 bytes at ``offset`` from the device's base."""
        found = self._by_offset.get(offset & ~3)
        if found is None:
            self.warn(f"read of reserved offset 0x{offset:03x} gives 0")
            return 0
        register, index = found
        if not register.modelled:
            self.warn(f"{register.name} is not modelled: reads give what was written")
        if register.reader is None:
            word = self.words[offset & ~3]
        elif isinstance(register, RegisterArray):
            word = register.reader(self, index)
        else:
            word = register.reader(self)
        word &= register.read_mask
        return (word >> 8 * (offset & 3)) & ((1 << 8 * size) - 1)

    def write(self, offset: int, size: int, value: int) -> None:
        """Firmware writes 1, 2 or 4 bytes at ``offset``; only those bytes of the register change."""
        found = self._by_offset.get(offset & ~3)
        if found is None:
            self.warn(f"write of 0x{value:x} to reserved offset 0x{offset:03x} is ignored")
            return
        register, index = found
        shift = 8 * (offset & 3)
        lanes = (((1 << 8 * size) - 1) << shift) & WORD_MASK
        value = (value << shift) & lanes
        old = self.words[offset & ~3]
        changed = register.write_mask & lanes
        self.words[offset & ~3] = ((old & ~changed) | (value & changed)) & ~(value & register.clear_mask)
        if value & ~register.silent_mask or not register.silent_mask:
            self._report(register, value)
        if register.writer is None:
            return
        value |= old & register.write_mask & ~lanes
        if isinstance(register, RegisterArray):
            register.writer(self, index, value)
        else:
            register.writer(self, value)

    def _report(self, register: Register, value: int) -> None:
        """Name what firmware touched that does nothing."""
        if not register.modelled:
            self.warn(f"{register.name} is not modelled: the write of 0x{value:x} does nothing")
        elif not register.write_mask | register.clear_mask | register.command_mask:
            self.warn(f"{register.name} is read-only: the write of 0x{value:x} is ignored")
        elif value & ~register.layout.mask():
            self.warn(
                f"{register.name}: bits 0x{value & ~register.layout.mask():08x} are reserved, writing them is ignored"
            )
        for bits in register.layout.fields.values():
            if not getattr(bits, "modelled", True) and bits.extract(value):
                self.warn(f"{register.name}.{bits.name} is not modelled: it does nothing")

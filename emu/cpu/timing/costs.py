"""The cycle model of a machine's CPU: chosen by name, put on its flash memory, asked instruction by instruction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from emu.bus import Bus
from emu.clock import LONGEST_BLOCK
from emu.cpu.encoding import riscv_width, riscv_word, thumb_width, thumb_word
from emu.cpu.timing.lookup import CYCLES_MASK, TAKEN_SHIFT, arrival_cycles, instruction_costs
from emu.cpu.timing.model import CycleModel, FlashTiming
from emu.memory import PAGE, Memory

SINGLE, CORE = "single", "core"
"""Names of the model with one cycle an instruction, and of the one that fits the core."""
REMEMBERED = 4096
MOST_CYCLES, WAITS = 64, 3
"""Of an instruction: more cycles than any takes, and how often it waits for flash memory: two lines of code, data."""


class UnknownTimingError(ValueError):
    """There is no cycle model of that name for the core."""


@dataclass(frozen=True)
class CpuTiming:
    """How long the host's instructions take.

    Attributes:
        model: `SINGLE`, `CORE`, or a model of `models` by name.
        flash: of the memory that the host starts from.
    """

    model: str = SINGLE
    flash: FlashTiming = field(default_factory=FlashTiming)

    @property
    def longest_block(self) -> int:
        """Cycles that no block of instructions takes."""
        each = (1 if self.model == SINGLE else MOST_CYCLES) + WAITS * self.flash.wait_states
        return LONGEST_BLOCK * each


def models(host: str) -> tuple[CycleModel, ...]:
    """The cycle models for a host CPU (`emu.cpu.CORES`); the first is the one that `CORE` means."""
    if host.startswith("cortex-m"):
        from emu.cpu.timing import thumb

        known = (thumb.CORTEX_M0, thumb.CORTEX_M3, thumb.CORTEX_M4, thumb.CORTEX_M7, thumb.CORTEX_M33)
        return (max((m for m in known if host.startswith(m.name)), key=lambda model: len(model.name)),)
    from emu.cpu.timing import riscv

    return riscv.FOUR_STAGE, riscv.TWO_STAGE


def find_model(host: str, name: str) -> CycleModel:
    """The cycle model of that name for a host.

    Raises:
        UnknownTimingError: it does not exist.
    """
    if name == SINGLE:
        return CycleModel(SINGLE, "One cycle an instruction.", ())
    known = models(host)
    for model in known:
        if name in (CORE, model.name):
            return model
    names = ", ".join((SINGLE, CORE, *(model.name for model in known)))
    raise UnknownTimingError(f"{host} has no CPU timing {name!r}: known are {names}")


class LineCosts(NamedTuple):
    """Cost of instructions in a row.

    Attributes:
        cycles: of all of them.
        taken: what the last one costs on top if it jumps.
        arrival: cycles that are added when the CPU jumps to the first one.
        size: bytes.
    """

    cycles: int
    taken: int
    arrival: int
    size: int


class InstructionCosts:
    """What each instruction in a machine's memory costs.

    Args:
        timing: must cost something else than one cycle an instruction somewhere, see `make_costs`.
        host: name of the CPU.
        bus: where its code is.
        start: an address in the flash memory.

    Attributes:
        table: the integers that `lookup` works on.

    Raises:
        UnknownTimingError: the CPU has no such timing.

    *Inaccuracies*: what one instruction changes in the cost of the next is left out where the two are on different
    pages of 4 KiB. A branch to the very next instruction counts as not taken.
    """

    def __init__(self, timing: CpuTiming, host: str, bus: Bus, start: int) -> None:
        self._bus = bus
        arm = host.startswith("cortex-m")
        self.width: Callable[[int, int], int] = thumb_width if arm else riscv_width
        self._word = thumb_word if arm else riscv_word
        found = bus.find(start)
        base, end = (0, 0) if found is None else (found[0], found[0] + found[1].size)
        self.table = find_model(host, timing.model).table(timing.flash, base, end)
        numbers: list[int] = self.table.tolist()
        self._costs = lru_cache(REMEMBERED)(
            lambda address, width, word, following: instruction_costs(numbers, address, width, word, following)
        )
        self._numbers = numbers

    def _word_at(self, code: bytes) -> int:
        first, second, third, fourth = code.ljust(4, b"\0")
        return self._word(first, second, third, fourth)

    def at(self, address: int) -> int:
        """Packed cost of the instruction at ``address``, see `lookup`; 1 where no memory is."""
        found = self._bus.find(address)
        if found is None or not isinstance(found[1], Memory):
            return 1
        offset = address - found[0]
        code = found[1].data[offset : offset + 8].tobytes()
        width = self.width(code[0], code[1])
        room = PAGE - (address + width) % PAGE
        following = 0
        if room < PAGE and room >= (following_width := self.width(code[width], code[width + 1])):
            following = self._word_at(code[width : width + following_width])
        return self._costs(address, width, self._word_at(code[:width]), following)

    def width_at(self, address: int) -> int:
        """Bytes of the instruction at ``address``; 2 where no memory is."""
        found = self._bus.find(address)
        if found is None or not isinstance(found[1], Memory):
            return 2
        offset = address - found[0]
        return self.width(int(found[1].data[offset]), int(found[1].data[offset + 1]))

    def line(self, address: int, instructions: int) -> LineCosts:
        """Cost of so many instructions from ``address`` on."""
        end, cycles, taken = address, 0, 0
        for _ in range(instructions):
            cost = self.at(end)
            cycles += cost & CYCLES_MASK
            taken = cost >> TAKEN_SHIFT
            end += self.width_at(end)
        return LineCosts(cycles, taken, arrival_cycles(self._numbers, address), end - address)


def make_costs(timing: CpuTiming, host: str, bus: Bus, start: int) -> InstructionCosts | None:
    """What instructions cost; None if that is always one cycle. Raises UnknownTimingError."""
    if timing.model == SINGLE and timing.flash.wait_states == 0:
        return None
    return InstructionCosts(timing, host, bus, start)

"""Instructions of an accelerator program, decoded: what the sequencer needs to carry them out, found once."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asm import isa
from asm.parameters import CommandCode
from asm.rules import Cause, RuleError
from emu.npu.timing import beats

if TYPE_CHECKING:
    from emu.npu.cluster import Cluster

WORD_BYTES = 4
IMMEDIATE_MASK = isa.Header.immediate.mask
LONGEST = max(WORD_BYTES * (1 + len(kind.payload)) for kind in isa.INSTRUCTIONS.values())
"""Bytes of the longest instruction."""
VISIBLE = (isa.Halt, isa.Interrupt, isa.Wait, isa.Signal, isa.Barrier, isa.KeepCounters, isa.SetMode)
"""Instructions without a command that act outside of the sequencer and the set-up registers."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What an instruction writes to the cluster's registers.

    Attributes:
        words: by offset.
        effects: what the writes do besides: functions of the cluster and a word, and that word.
    """

    words: dict[int, int]
    effects: tuple[tuple[Callable[[Cluster, int], None], int], ...]


SetupMaker = Callable[[type[isa.Instruction], Sequence[int]], Setup]
"""What an instruction with these values writes."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """An instruction.

    Attributes:
        words: its payload.
        size: bytes.
        fetch: 64-bit beats of its fetch.
        command: what it starts, if it starts anything.
        visible: whether it acts outside of the sequencer and the set-up registers.
        bases: (place in the payload, register that is added there).
        wrong: why it cannot be carried out, empty if it can.
        setup: what it writes to registers; None if that depends on base registers, or it writes nothing.
    """

    kind: type[isa.Instruction]
    header: int
    words: tuple[int, ...]
    size: int
    fetch: int
    command: CommandCode | None
    visible: bool
    bases: tuple[tuple[int, int], ...]
    wrong: str
    setup: Setup | None

    @classmethod
    def of_bytes(cls, block: bytes, make_setup: SetupMaker) -> Decoded:
        """The instruction that ``block`` begins with. Raises `RuleError` if there is none, or not all of it."""
        words = struct.unpack(f"<{len(block) // WORD_BYTES}I", block)
        try:
            kind = isa.instruction_class(words[0])
        except ValueError as error:
            raise RuleError(Cause.bad_instruction, str(error)) from None
        count = 1 + len(kind.payload)
        if count > len(words):
            raise RuleError(Cause.ran_past_end, f"the program ends inside the last instruction, {kind.mnemonic}")
        header, payload, size = words[0], words[1:count], WORD_BYTES * count
        fields = isa.BaseImmediate.unpack(header & IMMEDIATE_MASK) if kind.addresses else {}
        bases = tuple(zip(kind.addresses, fields.values(), strict=False))
        used = tuple((place, base) for place, base in bases if base != isa.ABSOLUTE)
        wrong = _why_wrong(kind, payload, used)
        setup = make_setup(kind, payload) if kind.register and not used and not wrong else None
        visible = issubclass(kind, VISIBLE)
        return cls(kind, header, payload, size, beats(size), kind.command, visible, used, wrong, setup)

    @property
    def immediate(self) -> int:
        """The lower half of the header."""
        return self.header & IMMEDIATE_MASK


def _why_wrong(kind: type[isa.Instruction], payload: tuple[int, ...], bases: tuple[tuple[int, int], ...]) -> str:
    """What is wrong with values of an instruction, empty if nothing is."""
    for word, layout in zip(payload, kind.payload, strict=True):
        reserved = word & ~layout.mask()
        if reserved and kind.register:
            return f"{kind.mnemonic} has reserved bits 0x{reserved:08x} of {layout.__name__} set"
    for _, base in bases:
        if base > isa.ABSOLUTE:
            return f"a base register must be 0..15, or {isa.ABSOLUTE} for none, not {base}"
    return ""

"""What a cluster does over time: one module a kind of command."""

from __future__ import annotations

from asm.parameters import CommandCode
from asm.rules import Cause, RuleError
from emu.npu.commands.command import Command
from emu.npu.commands.convolve import Accumulate, Convolve
from emu.npu.commands.copy import CopyTensor, FillTensor
from emu.npu.commands.elementwise import Product, Sum
from emu.npu.commands.load import LoadKernels

__all__ = ["COMMANDS", "Command", "command_class"]

KINDS: tuple[type[Command], ...] = (LoadKernels, Convolve, CopyTensor, FillTensor, Accumulate, Sum, Product)
COMMANDS: dict[CommandCode, type[Command]] = {kind.kind: kind for kind in KINDS}
"""Commands by the code that starts them."""


def command_class(code: int) -> type[Command]:
    """The command of that number. Raises `RuleError` if there is none."""
    for known, kind in COMMANDS.items():
        if known == code:
            return kind
    names = ", ".join(f"{known.value} ({known.name})" for known in COMMANDS)
    raise RuleError(Cause.bad_field, f"{code} is not a command; commands are {names}")

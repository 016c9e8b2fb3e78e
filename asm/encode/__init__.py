"""From the operands of an instruction to the instruction: one function for each class of `asm.isa`."""

from __future__ import annotations

from asm import isa, syntax
from asm.encode import commands, control, copies, settings  # noqa: F401 - they register their encoders
from asm.encode.control import encode_loop
from asm.encode.registry import ENCODERS, Encoded
from asm.operands import Operands
from asm.resolve import Scope
from asm.state import ClusterState

__all__ = ["ENCODERS", "Encoded", "encode", "encode_loop"]


def encode(operation: syntax.Operation, scope: Scope, state: ClusterState) -> Encoded:
    """The instruction that ``operation`` says, where ``state`` is in force.

    Raises:
        SourceError: the operands are wrong.
        AlreadyReportedError: they use a name whose declaration is wrong.
    """
    operands = Operands(operation, scope)
    encoded = ENCODERS[isa.MNEMONICS[operation.mnemonic.text]](operands, state)
    operands.done()
    return encoded

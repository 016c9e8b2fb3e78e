"""Host CPUs on Unicorn; the only package that imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emu.cpu.core import Core
    from emu.device import Board

CORES = ("cortex-m3", "cortex-m4f", "rv32imc")
"""Names of the host CPUs."""


def make_core(name: str, board: Board, reset_address: int) -> Core:
    """A host CPU by name, connected to the board's bus and clock.

    ``reset_address`` is where the vector table (Cortex-M) or the first instruction (RV32) is. Raises KeyError for an
    unknown name.
    """
    if name.startswith("cortex-m"):
        from emu.cpu.cortex_m import CortexM
        from emu.cpu.cortex_models import MODELS

        model = MODELS[name]

        return CortexM(board, reset_address, model)
    if name == "rv32imc":
        from emu.cpu.riscv import RiscV

        return RiscV(board, reset_address)
    raise KeyError(name)

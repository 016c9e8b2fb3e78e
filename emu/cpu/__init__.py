"""Host CPUs; the only package that imports Unicorn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emu.cpu.core import Core
    from emu.cpu.timing.costs import CpuTiming
    from emu.device import Board

CORES = ("cortex-m0", "cortex-m3", "cortex-m4f", "cortex-m7", "cortex-m33", "rv32imc")
"""Names of the host CPUs."""
ENGINES = ("unicorn", "interpreter")
"""What executes their instructions; the first is the default, the second knows only rv32imc."""


class UnknownEngineError(ValueError):
    """There is no engine of that name for the core."""


def make_core(
    name: str,
    board: Board,
    reset_address: int,
    engine: str = ENGINES[0],
    options: Mapping[str, Any] | None = None,
    timing: CpuTiming | None = None,
) -> Core:
    """A host CPU by name, connected to the board's bus and clock.

    ``reset_address`` is where the vector table (Cortex-M) or the first instruction (RV32) is.
    ``engine`` is one of `ENGINES`. ``options`` are keyword arguments of the core's class. ``timing`` says how long
    instructions take; None: one cycle each.

    Raises:
        KeyError: unknown name.
        UnknownEngineError: the core has no such engine.
        UnknownTimingError: the core has no such timing.
    """
    from emu.cpu.timing.costs import CpuTiming

    timing = timing or CpuTiming()
    if name.startswith("cortex-m"):
        from emu.cpu.arm.cortex_m import CortexM
        from emu.cpu.arm.models import MODELS

        if engine != ENGINES[0]:
            raise UnknownEngineError(
                f"{name} has no engine {engine!r}: use {ENGINES[0]}, or a machine with an RV32 host"
            )
        return CortexM(board, reset_address, MODELS[name], timing=timing, **(options or {}))
    if name == "rv32imc":
        from emu.cpu.riscv.hart import RiscV

        return RiscV(board, reset_address, engine, timing=timing, **(options or {}))
    raise KeyError(name)

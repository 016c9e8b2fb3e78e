"""What people see of a fault: kind, rule, registers, and the calls that led to it with their source lines."""

from __future__ import annotations

from collections.abc import Mapping

from emu.cpu.core import Core, FaultReport
from sdk.backtrace import Unwinder
from sdk.backtrace import render as render_frames
from sdk.debug_info import DebugInfo, DebugInfoError
from sdk.host import ReadMemory

COLUMNS = 4
"""Registers in a line of text."""


def render_fault(report: FaultReport, info: DebugInfo, read: ReadMemory) -> str:
    """A fault as text.

    Args:
        report: the fault.
        info: debug information of the firmware.
        read: reads the machine's memory, which must still be as the fault left it.
    """
    lines = [f"{report.kind}: {report.text}", _registers(report.registers)]
    return "\n".join([*lines, backtrace(report.registers | {"pc": report.pc}, info, read)])


def render_place(core: Core, info: DebugInfo, read: ReadMemory) -> str:
    """The calls that led to where the core stands."""
    state = {name: core.read_register(name) for name in core.register_names}
    return backtrace(state | {"pc": core.pc}, info, read)


def backtrace(state: Mapping[str, int], info: DebugInfo, read: ReadMemory) -> str:
    """The calls that led to a state of the registers, or why they are not known."""
    try:
        return render_frames(Unwinder(info, read).backtrace(state), info)
    except DebugInfoError as error:
        return f"no backtrace: {error}"


def _registers(registers: Mapping[str, int]) -> str:
    cells = [f"{name:>8} 0x{value:08x}" for name, value in registers.items()]
    return "\n".join("".join(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS))

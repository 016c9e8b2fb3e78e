"""A fault report for people: what was broken, where in the source, the registers, the calls that led there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from emu.cpu.core import FaultReport
from emu.machine import Machine

from sdk.backtrace import Unwinder, render_frames
from sdk.debug_info import DebugInfo, DebugInfoError
from sdk.dwarf import Place
from sdk.host import HOSTS

COLUMNS = 4
"""Registers in a line."""
CONTEXT = 2
"""Source lines shown before and after the one with the fault."""


def render(report: FaultReport, elf: Path, machine: Machine) -> str:
    """The report as text, several lines, without a line end.

    Args:
        elf: the program's ELF file; without readable debug information the report has addresses only.
        machine: as it was left: the stack must still be there.
    """
    parts = [f"{report.kind}: {report.text}"]
    try:
        parts += _with_sources(report, DebugInfo(elf), machine)
    except DebugInfoError as error:
        parts += [_where(report, "", None), _registers(report.registers, machine), f"no backtrace: {error}"]
    return "\n\n".join(part for part in parts if part)


def _with_sources(report: FaultReport, info: DebugInfo, machine: Machine) -> list[str]:
    scopes = info.scopes(report.pc)
    function, place = (scopes[0].function, scopes[0].place) if scopes else ("", None)
    frames = Unwinder(info, machine.bus.read).backtrace(report.registers)
    return [
        _where(report, function, place) + (f"\n{_source(info, place)}" if place else ""),
        _registers(report.registers, machine),
        f"backtrace:\n{render_frames(frames, info.sources)}",
    ]


def _where(report: FaultReport, function: str, place: Place | None) -> str:
    lines = [f"  pc       0x{report.pc:08x}"]
    if function:
        lines[0] += f" in {function}"
    if place:
        lines[0] += f" at {place}"
    if report.address is not None:
        lines.append(f"  address  0x{report.address:08x}")
    lines.append(f"  time     {report.time} cycles")
    return "\n".join(lines)


def _source(info: DebugInfo, place: Place) -> str:
    """The source line and its neighbours, with an arrow; empty if the file is not on this computer."""
    lines = []
    for number in range(place.line - CONTEXT, place.line + CONTEXT + 1):
        text = info.sources.line(place.path, number)
        if text is not None:
            lines.append(f"  {'>' if number == place.line else ' '} {number:4} | {text}".rstrip())
    return "\n" + "\n".join(lines) if lines else ""


def _registers(registers: Mapping[str, int], machine: Machine) -> str:
    host = HOSTS[machine.core.architecture]
    names = [name for name in (*host.registers, *host.status_registers) if name in registers]
    cells = [f"{name:>8} {registers[name]:08x}" for name in dict.fromkeys(names)]
    return "\n".join("".join(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS))

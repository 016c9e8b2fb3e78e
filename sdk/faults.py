"""What people read when a run goes wrong: the rule, the place in the source, the registers, the calls."""

from __future__ import annotations

from collections.abc import Mapping

from emu.cpu.core import Core, FaultReport
from sdk.backtrace import Frame, Unwinder, render_frames
from sdk.debug_info import DebugInfo, DebugInfoError
from sdk.dwarf import Place
from sdk.host import HOSTS, ReadMemory

COLUMNS = 4
"""Registers in a line."""
CONTEXT = 2
"""Source lines shown before and after the current one."""


def render_fault(report: FaultReport, info: DebugInfo, read: ReadMemory) -> str:
    """A fault as text, several lines, without a line end.

    Args:
        info: of the program; without readable debug information the text has addresses only.
        read: reads the machine's memory, which must be as the fault left it.
    """
    facts = [f"  time     {report.time} cycles"]
    if report.address is not None:
        facts.insert(0, f"  address  0x{report.address:08x}")
    return f"{report.kind}: {report.text}\n" + _render(report.registers, report.pc, facts, info, read)


def render_place(core: Core, info: DebugInfo, read: ReadMemory) -> str:
    """Where a core is, in the same form."""
    registers = {"pc": core.pc} | {name: core.read_register(name) for name in core.register_names}
    return _render(registers, core.pc, [], info, read)


def _render(registers: Mapping[str, int], pc: int, facts: list[str], info: DebugInfo, read: ReadMemory) -> str:
    head = [f"  pc       0x{pc:08x}"]
    dump = _registers(registers, info.architecture)
    try:
        frames = Unwinder(info, read).backtrace({**registers, "pc": pc})
        known = next((frame for frame in frames if frame.function != "?"), None)
        if known is frames[0]:
            head[0] += f" in {_place(known)}"
        elif known is not None:
            head.append(f"  from     0x{known.pc:08x} in {_place(known)}")
        source = _source(info, known.place) if known is not None else ""
        calls = f"backtrace:\n{render_frames(frames, info.sources)}"
    except DebugInfoError as error:
        source, calls = "", f"no backtrace: {error}"
    return "\n\n".join(part for part in ("\n".join([*head, *facts]), source, dump, calls) if part)


def _place(frame: Frame) -> str:
    return f"{frame.function} at {frame.place}" if frame.place else frame.function


def _source(info: DebugInfo, place: Place | None) -> str:
    """The source line and its neighbours, with an arrow; empty if the file is not on this computer."""
    if place is None:
        return ""
    lines = []
    for number in range(place.line - CONTEXT, place.line + CONTEXT + 1):
        text = info.sources.line(place.path, number)
        if text is not None:
            lines.append(f"  {'>' if number == place.line else ' '} {number:4} | {text}".rstrip())
    return "\n".join(lines)


def _registers(registers: Mapping[str, int], architecture: str) -> str:
    host = HOSTS[architecture]
    names = dict.fromkeys(name for name in (*host.registers, *host.status_registers) if name in registers)
    cells = [f"{name:>9} {registers[name]:08x}" for name in names]
    return "\n".join("".join(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS))

"""Which calls led to an instruction: frames found by the compiler's call frame information, across exceptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from emu.bus import BusError
from sdk.call_frames import FrameRule
from sdk.debug_info import DebugInfo
from sdk.dwarf import Place
from sdk.host import HOSTS, Host, Interrupted, ReadMemory
from sdk.sources import Sources

DEPTH = 64
"""Frames after which a backtrace ends, unless another number is asked for."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One call.

    Attributes:
        pc: the instruction that executes here: in a caller, the return address.
        function: "?" where no function is known.
        inlined: the function's code is part of the next frame's function.
        interrupted: the call is none: an exception interrupted the function here.
        stack: the stack pointer here; inlined functions share their caller's.
    """

    pc: int
    function: str
    place: Place | None
    stack: int
    inlined: bool = False
    interrupted: bool = False


class Unwinder:
    """Finds callers.

    Where nothing says how to go on, a backtrace ends; it never guesses from what lies on the stack.

    Args:
        info: the program's debug information.
        read: reads the machine's memory.
    """

    def __init__(self, info: DebugInfo, read: ReadMemory) -> None:
        self.info, self._read = info, read
        self._host: Host = HOSTS[info.architecture]

    def backtrace(self, state: Mapping[str, int], depth: int = DEPTH) -> list[Frame]:
        """The frames of the code whose registers are ``state``, the innermost first.

        Args:
            state: register values by name: those of `Host.registers`, ``pc``, and what exceptions need.
            depth: frames to return at most.
        """
        return list(islice(self._walk(state), depth))

    def caller(self, state: Mapping[str, int]) -> Frame | None:
        """The frame that the function returns to, None if it is not known."""
        frames = self._walk(state)
        for frame in frames:
            if not frame.inlined:
                break
        return next(frames, None)

    def _walk(self, state: Mapping[str, int]) -> Iterator[Frame]:
        registers = {number: state[name] for number, name in enumerate(self._host.registers)}
        pc, interrupted, traps = state["pc"], True, dict(state)
        seen: set[tuple[int, int]] = set()
        while (pc, registers[self._host.stack_register]) not in seen:
            first, stack = not seen, registers[self._host.stack_register]
            seen.add((pc, stack))
            # The address after a call may belong to the next function already, if the call does not return.
            instruction = pc if interrupted else pc - 1
            frames = self._frames(pc, instruction, stack, interrupted and not first)
            if not frames and not interrupted:
                return
            yield from frames or [Frame(pc, "?", None, stack, interrupted=not first)]
            try:
                caller = self._caller(instruction, registers, traps, innermost=first)
            except (BusError, KeyError):
                return
            if caller is None:
                return
            interrupted = isinstance(caller, Interrupted)
            if interrupted:
                traps.pop("mepc", None)
            registers, pc = (caller.registers, caller.pc) if isinstance(caller, Interrupted) else caller

    def _frames(self, pc: int, instruction: int, stack: int, interrupted: bool) -> list[Frame]:
        """The function at an instruction, after the ones that were inlined there."""
        return [
            Frame(pc, scope.function, scope.place, stack, scope.inlined, interrupted and index == 0)
            for index, scope in enumerate(self.info.scopes(instruction))
        ]

    def _caller(
        self, instruction: int, registers: dict[int, int], state: Mapping[str, int], *, innermost: bool
    ) -> tuple[dict[int, int], int] | Interrupted | None:
        """Registers and pc of the caller; None at the end of the chain."""
        rule = None if self.info.call_frames is None else self.info.call_frames.at(instruction)
        if rule is None:
            if innermost and self._host.at_vector(instruction, state):
                return Interrupted(registers, state["mepc"])
            if not innermost or self.info.is_loaded(instruction):
                return None
            # A call went astray: nothing has executed there, the registers are still the caller's.
            caller = dict(registers)
            returns_to = registers[self._host.return_register]
        else:
            caller = self._restore(rule, registers)
            returns_to = caller[rule.return_register]
        function = self.info.functions.at(instruction)
        code = self._read(function.low, function.high - function.low) if function else b""
        interrupted = self._host.interrupted(returns_to, caller, code, state, self._read)
        return interrupted or (caller, self._host.code_address(returns_to))

    def _restore(self, rule: FrameRule, registers: dict[int, int]) -> dict[int, int]:
        """The caller's registers. Raises KeyError if one that is needed is not known."""
        frame = (registers[rule.register] + rule.offset) & 0xFFFF_FFFF
        caller = {number: value for number, value in registers.items() if number not in rule.undefined}
        for number, source in rule.moved.items():
            caller[number] = registers[source]
        for number, offset in rule.saved.items():
            caller[number] = int.from_bytes(self._read((frame + offset) & 0xFFFF_FFFF, 4), "little")
        caller[self._host.stack_register] = frame
        return caller


def render_frames(frames: list[Frame], sources: Sources) -> str:
    """The frames as text: number, address, function and place, and below it the source line where there is one."""
    lines = []
    for number, frame in enumerate(frames):
        if frame.interrupted:
            lines.append("  an exception interrupted:")
        note = " (inlined)" if frame.inlined else ""
        place = f" at {frame.place}" if frame.place else ""
        lines.append(f"  #{number:<2} 0x{frame.pc:08x} in {frame.function}{note}{place}")
        text = sources.line(frame.place.path, frame.place.line) if frame.place else None
        if text is not None:
            lines.append(f"        {text.strip()}")
    return "\n".join(lines)

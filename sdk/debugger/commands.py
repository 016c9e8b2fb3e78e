"""What may be typed at the debugger's prompt."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from emu.bus import BusError
from sdk.motion import Motion
from sdk.session import Session

MEMORY_BYTES = 16
"""Bytes that `memory` shows unless a number is given."""


class CommandError(Exception):
    """A command cannot be carried out: what is wrong, what to write."""


@dataclass(frozen=True)
class Answer:
    """What a command leads to.

    Attributes:
        text: what to tell.
        motion: how the program is to move on.
        cluster: the cluster to look at from now on.
        quit: end the debugger.
    """

    text: str = ""
    motion: Motion | None = None
    cluster: int | None = None
    quit: bool = False


@dataclass(frozen=True)
class Command:
    """A command: what it does, and how it is written."""

    action: Callable[[Session, str], Answer]
    usage: str


def execute(session: Session, text: str) -> Answer:
    """Carries out a line of the prompt; a command may be cut short while it is the only one.

    Raises:
        CommandError: there is no such command, or its argument is wrong.
        BreakpointError: there is no such place.
    """
    name, _, argument = text.strip().partition(" ")
    if not name:
        return Answer()
    full = ALIASES.get(name, name)
    matches = [known for known in COMMANDS if known == full] or [known for known in COMMANDS if known.startswith(full)]
    if len(matches) != 1:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"{name!r} may be {' or '.join(matches)}" if matches else f"there is no command {name!r}"
        raise CommandError(f"{hint}: {f'did you mean {near[0]}?' if near else 'help lists them'}")
    return COMMANDS[matches[0]].action(session, argument.strip())


def number(text: str, what: str) -> int:
    """An integer, decimal or with 0x. Raises `CommandError`."""
    try:
        return int(text, 0)
    except ValueError:
        raise CommandError(f"{what} must be a number, not {text!r}") from None


def _break(session: Session, where: str) -> Answer:
    if not where:
        known = ", ".join(str(item) for item in session.breakpoints)
        return Answer(known or "no breakpoints: break main, break main.c:12, break digits.imn:7, break *0x8000100")
    return Answer(str(session.breakpoints.add(where)))


def _delete(session: Session, which: str) -> Answer:
    wanted = number(which, "delete: the breakpoint")
    for known in session.breakpoints:
        if known.number == wanted:
            session.breakpoints.remove(known)
            return Answer(f"{known} is deleted")
    numbers = ", ".join(str(known.number) for known in session.breakpoints)
    raise CommandError(f"there is no breakpoint {wanted}; there are: {numbers or 'none'}")


def _memory(session: Session, argument: str) -> Answer:
    place, _, count = argument.partition(" ")
    if not place:
        raise CommandError("memory needs an address or a symbol: memory 0x30000000, memory image 32")
    symbol = session.info.symbols.get(place)
    address = symbol.address if symbol else number(place, "memory: the address, if it is not a symbol,")
    bytes_wanted = number(count, "memory: the count") if count else MEMORY_BYTES
    try:
        data = session.read_memory(address, bytes_wanted)
    except BusError as error:
        raise CommandError(str(error)) from None
    return Answer(f"0x{address:08x}: {data.hex(' ')}")


def _symbol(session: Session, name: str) -> Answer:
    symbol = session.info.symbols.get(name)
    if symbol is None:
        near = difflib.get_close_matches(name, session.info.symbols, n=1)
        raise CommandError(f"there is no symbol {name!r}" + (f": did you mean {near[0]}?" if near else ""))
    return Answer(f"{name}: 0x{symbol.address:08x}, {symbol.size} bytes")


def _cluster(session: Session, which: str) -> Answer:
    index = number(which, "cluster: the number")
    if not 0 <= index < len(session.clusters):
        raise CommandError(f"the machine has clusters 0..{len(session.clusters) - 1}, not {index}")
    return Answer(f"cluster {index}", cluster=index)


def _run(session: Session, cycles: str) -> Answer:
    return Answer(motion=session.run(number(cycles, "continue: the cycles") if cycles else None))


def _help(session: Session, argument: str) -> Answer:
    return Answer("  ".join(command.usage for command in COMMANDS.values()))


COMMANDS = {
    "break": Command(_break, "break [main | main.c:12 | digits.imn:7 | *ADDRESS]"),
    "delete": Command(_delete, "delete N"),
    "continue": Command(_run, "continue [CYCLES]"),
    "step": Command(lambda session, _: Answer(motion=session.step_into()), "step"),
    "next": Command(lambda session, _: Answer(motion=session.step_over()), "next"),
    "instruction": Command(lambda session, _: Answer(motion=session.step_instruction()), "instruction"),
    "finish": Command(lambda session, _: Answer(motion=session.step_out()), "finish"),
    "cluster": Command(_cluster, "cluster N"),
    "memory": Command(_memory, "memory ADDRESS|SYMBOL [BYTES]"),
    "symbol": Command(_symbol, "symbol NAME"),
    "help": Command(_help, "help"),
    "quit": Command(lambda session, _: Answer(quit=True), "quit"),
}
ALIASES = {"b": "break", "c": "continue", "s": "step", "n": "next", "i": "instruction", "f": "finish", "x": "memory"}

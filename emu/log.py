"""Messages of the machine for people: what firmware touched that is not modelled, why a cluster stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

LIMIT = 1000
"""Messages that are kept; a firmware that goes astray could make millions."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        time: cycles since reset.
        source: name of the device or core.
        text: the message.
        pc: address of the instruction that it is about, None if there is none.
    """

    time: int
    source: str
    text: str
    pc: int | None = None


@dataclass
class Log:
    """Collects messages; the same text from the same source is kept once, so that a loop cannot flood it."""

    messages: list[Message] = field(default_factory=list)
    listeners: list[Callable[[Message], None]] = field(default_factory=list)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def warn(self, time: int, source: str, text: str, pc: int | None = None) -> None:
        """Add a message and tell the listeners."""
        if len(self._seen) == LIMIT:
            source, text, pc = "log", f"{LIMIT} messages; further ones are not shown", None
        if (source, text) in self._seen or len(self._seen) > LIMIT:
            return
        self._seen.add((source, text))
        message = Message(time, source, text, pc)
        self.messages.append(message)
        for listener in self.listeners:
            listener(message)

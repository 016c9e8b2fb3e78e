"""What all serial ports share: bytes out to whoever listens, bytes in from the host."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from typing import ClassVar

from emu.device import Board, Device


class SerialPort(Device):
    """A serial port of any kind.

    Attributes:
        sinks: each is called with every byte sent, as it is sent.
        received: bytes that the host has queued and firmware has not seen yet.
    """

    saved: ClassVar[tuple[str, ...]] = ("received",)

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self.sinks: list[Callable[[bytes], None]] = []
        self.received: deque[int] = deque()

    def receive(self, data: bytes) -> None:
        """Queue bytes as if they came in on the wire."""
        self.received.extend(data)
        self._received()

    def send(self, byte: int) -> None:
        """Give a byte to the sinks."""
        for sink in self.sinks:
            sink(bytes([byte & 0xFF]))

    @abstractmethod
    def _received(self) -> None:
        """The host has queued bytes."""

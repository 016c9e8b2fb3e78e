"""Packets of GDB's remote protocol: ``$data#checksum``, each acknowledged unless both sides agree not to."""

from __future__ import annotations

import select
import socket

INTERRUPT = b"\x03"
"""What gdb sends for Ctrl-C, outside of packets."""
ESCAPE, ESCAPED = 0x7D, b"#$}*"
LONGEST = 1 << 20
"""Bytes of a packet; more without an end are nothing that a debugger sends."""


class ConnectionLostError(Exception):
    """The debugger went away."""


class Connection:
    """Packets over a socket.

    Attributes:
        acknowledges: whether each packet is answered with ``+``.
    """

    def __init__(self, link: socket.socket) -> None:
        self._link, self._buffer, self.acknowledges = link, b"", True

    def interrupted(self) -> bool:
        """Whether the debugger has asked for a stop since the last packet; does not wait."""
        if select.select([self._link], [], [], 0)[0]:
            self._fill()
        found = INTERRUPT in self._buffer
        self._buffer = self._buffer.replace(INTERRUPT, b"")
        return found

    def receive(self) -> bytes:
        """The next packet with the right checksum. Raises `ConnectionLostError`."""
        while True:
            start = self._buffer.find(b"$")
            end = self._buffer.find(b"#", start)
            if start < 0 or end < 0 or len(self._buffer) < end + 3:
                self._buffer = self._buffer[start:] if start >= 0 else b""
                if len(self._buffer) > LONGEST:
                    raise ConnectionLostError(f"a packet of more than {LONGEST} bytes")
                self._fill()
                continue
            data, told = self._buffer[start + 1 : end], self._buffer[end + 1 : end + 3]
            self._buffer = self._buffer[end + 3 :]
            right = told.lower() == _checksum(data)
            if self.acknowledges:
                self._send(b"+" if right else b"-")
            if right:
                return data

    def send(self, data: bytes) -> None:
        """Send a packet. Raises `ConnectionLostError`."""
        escaped = b"".join(bytes((ESCAPE, byte ^ 0x20)) if byte in ESCAPED else bytes((byte,)) for byte in data)
        self._send(b"$" + escaped + b"#" + _checksum(escaped))

    def _fill(self) -> None:
        try:
            more = self._link.recv(4096)
        except OSError as error:
            raise ConnectionLostError(str(error)) from None
        if not more:
            raise ConnectionLostError("the debugger has closed the connection")
        self._buffer += more

    def _send(self, data: bytes) -> None:
        try:
            self._link.sendall(data)
        except OSError as error:
            raise ConnectionLostError(str(error)) from None


def _checksum(data: bytes) -> bytes:
    return f"{sum(data) & 0xFF:02x}".encode()

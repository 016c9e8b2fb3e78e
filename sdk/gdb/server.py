"""Waits for debuggers on a port of this computer, and lets them move a session."""

from __future__ import annotations

import socket
from collections.abc import Callable

from sdk.gdb.packets import Connection
from sdk.gdb.target import Target
from sdk.motion import Halt
from sdk.session import Session

LOCAL = "127.0.0.1"
"""Only this computer: whoever connects can read and write all of the machine's memory."""


class PortError(Exception):
    """The port cannot be had."""


def serve(session: Session, port: int, listening: Callable[[int], None]) -> Halt | None:
    """Serve one debugger after the other, until the firmware has ended or one of them has killed it.

    A debugger that detaches leaves the program where it stands.

    Args:
        port: to wait on; 0: any that is free.
        listening: is told the port when debuggers may connect.

    Returns:
        Why the program stands still, None if it has not been moved.

    Raises:
        PortError: another program has the port, or it needs rights.
    """
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((LOCAL, port))
        except OSError as error:
            raise PortError(
                f"port {port} cannot be had: {error.strerror}: choose another, or 0 for a free one"
            ) from None
        door.listen(1)
        listening(door.getsockname()[1])
        target = Target(session)
        while not target.finished:
            link, _ = door.accept()
            with link:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                target.serve(Connection(link))
        return target.last

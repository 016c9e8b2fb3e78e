"""The commands of gdb's remote protocol, carried out on a session."""

from __future__ import annotations

from collections.abc import Iterator

from emu.bus import BusError
from sdk.breakpoints import Breakpoint, BreakpointError
from sdk.gdb import memory, monitor
from sdk.gdb.packets import Connection, ConnectionLostError
from sdk.gdb.registers import Register, description, features_of
from sdk.motion import Halt, Motion, Reason
from sdk.session import Session

PACKET_BYTES = 0x4000
SIGINT, SIGTRAP, SIGABRT, SIGSEGV = 2, 5, 6, 11
SIGNALS = {
    Reason.PAUSE: SIGINT,
    Reason.ACCELERATOR_BREAKPOINT: SIGINT,
    Reason.ASLEEP: SIGINT,
    Reason.LOCKUP: SIGSEGV,
}
"""Signals that gdb names as the cause of a stop; `SIGTRAP`, after which gdb may go on by itself, for all others."""
FEATURES = f"PacketSize={PACKET_BYTES:x};QStartNoAckMode+;vContSupported+;qXfer:features:read+"
ERROR = b"E01"
HEXADECIMAL = b"0123456789abcdefABCDEF"
BREAKPOINT_KINDS = (b"0", b"1")
"""Software and hardware breakpoints are the same here."""


def _number(digits: bytes) -> int:
    """A number as packets have it: hexadecimal, of 32 bits. Raises `ValueError`."""
    if not 0 < len(digits) <= 8 or digits.strip(HEXADECIMAL):
        raise ValueError(digits)
    return int(digits, 16)


class Target:
    """Answers the packets of one connection after the other.

    *Inaccuracies*: no watchpoints, gdb steps instead of them; one thread, the host: clusters are seen by ``monitor``.

    Attributes:
        finished: the firmware has ended and gdb knows, or gdb has asked to end: there is nothing more to serve.
        last: why the program stands still.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._registers: list[Register] = [
            register for feature in features_of(session.machine.core) for register in feature.registers
        ]
        self._breakpoints: dict[int, Breakpoint] = {}
        self._told_failure = False
        self.finished = False
        self.last: Halt | None = None

    def serve(self, connection: Connection) -> None:
        """Answer until the debugger goes away; its breakpoints go with it."""
        try:
            while not self.finished:
                reply = self._answer(connection, connection.receive())
                if reply is None:
                    break
                connection.send(reply)
        except ConnectionLostError:
            pass
        finally:
            for known in self._breakpoints.values():
                self._session.breakpoints.remove(known)
            self._breakpoints.clear()

    def _answer(self, connection: Connection, packet: bytes) -> bytes | None:
        """The reply to a packet, "" to one that is not supported, None at the end of the connection."""
        kind, rest = packet[:1], packet[1:]
        try:
            match kind:
                case b"?":
                    return b"S%02x" % SIGTRAP
                case b"g":
                    return self._state().hex().encode()
                case b"G":
                    self._set_state(bytes.fromhex(rest.decode()))
                    return b"OK"
                case b"p":
                    return self._registers[_number(rest)].read(self._session.registers()).hex().encode()
                case b"P":
                    number, value = rest.split(b"=")
                    self._registers[_number(number)].write(self._session.machine.core, bytes.fromhex(value.decode()))
                    return b"OK"
                case b"m":
                    address, count = map(_number, rest.split(b","))
                    return memory.read(self._session.machine.bus, address, count).hex().encode()
                case b"M":
                    place, data = rest.split(b":")
                    address, count = map(_number, place.split(b","))
                    if 2 * count != len(data):
                        return ERROR
                    memory.write(self._session.machine.bus, address, bytes.fromhex(data.decode()))
                    return b"OK"
                case b"Z" | b"z" if rest[:1] in BREAKPOINT_KINDS:
                    self._set_breakpoint(_number(rest.split(b",")[1]), present=kind == b"Z")
                    return b"OK"
                case b"c" | b"C":
                    return self._move(connection, self._session.run())
                case b"s" | b"S":
                    return self._move(connection, self._session.step_instruction())
                case b"v" if packet == b"vCont?":
                    return b"vCont;c;C;s;S"
                case b"v" if packet.startswith(b"vCont;"):
                    steps = packet[6:7] in (b"s", b"S")
                    return self._move(connection, self._session.step_instruction() if steps else self._session.run())
                case b"k":
                    self.finished = True
                    return None
                case b"D":
                    connection.send(b"OK")
                    return None
                case b"q" | b"Q":
                    return self._query(connection, packet)
        except (BreakpointError, BusError, ValueError, IndexError):
            return ERROR
        return b""

    def _query(self, connection: Connection, packet: bytes) -> bytes:
        if packet.startswith(b"qSupported"):
            return FEATURES.encode()
        if packet == b"QStartNoAckMode":
            connection.acknowledges = False
            return b"OK"
        if packet == b"qAttached":
            return b"1"
        if packet.startswith(b"qXfer:features:read:target.xml:"):
            offset, count = map(_number, packet.rpartition(b":")[2].split(b","))
            text = description(self._session.machine.core).encode()
            more = b"m" if offset + count < len(text) else b"l"
            return more + text[offset : offset + count]
        if packet.startswith(b"qRcmd,"):
            command = bytes.fromhex(packet[6:].decode()).decode(errors="replace")
            return monitor.answer(self._session, command).encode().hex().encode()
        return b""

    def _state(self) -> bytes:
        values = self._session.registers()
        return b"".join(register.read(values) for register in self._registers)

    def _set_state(self, data: bytes) -> None:
        offset = 0
        for register in self._registers:
            register.write(self._session.machine.core, data[offset : offset + register.size])
            offset += register.size

    def _set_breakpoint(self, address: int, *, present: bool) -> None:
        if present:
            self._breakpoints[address] = self._session.breakpoints.add(f"*0x{address:x}")
        elif address in self._breakpoints:
            self._session.breakpoints.remove(self._breakpoints.pop(address))

    def _move(self, connection: Connection, motion: Motion) -> bytes:
        """Run until the program stops by itself, or the debugger asks for it; returns the reply that says why."""
        halt = self._session.complete(self._pausing(connection, motion))
        self.last = halt
        code = 0 if halt.exit_code is None else halt.exit_code & 0xFF
        if halt.reason is not Reason.EXIT:
            signal = SIGNALS.get(halt.reason, SIGTRAP)
            if signal != SIGTRAP:
                self._say(connection, self._reason(halt))
            return b"S%02x" % signal
        failed = self._session.machine.core.abnormal_exit
        if failed and not self._told_failure:
            # Firmware has ended, but what has led to that can still be looked at.
            self._told_failure = True
            self._say(connection, self._reason(halt))
            return b"S%02x" % (SIGABRT if self._session.fault is None else SIGSEGV)
        self.finished = True
        return b"X%02x" % SIGABRT if failed else b"W%02x" % code

    def _pausing(self, connection: Connection, motion: Motion) -> Motion:
        """``motion``, asked to pause when the debugger wants that."""
        slices: Iterator[None] = iter(motion)
        while True:
            try:
                next(slices)
            except StopIteration as end:
                halt: Halt = end.value
                return halt
            yield
            if connection.interrupted():
                self._session.pause()

    def _reason(self, halt: Halt) -> str:
        """Why the program stands still; without the session's numbers of breakpoints, gdb has its own."""
        if halt.cluster is not None and halt.breakpoint is not None:
            return f"cluster {halt.cluster.index} is at a breakpoint, {halt.breakpoint.place}"
        return self._session.describe(halt)

    @staticmethod
    def _say(connection: Connection, text: str) -> None:
        """Print a line in the debugger's console."""
        connection.send(b"O" + f"imnpu: {text}\n".encode().hex().encode())

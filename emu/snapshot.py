"""Snapshots: the state of a whole machine in memory or in a file, and its hash.

The canonical bytes of a state depend on nothing but the state: dictionaries are sorted, numbers have one notation.

    None, True, False       n t f
    integer                 i-12;
    float                   r0x1.8p+1;          exact
    bytes                   b3:abc
    text                    s3:abc              UTF-8
    list                    l...;
    dictionary              d key value ... ;   keys sorted

A file is `MAGIC`, `VERSION` (4 bytes, little-endian), the SHA-256 of all that follows, and behind it the compressed
canonical bytes of {"layout", "state"}. Another machine than the one that the layout describes refuses it.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from emu.state import State

MAGIC = b"IMNPU snapshot\r\n"
VERSION = 2
HEADER = struct.Struct(f"<{len(MAGIC)}sI32s")
COMPRESSION = 1
"""zlib's fastest: most of a machine's memory is zeros."""


class SnapshotError(Exception):
    """The file or snapshot cannot be used: why, and what to do."""


@dataclass(frozen=True)
class Snapshot:
    """A machine's state at one moment.

    Attributes:
        layout: what the machine consists of, to tell machines apart.
        state: what `emu.state` calls plain data.
    """

    layout: dict[str, State]
    state: dict[str, State]

    @property
    def hash(self) -> str:
        """SHA-256 of the state's canonical bytes, in hexadecimal digits."""
        return hashlib.sha256(encode(self.state)).hexdigest()

    def save(self, path: Path) -> None:
        """Write a file. Raises OSError."""
        content = zlib.compress(encode({"layout": self.layout, "state": self.state}), COMPRESSION)
        path.write_bytes(HEADER.pack(MAGIC, VERSION, hashlib.sha256(content).digest()) + content)

    @staticmethod
    def load(path: Path) -> Snapshot:
        """Read a file.

        Raises:
            SnapshotError: it is not a snapshot, of another version, or damaged.
            OSError: it cannot be read.
        """
        data = path.read_bytes()
        if not data.startswith(MAGIC):
            raise SnapshotError(f"{path}: not a snapshot: its first bytes are not {MAGIC!r}")
        if len(data) < HEADER.size:
            raise SnapshotError(
                f"{path}: damaged: {len(data)} bytes, the header alone has {HEADER.size}: make it again"
            )
        _, version, digest = HEADER.unpack_from(data)
        if version != VERSION:
            raise SnapshotError(
                f"{path}: a snapshot of version {version}, this imnpu reads version {VERSION}: make it again"
            )
        content = data[HEADER.size :]
        if hashlib.sha256(content).digest() != digest:
            raise SnapshotError(f"{path}: damaged: its contents do not have the checksum that it states: make it again")
        try:
            whole = decode(zlib.decompress(content))
            return Snapshot(whole["layout"], whole["state"])
        except (ValueError, KeyError, TypeError, RecursionError, zlib.error) as error:
            raise SnapshotError(f"{path}: its contents are no snapshot: {error}: make it again") from None


def check_layout(snapshot: Snapshot, layout: dict[str, State]) -> None:
    """Raises `SnapshotError` unless the snapshot is one of a machine with this layout."""
    for what, mine in layout.items():
        theirs = snapshot.layout.get(what)
        if theirs != mine:
            raise SnapshotError(
                f"the snapshot is of another machine: its {what} is {theirs}, here it is {mine}: "
                "choose the same machine and options, or make the snapshot again"
            )


def encode(state: State) -> bytes:
    """The canonical bytes of a state. Raises TypeError for what is no state."""
    parts: list[bytes] = []
    _encode(state, parts)
    return b"".join(parts)


def _encode(value: State, parts: list[bytes]) -> None:
    match value:
        case None:
            parts.append(b"n")
        case bool():
            parts.append(b"t" if value else b"f")
        case int():
            parts.append(b"i%d;" % value)
        case float():
            parts.append(b"r%s;" % value.hex().encode())
        case bytes():
            parts += (b"b%d:" % len(value), value)
        case str():
            text = value.encode()
            parts += (b"s%d:" % len(text), text)
        case list():
            parts.append(b"l")
            for item in value:
                _encode(item, parts)
            parts.append(b";")
        case dict():
            parts.append(b"d")
            for key in sorted(value):
                _encode(key, parts)
                _encode(value[key], parts)
            parts.append(b";")
        case _:
            raise TypeError(f"a {type(value).__name__} is not plain data")


def decode(data: bytes) -> State:
    """The state of canonical bytes. Raises ValueError for others."""
    try:
        value, end = _decode(data, 0)
    except IndexError:
        raise ValueError("the data ends early") from None
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes too many")
    return value


def _decode(data: bytes, at: int) -> tuple[State, int]:
    """The value at ``at`` and where it ends."""
    kind, at = data[at : at + 1], at + 1
    match kind:
        case b"n":
            return None, at
        case b"t" | b"f":
            return kind == b"t", at
        case b"i" | b"r":
            end = data.index(b";", at)
            text = data[at:end].decode()
            return int(text) if kind == b"i" else float.fromhex(text), end + 1
        case b"b" | b"s":
            colon = data.index(b":", at)
            end = colon + 1 + int(data[at:colon])
            found = data[colon + 1 : end]
            return found if kind == b"b" else found.decode(), end
        case b"l":
            items = []
            while data[at] != ord(";"):
                item, at = _decode(data, at)
                items.append(item)
            return items, at + 1
        case b"d":
            pairs = {}
            while data[at] != ord(";"):
                key, at = _decode(data, at)
                pairs[key], at = _decode(data, at)
            return pairs, at + 1
    raise ValueError(f"{kind!r} begins no value")

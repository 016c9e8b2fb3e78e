"""Unicorn's registers, many with one native call: the binding takes ten times as long for a single one."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence

from unicorn import Uc
from unicorn.unicorn_py3.unicorn import uclib

_read_batch = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)(
    ("uc_reg_read_batch", uclib)
)
_write_batch = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)(
    ("uc_reg_write_batch", uclib)
)


class RegisterBatch:
    """A fixed list of 32-bit registers, read or written with one native call."""

    def __init__(self, uc: Uc, numbers: Sequence[int]) -> None:
        self._handle = uc._uch
        self._count = len(numbers)
        self._numbers = (ctypes.c_int * self._count)(*numbers)
        # Every register has room for 64 bits, of which Unicorn uses the lower half.
        self._values = ctypes.create_string_buffer(8 * self._count)
        start = ctypes.addressof(self._values)
        self._places = (ctypes.c_void_p * self._count)(*[start + 8 * index for index in range(self._count)])
        self._unpack = struct.Struct("=" + "I4x" * self._count).unpack
        self._pack_into = struct.Struct(f"={self._count}Q").pack_into

    @property
    def places(self) -> tuple[int, int, int, int]:
        """For native code: addresses of the registers' numbers, of pointers to their values, of these; their count."""
        address = ctypes.addressof
        return address(self._numbers), address(self._places), address(self._values), self._count

    def read(self) -> tuple[int, ...]:
        """The registers' values as unsigned integers."""
        _read_batch(self._handle, self._numbers, self._places, self._count)
        return self._unpack(self._values)

    def write(self, *values: int) -> None:
        """Set all registers, in the order of the list."""
        self._pack_into(self._values, 0, *values)
        _write_batch(self._handle, self._numbers, self._places, self._count)

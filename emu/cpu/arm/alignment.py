"""How Unicorn is made to trap unaligned accesses: it does so only for a core without the Main Extension, as the M0.

Unicorn looks at that feature of its core when it translates a load or store of one word or half-word, or of several;
the check is then part of the comparison that every access makes anyway, and costs nothing. Besides, it looks at the
feature when MSR and CPS write BASEPRI, FAULTMASK and CONTROL, and so does a write of these registers from outside. So
the feature is taken away while firmware executes, and given back for blocks of instructions with such a write, which
ends a block, in native exceptions, and outside of runs. A block that Unicorn translates right behind such a write is
translated again.

The features are no register: their place in memory is found by the content of a saved context, which ends with them.

Inaccuracies: loads and stores of double-precision registers (VLDR, VSTR, VLDM, VSTM of D0..D15) are not checked. On
hosts without /proc unaligned accesses never trap.
"""

from __future__ import annotations

import ctypes
import os
import struct

from unicorn import Uc
from unicorn import arm_const as arm

from emu.cpu.hook_state import MAIN_EXTENSION

HAS, V7, THUMB2, MICROCONTROLLER = MAIN_EXTENSION, 1 << 5, 1 << 6, 1 << 9
"""Features of every core with the Main Extension, which is the last one in Unicorn's list."""
MARKS = tuple(0x51A7_0001 + 0x0101_0101 * index for index in range(12))
"""Values of R0..R11 that no other memory is likely to hold."""
INSTANCE_BYTES, CORE_BYTES = 0x400, 0x1_0000
"""How much is searched of Unicorn's instance for the pointer to its core, and of that core for its registers."""
_found: list[tuple[int, int]] = []
"""(offset of the pointer in the instance, offset of the registers in the core): the same in all instances."""


def features_of(uc: Uc) -> int | None:
    """Host address of the 64-bit word with `MAIN_EXTENSION` of an instance with a Cortex-M's model.

    R0..R11 are lost. None if the core has no Main Extension, or if the word cannot be found for sure.
    """
    for number, mark in enumerate(MARKS):
        uc.reg_write(arm.UC_ARM_REG_R0 + number, mark)
    saved: bytes = uc.context_save().__getstate__()[0]
    registers = saved[saved.index(struct.pack("<12I", *MARKS)) :]
    words = struct.unpack(f"<{len(registers) // 8}Q", registers[: len(registers) // 8 * 8])
    places = [8 * index for index, word in enumerate(words) if _are_features(word)]
    if len(places) != 1:
        return None
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY)
    except OSError:
        return None
    try:
        start = _registers_of(uc, memory, registers[: places[0] + 8])
    finally:
        os.close(memory)
    return None if start is None else start + places[0]


def _are_features(word: int) -> bool:
    needed = HAS | V7 | THUMB2 | MICROCONTROLLER
    return word & needed == needed and word < HAS << 1


def _registers_of(uc: Uc, memory: int, content: bytes) -> int | None:
    """Address of a core's registers, which begin with ``content``, in the process's memory."""
    instance = ctypes.cast(uc._uch, ctypes.c_void_p).value or 0
    if not _found:
        place = _search(uc, memory, instance, content)
        if place is None:
            return None
        _found.append(place)
    pointer, offset = _found[0]
    start: int = struct.unpack("<Q", _read(memory, instance + pointer, 8))[0] + offset
    return start if _read(memory, start, len(content)) == content else None


def _search(uc: Uc, memory: int, instance: int, content: bytes) -> tuple[int, int] | None:
    pointers = struct.unpack(f"<{INSTANCE_BYTES // 8}Q", _read(memory, instance, INSTANCE_BYTES))
    for index, pointer in enumerate(pointers):
        core = _read(memory, pointer, CORE_BYTES + len(content))
        offset = core.find(content)
        while offset >= 0:
            if _is_alive(uc, memory, pointer + offset):
                return 8 * index, offset
            offset = core.find(content, offset + 1)
    return None


def _is_alive(uc: Uc, memory: int, registers: int) -> bool:
    """Whether these are the registers of the core, and no copy of them."""
    uc.reg_write(arm.UC_ARM_REG_R0, ~MARKS[0] & 0xFFFF_FFFF)
    changed = _read(memory, registers, 4) == struct.pack("<I", ~MARKS[0] & 0xFFFF_FFFF)
    uc.reg_write(arm.UC_ARM_REG_R0, MARKS[0])
    return changed


def _read(memory: int, address: int, count: int) -> bytes:
    """Bytes of the process's memory, fewer where it ends, none where there is no memory."""
    if address % 8 or not 0 < address < 1 << 47:
        return b""
    try:
        return os.pread(memory, count, address)
    except OSError:
        return b""

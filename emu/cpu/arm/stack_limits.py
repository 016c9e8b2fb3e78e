"""MSPLIM and PSPLIM of an ARMv8-M core."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache

from unicorn import UC_ARCH_ARM, UC_MODE_THUMB, Uc
from unicorn import arm_const as arm

from emu.state import Saved, State

ALIGNMENT = 8
SET_BOTH = struct.pack("<4H", 0xF380, 0x880A, 0xF381, 0x880B)
"""msr msplim, r0; msr psplim, r1"""
MARKS = 0x1234_5678, 0x5678_9AB0
PAGE = 0x1000


class StackLimitsError(Exception):
    """This version of Unicorn does not have the layout that the model relies on."""


@cache
def _places() -> tuple[int, int]:
    """Where the limits are in a saved context of Unicorn, found by setting them in an instance of its own."""
    uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB)
    uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M33)
    uc.mem_map(0, PAGE)
    uc.mem_write(0, SET_BOTH)
    for register, mark in zip((arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1), MARKS, strict=True):
        uc.reg_write(register, mark)
    uc.emu_start(1, len(SET_BOTH))
    for register in (arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1):
        uc.reg_write(register, 0)
    content = uc.context_save().__getstate__()[0]
    marks = [struct.pack("<I", mark) for mark in MARKS]
    if any(content.count(mark) != 1 for mark in marks):
        raise StackLimitsError("stack limits were not found once in the saved context: use the pinned unicorn version")
    return content.index(marks[0]), content.index(marks[1])


class StackLimits(Saved):
    """The limits: Unicorn obeys them, but only its instructions can read and set them.

    Attributes:
        values: MSPLIM and PSPLIM, as firmware has set them.
    """

    saved = ("values",)

    def __init__(self, uc: Uc) -> None:
        self._uc = uc
        self.values = [0, 0]

    def note(self, process: bool, limit: int) -> None:
        """Firmware is about to set one of them."""
        self.values[process] = limit & -ALIGNMENT

    def set(self, main: int, process: int) -> None:
        """Set both, in Unicorn too.

        Raises:
            StackLimitsError: Unicorn's layout is another one.
        """
        if [main, process] == self.values:
            return
        context = self._uc.context_save()
        content, *rest = context.__getstate__()
        changed = bytearray(content)
        for place, limit in zip(_places(), (main, process), strict=True):
            struct.pack_into("<I", changed, place, limit)
        context.__setstate__((bytes(changed), *rest))
        self._uc.context_restore(context)
        self.values = [main, process]

    def set_state(self, state: Mapping[str, State]) -> None:
        """Take back what `get_state` gave."""
        self.set(*state["values"])

"""How to find a function's caller at each of its instructions: the call frame information of an ELF file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from elftools.dwarf.callframe import FDE, RegisterRule


@dataclass(frozen=True, slots=True)
class FrameRule:
    """Where an instruction's caller is.

    The frame's address (DWARF's CFA: the caller's stack pointer) is ``register + offset``.

    Attributes:
        register, offset: DWARF register number, bytes.
        saved: registers that the function saved: DWARF register number, bytes from the frame's address.
        moved: registers that are kept in another register meanwhile.
        undefined: registers whose old value is lost.
        return_register: the register that holds the return address.
    """

    register: int
    offset: int
    saved: dict[int, int]
    moved: dict[int, int]
    undefined: frozenset[int]
    return_register: int


class CallFrames:
    """The frame rules of a program.

    Args:
        dwarf: pyelftools' `DWARFInfo`.
        is_loaded: says of an address whether the program has something there.

    *Inaccuracies*: rules that are DWARF expressions are not evaluated; there the unwinder stops. Compilers for
    Arm and RISC-V do not make any.
    """

    def __init__(self, dwarf: Any, is_loaded: Callable[[int], bool]) -> None:
        entries = chain(
            dwarf.CFI_entries() if dwarf.has_CFI() else (), dwarf.EH_CFI_entries() if dwarf.has_EH_CFI() else ()
        )
        functions = [item for item in entries if isinstance(item, FDE) and is_loaded(item["initial_location"])]
        self._functions = sorted(functions, key=lambda item: int(item["initial_location"]))
        self._starts = [int(item["initial_location"]) for item in self._functions]

    def at(self, address: int) -> FrameRule | None:
        """The rule for the instruction at ``address``, None if the compiler left none."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._starts[index] + self._functions[index]["address_range"]:
            return None
        function = self._functions[index]
        row: dict[Any, Any] = {}
        for candidate in function.get_decoded().table:
            if candidate["pc"] <= address:
                row = candidate
        frame = row.get("cfa")
        if frame is None or frame.reg is None:
            return None
        saved, moved, undefined = {}, {}, set()
        for number, rule in row.items():
            if not isinstance(number, int) or rule.type == RegisterRule.SAME_VALUE:
                continue
            if rule.type == RegisterRule.OFFSET:
                saved[number] = rule.arg
            elif rule.type == RegisterRule.REGISTER:
                moved[number] = rule.arg
            else:
                undefined.add(number)
        cie: Any = function.cie
        return_register = cie["return_address_register"]
        return FrameRule(frame.reg, frame.offset, saved, moved, frozenset(undefined), return_register)

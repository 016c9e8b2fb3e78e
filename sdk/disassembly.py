"""Machine code of the host as text, with names for the addresses that it jumps to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sdk.host import Host

FLOW_GROUPS = frozenset({"jump", "call", "return", "interrupt", "branch_relative"})
"""capstone's groups of instructions that do not simply go on with the next one."""
UNGROUPED_FLOW = frozenset({"c.j", "c.beqz", "c.bnez", "cbz", "cbnz", "mret"})
"""Instructions of that kind that capstone 5 leaves out of the groups."""


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction.

    Attributes:
        code: its bytes.
        text: mnemonic and operands.
        target: name of the place that it jumps to or calls, "" if it does not or the name is not known.
        flow: it jumps, calls or returns, perhaps under a condition.
    """

    address: int
    code: bytes
    text: str
    target: str = ""
    flow: bool = False


class Disassembler:
    """Disassembles for one host.

    Args:
        label: names an address, "" if it has no name.
    """

    def __init__(self, host: Host, label: Callable[[int], str]) -> None:
        import capstone

        self._immediate = capstone.CS_OP_IMM
        self._engine = host.disassembler()
        self._engine.detail = True
        self._engine.skipdata = True
        self._relative = host.relative_targets
        self._label = label

    def lines(self, code: bytes, address: int) -> list[Line]:
        """The instructions in ``code``, which lies at ``address``; what is none appears as `.byte`."""
        items = list(self._engine.disasm(code, address))
        return [self._line(item, before) for before, item in zip([None, *items], items, strict=False)]

    def _line(self, item: Any, before: Any) -> Line:
        code, text = bytes(item.bytes), f"{item.mnemonic} {item.op_str}".rstrip()
        if item.id == 0:
            return Line(item.address, code, text)
        groups = {item.group_name(group) for group in item.groups}
        flow = bool(groups & FLOW_GROUPS) or item.mnemonic in UNGROUPED_FLOW
        if not flow or not item.operands or item.operands[-1].type != self._immediate:
            return Line(item.address, code, text, flow=flow)
        target = item.operands[-1].imm
        if item.mnemonic == "jalr":
            return Line(item.address, code, text, self._far_target(before, item), flow=True)
        if self._relative:
            target = (target + item.address) & 0xFFFF_FFFF
            others = item.op_str.rpartition(", ")[0]
            text = f"{item.mnemonic} {others + ', ' if others else ''}0x{target:x}"
        return Line(item.address, code, text, self._label(target), flow=True)

    def _far_target(self, upper: Any, lower: Any) -> str:
        """Where RISC-V's pair of `auipc` and `jalr` goes; "" if the two are no pair."""
        if upper is None or upper.mnemonic != "auipc" or upper.operands[0].reg != lower.operands[1].reg:
            return ""
        target = upper.address + (upper.operands[1].imm << 12) + lower.operands[2].imm
        return self._label(target & 0xFFFF_FFFF)

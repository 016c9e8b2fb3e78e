"""Messages of a machine as people read them: with the source line of the instruction that they are about."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from emu.npu.cluster import Cluster
from emu.npu.synchronisation import waits_of
from sdk.loader import Image

if TYPE_CHECKING:
    from sdk.dwarf import LineTable
    from sdk.sources import Sources


class SourceLines:
    """Finds the source line of an address, as far as the firmware has debug information.

    Args:
        image: the firmware; its debug information is read when the first line is asked for.
    """

    def __init__(self, image: Image) -> None:
        self._image = image

    @cached_property
    def _known(self) -> tuple[LineTable, Sources] | None:
        """Line table and source files, None without readable debug information."""
        from sdk.debug_info import DebugInfo, DebugInfoError

        if not self._image.is_elf:
            return None
        info = DebugInfo(self._image.path)
        try:
            return info.lines, info.sources
        except DebugInfoError:
            return None

    def under(self, text: str, pc: int | None) -> str:
        """``text`` and, in a line of its own, the source line of ``pc`` if there is one."""
        if pc is None or self._known is None:
            return text
        lines, sources = self._known
        place = lines.at(pc)
        if place is None:
            return text
        line = sources.line(place.path, place.line) or ""
        return f"{text}\n  {place} | {line.strip()}".rstrip(" |")


def waiting_programs(clusters: Iterable[Cluster], lines: SourceLines) -> list[str]:
    """What each accelerator program that waits is waiting for, and where."""
    return [
        lines.under(f"{text} (instruction at 0x{cluster.sequencer.pc:08x})", cluster.sequencer.pc)
        for cluster, text in waits_of(list(clusters))
    ]

"""A device that is there and does nothing."""

from __future__ import annotations

from emu.device import Device


class Unmodelled(Device):
    """Reads give 0, writes are ignored, both are reported.

    *Inaccuracies*: all.
    """

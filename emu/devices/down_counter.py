"""A counter that counts down to 0, as the timers and the watchdog of Arm's design kit have it."""

from __future__ import annotations

from collections.abc import Callable

from emu.device import Device
from emu.state import Saved


class DownCounter(Saved):
    """Counts down by one every ``divisor`` machine cycles, and calls ``on_zero`` when it goes from 1 to 0.

    It stays at 0 for one tick; then it starts again at `limit`, so that a period is `limit` + 1 ticks. It stops at
    0 if the limit is 0 or the count is a single one.

    Args:
        device: whose counter it is.
        name: of its event.
        on_zero: called when the count gets to 0 by counting.

    Attributes:
        limit: where it starts again.
        running: whether it counts.
        single: whether it stops at 0.
        divisor: machine cycles per tick; change it by `set_divisor`.
    """

    saved = ("limit", "_count", "_since", "running", "single", "divisor")

    def __init__(self, device: Device, name: str, on_zero: Callable[[], None]) -> None:
        self._clock = device.clock
        self._zero = device.event(name, self._reach_zero)
        self._on_zero = on_zero
        self.limit = self._count = self._since = 0
        self.running = self.single = False
        self.divisor = 1

    @property
    def count(self) -> int:
        """The present count."""
        return self._after((self._clock.now - self._since) // self.divisor) if self.running else self._count

    def _after(self, ticks: int) -> int:
        """The count so many ticks after `_since`."""
        if ticks <= self._count:
            return self._count - ticks
        if self.single or not self.limit:
            return 0
        return self.limit - (ticks - self._count - 1) % (self.limit + 1)

    def _schedule(self) -> None:
        """Look for the next 0."""
        if self.running and (self._count or (self.limit and not self.single)):
            ticks = self._count or self.limit + 1
            self._zero.at(self._since + ticks * self.divisor)
        else:
            self.running = False
            self._zero.cancel()

    def _reach_zero(self) -> None:
        self._since, self._count = self._zero.due, 0
        self._schedule()
        self._on_zero()

    def _settle(self) -> None:
        """Keep the present count and the part of a tick that has passed."""
        if self.running:
            count = self.count
            self._since += (self._clock.now - self._since) // self.divisor * self.divisor
            self._count = count

    def run(self, *, single: bool = False) -> None:
        """Count, or go on counting."""
        self._settle()
        if not self.running:
            self.running, self._since = True, self._clock.now
        self.single = single
        self._schedule()

    def stop(self) -> None:
        """Keep the count as it is."""
        self._settle()
        self.running = False
        self._schedule()

    def set_count(self, count: int) -> None:
        """Go on from ``count``."""
        self._since, self._count = self._clock.now, count
        self._schedule()

    def set_limit(self, limit: int, *, reload: bool = False) -> None:
        """Start again at ``limit`` from now on; with ``reload`` also at once."""
        self._settle()
        self.limit = limit
        if reload:
            self.set_count(limit)
        else:
            self._schedule()

    def set_divisor(self, divisor: int) -> None:
        """Let a tick last so many machine cycles."""
        self._settle()
        self.divisor = divisor
        self._schedule()

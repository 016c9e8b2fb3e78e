"""DWT of the Cortex-M: the cycle counter that firmware measures itself with."""

from __future__ import annotations

from asm.bits import Layout
from emu.cpu.system_control import ExceptionMonitor, SystemControl
from emu.device import Board, Device
from emu.registers import Access, Bits, Register, Word


class WatchpointControl(Layout):
    """DWT control."""

    CYCCNTENA = Bits(0, 1, "1: CYCCNT counts, if DEMCR.TRCENA is set too.")
    NOPRFCNT = Bits(24, 1, "No profiling counters.", access=Access.RO, reset=1)
    NOCYCCNT = Bits(25, 1, "No cycle counter.", access=Access.RO)
    NOEXTTRIG = Bits(26, 1, "No match signals.", access=Access.RO, reset=1)
    NOTRCPKT = Bits(27, 1, "No trace.", access=Access.RO, reset=1)
    NUMCOMP = Bits(28, 4, "Number of comparators.", access=Access.RO)


class DataWatchpoint(Device):
    """The data watchpoint and trace unit: cycle counter only, as its control register says.

    Inaccuracies: the counter is read at the end of the block of instructions that reads it, see `emu.cpu.engine`.
    """

    saved = ("_running", "_zero_at")

    CTRL = Register(0x000, WatchpointControl)
    CYCCNT = Register(0x004, Word, "Cycle counter.")

    def __init__(self, board: Board, control: SystemControl) -> None:
        super().__init__("data_watchpoint", board)
        self._control = control
        self._running = False
        self._zero_at = 0
        control.on_trace_change = self._switch

    def reset(self) -> None:
        """Stopped at 0."""
        super().reset()
        self._running = False

    def _switch(self) -> None:
        """Start or stop the counter, keeping its value."""
        running = bool(
            WatchpointControl.CYCCNTENA.extract(self.CTRL) and ExceptionMonitor.TRCENA.extract(self._control.DEMCR)
        )
        if running and not self._running:
            self._zero_at = self.clock.now - self.CYCCNT
        elif self._running and not running:
            self.CYCCNT = self.clock.now - self._zero_at
        self._running = running

    @CTRL.on_write
    def _write_control(self, value: int) -> None:
        self._switch()

    @CYCCNT.on_read
    def _read_counter(self) -> int:
        return (self.clock.now - self._zero_at if self._running else self.CYCCNT) & 0xFFFF_FFFF

    @CYCCNT.on_write
    def _write_counter(self, value: int) -> None:
        self._zero_at = self.clock.now - value

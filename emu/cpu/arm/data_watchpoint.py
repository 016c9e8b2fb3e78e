"""DWT of the Cortex-M: the cycle counter that firmware measures itself with, and comparators that watch addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from asm.bits import Layout
from emu.cpu.arm.comparators import Watch
from emu.cpu.arm.models import Architecture
from emu.cpu.arm.system_control import ExceptionMonitor, SystemControl
from emu.cpu.hook_state import Right
from emu.device import Board, Device
from emu.registers import Access, Bits, Register, RegisterArray, Word
from emu.state import State

COMPARATORS = 4
COMPARATOR_STRIDE = 16
LONGEST_MASK = 31
READ_WRITE = Right.READ | Right.WRITE
ACCESSES = {4: Right.EXECUTE, 5: Right.READ, 6: Right.WRITE, 7: READ_WRITE}
"""What a value of FUNCTION.FUNCTION watches in ARMv7-M."""
MATCHES = {2: Right.EXECUTE, 4: READ_WRITE, 5: Right.WRITE, 6: Right.READ}
"""What a value of FUNCTION.FUNCTION, there called MATCH, watches in ARMv8-M."""
DEBUG_EVENT = 1
"""Value of FUNCTION.ACTION in ARMv8-M."""


class WatchpointControl(Layout):
    """DWT control."""

    CYCCNTENA = Bits(0, 1, "1: CYCCNT counts, if DEMCR.TRCENA is set too.")
    NOPRFCNT = Bits(24, 1, "No profiling counters.", access=Access.RO, reset=1)
    NOCYCCNT = Bits(25, 1, "No cycle counter.", access=Access.RO)
    NOEXTTRIG = Bits(26, 1, "No match signals.", access=Access.RO, reset=1)
    NOTRCPKT = Bits(27, 1, "No trace.", access=Access.RO, reset=1)
    NUMCOMP = Bits(28, 4, "Number of comparators.", access=Access.RO, reset=COMPARATORS)


class ComparatorMask(Layout):
    """Which bits of an address a comparator ignores; not in ARMv8-M."""

    MASK = Bits(0, 5, "So many low bits.")


class ComparatorFunction(Layout):
    """What a comparator does."""

    FUNCTION = Bits(
        0,
        4,
        "ARMv7-M: 0 nothing, 4 instruction address, 5 read, 6 write, 7 access. ARMv8-M: 0 nothing, 2 instruction "
        "address, 4 access, 5 write, 6 read. Others do nothing here.",
    )
    ACTION = Bits(4, 2, "ARMv8-M: 1 is a debug event; in ARMv7-M every match is.")
    CYCMATCH = Bits(7, 1, "1: compare with CYCCNT.", modelled=False)
    DATAVMATCH = Bits(8, 1, "1: compare with the data.", modelled=False)
    DATAVSIZE = Bits(10, 2, "ARMv8-M: 1, 2 or 4 bytes are watched.")
    MATCHED = Bits(24, 1, "There was a match; reading clears it.", access=Access.RO)


class DataWatchpoint(Device):
    """The data watchpoint and trace unit: cycle counter and comparators.

    Attributes:
        watches: what the comparators look for now.
        changed: `watches` may be others than before; the core clears it.
        debug_event: a match asks for the debug monitor; the core clears it.
        on_change: called when one of both has become true.

    Inaccuracies: the debug monitor begins at the end of the block of instructions that holds the match, so that a few
    instructions may follow it. Comparators do not compare data or CYCCNT, have no ranges in ARMv8-M, and make no trace.
    There is no lock: the Cortex-M7's LAR need not be written.
    The counter is read at the end of the block of instructions that reads it, see `emu.cpu.engine`.
    """

    saved = ("_running", "_zero_at", "debug_event")

    CTRL = Register(0x000, WatchpointControl)
    CYCCNT = Register(0x004, Word, "Cycle counter.")
    COMP = RegisterArray(0x020, Word, "Address.", count=COMPARATORS, stride=COMPARATOR_STRIDE)
    MASK = RegisterArray(0x024, ComparatorMask, count=COMPARATORS, stride=COMPARATOR_STRIDE)
    FUNCTION = RegisterArray(0x028, ComparatorFunction, count=COMPARATORS, stride=COMPARATOR_STRIDE)
    LAR = Register(0xFB0, Word, "Lock access: there is no lock.", access=Access.WO)

    def __init__(self, board: Board, control: SystemControl) -> None:
        super().__init__("data_watchpoint", board)
        self._control = control
        self._running = False
        self._zero_at = 0
        self.watches: tuple[Watch, ...] = ()
        self.changed = self.debug_event = False
        self.on_change: Callable[[], None] = lambda: None
        control.on_trace_change = self._switch

    def reset(self) -> None:
        """Stopped at 0, nothing watched."""
        super().reset()
        self._running = self.debug_event = False
        if self._control.model.architecture is Architecture.V6M:
            self.CTRL = WatchpointControl.NUMCOMP.insert(self.CTRL, 0)
        self._choose_watches()

    def set_state(self, state: Mapping[str, State]) -> None:
        """Take back what `get_state` gave."""
        super().set_state(state)
        self._choose_watches()

    @property
    def _traces(self) -> bool:
        return bool(ExceptionMonitor.TRCENA.extract(self._control.DEMCR))

    def _switch(self) -> None:
        """Start or stop counter and comparators; the counter keeps its value."""
        running = bool(WatchpointControl.CYCCNTENA.extract(self.CTRL)) and self._traces
        if running and not self._running:
            self._zero_at = self.clock.now - self.CYCCNT
        elif self._running and not running:
            self.CYCCNT = self.clock.now - self._zero_at
        self._running = running
        self._choose_watches()

    @CTRL.on_write
    def _write_control(self, value: int) -> None:
        self._switch()

    @CYCCNT.on_read
    def _read_counter(self) -> int:
        return (self.clock.now - self._zero_at if self._running else self.CYCCNT) & 0xFFFF_FFFF

    @CYCCNT.on_write
    def _write_counter(self, value: int) -> None:
        self._zero_at = self.clock.now - value

    # Comparators

    @COMP.on_write
    @MASK.on_write
    @FUNCTION.on_write
    def _write_comparator(self, number: int, value: int) -> None:
        self._choose_watches()

    @FUNCTION.on_read
    def _read_function(self, number: int) -> int:
        function = self.FUNCTION[number]
        self.FUNCTION[number] = ComparatorFunction.MATCHED.insert(function, 0)
        return function

    def _choose_watches(self) -> None:
        """Find out what the registers ask for."""
        numbers = range(WatchpointControl.NUMCOMP.extract(self.CTRL)) if self._traces else ()
        watches = tuple(watch for watch in map(self._watch, numbers) if watch is not None)
        if watches != self.watches:
            self.watches, self.changed = watches, True
            self.on_change()

    def _watch(self, number: int) -> Watch | None:
        """What a comparator looks for, None if nothing."""
        function = ComparatorFunction.unpack(self.FUNCTION[number])
        later = self._control.model.architecture is Architecture.V8M
        access = (MATCHES if later else ACCESSES).get(function["FUNCTION"])
        if access is None:
            return None
        bits = function["DATAVSIZE"] if later else min(self.MASK[number], LONGEST_MASK)
        low = self.COMP[number] & -(1 << bits)
        if access == Right.EXECUTE:
            low &= ~1
        return Watch(number, low, low + (1 << bits) - 1, access)

    def matched(self, number: int) -> None:
        """An access has matched a comparator."""
        function = self.FUNCTION[number]
        self.FUNCTION[number] = ComparatorFunction.MATCHED.insert(function, 1)
        later = self._control.model.architecture is Architecture.V8M
        if not later or ComparatorFunction.ACTION.extract(function) == DEBUG_EVENT:
            self.debug_event = True
            self.on_change()

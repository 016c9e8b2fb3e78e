"""DWT of the Cortex-M: the cycle counter that firmware measures itself with, and comparators that watch addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from asm.bits import Layout
from emu.cpu.arm.comparators import WIDEST_DATA, DataValue, Watch
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
WITH_DATA = 1
"""The comparator of ARMv7-M that can compare data."""
ADDRESS_SPACE = 1 << 32
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
    DATAVMATCH = Bits(8, 1, "ARMv7-M, only in comparator 1: COMP is data, and read, write or access must move it.")
    LNK1ENA = Bits(9, 1, "ARMv7-M: DATAVADDR1 counts.", access=Access.RO)
    DATAVSIZE = Bits(10, 2, "ARMv8-M: 1, 2 or 4 bytes are watched. ARMv7-M: the data has 1, 2 or 4 bytes.")
    DATAVADDR0 = Bits(12, 4, "ARMv7-M: data is compared at the addresses of this comparator; 1: everywhere.")
    DATAVADDR1 = Bits(16, 4, "ARMv7-M: and at those of this one; 1: nowhere else.")
    MATCHED = Bits(24, 1, "There was a match; reading clears it.", access=Access.RO)


DATA_FIELDS = ComparatorFunction.DATAVMATCH, ComparatorFunction.DATAVADDR0, ComparatorFunction.DATAVADDR1
"""What is 0 where a comparator does not compare data."""


class DataWatchpoint(Device):
    """The data watchpoint and trace unit: cycle counter and comparators.

    Attributes:
        watches: what the comparators look for now.
        changed: `watches` may be others than before; the core clears it.
        debug_event: a match asks for the debug monitor; the core clears it.
        on_change: called when one of both has become true.

    Inaccuracies: the debug monitor begins at the end of the block of instructions that holds the match, so that a few
    instructions may follow it. Data is compared in accesses of its size only, and not in ARMv8-M. Comparators do not
    compare CYCCNT, have no ranges in ARMv8-M, and make no trace.
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
        if self._later or number != WITH_DATA:
            for field in DATA_FIELDS:
                self.FUNCTION[number] = field.insert(self.FUNCTION[number], 0)
        self._choose_watches()

    @property
    def _later(self) -> bool:
        return self._control.model.architecture is Architecture.V8M

    @FUNCTION.on_read
    def _read_function(self, number: int) -> int:
        function = self.FUNCTION[number]
        self.FUNCTION[number] = ComparatorFunction.MATCHED.insert(function, 0)
        return ComparatorFunction.LNK1ENA.insert(function, not self._later and number == WITH_DATA)

    def _choose_watches(self) -> None:
        """Find out what the registers ask for."""
        numbers = range(WatchpointControl.NUMCOMP.extract(self.CTRL)) if self._traces else ()
        watches = tuple(watch for number in numbers for watch in self._watches_of(number))
        if watches != self.watches:
            self.watches, self.changed = watches, True
            self.on_change()

    def _watches_of(self, number: int) -> list[Watch]:
        """What a comparator looks for."""
        function = ComparatorFunction.unpack(self.FUNCTION[number])
        access = (MATCHES if self._later else ACCESSES).get(function["FUNCTION"])
        if access is None:
            return []
        if function["DATAVMATCH"]:
            return self._data_watches(number, access)
        low, high = self._addresses(number)
        return [Watch(number, low & ~1 if access == Right.EXECUTE else low, high, access)]

    def _addresses(self, number: int) -> tuple[int, int]:
        """The first and the last address that a comparator compares with."""
        if self._later:
            bits = ComparatorFunction.DATAVSIZE.extract(self.FUNCTION[number])
        else:
            bits = min(self.MASK[number], LONGEST_MASK)
        low = self.COMP[number] & -(1 << bits)
        return low, low + (1 << bits) - 1

    def _data_watches(self, number: int, access: Right) -> list[Watch]:
        """What a comparator looks for that compares data, at the addresses of the comparators that it is linked to."""
        function = ComparatorFunction.unpack(self.FUNCTION[number])
        size = 1 << function["DATAVSIZE"]
        if access == Right.EXECUTE or size > WIDEST_DATA:
            return []
        data = DataValue(size, self.COMP[number])
        linked = {function["DATAVADDR0"], function["DATAVADDR1"]} - {number}
        if not linked:
            return [Watch(number, 0, ADDRESS_SPACE - 1, access, data)]
        places = {self._addresses(link) for link in linked if link < COMPARATORS}
        return [Watch(number, low, high, access, data) for low, high in sorted(places)]

    def matched(self, number: int) -> None:
        """An access has matched a comparator."""
        function = self.FUNCTION[number]
        self.FUNCTION[number] = ComparatorFunction.MATCHED.insert(function, 1)
        if not self._later or ComparatorFunction.ACTION.extract(function) == DEBUG_EVENT:
            self.debug_event = True
            self.on_change()

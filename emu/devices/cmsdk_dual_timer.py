"""The APB dual-input timers of Arm's Cortex-M System Design Kit: two counters behind one interrupt."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from asm.bits import Layout
from emu.device import Board
from emu.devices.cmsdk import DesignKitDevice
from emu.devices.down_counter import DownCounter
from emu.registers import Access, Bits, Register, RegisterArray, Word

WORD_MAX, HALF_MAX = 0xFFFF_FFFF, 0xFFFF
COUNTERS, STRIDE = 2, 0x20
DIVISORS = (1, 16, 256, 256)


class Control(Layout):
    """What one counter does."""

    ONESHOT = Bits(0, 1, "1: stops at 0.")
    SIZE = Bits(1, 1, "1: 32 bits; 0: 16 bits.")
    PRESCALE = Bits(2, 2, "Clock divided by 0: 1, 1: 16, 2: 256.")
    INTEN = Bits(5, 1, "1: the interrupt is let through.", reset=1)
    MODE = Bits(6, 1, "1: periodic, starts again at LOAD; 0: free-running, starts again at all ones.")
    ENABLE = Bits(7, 1, "1: counts down.")


class Interrupt(Layout):
    """The interrupt of one counter."""

    INT = Bits(0, 1, "The count has gone from 1 to 0.")


class TestControl(Layout):
    """Integration test."""

    ENABLE = Bits(0, 1, "1: TIMERITOP drives the interrupt.")


class TestOutput(Layout):
    """The interrupts in integration test."""

    TIMINT1 = Bits(0, 1, "Interrupt of the first counter.", access=Access.WO)
    TIMINT2 = Bits(1, 1, "Interrupt of the second counter.", access=Access.WO)


class DesignKitDualTimer(DesignKitDevice):
    """Two counters with prescalers.

    *Inaccuracies*: the count stays at 0 for one tick before it starts again; PRESCALE = 3, which the manual leaves
    undefined, divides by 256; the two counters have no interrupt lines of their own.
    """

    saved = ("_counters", "_test_output")

    part: ClassVar[int] = 0x23

    LOAD = RegisterArray(
        0x00,
        Word,
        "Where the count starts again; a write starts it there at once.",
        count=COUNTERS,
        stride=STRIDE,
        group="TIMER",
    )
    VALUE = RegisterArray(0x04, Word, "The count.", count=COUNTERS, stride=STRIDE, group="TIMER", access=Access.RO)
    CONTROL = RegisterArray(0x08, Control, count=COUNTERS, stride=STRIDE, group="TIMER")
    INTCLR = RegisterArray(
        0x0C,
        Word,
        "Any write clears the interrupt.",
        count=COUNTERS,
        stride=STRIDE,
        group="TIMER",
        access=Access.WO,
    )
    RIS = RegisterArray(
        0x10,
        Interrupt,
        "The interrupt before the mask.",
        count=COUNTERS,
        stride=STRIDE,
        group="TIMER",
        access=Access.RO,
    )
    MIS = RegisterArray(
        0x14,
        Interrupt,
        "The interrupt behind the mask INTEN.",
        count=COUNTERS,
        stride=STRIDE,
        group="TIMER",
        access=Access.RO,
    )
    BGLOAD = RegisterArray(0x18, Word, "LOAD without a start at once.", count=COUNTERS, stride=STRIDE, group="TIMER")
    ITCR = Register(0xF00, TestControl)
    ITOP = Register(0xF04, TestOutput)

    def __init__(self, name: str, board: Board) -> None:
        super().__init__(name, board)
        self._counters = [DownCounter(self, f"zero{index}", partial(self._expire, index)) for index in range(COUNTERS)]
        self._test_output = 0
        self._start()

    def reset(self) -> None:
        """Both counters off, free-running, 16 bits, all ones."""
        super().reset()
        self._start()

    def _start(self) -> None:
        self._test_output = 0
        for index, counter in enumerate(self._counters):
            self.VALUE[index] = WORD_MAX
            counter.stop()
            counter.set_divisor(1)
            counter.set_limit(HALF_MAX, reload=True)

    def _mask(self, index: int) -> int:
        return WORD_MAX if Control.SIZE.extract(self.CONTROL[index]) else HALF_MAX

    def _limit(self, index: int) -> int:
        periodic = Control.MODE.extract(self.CONTROL[index])
        return (self.LOAD[index] if periodic else WORD_MAX) & self._mask(index)

    def _expire(self, index: int) -> None:
        self.RIS[index] = Interrupt.INT.mask
        self._update()

    def _update(self) -> None:
        if self.ITCR:
            self.irq.set(self._test_output != 0)
        else:
            self.irq.set(any(self._masked(index) for index in range(COUNTERS)))

    @MIS.on_read
    def _masked(self, index: int) -> int:
        return self.RIS[index] & Control.INTEN.extract(self.CONTROL[index])

    @VALUE.on_read
    def _value(self, index: int) -> int:
        """The count; in 16 bits the upper half is what it was."""
        return self.VALUE[index] & ~self._mask(index) | self._counters[index].count

    @LOAD.on_write
    def _write_load(self, index: int, value: int) -> None:
        self.VALUE[index] = self.BGLOAD[index] = value
        counter = self._counters[index]
        counter.set_limit(self._limit(index))
        counter.set_count(value & self._mask(index))
        self._go_on(index)

    @BGLOAD.on_write
    def _write_background_load(self, index: int, value: int) -> None:
        self.LOAD[index] = value
        self._counters[index].set_limit(self._limit(index))

    @CONTROL.on_write
    def _write_control(self, index: int, value: int) -> None:
        counter = self._counters[index]
        counter.set_divisor(DIVISORS[Control.PRESCALE.extract(value)])
        counter.set_limit(self._limit(index))
        if counter.count > self._mask(index):
            self.VALUE[index] = counter.count
            counter.set_count(counter.count & self._mask(index))
        self._go_on(index)
        self._update()

    def _go_on(self, index: int) -> None:
        control = self.CONTROL[index]
        if Control.ENABLE.extract(control):
            self._counters[index].run(single=bool(Control.ONESHOT.extract(control)))
        else:
            self._counters[index].stop()

    @INTCLR.on_write
    def _clear(self, index: int, value: int) -> None:
        self.RIS[index] = 0
        self._update()

    @ITCR.on_write
    def _write_test_control(self, value: int) -> None:
        self._update()

    @ITOP.on_write
    def _write_test_output(self, value: int) -> None:
        self._test_output = value & TestOutput.mask()
        self._update()

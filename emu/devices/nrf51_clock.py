"""Clocks and power of the nRF51."""

from __future__ import annotations

from asm.bits import Layout
from emu.devices.nrf51_events import Event, EventDevice, Task
from emu.registers import Access, Bits, Register, Word


class Triggered(Layout):
    """Whether a clock has been asked for."""

    STATUS = Bits(0, 1, "1: started, and not stopped again.", access=Access.RO)


class FastClock(Layout):
    """State of the fast clock."""

    SRC = Bits(0, 1, "1: from the crystal.", access=Access.RO)
    STATE = Bits(16, 1, "1: it runs.", access=Access.RO)


class SlowClock(Layout):
    """State of the slow clock."""

    SRC = Bits(0, 2, "0: RC oscillator, 1: crystal, 2: made from the fast clock.", access=Access.RO)
    STATE = Bits(16, 1, "1: it runs.", access=Access.RO)


class Source(Layout):
    """Where the slow clock comes from."""

    SRC = Bits(0, 2, "0: RC oscillator, 1: crystal, 2: made from the fast clock.")


class Crystal(Layout):
    """Frequency of the crystal; only remembered."""

    XTALFREQ = Bits(0, 8, "0xFF: 16 MHz, 0: 32 MHz.", reset=0xFF)


class Blocks(Layout):
    """Which blocks of RAM are powered; only remembered: all are."""

    ON = Bits(0, 2, "While the chip is on.", reset=3)
    OFF = Bits(16, 2, "While it is off.")


class Nrf51Clock(EventDevice):
    """CLOCK and POWER, which share their addresses.

    *Inaccuracies*: oscillators start in no time and change no speed, calibration ends at once. The chip does not
    switch off, the supply never fails, and RESETREAS is 0.
    """

    HFCLKSTART = Register(0x000, Task, "Starts the crystal of the fast clock.")
    HFCLKSTOP = Register(0x004, Task, "Stops it.")
    LFCLKSTART = Register(0x008, Task, "Starts the slow clock.")
    LFCLKSTOP = Register(0x00C, Task, "Stops it.")
    CAL = Register(0x010, Task, "Calibrates the RC oscillator of the slow clock.")
    CONSTLAT = Register(0x078, Task, "Wakes up faster; only remembered.")
    LOWPWR = Register(0x07C, Task, "Saves power; only remembered.")
    HFCLKSTARTED = Register(0x100, Event, "The crystal of the fast clock runs.")
    LFCLKSTARTED = Register(0x104, Event, "The slow clock runs.")
    DONE = Register(0x10C, Event, "The calibration is over.")
    RESETREAS = Register(0x400, Word, "Why the chip was reset.", access=Access.W1C)
    HFCLKRUN = Register(0x408, Triggered)
    HFCLKSTAT = Register(0x40C, FastClock)
    LFCLKRUN = Register(0x414, Triggered)
    LFCLKSTAT = Register(0x418, SlowClock)
    LFCLKSRCCOPY = Register(0x41C, SlowClock, "Source of the slow clock when it was started.")
    SYSTEMOFF = Register(0x500, Task, "Switches the chip off.", modelled=False)
    POFCON = Register(0x510, Word, "Warning of power failure.", modelled=False)
    LFCLKSRC = Register(0x518, Source)
    GPREGRET = Register(0x51C, Word, "Remembered.")
    RAMON = Register(0x524, Blocks)
    XTALFREQ = Register(0x550, Crystal)
    RAMONB = Register(0x554, Blocks)
    DCDCEN = Register(0x578, Word, "The voltage converter; only remembered.")

    @HFCLKSTART.on_write
    def _start_fast(self, value: int) -> None:
        if value:
            self.HFCLKRUN, self.HFCLKSTARTED = 1, 1
            self.HFCLKSTAT = FastClock.pack(SRC=1, STATE=1)
            self.update()

    @HFCLKSTOP.on_write
    def _stop_fast(self, value: int) -> None:
        if value:
            self.HFCLKRUN = self.HFCLKSTAT = 0

    @LFCLKSTART.on_write
    def _start_slow(self, value: int) -> None:
        if value:
            self.LFCLKRUN, self.LFCLKSTARTED, self.LFCLKSRCCOPY = 1, 1, self.LFCLKSRC
            self.LFCLKSTAT = SlowClock.pack(SRC=self.LFCLKSRC, STATE=1)
            self.update()

    @LFCLKSTOP.on_write
    def _stop_slow(self, value: int) -> None:
        if value:
            self.LFCLKRUN = self.LFCLKSTAT = 0

    @CAL.on_write
    def _calibrate(self, value: int) -> None:
        if value:
            self.DONE = 1
            self.update()

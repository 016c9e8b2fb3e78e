"""The pins of the nRF51."""

from __future__ import annotations

from enum import IntEnum

from asm.bits import Layout
from emu.device import Device
from emu.registers import Access, Bits, Register, RegisterArray, Word

PINS = 32


class Pull(IntEnum):
    """What an open pin is at."""

    NONE = 0
    DOWN = 1
    UP = 3


class PinConfiguration(Layout):
    """One pin."""

    DIR = Bits(0, 1, "1: output; the pin's bit of DIR.")
    INPUT = Bits(1, 1, "1: IN does not show the pin.", reset=1)
    PULL = Bits(2, 2, "What it is at when nothing drives it.", values=Pull)
    DRIVE = Bits(8, 3, "Strength of the output; only remembered.")
    SENSE = Bits(16, 2, "What wakes the chip; only remembered.")


class Nrf51Gpio(Device):
    """The port: 32 pins.

    *Inaccuracies*: no pin is driven from outside: a pin is at what firmware drives or pulls it to, else at 0. Nothing
    is sensed.
    """

    OUT = Register(0x504, Word, "What outputs drive.")
    OUTSET = Register(0x508, Word, "Sets bits of OUT.")
    OUTCLR = Register(0x50C, Word, "Clears bits of OUT.")
    IN = Register(0x510, Word, "What the pins are at.", access=Access.RO)
    DIR = Register(0x514, Word, "Bit n, 1: pin n is an output.")
    DIRSET = Register(0x518, Word, "Sets bits of DIR.")
    DIRCLR = Register(0x51C, Word, "Clears bits of DIR.")
    PIN_CNF = RegisterArray(0x700, PinConfiguration, count=PINS)

    @OUTSET.on_read
    @OUTCLR.on_read
    def _read_output(self) -> int:
        return self.OUT

    @OUTSET.on_write
    def _set_output(self, value: int) -> None:
        self.OUT |= value

    @OUTCLR.on_write
    def _clear_output(self, value: int) -> None:
        self.OUT &= ~value

    @DIRSET.on_read
    @DIRCLR.on_read
    def _read_direction(self) -> int:
        return self.DIR

    @DIR.on_write
    def _write_direction(self, value: int) -> None:
        for pin in range(PINS):
            self.PIN_CNF[pin] = PinConfiguration.DIR.insert(self.PIN_CNF[pin], value >> pin & 1)

    @DIRSET.on_write
    def _set_direction(self, value: int) -> None:
        self.DIR |= value
        self._write_direction(self.DIR)

    @DIRCLR.on_write
    def _clear_direction(self, value: int) -> None:
        self.DIR &= ~value
        self._write_direction(self.DIR)

    @PIN_CNF.on_write
    def _configure(self, pin: int, value: int) -> None:
        self.DIR = self.DIR & ~(1 << pin) | PinConfiguration.DIR.extract(value) << pin

    @IN.on_steady_read
    def _read_input(self) -> int:
        return sum(self._level(pin) << pin for pin in range(PINS))

    def _level(self, pin: int) -> int:
        """What IN shows of a pin."""
        configuration = self.PIN_CNF[pin]
        if PinConfiguration.INPUT.extract(configuration):
            return 0
        if PinConfiguration.DIR.extract(configuration):
            return self.OUT >> pin & 1
        return int(PinConfiguration.PULL.extract(configuration) == Pull.UP)

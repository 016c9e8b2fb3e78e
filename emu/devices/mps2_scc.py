"""The serial configuration controller of an MPS2 board: identity, clocks, LEDs."""

from __future__ import annotations

from collections.abc import Sequence

from asm.bits import Layout
from emu.device import Board, Device
from emu.registers import Access, Bits, Register, Word

OSCILLATOR_FUNCTION = 1
OSCILLATORS_HZ = (50_000_000, 24_576_000, 25_000_000)
ALL_LOCKED = 0xFFFF_0001


class Command(Layout):
    """A request to the board's configuration controller."""

    DEVICE = Bits(0, 12, "Number of the oscillator.")
    FUNCTION = Bits(20, 6, "1: oscillators; there is nothing else.", reset=OSCILLATOR_FUNCTION)
    WRITE = Bits(30, 1, "1: CFGDATA_OUT is written; 0: CFGDATA_RTN is read.")
    START = Bits(31, 1, "1: do it.", access=Access.WO)


class Status(Layout):
    """How the request went."""

    DONE = Bits(0, 1, "It is done.")
    ERROR = Bits(1, 1, "There is no such function or oscillator.")


class Lock(Layout):
    """Delay-locked loops."""

    LOCKED = Bits(0, 24, "All are locked.", access=Access.RO, reset=ALL_LOCKED & 0xFF_FFFF)
    MASK = Bits(24, 8, "Which ones count.", reset=ALL_LOCKED >> 24)


class ConfigurationController(Device):
    """Identity of the board image, oscillator frequencies, eight LEDs.

    Args:
        identity: value of ID.
        application_note: value of AID.

    Attributes:
        oscillators: frequencies in Hz.

    *Inaccuracies*: the frequencies are only remembered; the memory map does not change with CFG0; the switches of
    CFG3 are all off.
    """

    saved = ("oscillators",)

    CFG0 = Register(0x000, Word, "Memory remapping; only remembered.")
    CFG1 = Register(0x004, Word, "Eight LEDs.")
    CFG3 = Register(0x00C, Word, "Eight switches.", access=Access.RO)
    CFG4 = Register(0x010, Word, "Revision of the board.", access=Access.RO)
    CFGDATA_RTN = Register(0x0A0, Word, "What was read.", access=Access.RO)
    CFGDATA_OUT = Register(0x0A4, Word, "What is to be written.")
    CFGCTRL = Register(0x0A8, Command)
    CFGSTAT = Register(0x0AC, Status, access=Access.RO)
    DLL = Register(0x100, Lock)
    AID = Register(0xFF8, Word, "Application note.", access=Access.RO)
    ID = Register(0xFFC, Word, "Identity of the image.", access=Access.RO)

    def __init__(
        self,
        name: str,
        board: Board,
        identity: int,
        application_note: int,
        revision: int,
        oscillators: Sequence[int] = OSCILLATORS_HZ,
    ) -> None:
        super().__init__(name, board)
        self._identity = identity, application_note, revision
        self._defaults = tuple(oscillators)
        self._start()

    def _start(self) -> None:
        self.ID, self.AID, self.CFG4 = self._identity
        self.oscillators = list(self._defaults)

    def reset(self) -> None:
        """LEDs off, oscillators as the board sets them."""
        super().reset()
        self._start()

    @CFGCTRL.on_write
    def _carry_out(self, value: int) -> None:
        self.CFGSTAT = 0
        if not Command.START.extract(value):
            return
        number = Command.DEVICE.extract(value)
        if Command.FUNCTION.extract(value) != OSCILLATOR_FUNCTION or number >= len(self.oscillators):
            self.CFGSTAT = Status.pack(DONE=1, ERROR=1)
            return
        self.CFGSTAT = Status.pack(DONE=1)
        if Command.WRITE.extract(value):
            self.oscillators[number] = self.CFGDATA_OUT
        else:
            self.CFGDATA_RTN = self.oscillators[number]

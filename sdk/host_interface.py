"""The host-target interface of RISC-V simulators: firmware ends the run and prints through the word `tohost`.

A word holds a device (bits 63..56), a command (55..48) and a payload. Whatever firmware stores there is served and the
word cleared; an answer goes to `fromhost`. What is served:

    device 0, odd payload: the run ends with the exit code payload >> 1
    device 0, even payload: a system call, whose number and arguments are words of 64 bits at the payload: write, exit
    device 1, command 1: the payload is a character of the console

*Inaccuracies*: the word is looked at every `PERIOD` cycles, so that firmware waits that long. The console has no input.
Nothing reaches files of this computer: write knows only the standard output and the standard error.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from emu.bus import BusError
from emu.clock import FOREVER
from emu.cpu.riscv.hart import RiscV
from emu.machine import Machine

PERIOD = 10_000
"""Cycles between two looks at the word."""
SYSTEM, CONSOLE = 0, 1
"""Devices."""
PUT_CHARACTER = 1
WRITE, EXIT = 64, 93
"""System calls."""
OUTPUTS = (1, 2)
"""File descriptors of the standard output and the standard error."""
NOT_THERE = -38
"""Result of a system call that does not exist; also of one on a file that is not open."""
ANSWERED = 1
WORD = struct.Struct("<Q")
CALL = struct.Struct("<4Q")


class HostInterface:
    """Serves ``tohost`` of a machine.

    Args:
        tohost: address of the word.
        fromhost: where answers go, None if the firmware has no such word.
        output: gets what firmware prints.
    """

    def __init__(self, machine: Machine, tohost: int, fromhost: int | None, output: Callable[[bytes], None]) -> None:
        self._machine, self._tohost, self._fromhost, self._output = machine, tohost, fromhost, output
        assert isinstance(machine.core, RiscV), "the interface belongs to RISC-V"
        self._core = machine.core
        self._event = machine.clock.event("tohost", self._look)
        self._event.after(PERIOD)

    def _look(self) -> None:
        try:
            (word,) = WORD.unpack(self._machine.bus.read(self._tohost, WORD.size))
            if word:
                self._machine.bus.write(self._tohost, bytes(WORD.size))
                self._serve(word >> 56, word >> 48 & 0xFF, word & (1 << 48) - 1)
        except BusError as error:
            self._warn(f"{error}; nothing is served any more")
            return
        # If the core sleeps and nothing else is going to happen, looking on would hide that.
        if not (self._core.sleeping and self._machine.clock.next_event == FOREVER):
            self._event.after(PERIOD)

    def _serve(self, device: int, command: int, payload: int) -> None:
        if (device, command) == (CONSOLE, PUT_CHARACTER):
            self._output(bytes([payload & 0xFF]))
        elif (device, command) != (SYSTEM, 0):
            self._warn(f"device {device} has no command {command}: only the console's output is there")
        elif payload & 1:
            self._machine.board.requests.request_exit(payload >> 1 & 0xFFFF_FFFF)
        else:
            self._call(payload)

    def _call(self, place: int) -> None:
        number, *arguments = CALL.unpack(self._machine.bus.read(place, CALL.size))
        result = NOT_THERE
        if number == EXIT:
            self._machine.board.requests.request_exit(arguments[0] & 0xFFFF_FFFF)
            return
        if number != WRITE:
            self._warn(f"system call {number} is not there: only write (64) and exit (93) are")
        elif arguments[0] in OUTPUTS:
            result = arguments[2]
            self._output(self._machine.bus.read(arguments[1], result))
        self._machine.bus.write(place, WORD.pack(result & (1 << 64) - 1))
        if self._fromhost is not None:
            self._machine.bus.write(self._fromhost, WORD.pack(ANSWERED))

    def _warn(self, text: str) -> None:
        self._machine.log.warn(self._machine.clock.now, "tohost", text)

"""The test finisher: a register that ends the run or resets the machine (SiFive register layout)."""

from __future__ import annotations

from asm.bits import Layout
from emu.device import Device
from emu.registers import Access, Bits, Register

FAIL, PASS, RESET = 0x3333, 0x5555, 0x7777


class Finish(Layout):
    """How the run ends."""

    COMMAND = Bits(0, 16, "0x5555: exit code 0; 0x3333: exit code CODE; 0x7777: reset of the machine.")
    CODE = Bits(16, 16, "Exit code of 0x3333.")


class TestFinisher(Device):
    """Ends the run with an exit code.

    *Inaccuracies*: the CPU finishes the block of instructions in which it writes.
    """

    __test__ = False  # a device, whatever its name looks like to a test collector

    FINISH = Register(0x00, Finish, access=Access.WO)

    @FINISH.on_write
    def _finish(self, value: int) -> None:
        command = Finish.COMMAND.extract(value)
        if command == PASS:
            self.board.requests.request_exit(0)
        elif command == FAIL:
            self.board.requests.request_exit(Finish.CODE.extract(value))
        elif command == RESET:
            self.board.requests.request_reset()
        else:
            self.warn(f"FINISH: 0x{command:04x} means nothing: write 0x{PASS:04x}, 0x{FAIL:04x} or 0x{RESET:04x}")

"""Fields of the cluster's own registers; those that instructions share are in `asm.isa`."""

from __future__ import annotations

from asm.bits import Layout
from asm.parameters import CommandCode
from asm.rules import Cause
from emu.npu.power import REFERENCE_BIAS_MV, REFERENCE_KHZ, REFERENCE_VOLTAGE_MV
from emu.registers import Access, Bits


class Identification(Layout):
    """What this is."""

    MAGIC = Bits(0, 16, "Always 0x504E, the letters N and P.", reset=0x504E)
    ISA_MAJOR = Bits(16, 8, "Major version of the instruction set that the sequencer runs.", reset=1)
    TILES = Bits(24, 8, "Tiles of the cluster.", reset=8)


class Control(Layout):
    """Starts and stops the sequencer."""

    START = Bits(0, 1, "1 runs the program at PROGRAM_BASE.")
    ABORT = Bits(1, 1, "1 stops command and program at once, with the error cause `aborted`; no effect when idle.")
    RESET = Bits(2, 1, "1 puts the whole cluster back to its state after power-up; the tiles keep their contents.")


class Status(Layout):
    """What the cluster is doing."""

    BUSY = Bits(0, 1, "1: a command is running.")
    RUNNING = Bits(1, 1, "1: the sequencer is running a program.")
    WAITING = Bits(2, 1, "1: the program waits for an event or at a barrier.")
    ERROR = Bits(3, 1, "1: ERROR_CAUSE is not 0.")


class InterruptCauses(Layout):
    """Reasons for the cluster's interrupt."""

    DONE = Bits(0, 1, "A program halted, or a command that was started by COMMAND ended.")
    ERROR = Bits(1, 1, "A command or program was refused or stopped; see ERROR_CAUSE.")
    PROGRAM = Bits(2, 1, "The program executed `interrupt`; see PROGRAM_CODE.")


class ErrorCause(Layout):
    """Which rule was broken."""

    CAUSE = Bits(0, 8, "0: no error since the last accepted START or COMMAND.", values=Cause)


class ProgramCode(Layout):
    """Last number that the program told the host."""

    CODE = Bits(0, 8, "Immediate of the last `interrupt`.")


class Command(Layout):
    """Starts one command with the values in the registers."""

    CODE = Bits(0, 8, "Which command.", values=CommandCode)


class CounterControl(Layout):
    """Controls the counters."""

    CLEAR = Bits(0, 1, "1 lets all counters count from 0.", access=Access.WO)


class SupplyVoltage(Layout):
    """Supply voltage of the cluster. It cannot change while the cluster works."""

    MILLIVOLTS = Bits(0, 16, "Millivolts, 525..1000.", reset=REFERENCE_VOLTAGE_MV)


class BodyBias(Layout):
    """Forward body bias of the cluster. It cannot change while the cluster works."""

    MILLIVOLTS = Bits(0, 16, "Millivolts, 0..1500; 0..1200 from a supply of 900 mV on.", reset=REFERENCE_BIAS_MV)


class ClusterClock(Layout):
    """Clock of the cluster. A START or COMMAND with a clock that voltage and body bias do not allow is refused."""

    KILOHERTZ = Bits(0, 32, "Kilohertz.", reset=REFERENCE_KHZ)

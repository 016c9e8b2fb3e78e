"""What executes the RV32IMC instructions of a hart: the part that `RiscV` needs, whatever the engine.

An engine knows the registers x0..x31, the program counter, memory and time, and lets `riscv.native` work on the
privileged state, which it leaves to `RiscV` otherwise. It executes in *blocks*, straight lines of instructions, and
all that takes place between instructions takes place between blocks: deadlines, requests and interrupts. All engines
cut the same blocks, so that the same firmware meets the same interrupts at the same time on each of them. A block
begins where control arrives and ends

- behind a branch, a jump, fence.i, and every instruction that traps, is privileged or atomic (CSR instructions, mret,
  ecall, ebreak, illegal ones), but not behind wfi, fence and sfence.vma;
- before a breakpoint, and before instructions that `encoding.riscv_site` marks as reads of user counters, or as some
  illegal instructions;
- behind the instruction that reaches or crosses the end of a page of 4 KiB;
- behind `LONGEST_BLOCK` instructions.

A block's instructions are counted when it starts; what was not executed is taken back when it is left early. Code
that a block overwrites is seen from the next block on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from emu.cpu import ENGINES, UnknownEngineError
from emu.cpu.halt import AccessFault, Halt
from emu.cpu.protection import Protection
from emu.cpu.riscv.traps import PrivilegedState
from emu.cpu.timing.costs import InstructionCosts
from emu.device import Board

LONGEST_BLOCK = 512
"""Instructions of a block."""

Trap = Callable[[int, bool], None]
"""Called inside `HartEngine.execute` with the address of an instruction that it left over, and whether it is ecall."""


class HartEngine(Protocol):
    """Executes a hart's instructions.

    Attributes:
        pc: address of the next instruction; may be set inside a trap.
        instructions: retired since it was set to 0, which also forgets where the newest block ended.
        exits: addresses before which `execute` halts with `Halt.EXIT`. It does so at once if it starts on one.
    """

    pc: int
    instructions: int

    @property
    def fault(self) -> AccessFault | None:
        """What came with `Halt.FAULT`."""

    @property
    def exits(self) -> frozenset[int]:
        """See above."""

    @exits.setter
    def exits(self, addresses: Iterable[int]) -> None: ...

    def execute(self, pc: int) -> Halt:
        """Run from ``pc`` until something needs attention; counts are exact when it returns.

        `Halt.DEADLINE`: reached or, of an exact clock, inside the block at `pc`.
        `Halt.SITE`: the instruction at `pc` is not an engine's to execute; the caller has to carry it out.
        """

    def execute_one(self, pc: int) -> Halt:
        """Execute one instruction, whatever the deadline; `Halt.STEP` unless something else happened at it."""

    def execute_one_exactly(self, pc: int) -> Halt:
        """The same after `Halt.DEADLINE` before the deadline, of which the block at ``pc`` would not stop in time.

        Devices see the time of the block's end as they do elsewhere: cutting a block changes nothing.
        """

    def protect(self, level: int, code: Protection | None, data: Protection | None) -> None:
        """Restrict instruction fetches, and loads and stores, from the next block on; None allows all of them.

        From then on native code may choose the same for this `riscv.state.level_of` by itself, until its bit of
        `HartSlot.READY` is cleared.
        """

    def request_stop(self) -> None:
        """Make `execute` return `Halt.REQUEST` at the next block; for device callbacks and traps."""

    def request_check(self) -> None:
        """Take the pending interrupt before the next block, or make `execute` return there; for device callbacks."""

    def charge(self, address: int, times: int = 1) -> None:
        """Count the instruction at ``address``, which the caller carried out (or, -1, refused)."""

    def follows(self, pc: int) -> bool:
        """Whether ``pc`` is behind the newest instruction; always false where every instruction takes one cycle."""

    def continue_at(self, pc: int) -> None:
        """The newest instruction ends before ``pc``, and what it costs is counted."""

    def invalidate(self, address: int, count: int) -> None:
        """Forget what was made of the code in these bytes."""

    def read_x(self, number: int) -> int:
        """A register, unsigned."""

    def write_x(self, number: int, value: int) -> None:
        """Set a register, unsigned, 32 bits; x0 stays 0."""

    def read_all_x(self) -> Sequence[int]:
        """x0..x31."""

    def write_all_x(self, value: int) -> None:
        """Set x1..x31 to ``value``."""


def make_engine(
    name: str, board: Board, hart: PrivilegedState, on_trap: Trap, costs: InstructionCosts | None
) -> HartEngine:
    """One of `ENGINES` by name, or "plain": the interpreter without machine code, thousands of times slower, for tests.

    Raises:
        UnknownEngineError: it does not exist.
    """
    if name == "unicorn":
        from emu.cpu.riscv.unicorn_engine import UnicornHart

        return UnicornHart(board, hart, on_trap, costs)
    if name == "interpreter":
        from emu.cpu.riscv.interpreter.engine import Interpreter

        return Interpreter(board, hart, on_trap, costs)
    if name == "plain":
        from emu.cpu.riscv.interpreter import loop
        from emu.cpu.riscv.interpreter.engine import Interpreter

        return Interpreter(board, hart, on_trap, costs, loop.run)
    raise UnknownEngineError(f"rv32imc has no engine {name!r}: engines: {', '.join(ENGINES)}")

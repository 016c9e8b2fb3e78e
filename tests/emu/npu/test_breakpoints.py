"""A debugger holds an accelerator program before an instruction; the program loses no time by it."""

from __future__ import annotations

from asm import isa
from tests.emu.npu.small_machine import SYSTEM, SmallMachine

PROGRAM = SYSTEM + 0xF_0000
CODE = PROGRAM + isa.HEADER_BYTES


def counting_program() -> list[isa.Instruction]:
    """Sets r0, adds to it, waits for event 3, adds again, in a loop of two rounds; halts. Offsets from CODE below."""
    loop = isa.LoopImmediate.pack(register=0, by_register=0)
    add = isa.RegisterImmediate.pack(destination=0, source=0)
    return [
        isa.Set(0, (10,)),  # 0
        isa.Loop(loop, (2, isa.HEADER_BYTES + 8 + 12 + 8 + 4 + 8)),  # 8
        isa.Add(add, (1,)),  # 20
        isa.Wait(isa.EventImmediate.pack(event=3)),  # 28
        isa.Add(add, (100,)),  # 32
        isa.Halt(),  # 40
    ]


def run(breakpoints: set[int]) -> tuple[list[tuple[int, int]], int]:
    """Offsets and values of r0 at which the program was held, and the time at which it was done."""
    machine = SmallMachine()
    sequencer = machine.cluster.sequencer
    held: list[tuple[int, int]] = []
    sequencer.breakpoints = {CODE + offset for offset in breakpoints}
    sequencer.on_breakpoint = lambda address: held.append((address - CODE, machine.get("R")))
    machine.program(*counting_program())
    machine.set("EVENT_SET", 1 << 3)
    machine.set("CONTROL", 1)
    for _ in range(20):
        machine.run()
        assert sequencer.held == (sequencer.running and sequencer.waiting is None)
        if sequencer.waiting is not None:
            machine.set("EVENT_SET", 1 << 3)
        sequencer.resume()
    assert not sequencer.running
    assert machine.get("R") == 10 + 2 * 101
    return held, machine.clock.now


def test_it_is_held_before_the_instruction_every_time_it_comes_there() -> None:
    assert run({20, 32}) == ([(20, 10), (32, 11), (20, 111), (32, 112)], run(set())[1])


def test_an_instruction_that_waits_is_met_once() -> None:
    assert run({28})[0] == [(28, 11), (28, 112)]


def test_every_instruction_can_hold_it_without_a_change_of_time() -> None:
    held, time = run({0, 8, 20, 28, 32, 40})
    assert [offset for offset, _ in held] == [0, 8, 20, 28, 32, 20, 28, 32, 40]
    assert (held[-1][1], time) == (212, run(set())[1])


def test_abort_ends_a_program_that_is_held() -> None:
    machine = SmallMachine()
    machine.cluster.sequencer.breakpoints = {CODE}
    machine.program(*counting_program())
    machine.set("CONTROL", 1)
    machine.run()
    assert machine.cluster.sequencer.held
    machine.set("CONTROL", 2)
    machine.cluster.sequencer.resume()
    machine.run()
    assert not machine.cluster.sequencer.held
    assert machine.get("R") == 0

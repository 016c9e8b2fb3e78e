"""Events and barriers between programs of several clusters, and the end of those that wait for ever."""

from __future__ import annotations

import pytest

from asm import isa, parameters
from asm.isa import Instruction
from asm.rules import Cause
from emu.npu.synchronisation import waits_of
from tests.emu.npu.small_machine import DONE, ERROR, NO_BASE, SYSTEM, SmallMachine, blob

PROGRAMS = SYSTEM + 0x8_0000
FIRST = isa.HEADER_BYTES


def nops(count: int) -> list[Instruction]:
    return [isa.Nop() for _ in range(count)]


def barrier(event: int, clusters: int) -> isa.Barrier:
    return isa.Barrier(isa.EventImmediate.pack(event=event, clusters=clusters))


def wait(event: int) -> isa.Wait:
    return isa.Wait(isa.EventImmediate.pack(event=event))


def signal(event: int, clusters: int) -> isa.Signal:
    return isa.Signal(isa.EventImmediate.pack(event=event, clusters=clusters))


def copy(count: int) -> isa.Copy:
    return isa.Copy(NO_BASE, (SYSTEM, SYSTEM + 0x1_0000, count, *(1, 0, 0) * parameters.COPY_LOOPS))


def test_a_barrier_ends_with_its_last_cluster() -> None:
    """Each waits for the slowest: 100 instructions and the barrier's own cycle."""
    machine = SmallMachine(3)
    own = (0, 10, 100)
    machine.run_programs(*([*nops(count), barrier(5, 0b111), isa.Halt()] for count in own))
    assert machine.messages == []
    assert machine.clock.now == 100 + 1 + 1
    for cluster, count in enumerate(own):
        assert machine.get("INTERRUPT_STATUS", cluster) == DONE
        assert machine.counter("WAIT_CYCLES", cluster) == 100 - count
        assert machine.counter("CONTROL_CYCLES", cluster) == count + 2


def test_barriers_of_different_sets_do_not_mix() -> None:
    """Two pairs with the same event number meet by themselves."""
    machine = SmallMachine(4)
    programs = [[*nops(count), barrier(1, members), isa.Halt()]
                for count, members in ((1, 0b0101), (2, 0b1010), (30, 0b0101), (40, 0b1010))]  # fmt: skip
    machine.run_programs(*programs)
    assert machine.messages == []
    assert [machine.counter("WAIT_CYCLES", cluster) for cluster in range(4)] == [29, 38, 0, 0]


def test_barriers_in_turn() -> None:
    """A loop of barriers: nobody is a round ahead, and the time of each is accounted for completely."""
    machine = SmallMachine(2)
    body = {0: [copy(80), barrier(0, 0b11)], 1: [copy(160), barrier(0, 0b11)]}
    programs = []
    for cluster in range(2):
        end = FIRST + isa.Loop(0, (0, 0)).size + sum(item.size for item in body[cluster])
        programs.append([isa.Loop(0, (3, end)), *body[cluster], isa.Halt()])
    machine.run_programs(*programs)
    assert machine.messages == []
    assert machine.clock.now == 1 + 3 * (20 + 1) + 1
    for cluster, copied in ((0, 30), (1, 60)):
        assert machine.counter("COPY_CYCLES", cluster) == copied
        assert machine.counter("WAIT_CYCLES", cluster) == 60 - copied
        assert machine.counter("CONTROL_CYCLES", cluster) == 5


def test_a_program_goes_on_at_the_time_of_the_signal() -> None:
    """Even if the machine's clock is later, because the host's CPU stops only at the end of a basic block."""
    machine = SmallMachine(2)
    machine.cluster.on_command.append(machine.records.append)
    programs = ([wait(3), copy(8), isa.Halt()], [*nops(20), signal(3, 0b01), isa.Halt()])
    for index, instructions in enumerate(programs):
        machine.bus.program(PROGRAMS + index * 0x1000, blob(*instructions))
        machine.set("PROGRAM_BASE", PROGRAMS + index * 0x1000, cluster=index)
    for index in range(2):
        machine.set("CONTROL", 1, cluster=index)
    machine.clock.dispatch()
    while machine.clock.next_event < 1 << 60:
        machine.clock.advance_to(machine.clock.next_event + 7)
        machine.clock.dispatch()
    assert (machine.records[0].start, machine.records[0].wait_cycles) == (21, 20)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (0b10, "cluster 0 came to barrier 4 of clusters 1, and is not one of them"),
        (0, "cluster 0 came to barrier 4 of clusters none, and is not one of them"),
        (0b1001, "barrier 4 of clusters 0, 3 cannot be met: this machine has no cluster 3"),
    ],
)
def test_barriers_that_cannot_meet_are_refused(members: int, text: str) -> None:
    machine = SmallMachine(2)
    machine.run_programs([barrier(4, members), isa.Halt()])
    assert machine.error() == (Cause.bad_field, PROGRAMS + FIRST, barrier(4, members).encode()[0])
    assert text in machine.messages[0]


def test_deadlock() -> None:
    """Everybody who waits gets the error; the messages say who waits for whom."""
    machine = SmallMachine(4)
    machine.run_programs(
        [isa.Nop(), wait(7), isa.Halt()], [barrier(2, 0b111), isa.Halt()], [wait(9), isa.Halt()], [isa.Halt()]
    )
    assert machine.messages == []
    before = machine.bus.read(SYSTEM, 1 << 20)
    assert machine.clusters[2].give_up()
    assert machine.error(0) == (Cause.deadlock, PROGRAMS + FIRST + 4, wait(7).encode()[0])
    assert machine.error(1) == (Cause.deadlock, PROGRAMS + 0x1000 + FIRST, barrier(2, 0b111).encode()[0])
    assert machine.error(2)[0] == Cause.deadlock
    assert [machine.get("INTERRUPT_STATUS", cluster) for cluster in range(4)] == [ERROR, ERROR, ERROR, DONE]
    assert all(cluster.irq.level for cluster in machine.clusters)
    assert [text.split(": ", 2)[2].split(" (instruction")[0] for text in machine.messages] == [
        "cluster 0 waits for event 7, which nobody has signalled: "
        "cluster 1, which waits at barrier 2 of clusters 0, 1, 2, cluster 2, which waits for event 9",
        "cluster 1 waits at barrier 2 of clusters 0, 1, 2 for "
        "cluster 0, which waits for event 7, cluster 2, which waits for event 9",
        "cluster 2 waits for event 9, which nobody has signalled: "
        "cluster 0, which waits for event 7, cluster 1, which waits at barrier 2 of clusters 0, 1, 2",
    ]
    assert machine.bus.read(SYSTEM, 1 << 20) == before
    assert not machine.clusters[0].give_up()
    machine.run_programs([isa.Halt()])
    assert machine.error()[0] == Cause.none


def test_a_cluster_that_ended_does_not_come_to_the_barrier() -> None:
    machine = SmallMachine(2)
    machine.run_programs([barrier(0, 0b11), isa.Halt()], [isa.Halt()])
    assert machine.cluster.give_up()
    assert "waits at barrier 0 of clusters 0, 1 for cluster 1, which runs no program" in machine.messages[0]


def test_abort_and_reset_leave_a_barrier() -> None:
    machine = SmallMachine(2)
    machine.run_programs([barrier(0, 0b11), isa.Halt()], [*nops(5), barrier(0, 0b11), isa.Halt()])
    assert machine.get("STATUS", 1) == 0
    machine.run_programs([barrier(0, 0b11), isa.Halt()])
    assert machine.get("STATUS") == 0b0110
    machine.set("CONTROL", 2)
    assert machine.error()[0] == Cause.aborted
    assert not machine.cluster.give_up()


def test_barriers_that_wait_for_each_other_end_at_once() -> None:
    """Also who waits for one of them; not who waits for a cluster that the host may still start or signal."""
    machine = SmallMachine(6)
    machine.run_programs(
        [*nops(9), barrier(1, 0b11), isa.Halt()],
        [*nops(30), barrier(2, 0b11), isa.Halt()],
        [barrier(3, 0b101), isa.Halt()],
        [barrier(4, 0b11_1000), isa.Halt()],
        [wait(5), isa.Halt()],
    )
    assert machine.clock.now == 31
    assert [machine.error(cluster)[0] for cluster in range(5)] == [Cause.deadlock] * 3 + [Cause.none] * 2
    assert machine.error(1) == (Cause.deadlock, PROGRAMS + 0x1000 + FIRST + 120, barrier(2, 0b11).encode()[0])
    assert [text.split(": ", 2)[2].split(" (instruction")[0] for text in machine.messages] == [
        "cluster 0 waits at barrier 1 of clusters 0, 1 for cluster 1, which waits at barrier 2 of clusters 0, 1",
        "cluster 1 waits at barrier 2 of clusters 0, 1 for cluster 0, which waits at barrier 1 of clusters 0, 1",
        "cluster 2 waits at barrier 3 of clusters 0, 2 for cluster 0, which waits at barrier 1 of clusters 0, 1",
    ]
    assert [text for _, text in waits_of(machine.clusters)] == [
        "cluster 3 waits at barrier 4 of clusters 3, 4, 5 for cluster 4, which waits for event 5, "
        "cluster 5, which runs no program",
        "cluster 4 waits for event 5, which nobody has signalled: "
        "cluster 3, which waits at barrier 4 of clusters 3, 4, 5",
    ]


def test_a_wait_is_described_while_another_cluster_runs() -> None:
    machine = SmallMachine(2)
    for cluster, program in enumerate(([barrier(0, 0b11)], [isa.Jump(0, (FIRST,))])):
        machine.bus.program(PROGRAMS + cluster * 0x1000, blob(*program))
        machine.set("PROGRAM_BASE", PROGRAMS + cluster * 0x1000, cluster=cluster)
        machine.set("CONTROL", 1, cluster=cluster)
    machine.run(limit=1000)
    expected = "cluster 0 waits at barrier 0 of clusters 0, 1 for cluster 1, which runs on"
    assert waits_of(machine.clusters) == [(machine.cluster, expected)]

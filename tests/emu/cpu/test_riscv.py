"""The RV32IMC host against QEMU, against itself, and against the privileged specification."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.cpu import ENGINES
from emu.machine import Machine, StopReason
from tests.emu.cpu.riscv_board import MAP, RAM, assemble, core, load, output, run_in_qemu, symbols

TORTURE = Path(__file__).with_name("riscv_torture.S")
Program = Callable[[str], Machine]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return lambda source: load(assemble(source, tmp_path))


@pytest.fixture(scope="module")
def torture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemble(TORTURE.read_text(), tmp_path_factory.mktemp("torture"))


# The whole of it


@pytest.mark.skipif(shutil.which("qemu-system-riscv32") is None, reason="needs QEMU: apt install qemu-system-misc")
def test_traps_print_the_same_lines_as_in_qemu(torture: Path) -> None:
    machine = load(torture)
    stop = machine.run(1_000_000)
    expected, exit_code = run_in_qemu(torture)
    assert output(machine).splitlines() == expected.splitlines()
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, exit_code)


def outcome(machine: Machine) -> tuple[str, int, int, dict[str, int]]:
    """Everything that must not depend on how a program was run."""
    registers = {name: machine.core.read_register(name) for name in machine.core.register_names}
    return output(machine), machine.clock.now, machine.core.instructions, registers


@pytest.mark.parametrize("cycles", [1, 7, 1000])
def test_slices_do_not_change_the_outcome(torture: Path, cycles: int) -> None:
    straight, sliced = load(torture), load(torture)
    straight.run(1_000_000)
    while sliced.run(cycles).reason is StopReason.LIMIT:
        straight.core.read_register("a0")
    assert outcome(sliced) == outcome(straight)


def test_two_machines_in_one_process_do_not_disturb_each_other(torture: Path) -> None:
    first, second, alone = load(torture), load(torture), load(torture)
    alone.run(1_000_000)
    running = [first, second]
    while running:
        running = [machine for machine in running if machine.run(11).reason is StopReason.LIMIT]
    assert outcome(first) == outcome(second) == outcome(alone)


def test_reset_starts_again(torture: Path) -> None:
    machine = load(torture)
    machine.run(1_000_000)
    once = output(machine)
    machine.reset()
    stop = machine.run(1_000_000)
    assert stop.reason is StopReason.EXIT
    assert output(machine) == once + once


def test_single_steps_give_the_same_output(torture: Path) -> None:
    straight, stepped = load(torture), load(torture)
    straight.run(1_000_000)
    before = 0
    while stepped.step().reason is StopReason.STEP:
        assert before <= stepped.core.instructions <= before + 1
        before = stepped.core.instructions
        assert before < 1_000_000
    assert output(stepped) == output(straight)
    assert stepped.core.exit_code == 42


# Interrupts


def test_interrupts_are_taken_in_the_order_external_software_timer(program: Program) -> None:
    machine = program("""
        la t0, handler
        csrw mtvec, t0
        li t0, 0x888
        csrw mie, t0
        csrsi mstatus, 8
        exit 0
        .balign 4
    handler:
        csrr t0, mcause
        slli s0, s0, 4
        andi t0, t0, 15
        or s0, s0, t0
        li t1, 1
        sll t1, t1, t0
        csrc mie, t1
        mret
    """)
    clint, plic = machine.devices["clint"], machine.devices["plic"]
    clint.write(0x4004, 4, 0)
    clint.write(0x4000, 4, 0)
    clint.write(0x0000, 4, 1)
    plic.write(4 * 5, 4, 1)
    plic.write(0x2000, 4, 1 << 5)
    machine.core.set_interrupt(4, True)
    assert machine.core.read_register("mip") == 0x888
    machine.run(1000)
    assert machine.core.read_register("s0") == 0xB37


def test_a_peripheral_on_input_n_is_source_n_plus_1(program: Program) -> None:
    machine = program("""
        li t0, PLIC + 4 * 4
        li t1, 1
        sw t1, 0(t0)
        li t0, PLIC_ENABLE
        li t1, 1 << 4
        sw t1, 0(t0)
        li t0, 0x800
        csrw mie, t0
        wfi
        li t0, PLIC_CLAIM
        lw s0, 0(t0)
        exit 0
    """)
    assert machine.run().reason is StopReason.ASLEEP
    machine.core.set_interrupt(3, True)
    assert machine.run(1000).reason is StopReason.EXIT
    assert machine.core.read_register("s0") == 4


def test_an_interrupt_needs_a_plic(tmp_path: Path) -> None:
    bare = dataclasses.replace(MAP, peripherals=())
    machine = Machine(bare)
    with pytest.raises(LookupError, match=r"^interrupt input 3 of rv32imc needs a Plic in the machine map$"):
        machine.core.set_interrupt(3, True)


def test_wfi_jumps_to_the_timer_and_continues_behind_it(program: Program) -> None:
    machine = program("""
        li t0, 0x80
        csrw mie, t0
        li t0, MTIMECMP
        sw x0, 4(t0)
        li t1, 5000
        sw t1, 0(t0)
        wfi
    after:
        li t0, MTIME
        lw s0, 0(t0)
        csrr s1, mip
        exit 0
    """)
    stop = machine.run(100_000)
    assert stop.reason is StopReason.EXIT
    assert 5000 <= machine.core.read_register("s0") < 5010
    assert machine.core.read_register("s1") == 0x80
    assert machine.core.instructions < 40


def test_wfi_with_nothing_to_wake_it_stops_the_machine(program: Program) -> None:
    machine = program("csrw mie, x0\n wfi\n after: exit 0")
    stop = machine.run()
    assert (stop.reason, machine.core.instructions) == (StopReason.ASLEEP, 2)


# Counters


def test_minstret_counts_the_instructions_before_the_read(program: Program) -> None:
    machine = program("""
        la t0, handler                  # two instructions
        csrw mtvec, t0
        csrr s0, minstret               # 3
        nop
        j 1f
        nop
    1:  csrr s1, minstret               # 3 + csrr, nop, j = 6
        ecall                           # does not retire; the handler executes 4
        csrr s2, minstret               # 6 + csrr + 4 = 11
        li t0, 0x60000000
        nop
        lw t1, 0(t0)                    # does not retire
        csrr s3, minstret               # 11 + csrr, lui, nop + 4 = 18
        rdinstret s4
        csrwi minstret, 5
        csrr s5, minstret
        csrr s6, minstret
        rdcycle s7
        csrr s8, mcycle
        exit 0
        .balign 4
    handler:
        csrr t1, mepc
        addi t1, t1, 4
        csrw mepc, t1
        mret
    """)
    machine.run(1000)
    read = machine.core.read_register
    assert [read(f"s{index}") for index in range(7)] == [3, 6, 11, 18, 19, 5, 6]
    assert read("s8") == read("s7") + 1


def test_counters_have_64_bits(program: Program) -> None:
    machine = program("""
        csrwi mcycleh, 7
        li t0, -2
        csrw mcycle, t0
        csrr s0, mcycle
        nop
        csrr s1, mcycle
        csrr s2, mcycleh
        rdcycleh s3
        exit 0
    """)
    machine.run(1000)
    assert [machine.core.read_register(f"s{index}") for index in range(4)] == [0xFFFF_FFFE, 0, 8, 8]


@pytest.mark.parametrize("engine", ENGINES)
def test_mcountinhibit_stops_counters_and_they_go_on_from_there(tmp_path: Path, engine: str) -> None:
    source = """
        csrwi minstret, 0
        csrwi mcountinhibit, 7          # 0
        nop
        nop
        csrr s0, minstret
        csrwi minstret, 20
        csrr s1, minstret
        csrr s2, mcountinhibit          # TM does not exist
        csrwi mcountinhibit, 1
        csrr s3, minstret               # 20
        csrr s4, mcycle
        nop
        csrr s5, mcycle
        csrwi mcountinhibit, 0
        csrr s6, mcycle
        csrr s7, minstret               # 20 + 5
        csrr s8, mcycle
        exit 0
    """
    machine = load(assemble(source, tmp_path), engine=engine)
    assert machine.run(1000).reason is StopReason.EXIT
    values = [machine.core.read_register(f"s{index}") for index in range(9)]
    assert values[:4] == [1, 20, 5, 20]
    assert values[4] == values[5] == values[6]
    assert values[7:] == [26, values[6] + 2]


def test_counters_that_may_be_missing_read_0_and_users_cannot_have_them(program: Program) -> None:
    machine = program("""
        la t0, handler
        csrw mtvec, t0
        open_memory
        li t0, -1
        csrw mcounteren, t0
        csrw mhpmcounter3, t0
        csrw mhpmcounter31h, t0
        csrw mhpmevent3, t0
        csrw menvcfg, t0
        csrw menvcfgh, t0
        csrr s0, mcounteren
        csrr s1, mhpmcounter3
        csrr s2, mhpmcounter31h
        csrr s3, mhpmevent3
        csrr s4, menvcfg
        csrr s5, hpmcounter3
        la t0, 1f
        csrw mepc, t0
        mret
        .balign 4
    1:  rdinstret s6
        csrr s7, hpmcounter3
        .balign 4
    handler:
        csrr s8, mtval
        exit 0
    """)
    assert machine.run(1000).reason is StopReason.EXIT
    values = [machine.core.read_register(f"s{index}") for index in range(9)]
    assert values[:6] == [7, 0, 0, 0, 0, 0]
    assert values[6] > 0
    assert values[8] == 0xC030_2BF3
    assert machine.core.last_fault is not None
    assert machine.core.last_fault.text == "0xc0302bf3: csr hpmcounter3 is not enabled for U-mode in mcounteren"
    assert machine.log.messages == []


def test_user_counters_follow_mcounteren_and_time_is_mtime(program: Program) -> None:
    machine = program("""
        la t0, handler
        csrw mtvec, t0
        open_memory
        csrwi mcounteren, 2             # time only
        la t0, 1f
        csrw mepc, t0
        mret
        .balign 4
    1:  rdtime s0
        li t0, MTIME
        lw s1, 0(t0)
        rdcycle s2
        .balign 4
    handler:
        csrr s3, mcause
        exit 0
    """)
    machine.run(1000)
    read = machine.core.read_register
    assert 0 < read("s1") - read("s0") < 5
    assert (read("s2"), read("s3")) == (0, 2)
    assert machine.core.last_fault is not None
    assert machine.core.last_fault.text == "0xc0002973: csr cycle is not enabled for U-mode in mcounteren"


def test_identity_and_registers_that_have_fewer_bits(program: Program) -> None:
    machine = program("""
        csrr s0, misa
        csrr s1, mvendorid
        csrr s2, mhartid
        li t0, -1
        csrw mepc, t0
        csrr s3, mepc
        csrw mie, t0
        csrr s4, mie
        csrw misa, x0
        csrr s5, misa
        li t0, 0x0800
        csrw mstatus, t0                # S-mode does not exist: MPP stays as it was
        csrr s6, mstatus
        exit 0
    """)
    machine.run(1000)
    extensions = 1 << 30 | sum(1 << "ABCDEFGHIJKLMNOPQRSTU".index(letter) for letter in "IMCU")
    expected = [extensions, 0, 0, 0xFFFF_FFFE, 0x888, extensions, 0]
    assert [machine.core.read_register(f"s{index}") for index in range(7)] == expected


# Semihosting


def test_semihosting_prints_and_ends_with_the_code(program: Program) -> None:
    machine = program("""
        la a1, 1f
        li a0, 0x04
        host
        exit 9
    1:  .asciz "hello"
    """)
    printed: list[bytes] = []
    core(machine).semihosting.console.append(printed.append)
    stop = machine.run(1000)
    assert (stop.reason, stop.exit_code, b"".join(printed)) == (StopReason.EXIT, 9, b"hello")
    assert not machine.core.abnormal_exit


def test_exit_by_a_run_time_error_is_abnormal(program: Program) -> None:
    machine = program("la a1, 1f\n li a0, 0x20\n host\n .balign 4\n 1: .word 0x20023, 0")
    assert machine.run(1000).reason is StopReason.EXIT
    assert machine.core.abnormal_exit


# Debugging


def test_breakpoints_stop_before_the_instruction_and_run_leaves_them(tmp_path: Path) -> None:
    elf = assemble("loop: addi s0, s0, 1\n addi s1, s1, 1\n inside: addi s2, s2, 1\n j loop", tmp_path)
    machine, place = load(elf), symbols(elf)["inside"]
    machine.core.add_breakpoint(place)
    for turn in range(1, 4):
        stop = machine.run(1000)
        assert (stop.reason, stop.pc) == (StopReason.BREAKPOINT, place)
        read = machine.core.read_register
        assert [read("s0"), read("s1"), read("s2"), machine.core.instructions] == [turn, turn, turn - 1, 4 * turn - 2]
    machine.core.remove_breakpoint(place)
    assert machine.run(1000).reason is StopReason.LIMIT


def test_a_breakpoint_behind_a_jump_that_has_one_is_met(tmp_path: Path) -> None:
    """To leave the jump, the core executes it alone; what that has translated of the target must not stay."""
    elf = assemble("nop\n jump: j target\n nop\n target: nop\n inside: nop\n stay: j stay", tmp_path)
    machine, places = load(elf), [symbols(elf)[name] for name in ("jump", "inside", "stay")]
    for place in places:
        machine.core.add_breakpoint(place)
    assert [machine.run(1000).pc for _ in places] == places


def test_a_breakpoint_on_a_handler_is_met(tmp_path: Path) -> None:
    elf = assemble("la t0, handler\n csrw mtvec, t0\n ecall\n .balign 4\n handler: exit 0", tmp_path)
    machine, place = load(elf), symbols(elf)["handler"]
    machine.core.add_breakpoint(place)
    assert machine.run(1000).pc == place
    assert machine.run(1000).reason is StopReason.EXIT


def test_a_step_executes_one_instruction_or_takes_one_trap(tmp_path: Path) -> None:
    elf = assemble(
        """
        .option norvc
        csrw mscratch, x0
        rdinstret s0
        li s1, 3
        lw s2, 0(x0)
        """,
        tmp_path,
    )
    machine = load(elf)
    pcs = [machine.step().pc - RAM for _ in range(3)]
    assert pcs == [4, 8, 12]
    assert [machine.core.read_register(name) for name in ("s0", "s1")] == [1, 3]
    assert machine.core.instructions == 3
    machine.core.write_register("mtvec", RAM + 0x100)
    assert machine.step().pc == RAM + 0x100
    assert machine.core.instructions == 3


def test_registers_by_all_their_names(program: Program) -> None:
    machine = program("nop")
    host = machine.core
    host.write_register("x8", 0x1_2345_6789)
    assert [host.read_register(name) for name in ("s0", "fp", "x8")] == [0x2345_6789] * 3
    host.write_register("zero", 5)
    assert host.read_register("x0") == 0
    host.write_register("mip", 0x888)
    assert host.read_register("mip") == 0
    host.write_register("pc", RAM + 2)
    assert (host.pc, host.read_register("pc")) == (RAM + 2, RAM + 2)
    assert len(host.register_names) == len(set(host.register_names)) == 43
    with pytest.raises(KeyError, match="r15"):
        host.read_register("r15")


def test_a_stop_request_ends_the_run_at_a_block(program: Program) -> None:
    machine = program("1: addi s0, s0, 1\n j 1b")
    machine.clock.event("stop", machine.core.request_stop).at(1001)
    assert machine.run(100_000).reason is StopReason.REQUEST
    assert 1001 <= machine.clock.now <= 1003
    assert machine.run(1000).reason is StopReason.LIMIT


@pytest.mark.parametrize("offset", [0, 0x400, 0xFF0])
def test_code_written_by_the_host_replaces_translated_code(program: Program, offset: int) -> None:
    machine = program(f"j 1f\n .org {offset + 0x1000}\n 1: addi s0, s0, 1\n j 1b")
    machine.run(1000)
    machine.bus.write(RAM + 0x1000 + offset, (0x0485).to_bytes(2, "little"))  # c.addi s1, 1
    before = machine.core.read_register("s0")
    machine.run(1000)
    assert machine.core.read_register("s0") == before
    assert machine.core.read_register("s1") > 0

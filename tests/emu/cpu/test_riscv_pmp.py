"""Physical memory protection: its registers against the specification's words, and what it does to firmware."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.cpu.hook_state import Right
from emu.cpu.riscv.pmp import Pmp
from emu.cpu.riscv.traps import Privilege, PrivilegedState
from emu.machine import Machine, StopReason
from tests.emu.cpu.riscv_board import DATA, MAP, RAM, assemble, load, symbols

ENGINES = ("unicorn", "interpreter")
READ, WRITE, EXECUTE, TOP, FOUR, POWER, LOCK = 1, 2, 4, 0x08, 0x10, 0x18, 0x80
REGIONS = [(RAM, 1 << 20)]
Program = Callable[..., Machine]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    def make(source: str, engine: str, **options: int) -> Machine:
        return load(assemble(source, tmp_path), dataclasses.replace(MAP, host_options=options), engine)

    return make


def pmp(entries: int = 16, granularity: int = 4) -> Pmp:
    return Pmp(REGIONS, entries, granularity, PrivilegedState().words)


# Registers


def test_addresses_match_as_the_specification_defines() -> None:
    source = random.Random(0)
    for _ in range(300):
        grain = 1 << source.randrange(2, 13)
        unit = pmp(granularity=grain)
        below, value = (source.randrange(1 << 30) & -1 << source.randrange(20) for _ in range(2))
        value |= (1 << source.randrange(12)) - 1
        matching = source.choice((TOP, FOUR, POWER)) if grain == 4 else source.choice((TOP, POWER))
        unit.write_address(0, below)
        unit.write_address(1, value)
        unit.write_configuration(0, matching << 8)
        if matching == TOP:
            bounds = below * 4 // grain * grain, value * 4 // grain * grain
        elif matching == FOUR:
            bounds = value * 4, value * 4 + 4
        else:
            bits = f"{value | max(grain // 8 - 1, 0):034b}"
            ones = len(bits) - len(bits.rstrip("1"))
            size = 8 << ones
            bounds = value * 4 // size * size, value * 4 // size * size + size
        assert unit.region(1) == (bounds if bounds[0] < bounds[1] else None)


def test_low_address_bits_read_as_the_granularity_demands() -> None:
    unit = pmp(granularity=64)
    unit.write_address(0, 0xFFFF_FFFF)
    assert unit.read_address(0) == 0xFFFF_FFF0, "off: bits 3..0 are 0"
    unit.write_address(0, 0)
    unit.write_configuration(0, POWER)
    assert unit.read_address(0) == 7, "NAPOT: bits 2..0 are 1"
    unit.write_configuration(0, TOP)
    assert unit.read_address(0) == 0, "the bits of NAPOT are not kept"
    unit.write_configuration(0, FOUR | READ)
    assert unit.read_configuration(0) == POWER | READ, "NA4 cannot be chosen"


def test_a_locked_entry_keeps_its_value_and_the_bottom_of_its_range() -> None:
    unit = pmp()
    for number in range(3):
        unit.write_address(number, 0x100 + number)
    unit.write_configuration(0, (LOCK | TOP) << 16 | FOUR << 8 | READ)
    for number in range(3):
        unit.write_address(number, 0x200)
    unit.write_configuration(0, 0)
    assert [unit.read_address(number) for number in range(3)] == [0x200, 0x101, 0x102]
    assert unit.read_configuration(0) == (LOCK | TOP) << 16
    unit.reset()
    assert unit.read_configuration(0) == 0


def test_writing_without_reading_is_reserved_and_stays_out() -> None:
    unit = pmp()
    unit.write_configuration(3, 0xFF02_0607)
    assert unit.read_configuration(3) == 0x9F00_0407


def test_the_first_entry_that_matches_decides() -> None:
    unit = pmp()
    unit.write_address(0, (RAM + 0x100) >> 2)
    unit.write_address(1, (RAM >> 2) | 0x1FF)
    unit.write_configuration(0, (POWER | READ) << 8 | FOUR)
    protection = unit.protection(Privilege.USER)
    assert protection is not None
    assert not protection.allows(RAM + 0x100, 4, Right.READ)
    assert protection.allows(RAM + 0x104, 4, Right.READ)
    assert not protection.allows(RAM + 0x104, 4, Right.WRITE)
    assert not protection.allows(RAM + 0x1000, 4, Right.READ), "no entry matches"
    assert unit.protection(Privilege.MACHINE) is None, "no entry is locked"


def test_without_entries_there_is_no_protection() -> None:
    unit = pmp(entries=0)
    unit.write_address(0, 1)
    unit.write_configuration(0, READ)
    assert (unit.read_address(0), unit.read_configuration(0)) == (0, 0)
    assert unit.protection(Privilege.USER) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"entries": 5}, "a hart has 0 or 16 PMP entries, not 5"),
        ({"granularity": 2}, "PMP granularity must be a power of two from 4 on, not 2"),
        ({"granularity": 48}, "PMP granularity must be a power of two from 4 on, not 48"),
    ],
)
def test_impossible_units_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        pmp(**options)


# Firmware

USER = """
    la t0, handler
    csrw mtvec, t0
    {setup}
    la t0, 1f
    csrw mepc, t0
    mret
    .balign 4
1:  {code}
    ecall
    .balign 4
handler:
    csrr s10, mcause
    csrr s11, mtval
    exit 0
"""
CALL_FROM_USER, FETCH, LOAD, STORE = 8, 1, 5, 7


def entry(number: int, low: int, size: int, rights: int) -> str:
    """Assembly that sets up an entry for an aligned region of 8 bytes or more."""
    return f"""
        li t0, {low >> 2 | (size >> 3) - 1:#x}
        csrw pmpaddr{number}, t0
        li t0, {(rights | POWER) << 8 * (number % 4):#x}
        csrs pmpcfg{number // 4}, t0
    """


def outcome(machine: Machine) -> tuple[int, int]:
    """mcause and mtval."""
    assert machine.run(10_000).reason is StopReason.EXIT
    return machine.core.read_register("s10"), machine.core.read_register("s11")


CODE = entry(8, RAM, 0x1000, READ | EXECUTE)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("setup", "code", "expected"),
    [
        ("", "nop", (FETCH, None)),
        (CODE, "nop", (CALL_FROM_USER, 0)),
        (CODE, "li a0, RAM + 0x800\n lw a1, 0(a0)", (CALL_FROM_USER, 0)),
        (CODE, "li a0, RAM + 0x800\n sw a1, 0(a0)", (STORE, RAM + 0x800)),
        (CODE, "li a0, RAM + 0x1000\n lw a1, 0(a0)", (LOAD, RAM + 0x1000)),
        (CODE, "li a0, RAM + 0xffe\n lw a1, 0(a0)", (LOAD, RAM + 0x1000)),
        (CODE, "li a0, UART\n lb a1, 5(a0)", (LOAD, 0x1000_0005)),
        (CODE + entry(1, RAM + 0x808, 8, 0), "li a0, RAM + 0x804\n lw a1, 0(a0)", (CALL_FROM_USER, 0)),
        (CODE + entry(1, RAM + 0x808, 8, 0), "li a0, RAM + 0x808\n lb a1, 7(a0)", (LOAD, RAM + 0x80F)),
        (CODE + entry(1, RAM + 0x808, 8, 0), "li a0, RAM + 0x806\n lw a1, 0(a0)", (LOAD, RAM + 0x808)),
        (CODE + entry(1, RAM + 0x808, 8, 0), "li a0, RAM + 0x80d\n lw a1, 0(a0)", (LOAD, RAM + 0x80D)),
        (CODE + entry(1, RAM + 0x808, 8, 0), "li a0, RAM + 0x80d\n lh a1, 0(a0)", (LOAD, RAM + 0x80D)),
        (CODE + entry(1, RAM + 0x808, 8, 0), "li a0, RAM + 0x80a\n c.lw a1, 0(a0)", (LOAD, RAM + 0x80A)),
        (CODE + entry(1, RAM + 0x808, 8, 0), "li sp, RAM + 0x809\n c.lwsp a1, 0(sp)", (LOAD, RAM + 0x809)),
        (CODE + entry(1, DATA + 8, 8, 3), "li a0, DATA\n sw a0, 8(a0)\n sw a0, 12(a0)", (CALL_FROM_USER, 0)),
        (CODE + entry(1, DATA + 8, 8, 3), "li a0, DATA\n sw a0, 14(a0)", (STORE, DATA + 16)),
        (CODE + entry(1, DATA + 8, 8, 1), "li a0, DATA\n sh a0, 9(a0)", (STORE, DATA + 9)),
        (CODE + entry(0, RAM + 0x400, 0x40, 3), "li a0, RAM + 0x400\n jr a0", (FETCH, RAM + 0x400)),
    ],
)
def test_user_mode_may_do_what_an_entry_allows(
    program: Program, engine: str, setup: str, code: str, expected: tuple[int, int | None]
) -> None:
    cause, value = outcome(program(USER.format(setup=setup, code=code), engine))
    assert cause == expected[0]
    if expected[1] is not None:
        assert value == expected[1]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_refused_access_names_its_entry(program: Program, engine: str) -> None:
    source = USER.format(setup=CODE, code="li a0, RAM + 0x10\n sw a0, 0(a0)")
    machine = program(source, engine)
    machine.run(10_000)
    assert machine.core.last_fault is not None
    assert machine.core.last_fault.text == "write at 0x80000010: PMP entry 8 (r-x)"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_block_is_executed_up_to_the_last_instruction_that_may_be_fetched(program: Program, engine: str) -> None:
    source = """
        la t0, handler
        csrw mtvec, t0
        la t0, there
        srli t0, t0, 2
        csrw pmpaddr0, t0
        addi t0, t0, 2                      # 8 bytes: two instructions
        csrw pmpaddr1, t0
        li t0, 0x0c00
        csrw pmpcfg0, t0
        la t0, there
        csrw mepc, t0
        li s0, 0
        csrr s1, minstret
        mret
        .balign 4
    handler:
        csrr s2, minstret
        csrr s10, mcause
        csrr s11, mtval
        la t0, there
        sub s11, s11, t0
        exit 0
        .balign 8
        .option norvc
    there:
        addi s0, s0, 1
        addi s0, s0, 1
        addi s0, s0, 1
        addi s0, s0, 1
    """
    machine = program(source, engine)
    assert outcome(machine) == (FETCH, 8)
    assert machine.core.read_register("s0") == 2
    assert machine.core.read_register("s2") - machine.core.read_register("s1") == 4, "csrr, mret, two addi"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_may_end_before_an_instruction_of_which_half_may_be_fetched(program: Program, engine: str) -> None:
    source = """
        la t0, handler
        csrw mtvec, t0
        la t0, there
        srli t0, t0, 2
        csrw pmpaddr0, t0
        addi t0, t0, 1                      # 4 bytes
        csrw pmpaddr1, t0
        li t0, 0x0c00
        csrw pmpcfg0, t0
        la t0, there
        csrw mepc, t0
        mret
        .balign 4
    handler:
        j handler
        .balign 8
    there:
        c.addi s0, 1
        .option norvc
        addi s0, s0, 1
    """
    machine = program(source, engine)
    while not machine.core.read_register("s0"):
        stop = machine.run(1)
    assert stop.pc & 7 == 2
    assert machine.core.read_register("mcause") == 0, "the instruction is refused when its turn has come"
    machine.run(1)
    assert machine.core.read_register("mcause") == FETCH


@pytest.mark.parametrize("engine", ENGINES)
def test_locked_entries_bind_machine_mode_too(program: Program, engine: str) -> None:
    setup = entry(0, RAM + 0x800, 8, READ | LOCK)
    code = "li a0, RAM + 0x804\n sw a0, 4(a0)\n lw a1, 0(a0)\n sw a1, 0(a0)"
    assert outcome(program(USER.format(setup=setup + code, code="nop"), engine)) == (STORE, RAM + 0x804)


@pytest.mark.parametrize("engine", ENGINES)
def test_mprv_takes_the_rights_of_mpp_for_loads_and_stores_only(program: Program, engine: str) -> None:
    setup = entry(0, RAM + 0x800, 8, READ)
    code = "li t1, 0x20000\n csrs mstatus, t1\n li a0, RAM + 0x800\n lw a1, 0(a0)\n lw a1, 8(a0)"
    machine = program(USER.format(setup=setup + code, code="nop"), engine)
    assert outcome(machine) == (LOAD, RAM + 0x808)
    assert machine.core.read_register("mstatus") & 0x2_1800 == 0x2_1800, "the trap came from M-mode"


@pytest.mark.parametrize("engine", ENGINES)
def test_leaving_to_user_mode_clears_mprv(program: Program, engine: str) -> None:
    machine = program(USER.format(setup=CODE + "li t1, 0x20000\n csrs mstatus, t1", code="nop"), engine)
    assert outcome(machine)[0] == CALL_FROM_USER
    assert machine.core.read_register("mstatus") & 0x2_0000 == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_granularity_and_entries_belong_to_the_machine(program: Program, engine: str) -> None:
    probe = "li t0, -1\n csrw pmpaddr0, t0\n csrr s10, pmpaddr0\n csrr s11, pmpaddr15\n exit 0"
    assert outcome(program(probe, engine, pmp_granularity=4096)) == (0xFFFF_FC00, 0)
    assert outcome(program(probe, engine, pmp_entries=0)) == (0, 0)
    open_hart = program(USER.format(setup="", code="li a0, RAM + 0x800\n sw a0, 0(a0)"), engine, pmp_entries=0)
    assert outcome(open_hart) == (CALL_FROM_USER, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_user_mode_may_write_code_that_machine_mode_executed_and_executes_again(program: Program, engine: str) -> None:
    source = """
        la t0, handler
        csrw mtvec, t0
        li t0, (RAM + 0x1000) >> 2
        csrw pmpaddr0, t0
        li t0, -1
        csrw pmpaddr1, t0
        li t0, 0x1b0d                   # the first page rx, all above rw
        csrw pmpcfg0, t0
        li s0, 0
        li s3, 0
        la s1, patched
    again:
        jalr s1
        la t0, 1f
        csrw mepc, t0
        li t1, 0x1800
        csrc mstatus, t1
        mret
        .balign 4
    1:  lw t0, 4(s1)                    # addi s0, s0, 16
        sw t0, 0(s1)
        ecall
        .balign 4
    handler:
        csrr s10, mcause
        csrr s11, mtval
        addi s3, s3, 1
        li t0, 3
        bltu s3, t0, again
        exit 0
        .org 0x1000
        .option norvc
    patched:
        addi s0, s0, 1
        addi s0, s0, 16
        ret
    """
    machine = program(source, engine)
    assert outcome(machine) == (CALL_FROM_USER, 0)
    assert machine.core.read_register("s0") == 17 + 32 + 32


KERNEL_AND_TASK = """
    la t0, handler
    csrw mtvec, t0
    li t0, (RAM + 0x1000) >> 2
    csrw pmpaddr0, t0
    li t0, -1
    csrw pmpaddr1, t0
    li t0, 0x0f08                   # nothing in the first page, all above
    csrw pmpcfg0, t0
    li s0, 0
    la s1, kernel
    jalr s1
    la t0, task
    csrw mepc, t0
    mret
    .balign 4
handler:
    csrr s10, mcause
    csrr s11, mtval
    jalr s1
    exit 0
    .balign 4
    .option norvc
kernel:
    addi s0, s0, 1
    ret
    .org 0x1000
task:
    li t0, 300
1:  addi t0, t0, -1
    bnez t0, 1b
    ecall
"""


def in_task(tmp_path: Path, engine: str) -> tuple[Machine, int]:
    """A machine in user mode, whose code may not fetch the kernel's, and the address of that."""
    elf = assemble(KERNEL_AND_TASK, tmp_path)
    machine = load(elf, MAP, engine)
    machine.run(200)
    assert machine.core.pc >= RAM + 0x1000
    return machine, symbols(elf)["kernel"]


@pytest.mark.parametrize("engine", ENGINES)
def test_code_that_user_mode_may_not_fetch_can_be_written_meanwhile(tmp_path: Path, engine: str) -> None:
    machine, kernel = in_task(tmp_path, engine)
    machine.bus.program(kernel, (0x01040413).to_bytes(4, "little"))  # addi s0, s0, 16
    assert outcome(machine) == (CALL_FROM_USER, 0)
    assert machine.core.read_register("s0") == 1 + 16


@pytest.mark.parametrize("engine", ENGINES)
def test_a_breakpoint_may_be_set_where_user_mode_may_not_fetch(tmp_path: Path, engine: str) -> None:
    machine, kernel = in_task(tmp_path, engine)
    machine.core.add_breakpoint(kernel)
    stop = machine.run(10_000)
    assert (stop.reason, stop.pc) == (StopReason.BREAKPOINT, kernel)

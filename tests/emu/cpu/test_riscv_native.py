"""Native traps, CSR instructions and atomics of RV32 against their definition in Python: the same states."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import ziglang

from emu.cpu import ENGINES
from emu.cpu.riscv.hart import RiscV
from emu.cpu.timing.costs import CORE, CpuTiming
from emu.machine import Machine, StopReason
from tests.emu.cpu.riscv_board import MAP, RAM, assemble, core, load

PROGRAM = Path(__file__).parent / "programs" / "riscv_trap_traffic.c"
SCRIPT, WORDS = RAM + 0x8_0000, 700
LONGEST_RUN = 2_000_000
LINKER_SCRIPT = f"""
ENTRY(_start)
SECTIONS {{
    . = {RAM:#x};
    .text : {{ *(.start) *(.text*) *(.*data*) *(.*bss*) }}
    /DISCARD/ : {{ *(.eh_frame*) }}
}}
"""
OPEN = replace(MAP, host_options={"atomics": True, "pmp_entries": 0})
PROTECTED = replace(MAP, host_options={"atomics": True})
VARIANTS = {
    "open": (OPEN, {}),
    "protected": (PROTECTED, {}),
    "locked": (PROTECTED, {}),
    "timed": (replace(OPEN, cpu_timing=CpuTiming(CORE)), {}),
    "exact": (OPEN, {"exact": True}),
}
"""Machine maps, and options of the machine."""
ENTRIES = {"protected": 1, "locked": 2}
"""What the program shall do with the memory protection."""


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traffic")
    elf, script = folder / "program.elf", folder / "program.ld"
    script.write_text(LINKER_SCRIPT)
    zig = Path(ziglang.__file__).with_name("zig")
    cache = {"ZIG_GLOBAL_CACHE_DIR": str(folder / "zig"), "ZIG_LOCAL_CACHE_DIR": str(folder / "zig")}
    cpu = ("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m+a+c+zicsr", "-mabi=ilp32", "-mcmodel=medany")
    options = ("-Os", "-ffreestanding", "-fno-sanitize=all", "-nostdlib", f"-Wl,-T,{script}")
    command = [zig, "cc", *cpu, *options, PROGRAM, "-o", elf]
    done = subprocess.run(command, env=os.environ | cache, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return elf


def traffic_machine(elf: Path, seed: int, engine: str, variant: str, *, native: bool) -> Machine:
    """A machine with a random script."""
    machine_map, options = VARIANTS[variant]
    machine = load(elf, machine_map, engine, **options)
    core(machine).native_traps = native
    script = np.random.default_rng(seed).integers(0, 1 << 32, WORDS + 1, dtype=np.uint32)
    script[WORDS] = ENTRIES.get(variant, 0)
    machine.bus.write(SCRIPT, script.tobytes())
    return machine


def states(machine: Machine, slice_cycles: int) -> list[tuple[int, int, str]]:
    """Time, instructions and state hash after every slice of a run to the program's end."""
    found = []
    while machine.clock.now < LONGEST_RUN:
        stop = machine.run(slice_cycles)
        found.append((stop.time, machine.core.instructions, machine.state_hash()))
        if stop.reason is StopReason.EXIT:
            assert stop.exit_code == 0
            return found
        assert stop.reason is StopReason.LIMIT
    raise AssertionError("the program does not come to its end")


@pytest.fixture
def in_python(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Addresses of the instructions that were carried out in Python."""
    done: list[int] = []
    original = RiscV._trap

    def counted(self: RiscV, pc: int, call: bool) -> None:
        done.append(pc)
        original(self, pc, call)

    monkeypatch.setattr(RiscV, "_trap", counted)
    return done


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("variant", VARIANTS)
def test_native_and_python_traps_give_the_same_states(
    traffic: Path, in_python: list[int], variant: str, seed: int
) -> None:
    slice_cycles = 1009 + 517 * seed
    expected = states(traffic_machine(traffic, seed, ENGINES[0], variant, native=False), slice_cycles)
    carried_out = len(in_python)
    for engine in ENGINES:
        in_python.clear()
        assert states(traffic_machine(traffic, seed, engine, variant, native=True), slice_cycles) == expected
        assert len(in_python) < carried_out // 3


def stops(machine: Machine) -> list[tuple[int, int, int, str]]:
    """Time, instructions, place and state hash at the handler's beginning, and after some steps from there."""
    while machine.core.read_register("mtvec") == 0:
        machine.step()
    machine.core.add_breakpoint(machine.core.read_register("mtvec"))
    found = []
    while True:
        stop = machine.run(LONGEST_RUN)
        for _ in range(len(found) % 5):
            if stop.reason is StopReason.EXIT:
                break
            stop = machine.step()
        found.append((stop.time, machine.core.instructions, stop.pc, machine.state_hash()))
        if stop.reason is StopReason.EXIT:
            return found
        assert stop.reason in (StopReason.BREAKPOINT, StopReason.STEP)


@pytest.mark.parametrize("variant", ["open", "timed", "locked"])
def test_breakpoints_and_steps_stop_at_the_same_states(traffic: Path, variant: str) -> None:
    expected = stops(traffic_machine(traffic, 3, ENGINES[0], variant, native=False))
    assert len(expected) > 50
    for engine in ENGINES:
        assert stops(traffic_machine(traffic, 3, engine, variant, native=True)) == expected


FUNCTIONS = (1, 2, 3, 5, 6, 7)
"""Of csrrw, csrrs, csrrc, and of their immediate forms."""


def csr_instruction(function: int, number: int) -> str:
    """The CSR instruction from t1 (or, immediate, 6) to t0."""
    return f".word {number << 20 | 6 << 15 | function << 12 | 5 << 7 | 0x73:#x}\n"


def test_all_registers_and_operations_are_the_same(tmp_path: Path) -> None:
    numbers = (*range(0x3A0), *range(0x3F0, 0x1000))
    values = np.random.default_rng(1).integers(0, 1 << 32, len(numbers)).tolist()
    accesses = "".join(
        f"li t1, {value:#x}\n {csr_instruction(FUNCTIONS[value % 6], number)} xor s0, s0, t0\n csrw mtvec, s1\n"
        for number, value in zip(numbers, values, strict=True)
    )
    elf = assemble(
        f"""
        j 1f
        .balign 4
    handler:
        csrr t5, mepc
        addi t5, t5, 4
        csrw mepc, t5
        addi s2, s2, 1
        mret
    1:  la s1, handler
        csrw mtvec, s1
        {accesses}
        exit 0
        """,
        tmp_path,
    )
    found = set()
    for engine in ENGINES:
        for native in (False, True):
            machine = load(elf, OPEN, engine)
            core(machine).native_traps = native
            assert machine.run(200_000).exit_code == 0
            assert 0 < machine.core.read_register("s2") < len(numbers) - 100
            found.add(machine.state_hash())
    assert len(found) == 1


@pytest.mark.parametrize("handler", ["ecall", "nop\n ecall"])
def test_calls_without_end_are_a_lockup_at_the_same_time(tmp_path: Path, handler: str) -> None:
    elf = assemble(f"la t0, handler\n csrw mtvec, t0\n ecall\n .balign 4\n handler: {handler}\n j handler", tmp_path)
    found = set()
    for engine in ENGINES:
        for native in (False, True):
            machine = load(elf, OPEN, engine)
            core(machine).native_traps = native
            stop = machine.run(10_000)
            assert stop.reason is StopReason.LOCKUP
            found.add((stop.time, stop.pc, machine.core.instructions, machine.state_hash()))
    assert len(found) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_usual_traps_never_enter_python(tmp_path: Path, in_python: list[int], engine: str) -> None:
    elf = assemble(
        """
        la t0, handler
        csrw mtvec, t0
        csrwi mie, 8
        csrsi mstatus, 8
        li s1, 1000
        la a0, handler + 0x1000
    1:  ecall
        csrr t0, mcycle
        .word 0x00a5202f                # amoadd.w x0, a0, (a0)
        addi s1, s1, -1
        bnez s1, 1b
        exit 0
        .balign 4
    handler:
        csrrw sp, mscratch, sp
        csrr t1, mcause
        csrr t2, mepc
        addi t2, t2, 4
        csrw mepc, t2
        csrrw sp, mscratch, sp
        mret
        """,
        tmp_path,
    )
    machine = load(elf, OPEN, engine)
    assert machine.run(100_000).exit_code == 0
    assert in_python == []


ROUND_TRIPS = 500
"""With a change of rights in each direction."""


@pytest.mark.parametrize("engine", ENGINES)
def test_usual_changes_of_rights_never_enter_python(tmp_path: Path, in_python: list[int], engine: str) -> None:
    elf = assemble(
        f"""
        la t0, handler
        csrw mtvec, t0
        li t0, -1
        csrw pmpaddr1, t0
        li t0, 0x1f18
        csrw pmpcfg0, t0
        la a0, handler + 0x1000         # 8 bytes that user mode may not access
        srli t0, a0, 2
        csrw pmpaddr0, t0
        li t0, 0x1800
        csrc mstatus, t0
        la t0, user
        csrw mepc, t0
        li s1, {ROUND_TRIPS}
        mret
    user:
        ecall
        j user
        .balign 64
    handler:
        csrr t2, mepc
        addi t2, t2, 4
        csrw mepc, t2
        lw t3, 4(a0)
        li t0, 0x20000                  # MPRV: the rights of user mode, then those of machine mode
        csrs mstatus, t0
        lw t4, 8(a0)
        csrc mstatus, t0
        sw t4, 4(a0)
        addi s1, s1, -1
        beqz s1, 1f
        mret
    1:  exit 0
        """,
        tmp_path,
    )
    machine = load(elf, PROTECTED, engine)
    assert machine.run(100 * ROUND_TRIPS).exit_code == 0
    assert machine.core.read_register("s1") == 0
    assert len(in_python) < 30, "only to set up, and until native code knows what is code"


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
def test_other_entries_hold_from_the_next_change_of_mode_on(tmp_path: Path, engine: str, native: bool) -> None:
    elf = assemble(
        """
        la t0, handler
        csrw mtvec, t0
        la s1, handler + 0x2000         # a page and a word that one task may access, and the other task not
        srli s2, s1, 2
        csrw pmpaddr1, s2
        li t0, -1
        csrw pmpaddr2, t0
        li s3, 0x1f1000                 # the word: nothing; everything else
        csrw pmpcfg0, s3
        li s0, 0
        li s4, 0
        li t0, 0x1800
        csrc mstatus, t0
        la t0, user
        csrw mepc, t0
        mret
        .balign 4
        .option push
        .option norvc
    user:
        lw t0, 0(s1)
        addi s0, s0, 1
        ecall
        j user
        .option pop
        .balign 4
    handler:
        csrr t1, mcause
        xori t1, t1, 8
        snez t1, t1
        slli s4, s4, 1
        or s4, s4, t1                   # a bit for each trap: 1 is a refused load
        csrr t2, mepc
        addi t2, t2, 4
        csrw mepc, t2
        xori t1, t1, 1
        slli t1, t1, 8                  # after each call, the other task's entry
        xor s3, s3, t1
        csrw pmpcfg0, s3
        li t0, 16
        bleu t0, s0, 1f
        mret
    1:  exit 0
        """,
        tmp_path,
    )
    machine = load(elf, PROTECTED, engine)
    core(machine).native_traps = native
    assert machine.run(10_000).exit_code == 0
    assert machine.core.read_register("s4") == int("100" * 8, 2)

"""Loops that only wait are skipped to the next event, and nothing but the time that it takes tells."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import capstone
import pytest

from emu.clock import SKIPS
from emu.cpu import ENGINES
from emu.cpu.polling import (
    BRANCH,
    OTHER,
    REGISTERS,
    riscv_effects,
    riscv_jump,
    thumb_effects,
    thumb_jump,
    written_by,
)
from emu.cpu.timing.costs import CORE, CpuTiming
from emu.cpu.timing.model import FlashTiming
from emu.device import Device
from emu.machine import Machine, StopReason
from emu.machines import machine_map
from sdk.loader import load_elf
from sdk.runner import Runner
from tests.emu.cpu import arm_board, riscv_board
from tests.sdk.firmware_builds import MACHINES, build_firmware

Make = Callable[[], Machine]
KINDS = ("arm", *(f"riscv-{engine}" for engine in ENGINES))
SCENARIOS = Path(__file__).parents[2] / "sdk" / "programs" / "scenarios.c"
FLAG = {"arm": arm_board.RAM + 0x1000, "riscv": riscv_board.RAM + 0x8000}
WORD = 0xFFFF_FFFF
FAR = 10**12
"""A time that no test lives to see if it has to execute all instructions until then."""


def maker(folder: Path, kind: str, arm: str, riscv: str) -> Make:
    """Makes machines with a program, of one host and engine."""
    host, _, engine = kind.partition("-")
    elf = arm_board.build(folder, arm_board.PRELUDE + arm) if host == "arm" else riscv_board.assemble(riscv, folder)
    return lambda: arm_board.Board(elf).machine if host == "arm" else riscv_board.load(elf, engine=engine)


def raise_flag(machine: Machine, time: int) -> None:
    """Let a device write 1 into memory at a time."""
    address = FLAG[machine.core.architecture]
    machine.clock.event("flag", lambda: machine.bus.write(address, b"\1\0\0\0")).at(time)


def reads_of(device: Device) -> list[int]:
    """The offsets that are read from now on."""
    offsets: list[int] = []
    read = device.read

    def note(offset: int, size: int) -> int:
        offsets.append(offset)
        return read(offset, size)

    device.read = note  # type: ignore[method-assign]
    return offsets


def compare(make: Make, prepare: Callable[[Machine], None] = lambda machine: None) -> None:
    """A run is the same with and without skipping, straight and in pieces, exact or not."""
    for exact in (False, True):
        hashes = set()
        for skips, piece in ((True, None), (False, None), (True, 97)):
            machine = make()
            machine.clock.state[SKIPS] = skips
            machine.clock.exact = exact
            prepare(machine)
            stop = machine.run(piece or 10_000_000)
            while piece and stop.reason is StopReason.LIMIT:
                stop = machine.run(piece)
            assert stop.reason is StopReason.EXIT
            hashes.add((machine.state_hash(), stop))
        assert len(hashes) == 1


# Flags in memory

ARM_FLAG = "reset: ldr r0, =0x20001000\n1: ldr r1, [r0]\n {more} cmp r1, #1\n bne 1b\n finish 0\n"
RISCV_FLAG = "li a0, RAM + 0x8000\n li a2, 1\n 1: lw a1, 0(a0)\n {more} bne a1, a2, 1b\n exit 0\n"
POLLING = [
    ("", ""),
    ("uxtb r2, r1\n lsls r3, r1, #31\n and.w r1, r1, #1\n", "andi a3, a1, 1\n slli a4, a1, 31\n mul a5, a3, a4\n"),
    ("ldrb.w r2, [r0, #3]\n mov r8, r2\n add r2, r8, r0\n", "lbu a3, 3(a0)\n mv a4, a3\n sub a4, a4, a0\n"),
    ("nop\n movw r4, #7\n ubfx r4, r1, #1, #3\n", "nop\n lui a3, 7\n auipc a4, 0\n"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("more", POLLING)
def test_a_loop_that_only_waits_ends_at_the_event(tmp_path: Path, kind: str, more: tuple[str, str]) -> None:
    make = maker(tmp_path, kind, ARM_FLAG.format(more=more[0]), RISCV_FLAG.format(more=more[1]))
    machine = make()
    raise_flag(machine, FAR)
    stop = machine.run()
    assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 0)
    assert FAR < stop.time < FAR + 30
    compare(make, lambda machine: raise_flag(machine, 5003))


@pytest.mark.parametrize("kind", KINDS)
def test_rounds_have_the_cost_of_the_core(tmp_path: Path, kind: str) -> None:
    """Cycles of the published tables, taken branches, wait states of the memory that the code is in."""
    host, _, engine = kind.partition("-")
    timing = CpuTiming(CORE, FlashTiming(wait_states=2))
    if host == "arm":
        elf = arm_board.build(tmp_path, arm_board.PRELUDE + ARM_FLAG.format(more="nop\n"))
    else:
        elf = riscv_board.assemble(RISCV_FLAG.format(more="nop\n"), tmp_path)

    def make() -> Machine:
        if host == "arm":
            return arm_board.Board(elf, replace(arm_board.MAP, cpu_timing=timing)).machine
        return riscv_board.load(elf, replace(riscv_board.MAP, cpu_timing=timing), engine)

    compare(make, lambda machine: raise_flag(machine, 5003))
    machine = make()
    raise_flag(machine, FAR)
    assert machine.run().time >= FAR
    assert machine.core.instructions < FAR


COUNTING = [
    ("subs r3, #1\n beq 2f\n", "addi a3, a3, -1\n beqz a3, 2f\n"),
    ("adds r3, #1\n", "addi a3, a3, 1\n"),
    ("eor.w r3, r3, r2\n mvns r2, r1\n", "xor a3, a3, a4\n not a4, a1\n"),
    ("str r1, [r0, #8]\n", "sw a1, 8(a0)\n"),
    ("adcs r3, r1\n", "add a3, a3, a1\n"),
    ("ldr r3, [r0, #4]!\n ldr r3, [r0, #-4]!\n", "lw a0, 4(a0)\n addi a0, a0, 0\n la a0, RAM + 0x8000\n"),
    ("it eq\n addeq r3, #1\n", "csrr a3, mcycle\n"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("more", COUNTING)
def test_a_loop_that_counts_is_executed(tmp_path: Path, kind: str, more: tuple[str, str]) -> None:
    """Also one that waits and counts, until its patience is at an end."""
    arm = ARM_FLAG.format(more=more[0]).replace(" finish", "2: finish").replace("reset:", "reset: ldr r3, =3000\n")
    riscv = "li a3, 3000\n" + RISCV_FLAG.format(more=more[1]).replace(" exit", "2: exit")
    compare(maker(tmp_path, kind, arm, riscv), lambda machine: raise_flag(machine, 9001))


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_without_any_event_stays_interruptible(tmp_path: Path, kind: str) -> None:
    machine = maker(tmp_path, kind, ARM_FLAG.format(more=""), RISCV_FLAG.format(more=""))()
    assert machine.run(FAR).reason is StopReason.LIMIT
    assert FAR <= machine.clock.now < FAR + 30
    machine.clock.event("stop", machine.core.request_stop).at(2 * FAR)
    assert machine.run().reason is StopReason.REQUEST


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_address_can_be_code_of_both_kinds(tmp_path: Path, kind: str) -> None:
    """Firmware that replaces a waiting loop by a counting one of the same length."""
    arm = """
    reset:
        ldr r0, =0x20001000
        movs r3, #0
        ldr r5, =loop
    loop:
        ldr r1, [r0]
        mov r2, r3
        cmp r1, #1
        bne loop
        cmp r3, #0
        bne 1f
        movs r4, #0
        str r4, [r0]
        ldr r4, =0x1c5a6801         // ldr r1, [r0]; adds r2, r3, #1
        str r4, [r5]
        ldr r4, =0x29133300         // adds r3, #0; cmp r1, #19
        movs r3, #100
        dsb
        isb
        b loop
    1:  finish 0
    """
    riscv = """
        li a0, RAM + 0x8000
        li a2, 1
        li a3, 0
        la a5, loop
        .balign 4
    loop:
        lw a1, 0(a0)
        .option norvc
        addi a4, a3, 0
        bne a1, a2, loop
        .option rvc
        bnez a3, 1f
        sw zero, 0(a0)
        li a4, 0x00168693           # addi a3, a3, 1
        sw a4, 4(a5)
        li a3, 100
        fence.i
        j loop
    1:  exit 0
    """

    def prepare(machine: Machine) -> None:
        raise_flag(machine, 3001)
        address = FLAG[machine.core.architecture]
        machine.clock.event("again", lambda: machine.bus.write(address, b"\1\0\0\0")).at(7001)

    compare(maker(tmp_path, kind, arm, riscv.replace("lw a1, 0(a0)\n", ".option norvc\n lw a1, 0(a0)\n")), prepare)


# Registers of devices


def test_a_register_that_changes_by_reading_is_read_every_time(tmp_path: Path) -> None:
    """So that the loop ends after 1000 rounds; two reads of it differ."""
    source = (
        f"reset: ldr r0, ={arm_board.KNOCKER:#x}\n ldr r2, =1000\n"
        "1: ldr r1, [r0, #4]\n cmp r1, r2\n bne 1b\n finish 0\n"
    )
    make = maker(tmp_path, "arm", source, "")
    compare(make, lambda machine: raise_flag(machine, 2000))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_clock_is_read_every_time(tmp_path: Path, engine: str) -> None:
    source = "li a0, MTIME\n li a1, 777\n1: lw a2, 0(a0)\n bltu a2, a1, 1b\n exit 0\n"
    compare(maker(tmp_path, f"riscv-{engine}", "", source), lambda machine: raise_flag(machine, 5000))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_byte_on_the_wire_is_waited_for(engine: str, tmp_path: Path) -> None:
    source = "li a0, UART\n1: lbu a1, 5(a0)\n andi a1, a1, 1\n beqz a1, 1b\n lbu a2, 0(a0)\n exit 0\n"
    elf = riscv_board.assemble(source.replace("UART", "0x10000000").replace("RAM", "0x80000000"), tmp_path)

    def make() -> Machine:
        runner = Runner(load_elf(elf), machine_map("virt"), uart_input=b"x", engine=engine)
        return runner.machine

    machine = make()
    offsets = reads_of(machine.devices["uart0"])
    assert machine.run().reason is StopReason.EXIT
    assert machine.core.read_register("a2") == ord("x")
    assert 4 <= len(offsets) < 30
    compare(make)


@pytest.mark.parametrize("name", MACHINES)
def test_a_timer_and_the_npu_are_waited_for(name: str, tmp_path: Path) -> None:
    """A program that copies with the NPU, 100 times what a timer counts apart."""
    source = tmp_path / "wait.c"
    source.write_text("""
#include <imnpu/imnpu.h>
static uint8_t source[16384], destination[16384];
int main(void)
{
    for (int round = 0; round < 20; round++) {
        TIMER0->LOAD = 5000;
        TIMER0->CONTROL = TIMER_CONTROL_ENABLE_Msk;
        while (!(TIMER0->STATUS & TIMER_STATUS_EXPIRED_Msk)) {
        }
        TIMER0->STATUS = TIMER_STATUS_EXPIRED_Msk;
        source[round] = (uint8_t)round;
        CLUSTER0->COPY_SOURCE = (uint32_t)(uintptr_t)source;
        CLUSTER0->COPY_DESTINATION = (uint32_t)(uintptr_t)destination;
        CLUSTER0->COPY_BYTES = sizeof source;
        for (unsigned i = 0; i < 4; i++) {
            CLUSTER0->COPY_LOOP[i].COUNT = 1;
        }
        CLUSTER0->COMMAND = CLUSTER_COMMAND_CODE_COPY;
        while (CLUSTER0->STATUS & CLUSTER_STATUS_BUSY_Msk) {
        }
        if (destination[round] != round) {
            return 1;
        }
    }
    return 0;
}
""")
    image = load_elf(build_firmware(source, name, tmp_path / "wait.elf"))
    for engine in ENGINES[: 1 if name == "st18" else 2]:

        def make(engine: str = engine) -> Machine:
            return Runner(image, machine_map(name, 1), engine=engine).machine

        machine = make()
        timer, cluster = (reads_of(machine.devices[device]) for device in ("timer0", "cluster0"))
        stop = machine.run()
        assert (stop.reason, stop.exit_code) == (StopReason.EXIT, 0)
        assert 20 < len(timer) < 200
        assert 20 < len(cluster) < 200
        compare(make)


# The effects of instructions, against a disassembler


def accesses(instruction: capstone.CsInsn) -> tuple[set[str], set[str]]:
    read, written = instruction.regs_access()
    return tuple({instruction.reg_name(number) for number in numbers} for numbers in (read, written))  # type: ignore[return-value]


def names(mask: int, of: list[str]) -> set[str]:
    return {of[number] for number in range(len(of)) if mask >> number & 1 and of[number]}


ARM_NAMES = ["", *(f"r{number}" for number in range(9)), "sb", "sl", "fp", "ip", "sp", "lr", "", *["cpsr"] * 4]


def thumb_words(chance: random.Random) -> list[bytes]:
    narrow = [half.to_bytes(2, "little") for half in range(0xE800)]
    wide = [
        (chance.randrange(0xE800, 0x10000) | chance.getrandbits(16) << 16).to_bytes(4, "little") for _ in range(60_000)
    ]
    return narrow + wide


def test_effects_of_thumb_instructions() -> None:
    disassembler = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    disassembler.detail = True
    compared = 0
    for code in thumb_words(random.Random(1)):
        effect = thumb_effects(*code.ljust(4, b"\0"))
        if effect == OTHER:
            continue
        found = list(disassembler.disasm(code, 0x1000))
        if not found:
            continue  # firmware that executes it gets an exception
        instruction = found[0]
        read, written = accesses(instruction)
        text = f"{code.hex()} {instruction.mnemonic} {instruction.op_str}"
        assert not instruction.mnemonic.startswith(("str", "push", "stm", "bl.", "blx", "bx", "msr", "pop")), text
        if effect & BRANCH:
            assert instruction.mnemonic.startswith("b"), text
            assert instruction.operands[0].imm & WORD == 0x1000 + thumb_jump(*code.ljust(4, b"\0")) & WORD, text
            continue
        assert read - {"pc", "cpsr"} <= names(effect & REGISTERS, ARM_NAMES), text
        assert written - {"pc", "cpsr"} == names(written_by(effect), ARM_NAMES) - {"cpsr"}, text
        if instruction.update_flags:
            assert "cpsr" in names(written_by(effect), ARM_NAMES), text
        compared += 1
    assert compared > 30_000


def test_effects_of_riscv_instructions() -> None:
    disassembler = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC)
    disassembler.detail = True
    chance = random.Random(2)
    abi = ["", *riscv_board_names()[1:]]
    words = [half.to_bytes(2, "little") for half in range(1, 0x10000) if half & 3 != 3]
    opcodes = (0x03, 0x13, 0x33, 0x17, 0x37, 0x63, 0x6F, 0x67, 0x23, 0x73, 0x0F)
    words += [(chance.getrandbits(25) << 7 | chance.choice(opcodes)).to_bytes(4, "little") for _ in range(30_000)]
    compared = 0
    for code in words:
        effect = riscv_effects(*code.ljust(4, b"\0"))
        if effect == OTHER:
            continue
        found = list(disassembler.disasm(code, 0x1000))
        if not found:
            continue
        text = f"{code.hex()} {found[0].mnemonic} {found[0].op_str}"
        assert not found[0].mnemonic.startswith(("s", "c.s")) or found[0].mnemonic.split(".")[-1].startswith(
            ("sl", "sr", "sub", "sn", "se", "sg", "slt")
        ), text
        if effect & BRANCH:
            assert found[0].operands[-1].imm == riscv_jump(*code.ljust(4, b"\0")), text
        read, written = operands(found[0], effect & BRANCH != 0)
        assert written - {"zero"} == names(written_by(effect), abi), text
        assert read - {"zero"} <= names(effect & REGISTERS, abi), text
        compared += 1
    assert compared > 20_000


def riscv_board_names() -> tuple[str, ...]:
    from emu.cpu.riscv.hart import ABI_NAMES

    return ABI_NAMES


def operands(instruction: capstone.CsInsn, branch: bool) -> tuple[set[str], set[str]]:
    """Registers by their places in the text: the first is written, except by branches; those of loads in brackets."""
    texts = [text.strip() for text in instruction.op_str.replace("(", ",").replace(")", "").split(",")]
    registers = [text for text in texts if text in riscv_board_names()]
    return (set(registers), set()) if branch else (set(registers[1:]), set(registers[:1]))

"""From reset to exit: first values of variables, vector table, handlers, faults, exit codes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from emu.machines import machine_map
from sdk.loader import load_elf
from sdk.runner import Outcome, Runner, RunResult
from tests.firmware.boards import BOARDS, CYCLES, Ran, link, run_here, run_on_qemu

BACKENDS: dict[str, Callable[..., Ran]] = {"qemu": run_on_qemu, "emulator": run_here}

pytestmark = pytest.mark.parametrize("machine", BOARDS)

VARIABLES = """\
#include <stdint.h>
#include <stdio.h>
#include <imnpu/alarm.h>
#include <imnpu/interrupt.h>
#include <imnpu/memory.h>
#include <imnpu/semihosting.h>
static volatile int initialised = 77, cleared;
static const volatile int constant = 5;
IMNPU_SYSMEM_DATA static volatile uint32_t shared = 0xCAFE;
IMNPU_SYSMEM static volatile uint32_t shared_cleared[9];
static volatile float half = 0.5f;
int main(void)
{
    char text[100];
    int sum = 0;
    for (int i = 0; i < 9; ++i) {
        sum += (int)shared_cleared[i];
    }
    imnpu_alarm_start(3000000);
    while (!imnpu_alarm_expired()) {
        imnpu_wait_for_interrupt();
    }
    imnpu_alarm_stop();
    snprintf(text, sizeof text, "%d %d %d %lx %d %d", initialised, cleared, constant, (unsigned long)shared, sum,
             (int)(half * 9.0f));
    imnpu_semihosting_write(text);
    return 42;
}
"""


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_variables_have_their_first_values(machine: str, backend: str, toolchain: str, tmp_path: Path) -> None:
    source = tmp_path / "main.c"
    source.write_text(VARIABLES)
    ran = BACKENDS[backend](machine, source, tmp_path, toolchain)
    assert ran == Ran(42, "77 0 5 cafe 0 4", "")


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
def test_variables_do_not_depend_on_what_was_in_memory(machine: str, toolchain: str, tmp_path: Path) -> None:
    source = tmp_path / "main.c"
    source.write_text(VARIABLES)
    regions = {region.name: region for region in machine_map(machine).memories}
    runner = Runner(load_elf(link(machine, source, tmp_path, toolchain)), machine_map(machine))
    console = bytearray()
    runner.machine.core.semihosting.console.append(console.extend)
    for name in ("sram", "sysmem"):
        runner.machine.bus.write(regions[name].base, b"\xa5" * regions[name].size)
    assert runner.run(CYCLES).exit_code == 42
    assert console == b"77 0 5 cafe 0 4"


def run_code(machine: str, folder: Path, code: str) -> RunResult:
    source = folder / "main.c"
    source.write_text(code)
    return Runner(load_elf(link(machine, source, folder, "zig")), machine_map(machine)).run(CYCLES)


def test_vector_table(machine: str, tmp_path: Path) -> None:
    source = tmp_path / "main.c"
    source.write_text("void TIMER0_IRQHandler(void) {}\nint main(void) { return 0; }\n")
    with link(machine, source, tmp_path, "zig").open("rb") as stream:
        elf = ELFFile(stream)
        table = elf.get_section_by_name(".vectors")
        symbols = {symbol.name: symbol["st_value"] for symbol in elf.get_section_by_name(".symtab").iter_symbols()}
        if machine_map(machine).host == "rv32imc":
            assert table is None
            assert elf.header["e_entry"] == symbols["_start"] == 0x0800_0000
            assert symbols["trap_table"] % 64 == 0
            return
        words = struct.unpack("<48I", table.data())
        assert table["sh_addr"] == 0x0800_0000
        assert words[0] == symbols["__stack_top"]
        assert words[1] == symbols["Reset_Handler"]
        assert words[3] == symbols["HardFault_Handler"] == symbols["Default_Handler"]
        assert words[15] == symbols["SysTick_Handler"]
        assert words[16 + 1] == symbols["TIMER0_IRQHandler"] != words[16]
        assert words[16 + 8] == symbols["CLUSTER0_IRQHandler"]
        assert [place for place, word in enumerate(words[16:]) if word == 0] == []


def test_own_handlers_take_the_place_of_the_weak_ones(machine: str, tmp_path: Path) -> None:
    code = """\
#include <imnpu/imnpu.h>
static volatile int called;
#ifdef __arm__
void TIMER0_IRQHandler(void) { TIMER0->STATUS = 1; called = 1; }
#else
__attribute__((interrupt("machine"))) void External_Handler(void)
{
    volatile uint32_t *const claim = (volatile uint32_t *)0x0C200004;
    const uint32_t source = *claim;
    TIMER0->STATUS = 1;
    called = source == IMNPU_IRQ_TIMER0 + 1;
    *claim = source;
}
#endif
int main(void)
{
    imnpu_interrupt_enable(IMNPU_IRQ_TIMER0);
    TIMER0->LOAD = 1000;
    TIMER0->CONTROL = TIMER_CONTROL_ENABLE_Msk | TIMER_CONTROL_INTERRUPT_Msk;
    while (!called) {
    }
    return 5;
}
"""
    assert run_code(machine, tmp_path, code).exit_code == 5


@pytest.mark.parametrize(
    "code",
    [
        "int main(void) { return *(volatile int *)0; }",
        "int main(void) { *(volatile int *)0x08000000 = 1; return 0; }",
        "int main(void) { ((void (*)(void))0xFFFFFFF0)(); return 0; }",
        "int deep(volatile int *p) { volatile int a[64]; a[0] = *p; return deep(a) + a[0]; }\n"
        "int main(void) { int a = 0; return deep(&a); }",
    ],
    ids=["null pointer", "flash", "wild jump", "stack overflow"],
)
def test_faults_end_the_run_as_errors(machine: str, code: str, tmp_path: Path) -> None:
    result = run_code(machine, tmp_path, code)
    assert result.outcome is Outcome.ABNORMAL
    assert result.faults


def test_assert_says_where_and_ends_the_run_as_an_error(machine: str, tmp_path: Path) -> None:
    code = '#include <assert.h>\nint main(int count) {\n    assert(count == -5 && "text");\n    return 0; }\n'
    result = run_code(machine, tmp_path, code)
    assert result.uart.decode() == 'main.c:3: assertion failed: count == -5 && "text"\n'
    assert result.outcome is Outcome.ABNORMAL


def test_an_interrupt_without_handler_ends_the_run_as_an_error(machine: str, tmp_path: Path) -> None:
    code = """\
#include <imnpu/imnpu.h>
int main(void)
{
    imnpu_interrupt_enable(IMNPU_IRQ_TIMER0);
    TIMER0->LOAD = 10;
    TIMER0->CONTROL = TIMER_CONTROL_ENABLE_Msk | TIMER_CONTROL_INTERRUPT_Msk;
    for (;;) {
        imnpu_wait_for_interrupt();
    }
}
"""
    assert run_code(machine, tmp_path, code).outcome is Outcome.ABNORMAL


@pytest.mark.parametrize("value", [0, 1, 255])
def test_exit_code(machine: str, value: int, tmp_path: Path) -> None:
    code = f"#include <stdlib.h>\nint main(void) {{ exit({value}); }}\n"
    assert run_code(machine, tmp_path, code).exit_code == value

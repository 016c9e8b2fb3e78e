"""How fast the host CPUs are: time here over QEMU's time for the same ELF file, in the same run.

    python -m tests.bench.cpu [repetitions]

Needs QEMU. Every workload of `programs/workloads.c` runs here, on QEMU with `-icount shift=0` (which counts
instructions, as we do) and on QEMU without; the three take turns, and ratios are those of the medians of processor
time. The time to make a machine is not counted: here it is made before the clock starts, of QEMU's time that of a
program which ends at once is taken off. All three must print the same checksum.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import ziglang

from emu.machines import machine_map
from sdk.loader import Image, load_elf
from sdk.runner import Runner
from tests.bench.machine import facts
from tests.bench.start import measure_start

PROGRAMS = Path(__file__).parent / "programs"
ZIG = str(Path(ziglang.__file__).with_name("zig"))
START_REPETITIONS = 7
ARM_SCRIPT = """
ENTRY(reset)
SECTIONS {
    . = 0;
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
    . = 0x20000000;
    .bss : { *(.data*) *(.bss*) *(COMMON) }
    /DISCARD/ : { *(.ARM.ex*) *(.comment) }
}
"""
RISCV_SCRIPT = """
ENTRY(start)
SECTIONS {
    . = 0x80000000;
    .text : { KEEP(*(.start)) *(.text*) *(.rodata*) *(.srodata*) }
    . = 0x80010000;
    .bss : { *(.data*) *(.sdata*) *(.sbss*) *(.bss*) *(COMMON) }
    stack_top = 0x80100000;
    /DISCARD/ : { *(.eh_frame*) *(.comment) }
}
"""


@dataclass(frozen=True)
class Host:
    """A board, here and on QEMU.

    Attributes:
        name: the board.
        title: its core.
        header: what the workloads include.
        script: the linker's.
        options: the compiler's.
        qemu: command of the emulator, without the program.
        package: what to install where it is missing.
    """

    name: str
    title: str
    header: str
    script: str
    options: tuple[str, ...]
    qemu: tuple[str, ...]
    package: str


@dataclass(frozen=True)
class Workload:
    """A function of `workloads.c`.

    Attributes:
        function: its name.
        title: for people.
        rounds: how often it repeats.
        goal: the ratio to QEMU with `-icount` to be reached, if any.
        skips: rounds of loops that wait or copy need not be executed one by one.
    """

    function: str
    title: str
    rounds: int
    goal: float | None = None
    skips: bool = True


CORTEX_M4F = Host(
    "mps2-an386",
    "Cortex-M4F",
    "board_mps2.h",
    ARM_SCRIPT,
    ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"),
    ("qemu-system-arm", "-M", "mps2-an386", "-semihosting-config", "enable=on,target=native"),
    "qemu-system-arm",
)
RV32 = Host(
    "virt",
    "RV32IMC",
    "board_virt.h",
    RISCV_SCRIPT,
    ("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m+c+zicsr", "-mabi=ilp32", "-mcmodel=medany"),
    ("qemu-system-riscv32", "-M", "virt", "-bios", "none"),
    "qemu-system-misc",
)
EVERY_ROUND = Workload("work_memcpy", "memcpy, every round", 40_000, skips=False)
WORKLOADS: dict[Host, tuple[Workload, ...]] = {
    CORTEX_M4F: (
        Workload("work_integer", "integer", 24_000, 1.3),
        Workload("work_memcpy", "memcpy", 40_000, 2.0),
        EVERY_ROUND,
        Workload("work_float", "float", 1_500_000),
        Workload("work_call", "SVC round trip", 50_000, 1.0),
        Workload("work_tick", "tick of 100 kHz", 10_000),
        Workload("work_poll", "reading a flag", 500_000),
        Workload("work_wait", "polling a flag", 500),
    ),
    RV32: (
        Workload("work_integer", "integer", 24_000, 1.5),
        Workload("work_memcpy", "memcpy", 40_000, 2.0),
        EVERY_ROUND,
        Workload("work_call", "ecall round trip", 50_000),
        Workload("work_user_call", "ecall, U-mode, PMP", 50_000, 1.5),
        Workload("work_tick", "tick of 100 kHz", 10_000),
        Workload("work_poll", "reading a flag", 500_000),
    ),
}
NOTHING = Workload("work_nothing", "nothing", 0)


def compile_workload(folder: Path, host: Host, workload: Workload) -> Path:
    """The ELF file of a workload."""
    script, elf = folder / f"{host.name}.ld", folder / f"{host.name}-{workload.function}.elf"
    script.write_text(host.script)
    options = ["-O2", "-ffreestanding", "-fno-builtin", "-fno-sanitize=all", "-nostdlib", "-Wno-unused-function"]
    defines = [f'-DBOARD="{host.header}"', f"-DWORK={workload.function}", f"-DROUNDS={workload.rounds}"]
    source = str(PROGRAMS / "workloads.c")
    command = [ZIG, "cc", *host.options, *options, *defines, f"-Wl,-T,{script}", "-o", str(elf), source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the workload {workload.function} cannot be compiled:\n{done.stderr}")
    return elf


class Here:
    """Runs a program in this process."""

    def __init__(self, host: Host, image: Image, *, skips: bool = True) -> None:
        self._host, self._image, self._skips = host, image, skips
        self.instructions = 0

    def __call__(self) -> tuple[bytes, float]:
        """What it prints, and the processor time in seconds."""
        runner = Runner(self._image, machine_map(self._host.name), skips=self._skips)
        start = time.process_time()
        result = runner.run()
        seconds = time.process_time() - start
        self.instructions = result.instructions
        if result.exit_code != 0:
            raise SystemExit(f"a workload did not come to its end: {result.outcome.value}")
        return result.uart, seconds


def run_on_qemu(host: Host, elf: Path, *options: str) -> tuple[bytes, float]:
    """What the program prints on QEMU, and the processor time in seconds, QEMU's start included."""
    command = [*host.qemu, "-display", "none", "-monitor", "none", "-serial", "stdio", *options, "-kernel", str(elf)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_workload(host: Host, folder: Path, workload: Workload, starts: list[float], repetitions: int) -> None:
    """Prints the line of one workload; ``starts``: what QEMU with and without -icount takes for nothing."""
    elf = compile_workload(folder, host, workload)
    here = Here(host, load_elf(elf), skips=workload.skips)
    candidates: list[Callable[[], tuple[bytes, float]]] = [
        here,
        lambda: run_on_qemu(host, elf, "-icount", "shift=0"),
        lambda: run_on_qemu(host, elf),
    ]
    times: list[list[float]] = [[] for _ in candidates]
    printed = set()
    for _ in range(repetitions):
        for index, candidate in enumerate(candidates):
            output, seconds = candidate()
            printed.add(output)
            times[index].append(seconds)
    if len(printed) != 1:
        raise SystemExit(f"{workload.title}: QEMU and we do not agree on the result: {printed}")
    ours, counting, plain = (statistics.median(values) for values in times)
    counting, plain = counting - starts[0], plain - starts[1]
    goal = "" if workload.goal is None else f" (to reach: {workload.goal:.1f})"
    print(
        f"  {workload.title:19} {ours * 1e3:8.1f} ms, {here.instructions / ours / 1e6:7.1f} MIPS; "
        f"ratio to QEMU -icount {ours / counting:6.2f}{goal}, without {ours / plain:6.2f}"
    )


def measure(host: Host, repetitions: int) -> None:
    """Prints the lines of one board."""
    if shutil.which(host.qemu[0]) is None:
        print(f"{host.title}: skipped, needs QEMU: apt install {host.package}")
        return
    version = subprocess.run([host.qemu[0], "--version"], capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )[0]
    print(f"{host.title} on {host.name}, {version}")
    with TemporaryDirectory() as name:
        folder = Path(name)
        nothing = compile_workload(folder, host, NOTHING)
        starts = [
            statistics.median(run_on_qemu(host, nothing, *options)[1] for _ in range(START_REPETITIONS))
            for options in (("-icount", "shift=0"), ())
        ]
        for workload in WORKLOADS[host]:
            measure_workload(host, folder, workload, starts, repetitions)


def main(repetitions: int = 5) -> None:
    """Measures everything."""
    print(facts())
    for host in WORKLOADS:
        measure(host, repetitions)
    measure_start()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))

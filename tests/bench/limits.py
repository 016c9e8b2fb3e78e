"""How much of the Cortex-M4F's time is Unicorn's own: ``python -m tests.bench limits``.

The workloads that hardly leave translated code run here with all rounds of their loops executed, here without the block
hook that counts instructions and ends runs at deadlines, and on QEMU with `-icount shift=0`, in turns. Without the hook
there is no time: the second figure is what no execution by Unicorn can go below. Ratios are those of the medians of
processor time.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from unicorn import unicorn_const

from emu.cpu import engine
from sdk.loader import load_elf
from tests.bench import cpu
from tests.bench.machine import facts

FUNCTIONS = ("work_integer", "work_memcpy", "work_float")


class WithoutBlockHook:
    """Unicorn's library, but a block hook is not added."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def uc_hook_add(self, handle: Any, hook: Any, kind: int, *arguments: Any) -> Any:
        """As in the library."""
        if kind == unicorn_const.UC_HOOK_BLOCK:
            return unicorn_const.UC_ERR_OK
        return self._library.uc_hook_add(handle, hook, kind, *arguments)


@contextmanager
def no_block_hook() -> Iterator[None]:
    """Machines made inside have none."""
    library = engine.uclib
    engine.uclib = WithoutBlockHook(library)
    try:
        yield
    finally:
        engine.uclib = library


def measure(host: cpu.Host, folder: Path, workload: cpu.Workload, start: float, repetitions: int) -> None:
    """Prints the line of one workload; ``start``: what QEMU takes for nothing."""
    elf = cpu.compile_workload(folder, host, workload)
    here = cpu.Here(host, load_elf(elf), skips=False)

    def unhooked() -> tuple[bytes, float]:
        with no_block_hook():
            return here()

    candidates: list[Callable[[], tuple[bytes, float]]] = [
        here,
        unhooked,
        lambda: cpu.run_on_qemu(host, elf, "-icount", "shift=0"),
    ]
    times: list[list[float]] = [[] for _ in candidates]
    for _ in range(repetitions):
        for index, candidate in enumerate(candidates):
            times[index].append(candidate()[1])
    ours, limit, qemu = (statistics.median(values) for values in times)
    qemu -= start
    print(
        f"  {workload.title:17} {ours * 1e3:8.1f} ms, without block hook {limit * 1e3:8.1f} ms; "
        f"ratios to QEMU -icount {ours / qemu:6.2f}, {limit / qemu:6.2f}"
    )


def main(repetitions: int = 5) -> None:
    """Measures the Cortex-M4F; on the RV32 board a device ends the run, for which the block hook is needed."""
    print(facts())
    host = cpu.CORTEX_M4F
    if shutil.which(host.qemu[0]) is None:
        print(f"{host.title}: skipped, needs QEMU: apt install {host.package}")
        return
    print(f"{host.title} on {host.name}")
    with TemporaryDirectory() as name:
        nothing = cpu.compile_workload(Path(name), host, cpu.NOTHING)
        start = statistics.median(
            cpu.run_on_qemu(host, nothing, "-icount", "shift=0")[1] for _ in range(cpu.START_REPETITIONS)
        )
        for workload in cpu.WORKLOADS[host]:
            if workload.function in FUNCTIONS and workload is not cpu.EVERY_ROUND:
                measure(host, Path(name), workload, start, repetitions)

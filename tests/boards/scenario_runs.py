"""Runs scripts of `scenarios` here and on QEMU.

A script is data: the firmware is compiled once for a board. Each scenario begins with a reset.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from emu.bus import Bus
from emu.cpu.arm.cortex_m import CortexM
from emu.machine import Machine, StopReason
from emu.machines import machine_map
from sdk.loader import Image, load_elf, load_into
from tests.boards.firmware import build
from tests.boards.scenarios import Core, Writer

QEMU_SECONDS = 120


def script(core: Core, seeds: Sequence[str], first: int = 0) -> bytes:
    """The scenarios of these seeds as the firmware reads them, to begin with number ``first``."""
    begins, data = [], bytearray()
    header = 8 + 4 * len(seeds)
    for seed in seeds:
        begins.append(header + len(data))
        data += b"".join(struct.pack("<HHII", *action) for action in Writer(core, seed).actions())
    return struct.pack(f"<{2 + len(begins)}I", len(seeds), first, *begins) + bytes(data)


def build_firmware(folder: Path, core: Core) -> Path:
    """The firmware that carries scripts out."""
    masks = {
        6: ("ICSR_MASK=0x9e5ff1ff", "SHCSR_MASK=0", "HFSR_MASK=0", "FPCCR_MASK=0"),
        7: ("ICSR_MASK=~0u", "SHCSR_MASK=~0u", "HFSR_MASK=~0u", "FPCCR_MASK=0xc000017b"),
        8: ("ICSR_MASK=~0u", "SHCSR_MASK=~0u", "HFSR_MASK=~0u", "FPCCR_MASK=0xc000057b"),
    }[core.architecture]
    places = (f"SCRIPT_ADDRESS={core.script:#x}u", f"WORK={core.work:#x}u")
    defines = (*core.defines, *places, *masks)
    return build(folder, core.machine, "scenarios.c", *defines, options=("-mno-implicit-float",))


class ReloadingMachine(Machine):
    """As on QEMU, a reset brings back the firmware and the script, which a scenario may have overwritten.

    Attributes:
        load: puts them into memory.
    """

    load: Callable[[], None] | None = None

    def reset(self) -> None:
        """Reset everything, with both in place."""
        if self.load is not None:
            self.load()
        super().reset()


def load(image: Image, core: Core, data: bytes, bus: Bus) -> None:
    """Put the firmware and a script into memory."""
    load_into(image, bus)
    bus.program(core.script, data)


def run_here(elf: Path, core: Core, seeds: Sequence[str], *, native: bool = True) -> list[list[str]]:
    """The lines that each scenario prints on our core; the last line says LOCKUP where it has locked up."""
    lines: list[list[str]] = []
    while len(lines) < len(seeds):
        machine = ReloadingMachine(machine_map(core.machine))
        assert isinstance(machine.core, CortexM)
        machine.core.native_exceptions = native
        printed = bytearray()
        machine.core.semihosting.console.append(printed.extend)
        machine.load = partial(load, load_elf(elf), core, script(core, seeds, len(lines)), machine.bus)
        machine.reset()
        stop = machine.run(1_000_000 * len(seeds))
        lines += scenarios_of(
            printed.decode(errors="replace"), len(lines), ended=stop.reason is StopReason.EXIT, name=stop.reason.name
        )
    return lines


def run_qemu(elf: Path, core: Core, seeds: Sequence[str]) -> list[list[str]]:
    """The same on QEMU; skips the test if it is absent."""
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("needs QEMU: apt install qemu-system-arm")
    data = elf.with_name("script.bin")
    lines: list[list[str]] = []
    while len(lines) < len(seeds):
        data.write_bytes(script(core, seeds, len(lines)))
        command = ["qemu-system-arm", "-M", core.machine, "-nographic", "-monitor", "none", "-serial", "none"]
        command += ["-device", f"loader,file={data},addr={core.script:#x},force-raw=on"]
        command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(elf)]
        done = subprocess.run(command, capture_output=True, timeout=QEMU_SECONDS, check=False)
        printed, _, rest = (done.stdout + done.stderr).decode(errors="replace").partition("qemu: fatal: ")
        lines += scenarios_of(
            printed, len(lines), ended=done.returncode == 0, name=rest.partition(":")[0].upper() or "STOPPED"
        )
    return lines


def scenarios_of(printed: str, first: int, *, ended: bool, name: str) -> list[list[str]]:
    """The lines of each scenario, up to the one that says that it has lost its way.

    Args:
        printed: the output, in which every scenario begins with a line of its number.
        first: the number of the first one.
        ended: the last one has ended.
        name: why it has not.
    """
    scenarios: list[list[str]] = []
    lost = False
    for line in printed.splitlines():
        if line.split(" ")[:2] == ["=", f"{first + len(scenarios):x}"]:
            scenarios.append([])
            lost = False
        elif scenarios and not lost:
            scenarios[-1].append(line)
            lost = line == "!"
    if not scenarios:
        scenarios.append([])
    if not ended:
        scenarios[-1].append(name)
    return scenarios

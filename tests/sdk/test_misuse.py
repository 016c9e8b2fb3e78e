"""Bad programs and bad register use, by real firmware on both hosts, as `imnpu run` shows them.

Every case must end in an error interrupt with cause and program counter, a message that names rule, values and place,
and memories that are as they were before, outside of the declared outputs.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import sdk.runner
from asm import isa, parameters
from asm.isa import Instruction
from asm.parameters import CommandCode
from asm.rules import CAUSE_TEXT, Cause
from emu.npu.cluster import Cluster
from emu.registers import RegisterArray
from sdk.build import BuildOptions, build
from sdk.cli.main import main
from sdk.debug_info import DebugInfo
from sdk.project import open_project
from tests.emu.npu.small_machine import NO_BASE, blob, kernel_words
from tests.sdk.compiling import PROGRAMS
from tests.sdk.firmware_builds import MACHINES

FLASH, SYSTEM, TILES, CLUSTERS = 0x0800_0000, 0x3000_0000, 0x3800_0000, 0x5000_0000
KERNELS, CODE, OUTPUT, END = SYSTEM + 0x1_0000, SYSTEM + 0x2_0000, SYSTEM + 0x3_0000, SYSTEM + 0x20_0000
BEFORE, AFTER = b"\1", b"\2"
"""What the firmware sends when memory must not change any more, and when it has to be as it was."""
HERE = " ; here"
"""Marks the line of a program that is wrong."""
SETUP = f"kernel s4[3, 3, 8], features=u4, pad=1\nload at 0x{KERNELS:x}, count=2"
ASSEMBLED = {
    "topology": f"unchecked topology chain=4, parallel=3\n{SETUP}{HERE}\nhalt",
    "kernel": f"topology chain=1\nunchecked kernel s4[5, 5, 16], features=u4\n"
    f"load at 0x{KERNELS:x}, count=2{HERE}\nhalt",
    "tile": f"mode compute 3..5\ncopy at 0x{OUTPUT:x}, at 0x{TILES + 0x2FF0:x}, bytes=32{HERE}\nhalt",
    "past_end": f"fill at 0x{OUTPUT:x}, 0xa5, bytes=64\ncopy at 0x{END - 8:x}, at 0x{SYSTEM:x}, bytes=16{HERE}\nhalt",
    "read_only": f"copy at 0x{FLASH:x}, at 0x{SYSTEM:x}, bytes=16{HERE}\nhalt",
    "device": f"fill at 0x{CLUSTERS:x}, 1, bytes=16{HERE}\nhalt",
    "nowhere": f"copy at r0, at 0x{SYSTEM:x}, bytes=16, repeat=(2, 16, 0x1000000){HERE}\nhalt",
    "kernels": f"topology chain=1\nkernel s4[3, 3, 8], features=u4, pad=1\nload at r0, count=2{HERE}\nhalt",
    "table": f"mode compute 0..7\ntopology chain=1\n{SETUP}\nactivation at r1\n"
    f"conv tensor(u8[4, 4, 2] at 0x{OUTPUT:x}), tensor(u4[4, 4, 8] at 0x{SYSTEM:x}){HERE}\nhalt",
    "output": f"mode compute 0..7\ntopology chain=1\n{SETUP}\nactivation bypass\n"
    f"conv tensor(s32[4, 4, 2] at 0x{END - 64:x}), tensor(u4[4, 4, 8] at 0x{SYSTEM:x}){HERE}\nhalt",
    "event": f"fill at 0x{OUTPUT:x}, 0xa5, bytes=64\nwait 7{HERE}\nhalt",
    "first": f"barrier 1, clusters=0x03{HERE}\nbarrier 2, clusters=0x03\nhalt",
    "second": f"nop\nbarrier 2, clusters=0x03{HERE}\nbarrier 1, clusters=0x03\nhalt",
    "partner": f"barrier 1, clusters=0x03{HERE}\nhalt",
    "spin": "again:\njump again",
    "end": "halt",
}
"""Accelerator programs by name; the line of a program that is wrong ends with `HERE`."""


@dataclass(frozen=True)
class Error:
    """What a cluster reports.

    Attributes:
        text: of the message, behind the text of the cause.
        place: name of the program whose line `HERE` it is, address of the instruction, or None: the host's registers.
        program: the place is the address of a program, not of an instruction.
        cluster: its number.
    """

    cause: Cause
    text: str
    place: str | int | None = None
    cluster: int = 0
    program: bool = False


@dataclass(frozen=True)
class Case:
    """One misdeed.

    Attributes:
        script: what the firmware does (see `misuse.c`).
        errors: in the order of their messages.
        changed: whether 64 bytes at `OUTPUT`, the only declared output, may have changed.
        arguments: of `imnpu run`.
        end: how `imnpu run` says that the run ended, if firmware did not end it by itself.
    """

    script: bytes
    errors: tuple[Error, ...] = ()
    changed: bool = False
    arguments: tuple[str, ...] = ()
    end: tuple[str, ...] = field(default=())
    code: int = 1


def operation(name: str, *words: int) -> bytes:
    """An operation of the script."""
    return name.encode() + struct.pack(f"<{len(words)}I", *(word & 0xFFFF_FFFF for word in words))


def store(name: str, *values: int, cluster: int = 0) -> bytes:
    """Writes consecutive registers of a cluster."""
    register = getattr(Cluster, name)
    base = CLUSTERS + cluster * 0x1000 + register.offset
    stride = register.stride if isinstance(register, RegisterArray) else 4
    return b"".join(operation("w", base + place * stride, value) for place, value in enumerate(values))


def command(code: CommandCode) -> bytes:
    """Starts a command by register."""
    return operation("m") + store("COMMAND", code) + operation("s", 1)


def kernels(height: int = 3, channels: int = 8, address: int = KERNELS) -> bytes:
    """What a load needs, by registers."""
    words = kernel_words((2, height, height, channels), "s4", "u4", 1, (1, 1, 1, 1))
    return store("KERNEL_SHAPE", *words) + store("LOAD_ADDRESS", address, 2)


def copy(source: int, destination: int, count: int) -> bytes:
    """A copy by registers, of one run."""
    return store("COPY_SOURCE", source, destination, count) + store("COPY_COUNT", 1, 1, 1, 1)


def assembled(*names: str, argument: int = 0) -> bytes:
    """Starts an assembled program on each cluster from 0 on, and sleeps until they have ended."""
    numbers = [list(ASSEMBLED).index(name) for name in names]
    starts = b"".join(operation("p", cluster, number) for cluster, number in enumerate(numbers))
    return store("R", argument, argument) + operation("m") + starts + operation("s", (1 << len(names)) - 1)


def words(*instructions: Instruction | tuple[int, ...], data: bytes = b"") -> bytes:
    """Starts words that no assembler has seen, from system memory."""
    data = data or blob(*instructions)
    values = struct.unpack(f"<{len(data) // 4}I", data)
    program = b"".join(operation("w", CODE + 4 * place, value) for place, value in enumerate(values))
    return program + store("PROGRAM_BASE", CODE) + operation("m") + store("CONTROL", 1) + operation("s", 1)


def topology(chain: int, parallel: int) -> int:
    return parameters.Topology.pack(chain=chain, parallel=parallel, stripes=1)


def word_setup(height: int = 3, wired: int = 0) -> list[Instruction]:
    """Set-up instructions, the address of the second of them is `CODE` + 8 behind the header."""
    shape = kernel_words((2, height, height, 8), "s4", "u4", 1, (1, 1, 1, 1))
    return [isa.SetTopology(0, (wired or topology(1, 1),)), isa.SetKernel(0, shape)]


def load(address: int) -> isa.Load:
    return isa.Load(NO_BASE, (address, 2))


FIRST = CODE + isa.HEADER_BYTES
THIRD = FIRST + sum(item.size for item in word_setup())
TWELVE = "chain 4 x parallel 3 x stripes 1 needs 12 tiles; a cluster has 8"
LARGE = "over a chain of 1 needs 1600 bits a tile; a row has 1024 (a longer chain would help)"
COMPUTING = "the tile is in compute mode; clear its bit in TILE_MODE to use it as memory"
SLOW = "525 mV with 0 mV of body bias allow 333097 kHz, CLOCK_KHZ is 600000"
LOW_VOLTAGE = store("VOLTAGE_MV", 525, 0, 600_000)
ALONE = "cluster 0 waits for event 7, which nobody has signalled: no other cluster is running a program"
CROSSED = (
    Error(
        Cause.deadlock,
        "cluster 0 waits at barrier 1 of clusters 0, 1 for cluster 1, which waits at barrier 2 of clusters 0, 1",
        "first",
    ),
    Error(
        Cause.deadlock,
        "cluster 1 waits at barrier 2 of clusters 0, 1 for cluster 0, which waits at barrier 1 of clusters 0, 1",
        "second",
        cluster=1,
    ),
)
LIMIT = ("--max-cycles", "20_000")

CASES: Mapping[str, Case] = {
    # A topology that does not exist
    "topology, assembled": Case(assembled("topology"), (Error(Cause.illegal_topology, TWELVE, "topology"),)),
    "topology, words": Case(
        words(*word_setup(wired=topology(4, 3)), load(KERNELS)), (Error(Cause.illegal_topology, TWELVE, THIRD),)
    ),
    "topology, registers": Case(
        store("TOPOLOGY", topology(4, 3)) + kernels() + command(CommandCode.load),
        (Error(Cause.illegal_topology, TWELVE),),
    ),
    "topology of nothing, registers": Case(
        store("TOPOLOGY", 0) + kernels() + command(CommandCode.load),
        (Error(Cause.illegal_topology, "chain must be 1..8, not 0"),),
    ),
    # A kernel larger than its chain
    "kernel, assembled": Case(
        assembled("kernel"), (Error(Cause.kernel_too_large, f"a 5 x 5 x 16 kernel of s4 {LARGE}", "kernel"),)
    ),
    "kernel, words": Case(
        words(*word_setup(8), load(KERNELS)),
        (Error(Cause.kernel_too_large, f"a 8 x 8 x 8 kernel of s4 {LARGE.replace('1600', '2048')}", THIRD),),
    ),
    "kernel, registers": Case(
        store("TOPOLOGY", topology(1, 1)) + kernels(5, 16) + command(CommandCode.load),
        (Error(Cause.kernel_too_large, f"a 5 x 5 x 16 kernel of s4 {LARGE}"),),
    ),
    # A tile that is read while it computes
    "tile, assembled": Case(
        assembled("tile"), (Error(Cause.bus_error, f"read of 32 bytes at 0x38002ff0: {COMPUTING}", "tile"),)
    ),
    "tile, words": Case(
        words(
            isa.SetMode(0, (0xFF,)),
            isa.Copy(NO_BASE, (TILES, SYSTEM, 8, *(1, 0, 0) * parameters.COPY_LOOPS)),
            isa.Halt(),
        ),
        (Error(Cause.bus_error, f"read of 8 bytes at 0x38000000: {COMPUTING}", FIRST + 8),),
    ),
    "tile, registers": Case(
        store("TILE_MODE", 0xFF) + copy(SYSTEM, TILES, 8) + command(CommandCode.copy),
        (Error(Cause.bus_error, f"write of 8 bytes at 0x38000000: {COMPUTING}"),),
    ),
    "tile, read by the host": Case(
        store("TILE_MODE", 0xFF) + operation("m") + operation("r", TILES + 0x100),
        end=(r"imnpu: firmware reported a run-time error, at 0x", rf": read at 0x38000100: {COMPUTING}"),
        code=120,
    ),
    "tile, written by the host": Case(
        store("TILE_MODE", 0xFF) + operation("m") + operation("w", TILES + 0x100, 1),
        end=(r"imnpu: firmware reported a run-time error, at 0x", rf": write at 0x38000100: {COMPUTING}"),
        code=120,
    ),
    # DMA out of bounds
    "past the end, assembled": Case(
        assembled("past_end"),
        (
            Error(
                Cause.bus_error,
                "write of 16 bytes at 0x301ffff8: it runs past the end of sysmem (0x30200000)",
                "past_end",
            ),
        ),
        changed=True,
    ),
    "past the end, words": Case(
        words(isa.Copy(NO_BASE, (END - 8, SYSTEM, 9, *(1, 0, 0) * parameters.COPY_LOOPS))),
        (Error(Cause.bus_error, "read of 9 bytes at 0x301ffff8: it runs past the end of sysmem (0x30200000)", FIRST),),
    ),
    "past the end, registers": Case(
        copy(SYSTEM, END - 4, 8) + command(CommandCode.copy),
        (Error(Cause.bus_error, "write of 8 bytes at 0x301ffffc: it runs past the end of sysmem (0x30200000)"),),
    ),
    "read-only, assembled": Case(
        assembled("read_only"),
        (Error(Cause.bus_error, "write of 16 bytes at 0x08000000: flash is read-only", "read_only"),),
    ),
    "read-only, registers": Case(
        copy(SYSTEM, FLASH, 8) + command(CommandCode.copy),
        (Error(Cause.bus_error, "write of 8 bytes at 0x08000000: flash is read-only"),),
    ),
    "a device, assembled": Case(
        assembled("device"),
        (Error(Cause.bus_error, "write of 16 bytes at 0x50000000: cluster0 is a device, not memory", "device"),),
    ),
    "nowhere, assembled": Case(
        assembled("nowhere", argument=0x4800_0000),
        (Error(Cause.bus_error, "write of 16777232 bytes at 0x48000000: nothing is mapped there", "nowhere"),),
    ),
    "nowhere, registers": Case(
        copy(0x4800_0000, SYSTEM, 8) + command(CommandCode.copy),
        (Error(Cause.bus_error, "read of 8 bytes at 0x48000000: nothing is mapped there"),),
    ),
    "output past the end, assembled": Case(
        assembled("output"),
        (
            Error(
                Cause.bus_error,
                "write of 128 bytes at 0x301fffc0: it runs past the end of sysmem (0x30200000)",
                "output",
            ),
        ),
    ),
    # DMA that is misaligned
    "misaligned kernels, assembled": Case(
        assembled("kernels", argument=KERNELS + 4),
        (Error(Cause.misaligned, "kernels must lie at a multiple of 8, not at 0x30010004", "kernels"),),
    ),
    "misaligned kernels, words": Case(
        words(*word_setup(), load(KERNELS + 1)),
        (Error(Cause.misaligned, "kernels must lie at a multiple of 8, not at 0x30010001", THIRD),),
    ),
    "misaligned kernels, registers": Case(
        store("TOPOLOGY", topology(1, 1)) + kernels(address=KERNELS + 2) + command(CommandCode.load),
        (Error(Cause.misaligned, "kernels must lie at a multiple of 8, not at 0x30010002"),),
    ),
    "misaligned table, assembled": Case(
        assembled("table", argument=KERNELS + 2),
        (Error(Cause.misaligned, "the activation table must lie at a multiple of 4, not at 0x30010002", "table"),),
    ),
    "misaligned program, registers": Case(
        store("PROGRAM_BASE", CODE + 2) + operation("m") + store("CONTROL", 1) + operation("s", 1),
        (Error(Cause.misaligned, "a program must lie at a multiple of 4, not at 0x30020002", CODE + 2, program=True),),
    ),
    # Words that are no program
    "no program, words": Case(
        words(data=bytes(16)),
        (Error(Cause.bad_magic, "a program starts with 0x504e4d49, not 0x00000000", CODE, program=True),),
    ),
    "no instruction, words": Case(
        words((0xFF00_0000,)), (Error(Cause.bad_instruction, "0xff is not an opcode", FIRST),)
    ),
    "no end, words": Case(
        words(isa.Nop()),
        (Error(Cause.ran_past_end, "0x30020014 is not in the code of the program, 0x30020010..0x30020013", FIRST + 4),),
    ),
    # Events and barriers
    "event, assembled": Case(assembled("event"), (Error(Cause.deadlock, ALONE, "event"),), changed=True),
    "event, words": Case(words(isa.Wait(7)), (Error(Cause.deadlock, ALONE, FIRST),)),
    "crossed barriers, assembled": Case(assembled("first", "second"), CROSSED),
    "crossed barriers while a timer runs": Case(operation("t") + assembled("first", "second"), CROSSED),
    "a barrier that only the host could start a partner of": Case(
        assembled("partner"),
        (
            Error(
                Cause.deadlock,
                "cluster 0 waits at barrier 1 of clusters 0, 1 for cluster 1, which runs no program",
                "partner",
            ),
        ),
    ),
    "event, while a timer runs": Case(
        operation("t") + assembled("event"),
        arguments=LIMIT,
        end=(
            r"imnpu: the cycle limit is reached, at 0x",
            rf"imnpu: {ALONE} \(instruction at 0x\w+\)\n  event.imn:3 \| wait 7",
        ),
        code=124,
        changed=True,
    ),
    "event, while the host polls": Case(
        assembled("event", "spin")[: -len(operation("s", 0))] + operation("l"),
        arguments=LIMIT,
        end=(r"cluster 0 waits for event 7, which nobody has signalled: cluster 1, which runs on \(instruction at",),
        code=124,
        changed=True,
    ),
    # Voltage, body bias, clock
    "voltage, assembled": Case(
        LOW_VOLTAGE + assembled("end"), (Error(Cause.voltage_too_low, SLOW, "end", program=True),)
    ),
    "voltage, registers": Case(
        LOW_VOLTAGE + copy(SYSTEM, OUTPUT, 8) + command(CommandCode.copy), (Error(Cause.voltage_too_low, SLOW),)
    ),
    "voltage below the lowest": Case(
        store("VOLTAGE_MV", 524, 0, 1000) + copy(SYSTEM, OUTPUT, 8) + command(CommandCode.copy),
        (Error(Cause.voltage_too_low, "VOLTAGE_MV must be 525..1000, not 524"),),
    ),
    "voltage, while a program runs": Case(
        operation("p", 0, list(ASSEMBLED).index("spin"))
        + operation("m")
        + store("VOLTAGE_MV", 800)
        + operation("s", 1),
        (Error(Cause.busy, "voltage, body bias and clock cannot change while the cluster works"),),
    ),
    "a command while a program runs": Case(
        operation("p", 0, list(ASSEMBLED).index("spin")) + copy(SYSTEM, OUTPUT, 8) + command(CommandCode.copy),
        (Error(Cause.busy, "COMMAND was written before the cluster was done; wait for it, or abort"),),
    ),
}


@pytest.fixture(scope="module", params=MACHINES)
def firmware(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("misuse")
    (folder / "main.c").write_text((PROGRAMS / "misuse.c").read_text())
    for name, text in ASSEMBLED.items():
        (folder / f"{name}.imn").write_text(f"program {name}\n{text}\n")
    files = ", ".join(f'"{name}.imn"' for name in ASSEMBLED)
    (folder / "imnpu.toml").write_text(f'name = "misuse"\nprograms = [{files}]\n')
    addresses = ", ".join(ASSEMBLED)
    (folder / "programs.h").write_text(f"static const void *const programs[] = {{{addresses}}};\n")
    return build(open_project(folder), BuildOptions(request.param)).elf


class WatchedRunner(sdk.runner.Runner):
    """Keeps what the shared memories hold at the marks that the firmware sends, and at the end.

    Attributes:
        seen: contents by name of the memory, at `BEFORE` and afterwards.
    """

    newest: WatchedRunner

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seen: list[dict[str, NDArray[np.uint8]]] = []
        self.port.sinks.append(self._hear)
        WatchedRunner.newest = self

    def _hear(self, data: bytes) -> None:
        if data in (BEFORE, AFTER):
            self.look()

    def look(self) -> None:
        """Keep what the memories hold now; the host's own memory may change, it has the stack."""
        self.seen.append({item.name: item.data.copy() for item in self.machine.bus.memories if item.name != "sram"})


@pytest.mark.parametrize("name", CASES)
def test_misuse(
    name: str,
    firmware: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    case, info = CASES[name], DebugInfo(firmware)
    monkeypatch.setattr(sdk.runner, "Runner", WatchedRunner)
    (tmp_path / "script").write_bytes(case.script)
    code = main(["run", "--uart-input", str(tmp_path / "script"), *case.arguments, str(firmware)])
    output, text = (stream.decode() for stream in capfdbinary.readouterr())
    assert code == case.code, text

    places = [place_of(error, info) for error in case.errors]
    expected = [message(error, *place) for error, place in zip(case.errors, places, strict=True)]
    assert re.findall(r"imnpu: cycle \d+: (cluster\d: .*(?:\n  .*)?)", text) == expected
    reports = [
        f"cluster {error.cluster}: 1 error, cause {error.cause.value}, pc 0x{address:08x}"
        for error, (address, _) in zip(case.errors, places, strict=True)
    ]
    assert re.findall(r"cluster \d: .*", output) == reports
    for pattern in case.end:
        assert re.search(pattern, text), text
    assert "Traceback" not in text

    runner = WatchedRunner.newest
    runner.look()
    before, *later = runner.seen
    for after in later:
        for memory, contents in before.items():
            changed = np.flatnonzero(contents != after[memory])
            allowed = range(OUTPUT - SYSTEM, OUTPUT - SYSTEM + 64) if case.changed and memory == "sysmem" else ()
            assert set(changed.tolist()) <= set(allowed), memory


def place_of(error: Error, info: DebugInfo) -> tuple[int, str]:
    """Address that the cluster names, and the line that goes with it, if there is one."""
    if not isinstance(error.place, str):
        return error.place or 0, ""
    if error.program:
        return info.symbols[error.place].address, ""
    lines = f"program {error.place}\n{ASSEMBLED[error.place]}".splitlines()
    number = next(number for number, line in enumerate(lines, 1) if line.endswith(HERE))
    (address,) = info.lines.addresses(f"{error.place}.imn", number)
    return address, f"\n  {error.place}.imn:{number} | {lines[number - 1]}"


def message(error: Error, address: int, line: str) -> str:
    """What `imnpu run` prints behind the cycle."""
    place = "registers written by the host"
    if error.place is not None:
        place = f"{'program' if error.program else 'instruction'} at 0x{address:08x}"
    return f"cluster{error.cluster}: {error.cause.name}: {CAUSE_TEXT[error.cause]}: {error.text} ({place}){line}"

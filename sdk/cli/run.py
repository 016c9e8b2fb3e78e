"""``imnpu run``: firmware on an emulated machine."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdk.machine_options import MachineOptions, add_machine_options
from sdk.whole_number import whole_number

if TYPE_CHECKING:
    from emu.cpu.core import Core
    from emu.log import Message
    from emu.machine import MachineMap
    from sdk.loader import Image
    from sdk.messages import SourceLines
    from sdk.runner import Runner, RunResult

LAST_ADDRESS = 0xFFFF_FFFF
EXIT_CODES = {"ABNORMAL": 120, "LOCKUP": 121, "ASLEEP": 122, "LIMIT": 124, "STOPPED": 130}
"""Exit codes of runs that firmware did not end with an exit code of its own, by `Outcome`."""

EXAMPLES = """\
examples:
  imnpu run hello.elf
  imnpu run --machine st18-rv32 --max-cycles 600000000 hello.elf
  imnpu run --machine virt --load-address 0x80000000 firmware.bin
  imnpu run --machine board.py firmware.hex
  imnpu run --stream images.bin --json report.json digits.elf
  echo 42 | imnpu run --uart-input - calculator.elf
  imnpu run --max-cycles 1_000_000 --save-snapshot begun.snapshot hello.elf
  imnpu run --load-snapshot begun.snapshot --state-hash hello.elf

exit codes:
  the firmware's own, modulo 256 (1 if that is 0 but the code is not)
  120  firmware reported a run-time error: a fault, a failed assertion
  121  locked up: a fault inside a fault handler
  122  asleep, and nothing is going to wake the CPU
  124  the limit of --max-cycles is reached
  130  Ctrl-C
  1, 2, 70  the command failed: wrong input, wrong arguments, a defect of imnpu
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = (
        "Run firmware on an emulated machine. What it sends to its UART, and nothing else, goes to stdout;\n"
        "semihosting and ITM output, messages and a summary go to stderr. The firmware's exit code is the command's."
    )
    parser.epilog = EXAMPLES
    parser.add_argument("elf", type=Path, metavar="FW", help="the firmware: ELF, Intel HEX, UF2 or raw bytes")
    add_machine_options(parser)
    parser.add_argument(
        "--load-address",
        type=whole_number(0, LAST_ADDRESS, base=0),
        metavar="A",
        help="where raw bytes go (default: where the machine starts)",
    )
    parser.add_argument(
        "--no-loop-skip",
        "--no-poll-skip",
        dest="skips",
        action="store_false",
        help="execute every round of loops that do nothing but wait for a flag, copy or fill memory; the result is the "
        "same, later",
    )
    parser.add_argument("--max-cycles", type=whole_number(1), metavar="N", help="stop after N machine cycles")
    parser.add_argument(
        "--load-snapshot",
        type=Path,
        metavar="FILE",
        help="go on from a snapshot that the same firmware and machine have left, instead of from reset",
    )
    parser.add_argument(
        "--save-snapshot", type=Path, metavar="FILE", help="write the machine's whole state when the run is over"
    )
    parser.add_argument(
        "--state-hash", action="store_true", help="print the SHA-256 of the machine's state when the run is over"
    )
    parser.add_argument("--stream", type=Path, metavar="FILE", help="bytes for the input stream")
    parser.add_argument(
        "--uart-input", metavar="FILE", help="bytes that the UART receives; - is stdin, read to its end"
    )
    parser.add_argument(
        "--semihosting-directory",
        type=_directory,
        metavar="DIR",
        help="let firmware read and write the plain files of this directory, and no others, by semihosting",
    )
    parser.add_argument(
        "--command-line",
        default="",
        metavar="TEXT",
        help="the command line that firmware gets when it asks for one by semihosting",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a report of the run")
    parser.add_argument("--quiet", action="store_true", help="no warnings and no summary; errors only")


def _directory(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a directory: give one that exists")
    return path


def main(args: argparse.Namespace) -> int:
    """Runs; returns the exit code."""
    from sdk.cli.outputs import check_outputs
    from sdk.firmware_formats import load_firmware
    from sdk.messages import SourceLines
    from sdk.runner import Runner

    check_outputs(args.json, args.save_snapshot)
    options = MachineOptions.of_arguments(args)
    image = load_firmware(args.elf, options.named, args.load_address)
    machine = options.machine_for(image)
    running: dict[str, Any] = {
        "stream": args.stream.read_bytes() if args.stream else b"",
        "uart_input": _uart_input(args.uart_input),
        "engine": options.engine,
        "exact": options.exact,
        "skips": args.skips,
    }
    if args.load_snapshot:
        runner = _from_snapshot(args.load_snapshot, image, machine, running)
    else:
        runner = Runner(image, machine, **running)
    runner.port.sinks.append(print_bytes)
    semihosting = runner.machine.core.semihosting
    semihosting.console.append(print_console)
    semihosting.files.directory, semihosting.command_line = args.semihosting_directory, os.fsencode(args.command_line)
    lines = SourceLines(image)
    if not args.quiet:
        runner.machine.core.on_trace.append(_print_trace)
        runner.machine.log.listeners.append(partial(_print_message, lines))
    with _stop_on_interrupt(runner.machine.core):
        result = runner.run(args.max_cycles)
    _report_end(runner, result, lines)
    if not args.quiet:
        _summarise(result)
    if args.json:
        args.json.write_text(json.dumps(_report(result), indent=2) + "\n", encoding="utf-8")
    if args.save_snapshot or args.state_hash:
        snapshot = runner.machine.snapshot()
        if args.save_snapshot:
            snapshot.save(args.save_snapshot)
        if args.state_hash:
            print(f"imnpu: state hash {snapshot.hash}", file=sys.stderr)
    return EXIT_CODES[result.outcome.name] if result.exit_code is None else exit_code(result.exit_code)


def _from_snapshot(path: Path, image: Image, machine: MachineMap, running: dict[str, Any]) -> Runner:
    from emu.snapshot import Snapshot, SnapshotError
    from sdk.runner import Runner

    snapshot = Snapshot.load(path)
    try:
        return Runner(image, machine, **running, snapshot=snapshot)
    except SnapshotError as error:
        raise SnapshotError(f"{path}: {error}") from None


def _uart_input(source: str | None) -> bytes:
    if source is None:
        return b""
    return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()


def print_bytes(data: bytes) -> None:
    """Show what firmware sends to its UART."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_console(data: bytes) -> None:
    """Show what firmware prints by semihosting."""
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()


def _print_trace(port: int, value: int, size: int) -> None:
    print(f"imnpu: ITM port {port}: 0x{value:0{2 * size}x}", file=sys.stderr)


def _print_message(lines: SourceLines, message: Message) -> None:
    text = f"imnpu: cycle {message.time}: {message.source}: {message.text}"
    print(lines.under(text, message.pc), file=sys.stderr)


@contextmanager
def _stop_on_interrupt(core: Core) -> Iterator[None]:
    """Let Ctrl-C stop the run.

    Python calls signal handlers between two of its instructions, but firmware may run natively for minutes. So
    a thread waits for the byte that the interpreter's C handler writes at once, and asks the core to stop.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)

    def wait() -> None:
        if os.read(read, 1):
            core.request_stop()

    waiter = threading.Thread(target=wait, name="interrupt", daemon=True)
    waiter.start()
    handler = signal.signal(signal.SIGINT, lambda *_: None)
    descriptor = signal.set_wakeup_fd(write)
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        signal.signal(signal.SIGINT, handler)
        os.close(write)
        waiter.join()
        os.close(read)


def _report_end(runner: Runner, result: RunResult, lines: SourceLines) -> None:
    """Say why firmware did not end by itself, where, and which accelerator programs wait."""
    from sdk.runner import Outcome

    if result.outcome is Outcome.EXIT:
        return
    from sdk.debug_info import DebugInfo
    from sdk.faults import render_fault, render_place
    from sdk.messages import waiting_programs

    machine = runner.machine
    print(f"imnpu: {result.outcome.value}, at 0x{result.stop.pc:08x} after {result.cycles} cycles", file=sys.stderr)
    for text in waiting_programs(runner.clusters, lines):
        print(f"imnpu: {text}", file=sys.stderr)
    if not runner.image.is_elf:
        for fault in result.faults[-1:]:
            print(f"imnpu: {fault.kind}: {fault.text}, at 0x{fault.pc:08x}", file=sys.stderr)
        return
    info = DebugInfo(runner.image.path)
    if result.outcome in (Outcome.ABNORMAL, Outcome.LOCKUP) and result.faults:
        print(render_fault(result.faults[-1], info, machine.bus.read), file=sys.stderr)
    else:
        print(render_place(machine.core, info, machine.bus.read), file=sys.stderr)


def _summarise(result: RunResult) -> None:
    mega = result.machine.clock_hz / 1e6
    commands = f"{len(result.commands):,} command{'' if len(result.commands) == 1 else 's'}"
    end = "" if result.exit_code is None else f"exit code {result.exit_code}, "
    lines = [
        f"{result.machine.name}: {end}{result.cycles:,} cycles, {_engineering(result.seconds, 's')} at {mega:g} MHz",
        f"host: {result.instructions:,} instructions, emulated in {result.wall_seconds:.2f} s, "
        f"{result.host_mips:.1f} MIPS",
        f"NPU: {commands}, {_engineering(result.energy_pj * 1e-12, 'J')}",
    ]
    for line in lines:
        print(f"imnpu: {line}", file=sys.stderr)


def _engineering(value: float, unit: str) -> str:
    """``value`` with a prefix, four digits: 1.235 ms."""
    for prefix, factor in (("", 1.0), ("m", 1e-3), ("u", 1e-6), ("n", 1e-9)):
        if value >= factor:
            return f"{value / factor:.4g} {prefix}{unit}"
    return f"{value / 1e-12:.4g} p{unit}"


def _report(result: RunResult) -> dict[str, object]:
    seconds = result.wall_seconds
    wall_clock = {
        "seconds": seconds,
        "host_mips": result.host_mips,
        "npu_commands_per_second": len(result.commands) / seconds if seconds else 0.0,
    }
    return {**result.figures(), "wall_clock": wall_clock}


def exit_code(code: int) -> int:
    """The command's exit code for one of firmware's own."""
    return code & 0xFF or int(code != 0)

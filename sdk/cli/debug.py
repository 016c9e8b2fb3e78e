"""``imnpu debug``: firmware in the debugger's screen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sdk.machine_options import MachineOptions, add_machine_options
from sdk.whole_number import whole_number

if TYPE_CHECKING:
    from sdk.session import Session

EXAMPLES = """\
examples:
  imnpu debug build/st18/hello.elf
  imnpu debug --break main.c:12 --break digits.imn:30 --stream images.bin build/st18/digits.elf
  imnpu debug --gdb 3333 build/st18/hello.elf         and in another terminal:
  gdb-multiarch -ex 'target remote :3333' build/st18/hello.elf

keys:
  s step   n next   i instruction   f finish   c continue   p pause   b break   : command   tab pane   q quit
"""


ABNORMAL = 120
"""Exit code of firmware that has reported a run-time error, as of ``imnpu run``."""


class NoTerminalError(Exception):
    """The debugger has no screen to draw on."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = (
        "Run firmware in the debugger: C source, disassembly, registers, the accelerator program of a cluster,\n"
        "its tiles and the serial port on one screen. It starts at main() or at the first breakpoint before it.\n"
        "With --gdb there is no screen: gdb, or an editor that uses it, connects and shows what it knows."
    )
    parser.epilog = EXAMPLES
    parser.add_argument("elf", type=Path, metavar="FW.elf", help="the firmware")
    add_machine_options(parser)
    parser.add_argument("--stream", type=Path, metavar="FILE", help="bytes for the input stream")
    parser.add_argument("--uart-input", type=Path, metavar="FILE", help="bytes that the UART receives")
    parser.add_argument(
        "--gdb",
        type=whole_number(0, 0xFFFF),
        metavar="PORT",
        help="wait for gdb on this port of this computer, at the reset of the firmware; 0: any free port",
    )
    parser.add_argument(
        "--break",
        dest="breakpoints",
        action="append",
        default=[],
        metavar="WHERE",
        help="stop at a function, FILE:LINE of C or of an accelerator program, or *ADDRESS; may be repeated",
    )


def main(args: argparse.Namespace) -> int:
    """Debugs until the user quits. What is wrong with the input is an exception of the modules used."""
    from sdk.session import open_session

    stream = args.stream.read_bytes() if args.stream else b""
    uart_input = args.uart_input.read_bytes() if args.uart_input else b""
    session = open_session(args.elf, MachineOptions.of_arguments(args), stream, uart_input)
    for where in args.breakpoints:
        session.breakpoints.add(where)
    if args.gdb is not None:
        return _serve(session, args)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise NoTerminalError(
            "the debugger needs a terminal for its screen, and stdin or stdout is none: "
            f"use it in a terminal, or `imnpu run {args.elf}`"
        )
    _show(session)
    return 0


def _serve(session: Session, args: argparse.Namespace) -> int:
    """Wait for gdb; returns the firmware's exit code, 0 if gdb has ended the run before it did."""
    from sdk.cli.run import exit_code, print_bytes, print_console
    from sdk.gdb.server import serve
    from sdk.motion import Reason

    def invite(port: int) -> None:
        print(f"imnpu: waiting: gdb-multiarch -ex 'target remote :{port}' {args.elf}", file=sys.stderr, flush=True)

    session.runner.port.sinks.append(print_bytes)
    session.machine.core.semihosting.console.append(print_console)
    halt = serve(session, args.gdb, invite)
    if halt is None or halt.reason is not Reason.EXIT:
        return 0
    return ABNORMAL if session.machine.core.abnormal_exit else exit_code(halt.exit_code or 0)


def _show(session: Session) -> None:
    from sdk.debugger.app import DebuggerApp

    DebuggerApp(session, session.run_to_main()).run()

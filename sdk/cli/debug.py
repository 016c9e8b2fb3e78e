"""``imnpu debug``: firmware in the debugger's screen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sdk.machine_options import MachineOptions, add_machine_options

if TYPE_CHECKING:
    from sdk.session import Session

EXAMPLES = """\
examples:
  imnpu debug build/st18/hello.elf
  imnpu debug --break main.c:12 --break digits.imn:30 --stream images.bin build/st18/digits.elf

keys:
  s step   n next   i instruction   f finish   c continue   p pause   b break   : command   tab pane   q quit
"""


class NoTerminalError(Exception):
    """The debugger has no screen to draw on."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = (
        "Run firmware in the debugger: C source, disassembly, registers, the accelerator program of a cluster,\n"
        "its tiles and the serial port on one screen. It starts at main() or at the first breakpoint before it."
    )
    parser.epilog = EXAMPLES
    parser.add_argument("elf", type=Path, metavar="FW.elf", help="the firmware")
    add_machine_options(parser)
    parser.add_argument("--stream", type=Path, metavar="FILE", help="bytes for the input stream")
    parser.add_argument("--uart-input", type=Path, metavar="FILE", help="bytes that the UART receives")
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
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise NoTerminalError(
            "the debugger needs a terminal for its screen, and stdin or stdout is none: "
            f"use it in a terminal, or `imnpu run {args.elf}`"
        )
    _show(session)
    return 0


def _show(session: Session) -> None:
    from sdk.debugger.app import DebuggerApp

    DebuggerApp(session, session.run_to_main()).run()

"""``imnpu debug``: firmware in the debugger's screen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from emu.cpu import ENGINES
from sdk.cpu_timing import add_cpu_timing

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
    parser.add_argument("--machine", metavar="M", help="machine (default: the one for the firmware's architecture)")
    parser.add_argument(
        "--clusters", type=int, default=8, metavar="N", help="NPU clusters, 1..8 (default: %(default)s)"
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=ENGINES[0],
        help="what executes the host's instructions; the interpreter is for RV32 hosts (default: %(default)s)",
    )
    parser.add_argument(
        "--exact",
        action="store_true",
        help="stop, and take interrupts of devices, at the very instruction; otherwise the host first executes the "
        "rest of the straight line of code that it is in",
    )
    add_cpu_timing(parser)
    parser.add_argument("--stream", type=Path, metavar="FILE", help="bytes for the input stream")
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
    session = open_session(
        args.elf, args.machine, args.clusters, stream, args.engine, args.exact, args.cpu_timing, args.flash_wait_states
    )
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

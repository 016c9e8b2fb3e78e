"""``imnpu new``: a project that builds and runs."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """\
examples:
  imnpu new hello                     for the default machine
  imnpu new hello --machine st18-rv32
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = "Create a project: C firmware, an accelerator program, and the project file."
    parser.epilog = EXAMPLES
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder; its name is the project's")
    parser.add_argument("--machine", default="st18", metavar="M", help="machine (default: %(default)s)")


def main(args: argparse.Namespace) -> int:
    """Creates the project; returns the exit code."""
    from sdk.new_project import create_project

    for path in create_project(args.folder, args.machine):
        print(args.folder / path)
    print(f"\nNext:\n  cd {args.folder}\n  imnpu build")
    print(f"  imnpu run --machine {args.machine} build/{args.machine}/{args.folder.resolve().name}.elf")
    return 0

"""``imnpu disasm``: the instructions of a blob."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """\
examples:
  imnpu disasm digits.bin                       offsets, words and instructions
  imnpu disasm digits.bin --source > again.imn  text that assembles to the same blob
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = "Show the instructions of an assembled accelerator program."
    parser.epilog = EXAMPLES
    parser.add_argument("blob", type=Path, metavar="PROG.bin", help="the program, as imnpu asm -o PROG.bin makes it")
    parser.add_argument("--source", action="store_true", help="print text that assembles to the same blob")


def main(args: argparse.Namespace) -> int:
    """Disassembles; returns the exit code."""
    from asm import disassemble
    from asm.errors import BlobError

    blob = args.blob.read_bytes()
    try:
        text = disassemble.source(blob) if args.source else disassemble.listing(blob)
    except BlobError as error:
        raise BlobError(f"{args.blob}: {error}") from None
    print(text, end="")
    return 0

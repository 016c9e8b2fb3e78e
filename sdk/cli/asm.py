"""``imnpu asm``: an accelerator program to a blob, an object or a C header."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asm.program import Program

SUFFIXES = (".bin", ".h", ".o")
"""Suffixes of the output, which choose its format."""
HOSTS = ("arm", "riscv")
"""Hosts that objects link into."""
EXAMPLES = """\
examples:
  imnpu asm digits.imn -o digits.o               an object that links into firmware for Arm
  imnpu asm digits.imn -o digits.o --host riscv  the same for RISC-V
  imnpu asm digits.imn -o digits.h               an array for C
  imnpu asm digits.imn -o digits.bin --define digits_weights=0x30000000
  imnpu asm digits.imn --list                    offsets, words and source lines; writes no file
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = "Assemble an accelerator program."
    parser.epilog = EXAMPLES
    parser.add_argument("source", type=Path, metavar="PROG.imn", help="the source file")
    parser.add_argument(
        "-o",
        dest="output",
        type=Path,
        metavar="OUT.{bin,h,o}",
        help="blob, C header or object, by suffix (default: PROG.bin in this folder, nothing with --list)",
    )
    parser.add_argument("--host", choices=HOSTS, default="arm", help="host of an object (default: %(default)s)")
    parser.add_argument(
        "--define",
        action="append",
        default=[],
        metavar="NAME=ADDRESS",
        help="the address of an extern symbol; a .bin needs all of them",
    )
    parser.add_argument(
        "--debug-path", metavar="PATH", help="path of the source in an object's debug information (default: as given)"
    )
    parser.add_argument("--list", action="store_true", help="print offsets, words and source lines")


def main(args: argparse.Namespace) -> int:
    """Assembles; returns the exit code. What is wrong with the input is an exception of `asm`."""
    import asm

    output: Path | None = args.output
    if output is None and not args.list:
        output = Path(args.source.stem + ".bin")
    if output is not None and output.suffix not in SUFFIXES:
        raise ArgumentsError(f"{output}: the output must end in {', '.join(SUFFIXES)}, which chooses its format")
    program = asm.assemble_file(args.source).resolved(_defines(args.define))
    if output is not None:
        output.write_bytes(_encode(program, output.suffix, args.host, args.debug_path))
    if args.list:
        from asm.listing import program_listing

        print(program_listing(program, args.source.read_text(encoding="utf-8")), end="")
    return 0


class ArgumentsError(Exception):
    """The output's suffix or a ``--define`` means nothing."""


def _defines(arguments: list[str]) -> dict[str, int]:
    """Addresses by name."""
    defines = {}
    for argument in arguments:
        name, _, address = argument.partition("=")
        try:
            defines[name] = int(address, 0)
        except ValueError:
            raise ArgumentsError(
                f"--define {argument}: write NAME=ADDRESS, for example --define weights=0x30000000"
            ) from None
    return defines


def _encode(program: Program, suffix: str, host: str, debug_path: str | None) -> bytes:
    """The output file's bytes."""
    if suffix == ".o":
        from asm.objects import object_file

        return object_file(program, host, source=debug_path)
    if suffix == ".h":
        from asm.header import c_header

        return c_header(program).encode()
    return program.blob()

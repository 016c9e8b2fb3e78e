"""``imnpu build``: firmware from C sources, accelerator programs and arrays."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from sdk.build import Build

EXAMPLES = """\
examples:
  imnpu build                       the project in this folder, for the machine that it names
  imnpu build examples/digits --machine st18-rv32
  imnpu build hello.c -O 2          a single file needs no project
  imnpu build --toolchain gcc       with GCC instead of zig
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = "Build firmware: an ELF file, its map, compile_commands.json and a table of sizes."
    parser.epilog = EXAMPLES
    parser.add_argument(
        "path", type=Path, nargs="?", default=Path(), metavar="DIR|FILE.c", help="project or C file (default: here)"
    )
    parser.add_argument("--machine", metavar="M", help="machine (default: what imnpu.toml says, else st18)")
    parser.add_argument("--toolchain", choices=("zig", "gcc"), default="zig", help="compiler (default: %(default)s)")
    parser.add_argument(
        "-O", dest="optimisation", choices=("0", "s", "2"), default="s", help="optimise: not, for size, for speed"
    )
    parser.add_argument(
        "-o", dest="output", type=Path, metavar="OUT.elf", help="ELF file (default: build/<machine>/<name>.elf)"
    )
    parser.add_argument("--verbose", action="store_true", help="say what was compiled and where everything is")


def main(args: argparse.Namespace) -> int:
    """Builds; returns the exit code. What is wrong with the input is an exception of `sdk.build.build`."""
    from sdk.build import BuildOptions, build
    from sdk.project import open_project

    options = BuildOptions(args.machine, args.toolchain, args.optimisation, args.output)
    result = build(open_project(args.path), options)
    for message in result.messages:
        print(message, file=sys.stderr)
    _report(result, args.verbose)
    return 0


def _report(result: Build, verbose: bool) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if verbose:
        library = "compiled" if result.library_compiled else "from the cache"
        console.print(f"{result.compiled} files compiled, library {library}")
        console.print(f"map: {result.map}", soft_wrap=True)
        console.print(f"compile commands: {result.compile_commands}", soft_wrap=True)
    console.print(_size_table(result))
    console.print(f"{result.elf}{'' if result.linked else ' is up to date'}", soft_wrap=True)


def _size_table(result: Build) -> Table:
    from rich.table import Table

    table = Table(title=f"{result.elf.name} for {result.machine}", title_justify="left")
    for name in ("memory", "used", "of", "%"):
        table.add_column(name, justify="left" if name == "memory" else "right")
    table.add_column("sections")
    for usage in result.usage:
        if usage.used:
            size = usage.region.length
            sections = ", ".join(f"{name} {count}" for name, count in usage.sections.items())
            table.add_row(usage.region.name, str(usage.used), str(size), f"{100 * usage.used / size:.1f}", sections)
    return table

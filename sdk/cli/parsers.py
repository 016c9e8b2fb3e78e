"""The subcommands and their parsers; a subcommand's module is imported when it is used.

A module has ``configure(parser)``, which declares the arguments, a description, and examples as epilog, and
``main(args) -> int``, which returns the exit code.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn

DESCRIPTION = "Run, build and debug firmware for in-memory-computing NPUs without the silicon."
EXAMPLES = """\
examples:
  imnpu demo                        the digits demo on both machines
  imnpu new hello                   start a project
  imnpu build hello                 compile it
  imnpu run hello/build/st18/hello.elf
  imnpu machines st18               memory map, interrupts, registers
"""


@dataclass(frozen=True)
class Subcommand:
    """A line of the command table: ``module`` is imported late, so the summary stands here."""

    module: str
    summary: str


SUBCOMMANDS = {
    "run": Subcommand("sdk.cli.run", "run firmware on an emulated machine"),
    "build": Subcommand("sdk.cli.build", "compile C, accelerator programs and weights to firmware"),
    "new": Subcommand("sdk.cli.new", "create a project"),
    "debug": Subcommand("sdk.cli.debug", "run firmware in the debugger"),
    "asm": Subcommand("sdk.cli.asm", "assemble an accelerator program"),
    "disasm": Subcommand("sdk.cli.disasm", "show an accelerator program as assembly"),
    "machines": Subcommand("sdk.cli.machines", "list machines, show memory maps and registers"),
    "report": Subcommand("sdk.cli.report", "compare the chip and networks with published figures"),
    "demo": Subcommand("sdk.cli.demo", "classify handwritten digits on both machines"),
    "completion": Subcommand("sdk.cli.completion", "print a completion script for the shell"),
}


class VersionAction(argparse.Action):
    """Prints the version; finding it out costs time, so it is done only when it is asked for."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Ends the program."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"imnpu {version('imnpu')}")
        except PackageNotFoundError:
            print("imnpu, not installed: run from its source folder")
        parser.exit()


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments, without all those that there are in front of it."""

    def error(self, message: str) -> NoReturn:
        """Ends the program."""
        self.exit(2, f"{self.prog}: {message}\n{self.prog} --help shows the arguments\n")


def _new_parser(program: str) -> argparse.ArgumentParser:
    from rich_argparse import RawDescriptionRichHelpFormatter

    return Parser(prog=program, formatter_class=RawDescriptionRichHelpFormatter)


def subcommand_parser(name: str) -> argparse.ArgumentParser:
    """Parser of one subcommand; imports its module."""
    parser = _new_parser(f"imnpu {name}")
    import_module(SUBCOMMANDS[name].module).configure(parser)
    return parser


def top_parser(*, complete: bool = False) -> argparse.ArgumentParser:
    """Parser of the command itself.

    Args:
        complete: with the arguments of all subcommands, for which their modules are imported.
    """
    parser = _new_parser("imnpu")
    parser.usage, parser.description, parser.epilog = "imnpu [-h] [--version] COMMAND ...", DESCRIPTION, EXAMPLES
    parser.add_argument("--version", action=VersionAction)
    # The long metavar makes the column of names wide enough: argparse forgets that they are indented.
    commands = parser.add_subparsers(title="commands", metavar="COMMAND ARGUMENTS", dest="command")
    for name, command in SUBCOMMANDS.items():
        sub = commands.add_parser(name, help=command.summary, formatter_class=parser.formatter_class)
        if complete:
            import_module(command.module).configure(sub)
    return parser

"""``imnpu completion``: completion scripts for shells."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """\
examples:
  source <(imnpu completion bash)                       this bash
  imnpu completion bash > ~/.local/share/bash-completion/completions/imnpu
  imnpu completion zsh > ~/.zfunc/_imnpu                with fpath+=~/.zfunc before compinit
  imnpu completion fish > ~/.config/fish/completions/imnpu.fish
"""


SHELLS = ("bash", "zsh", "fish")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = "Print a completion script for the shell."
    parser.epilog = EXAMPLES
    parser.add_argument("shell", choices=SHELLS, help="which shell")


def main(args: argparse.Namespace) -> int:
    """Prints the script; returns the exit code."""
    import shtab

    from sdk.cli.parsers import top_parser

    parser = top_parser(complete=True)
    _say_what_arguments_are(parser)
    print(shtab.complete(parser, shell=args.shell))
    return 0


def _say_what_arguments_are(parser: argparse.ArgumentParser) -> None:
    """Mark the arguments that are files, folders or machines, of this parser and those of its subcommands."""
    import shtab

    from emu.machines import ALL

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                _say_what_arguments_are(sub)
        elif action.metavar in ("M", "MACHINE"):
            action.choices = ALL
        elif action.type is Path or action.metavar == "FILE":
            action.complete = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE  # type: ignore[attr-defined]

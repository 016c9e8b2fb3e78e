"""``imnpu completion``: completion scripts for shells."""

from __future__ import annotations

import argparse

EXAMPLES = """\
examples:
  source <(imnpu completion bash)                       this bash
  imnpu completion bash > ~/.local/share/bash-completion/completions/imnpu
  imnpu completion zsh > ~/.zfunc/_imnpu                with fpath+=~/.zfunc before compinit
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = "Print a completion script for the shell."
    parser.epilog = EXAMPLES
    parser.add_argument("shell", choices=("bash", "zsh"), help="which shell")


def main(args: argparse.Namespace) -> int:
    """Prints the script; returns the exit code."""
    import shtab

    from sdk.cli.parsers import top_parser

    print(shtab.complete(top_parser(complete=True), shell=args.shell))
    return 0

"""``imnpu report network FILE``: any network, run from firmware."""

from __future__ import annotations

import argparse
from pathlib import Path

from sdk.cli import report_network


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    report_network.configure(parser)
    parser.epilog = "example:\n  imnpu report network examples/residual --clusters 4\n"
    parser.add_argument("file", type=Path, metavar="FILE", help="network.toml, or the folder that it is in")


def main(args: argparse.Namespace) -> int:
    """Runs the network; returns 1 if an output is wrong."""
    return report_network.report(args, args.file)

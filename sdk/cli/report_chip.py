"""``imnpu report chip``: the chip's summary."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sdk.cli.outputs import check_outputs
from sdk.cli.report import STDOUT, add_output_arguments, write_json
from sdk.report.battery import AWAKE_PERCENT, BATTERY_MWH

if TYPE_CHECKING:
    from sdk.report.network import NetworkFigures

EXAMPLES = """\
examples:
  imnpu report chip                               tables
  imnpu report chip --svg chip.svg                and a picture
  imnpu report chip --battery 10000 --awake 5     another battery, awake more often
  imnpu report chip --quick --json chip.json
"""
PLAIN_WIDTH = 160
"""Columns of the tables where stdout is not a terminal."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = (
        "Peak figures, efficiencies, density, body bias, the VGG16-style network and the always-on camera:\n"
        "published, model, residual; and which published figures contradict each other."
    )
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--battery", type=_positive, default=BATTERY_MWH, metavar="MWH",
        help="the camera's battery in mWh (default: %(default)g, 1000 mAh at 3.7 V)",
    )  # fmt: skip
    parser.add_argument(
        "--awake", type=_percent, default=AWAKE_PERCENT, metavar="PERCENT",
        help="share of the time in which the camera is awake, 0..100 (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true",
        help="efficiency of the VGG16-style network by the model's rules, instead of from a run of its firmware",
    )  # fmt: skip
    add_output_arguments(parser)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be more than 0, not {text}")
    return value


def _percent(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"must be 0..100, not {text}")
    return value


_positive.__name__, _percent.__name__ = "number", "percentage"  # argparse puts them into its messages


def _run_vgg16() -> NetworkFigures:
    from rich.console import Console

    from sdk import paths
    from sdk.networks.measure import run_network
    from sdk.networks.network_file import load_network
    from sdk.networks.plan import plan_network
    from sdk.report.network import network_figures

    folder = paths.examples() / "vgg16"
    status = Console(stderr=True, highlight=False).status("building and running the VGG16-style network")
    with status, tempfile.TemporaryDirectory() as project:
        return network_figures(run_network(plan_network(load_network(folder), 1), Path(project)), folder)


def main(args: argparse.Namespace) -> int:
    """Prints and writes; returns the exit code."""
    from sdk.report.chip import chip_report

    check_outputs(args.svg, None if args.json == STDOUT else args.json)
    report = chip_report(args.battery, args.awake, None if args.quick else _run_vgg16())
    if args.svg is not None:
        from sdk.report.chip_picture import chip_picture

        args.svg.write_text(chip_picture(report), encoding="utf-8")
    if args.json is not None:
        write_json(report.as_json(), args.json)
    if args.json != STDOUT:
        from rich.console import Console

        from sdk.report.chip_tables import print_chip

        print_chip(Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH), report)
    return 0

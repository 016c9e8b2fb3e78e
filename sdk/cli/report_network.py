"""``imnpu report vgg16|yolo2-tiny``: a network, run from firmware, next to the published figures."""

from __future__ import annotations

import argparse
from pathlib import Path

from sdk.cli.outputs import check_outputs
from sdk.cli.report import STDOUT, add_output_arguments, write_json
from sdk.machine_options import add_clusters_option

FOLDERS = {"vgg16": "vgg16", "yolo2-tiny": "yolo2_tiny"}
"""Folder of each network's example, by the name of its report."""
WRONG = 1
EXAMPLES = """\
examples:
  imnpu report vgg16                                      cycles, energy, published values
  imnpu report vgg16 --clusters 8 --svg vgg16.svg         and a picture
  imnpu report yolo2-tiny --clusters 8 --json yolo2.json
  imnpu report vgg16 --timing strict                      whole cycles, streams, set-up
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = (
        "Build the firmware of a network, run it layer after layer, compare every output with an integer reference,\n"
        "and print what the clusters counted next to the published figures."
    )
    parser.epilog = EXAMPLES
    add_clusters_option(parser, default=1)
    parser.add_argument(
        "--timing", choices=("published", "strict"), default="published", help="timing model (default: %(default)s)"
    )
    parser.add_argument("--machine", default="st18", metavar="M", help="machine (default: %(default)s)")
    parser.add_argument(
        "--output", type=Path, default=Path("build/report"), metavar="DIR", help="where the firmware goes (%(default)s)"
    )
    add_output_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Runs the network; returns 1 if an output is wrong."""
    from sdk import paths

    return report(args, paths.examples() / FOLDERS[args.report])


def report(args: argparse.Namespace, path: Path) -> int:
    """Runs the network of that file or folder; returns 1 if an output is wrong."""
    from rich.console import Console

    from sdk.networks.measure import run_network
    from sdk.networks.network_file import load_network
    from sdk.networks.plan import plan_network
    from sdk.report.network import network_figures
    from sdk.report.network_picture import draw
    from sdk.report.network_table import print_report

    check_outputs(args.svg, None if args.json == STDOUT else args.json)
    folder = path if path.is_dir() else path.parent
    plan = plan_network(load_network(path), args.clusters)
    project = args.output / f"{plan.network.name}-{args.clusters}"
    messages = Console(stderr=True, highlight=False)
    with messages.status(f"building and running {plan.network.title}"):
        run = run_network(plan, project, args.machine, args.timing)
    figures = network_figures(run, folder)
    if args.json != STDOUT:
        print_report(figures, Console(highlight=False, soft_wrap=True))
    if args.json is not None:
        write_json(figures.as_json(), args.json)
    if args.svg is not None:
        args.svg.write_text(draw(figures), encoding="utf-8")
    return 0 if run.exact else WRONG

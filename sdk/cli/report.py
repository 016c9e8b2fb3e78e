"""``imnpu report``: figures of the emulated chip next to the published ones.

Each report has a module like that of a subcommand: ``configure(parser)`` and ``main(args)``, where ``args.report`` is
the report's name; an entry in `REPORTS` announces it.
"""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from pathlib import Path
from typing import Any

from sdk.cli.parsers import Subcommand

STDOUT = Path("-")
"""FILE of ``--json`` without a file."""
REPORTS = {
    "chip": Subcommand("sdk.cli.report_chip", "efficiency, density, body bias, always-on camera"),
    "vgg16": Subcommand("sdk.cli.report_network", "a VGG16-style network, layer after layer, from firmware"),
    "network": Subcommand("sdk.cli.report_any_network", "any network, from its network.toml"),
    "yolo2-tiny": Subcommand("sdk.cli.report_network", "a tiny-YOLO2-style network, likewise"),
}
EXAMPLES = """\
examples:
  imnpu report chip                 the chip's summary as tables
  imnpu report chip --json          the same for programs
  imnpu report chip --svg chip.svg  and a picture
  imnpu report vgg16 --clusters 8   a network on eight clusters, run from firmware
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of all reports."""
    parser.description = "Compute figures by running the model of the chip, and compare them with the published ones."
    parser.epilog = EXAMPLES
    kinds = parser.add_subparsers(title="reports", metavar="REPORT ARGUMENTS", dest="report", required=True)
    for name, report in REPORTS.items():
        sub = kinds.add_parser(name, help=report.summary, formatter_class=parser.formatter_class)
        import_module(report.module).configure(sub)


def main(args: argparse.Namespace) -> int:
    """Makes the report; returns the exit code."""
    code: int = import_module(REPORTS[args.report].module).main(args)
    return code


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """``--json`` and ``--svg``, the same in every report."""
    parser.add_argument(
        "--json", type=Path, nargs="?", const=STDOUT, metavar="FILE",
        help="write JSON to FILE; without FILE, to stdout instead of tables",
    )  # fmt: skip
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write a picture to FILE")


def write_json(figures: dict[str, Any], path: Path) -> None:
    """Write a report's figures to a file or, where ``path`` is `STDOUT`, to stdout."""
    text = json.dumps(figures, indent=2)
    if path == STDOUT:
        print(text)
    else:
        path.write_text(text + "\n", encoding="utf-8")

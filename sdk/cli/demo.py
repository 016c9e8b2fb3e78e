"""``imnpu demo``: runs the digits example on both hosts and shows the result."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """\
examples:
  imnpu demo                        build, run, show; writes build/demo/report.json
  imnpu demo --output digits-demo    somewhere else
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = "Build the digits example for both hosts, classify 360 handwritten digits, show the result."
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--output", type=Path, default=Path("build/demo"), metavar="DIR", help="where report.json goes (%(default)s)"
    )


def main(args: argparse.Namespace) -> int:
    """Runs the script of the example, as ``python examples/digits/demo.py DIR`` does; returns its exit code."""
    import runpy
    import sys

    from sdk import paths

    script = paths.examples() / "digits" / "demo.py"
    sys.path.insert(0, str(script.parent))
    code: int = runpy.run_path(str(script))["main"](args.output)
    return code

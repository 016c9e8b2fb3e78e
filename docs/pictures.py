"""Draws the pictures of the documentation from the running program: ``python docs/pictures.py``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich.console import Console

from sdk.report.chip import chip_report
from sdk.report.chip_picture import chip_picture

DOCS = Path(__file__).resolve().parent
DIGITS = DOCS.parent / "examples" / "digits"
FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def without_remote_fonts(svg: str) -> str:
    """The picture with the reader's own fonts, so that looking at it fetches nothing."""
    return FONT_FACE.sub("", svg)


def draw_demo() -> None:
    """What ``imnpu demo`` shows."""
    sys.path.insert(0, str(DIGITS))
    import demo

    console = Console(record=True, width=80, highlight=False, force_terminal=False)
    demo.main(Path("build/demo"), console)
    (DOCS / "demo.svg").write_text(without_remote_fonts(console.export_svg(title="imnpu demo")))


def draw_chip() -> None:
    """What ``imnpu report chip --svg`` writes."""
    (DOCS / "chip.svg").write_text(chip_picture(chip_report()))


if __name__ == "__main__":
    draw_demo()
    draw_chip()
